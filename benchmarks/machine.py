"""What this machine can do at most: fused multiply-adds and copied bytes for each second.

python benchmarks/machine.py [THREADS]
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CHAINS = 16  # independent sums: enough to hide an FMA's latency on every processor known here


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def together(action: Callable[[int], object], threads: int, repeats: int = 7) -> float:
    """Return the shortest time in which all threads do `action(number)` side by side."""
    best = float("inf")
    for _ in range(repeats):
        workers = [threading.Thread(target=action, args=(n,)) for n in range(threads)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - start)
    return best


def fma_peak(threads: int) -> tuple[float, str]:
    """Return (floating-point operations for each second, how they were measured)."""
    try:
        import llvmlite.binding as llvm
    except ImportError:
        return _matrix_peak(threads), "NumPy's matrix product (llvmlite is not installed)"
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    lanes = 16 if features.get("avx512f") else 8 if features.get("avx2") else 4
    vector = f"<{lanes} x float>"
    splat = f"<{', '.join(['float 0.5'] * lanes)}>"
    before = [f"%a{i} = phi {vector} [{splat}, %entry], [%b{i}, %loop]" for i in range(CHAINS)]
    steps = [
        f"%b{i} = call {vector} @llvm.fma.v{lanes}f32({vector} %a{i}, {vector} %h, {vector} %h)"
        for i in range(CHAINS)
    ]
    sums = [f"%s0 = fadd {vector} %b0, %b1"]
    sums += [f"%s{i} = fadd {vector} %s{i - 1}, %b{i + 1}" for i in range(1, CHAINS - 1)]
    source = f"""
        declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})
        define float @peak(i64 %count, float %half) {{
        entry:
          %h0 = insertelement {vector} undef, float %half, i32 0
          %h = shufflevector {vector} %h0, {vector} undef, <{lanes} x i32> zeroinitializer
          br label %loop
        loop:
          %n = phi i64 [0, %entry], [%m, %loop]
          {chr(10).join(before)}
          {chr(10).join(steps)}
          %m = add i64 %n, 1
          %more = icmp slt i64 %m, %count
          br i1 %more, label %loop, label %done
        done:
          {chr(10).join(sums)}
          %r = extractelement {vector} %s{CHAINS - 2}, i32 0
          ret float %r
        }}"""
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(source), target)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
    function = signature(engine.get_function_address("peak"))
    count = 3_000_000
    seconds = together(lambda _: function(count, 0.5), threads)
    work = 2.0 * lanes * CHAINS * count * threads
    return work / seconds, f"{lanes}-lane FMAs in registers, through llvmlite"


def _matrix_peak(threads: int, side: int = 1024) -> float:
    rng = np.random.default_rng(0)
    left, right = rng.random((2, threads, side, side), dtype="float32")
    out = np.empty_like(left)
    seconds = together(lambda n: np.matmul(left[n], right[n], out=out[n]), threads)
    return 2.0 * side**3 * threads / seconds


def copy_bandwidth(threads: int, touched: float = 512e6) -> float:
    """Return bytes for each second, read and written, of copying back and forth in `touched` bytes.

    What fits the caches is copied faster than main memory allows: a floor has to know its size.
    """
    size = max(2048, int(touched / 16 / threads))
    blocks = np.ones((threads, 2, size), "float64")
    repeats = max(1, int(32e6 / (16 * size)))

    def copy(thread: int) -> None:
        for _ in range(repeats):
            np.copyto(blocks[thread, 0], blocks[thread, 1])

    return repeats * blocks.nbytes / together(copy, threads)


def describe(threads: int) -> dict[str, object]:
    """Measure, print, and return what this machine can do."""
    peak, how = fma_peak(threads)
    found = {
        "processor": processor(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "threads": threads,
        "flops": peak,
        "flops_measured_with": how,
        "bytes_per_second": copy_bandwidth(threads),
    }
    print(f"{found['processor']}, {threads} of {found['processors']} processors")
    print(f"FMA peak {peak / 1e9:,.0f} GFLOP/s ({how})")
    print(f"Copy bandwidth {found['bytes_per_second'] / 1e9:,.1f} GB/s (read and written)")
    return found


if __name__ == "__main__":
    describe(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
