"""This processor, and how the code made for it is compiled and kept.

`host()` says what the processor can do; `PELLUCID_LANES` (16, 8 or 4) makes it say less, so that
narrower kernels can be tried on a wide machine. `compile_module` turns IR into machine code, or
takes it from the cache: a folder of object files, each under the hash of all that it depends on.
The cache may be shared by any number of processes, be damaged, or be missing: the worst that
happens is that something is compiled again.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from pellucid.compiler.ir import Module, Width
from pellucid.errors import ArgumentError

__all__ = ["Code", "Target", "cache_folder", "compile_module", "host", "measured_peak"]

CACHE_LIMIT = 256 * 2**20
"""How many bytes the cache may hold; the entries unused for longest go first."""


@dataclass(frozen=True)
class Target:
    """What code is made for.

    Attributes:
        triple: LLVM's name for architecture and system.
        cpu: LLVM's name for the processor.
        features: LLVM's list of what it can do.
        width: What the kernels need to know.
    """

    triple: str
    cpu: str
    features: str
    width: Width


@cache
def host(lanes: int | None = None) -> Target:
    """Return this machine's target; with `lanes`, or PELLUCID_LANES, narrower than it is."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple = llvm.get_process_triple()
    found = dict(llvm.get_host_cpu_features())
    arm = triple.startswith(("aarch64", "arm64"))
    widest = 16 if found.get("avx512f") else 8 if found.get("avx2") and found.get("fma") else 4
    wanted = lanes or _lanes_asked_for() or widest
    if wanted > widest:
        raise ArgumentError(
            f"PELLUCID_LANES={wanted}, but this processor's vectors have {widest} lanes."
        )
    if wanted < 16:
        found = {k: v and not k.startswith(("avx512", "avx10", "amx")) for k, v in found.items()}
    if wanted < 8:
        found = {
            k: v and not k.startswith(("avx", "fma", "f16c", "xop", "vaes", "vpcl"))
            for k, v in found.items()
        }
    features = ",".join(("+" if has else "-") + name for name, has in sorted(found.items()))
    width = Width(wanted, 32 if arm or wanted == 16 else 16, arm or wanted >= 8)
    return Target(triple, llvm.get_host_cpu_name(), features, width)


def _lanes_asked_for() -> int | None:
    asked = os.environ.get("PELLUCID_LANES")
    if not asked:
        return None
    if asked not in ("4", "8", "16"):
        raise ArgumentError(f"PELLUCID_LANES must be 4, 8 or 16, received {asked!r}.")
    return int(asked)


class Code:
    """Machine code in memory, and its functions by name.

    Attributes:
        bytes: How large its object file is.
    """

    def __init__(self, machine_code: bytes, target: Target) -> None:
        import llvmlite.binding as llvm

        self.bytes = len(machine_code)
        empty = llvm.parse_assembly(f'target triple = "{target.triple}"\n')
        machine = _machine(target)
        self._engine: Any = llvm.create_mcjit_compiler(empty, machine)
        self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(machine_code))
        self._engine.finalize_object()

    def function(self, name: str, *parameters: Any) -> Any:
        """Return a function to call; the other threads of Python run meanwhile."""
        address = self._engine.get_function_address(name)
        found: Any = ctypes.CFUNCTYPE(None, *parameters)(address)
        found.code = self  # which stays mapped as long as there is a function to call
        return found


_loaded: WeakValueDictionary[str, Code] = WeakValueDictionary()
_recent: deque[Code] = deque(maxlen=16)
"""Kept mapped a while longer: a model that is made again needs not be loaded again."""


def compile_module(module: Module, target: Target) -> Code:
    """Return the module's machine code: from memory, from the cache, or newly made."""
    text = str(module)
    key = _key(text, target)
    found = _loaded.get(key)
    if found is not None:
        return found
    stored = _read(key)
    if stored is None:
        stored = _compile(text, target)
        _write(key, stored)
    try:
        code = Code(stored, target)
    except RuntimeError:  # LLVM refuses an object file that is whole but not its own
        code = Code(_compile(text, target), target)
    _loaded[key] = code
    _recent.append(code)
    return code


def assembly(module: Module, target: Target) -> str:
    """Return the module's machine code for people to read."""
    return str(_machine(target).emit_assembly(_optimised(str(module), target)))


def _machine(target: Target) -> Any:
    import llvmlite.binding as llvm

    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="jitdefault"
    )


def _optimised(text: str, target: Target) -> Any:
    """Return LLVM's module, tidied up.

    Kernels are written as they shall run, vectors and tiles included. LLVM's whole pipeline takes
    ten times as long and changes nothing that can be measured.
    """
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(f'target triple = "{target.triple}"\n{text}')
    module.verify()
    builder = llvm.create_pass_builder(_machine(target), llvm.create_pipeline_tuning_options())
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module


def _compile(text: str, target: Target) -> bytes:
    return bytes(_machine(target).emit_object(_optimised(text, target)))


# The cache.


def cache_folder() -> Path:
    """Return the folder of object files: PELLUCID_CACHE, or the user's cache folder."""
    asked = os.environ.get("PELLUCID_CACHE")
    if asked:
        return Path(asked) / "code"
    import platformdirs

    return Path(platformdirs.user_cache_dir("pellucid", appauthor=False)) / "code"


def _key(text: str, target: Target) -> str:
    import llvmlite

    parts = (text, target.triple, target.cpu, target.features, llvmlite.__version__)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(key: str) -> bytes | None:
    """Return a stored object file; None if there is none, or if it was damaged."""
    path = cache_folder() / f"{key}.o"
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, machine_code = stored[:32], stored[32:]
    if hashlib.sha256(machine_code).digest() != digest:
        return None
    with contextlib.suppress(OSError):  # a folder that cannot be written can still be read
        os.utime(path)
    return machine_code


def _write(key: str, machine_code: bytes) -> None:
    """Store an object file whole or not at all; a full or forbidden disk changes nothing."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(machine_code).digest() + machine_code)
            Path(name).replace(folder / f"{key}.o")
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        _trim(folder)
    except OSError:
        return


def _trim(folder: Path) -> None:
    """Keep the cache below its limit: what was used last stays."""
    entries = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may be trimming as well
            found = path.stat()
            stale = path.suffix == ".new" and time.time() - found.st_mtime > 3600
            entries.append((0.0 if stale else found.st_mtime, found.st_size, path))
    total = sum(size for _, size, _ in entries)
    for used, size, path in sorted(entries):
        if total <= CACHE_LIMIT and used:
            break
        path.unlink(missing_ok=True)
        total -= size


# What the processor can reach.


@cache
def measured_peak(target: Target) -> float:
    """Return the multiply-adds per second that one core reaches from registers alone."""
    module = Module(target.width)
    f = module.function("peak", {"p": "float*", "count": "i64"}, export=True)
    p, count = f.arguments
    a, b = p.load(0), p.load(f.lanes)
    chains = 12
    start = [p.load(f.lanes * k) for k in range(chains)]
    ends = f.carry(count, start, lambda _, acc: [f.fma(v, a, b) for v in acc])
    for k, value in enumerate(ends):
        p.store(value, f.lanes * k)
    f.done()
    run = compile_module(module, target).function("peak", ctypes.c_void_p, ctypes.c_int64)
    memory = np.full(f.lanes * chains, 0.5, np.float32)
    repeats, best = 100_000, float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        run(memory.ctypes.data, repeats)
        best = min(best, time.perf_counter() - begin)
    return chains * f.lanes * repeats / best
