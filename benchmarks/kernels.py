"""Print what share of a core's multiply-add peak the kernels of 3×3 convolutions reach.

    python benchmarks/kernels.py
    python benchmarks/kernels.py --direct

One core, the best of many runs, in each of the three passes: forward, the data's gradient, the
weights' gradient. Multiply-adds are counted in the direct form, so that Winograd's may exceed 100%;
with `--direct` that form is used throughout. The peak is that of multiply-adds between registers.
"""

from __future__ import annotations

import argparse

import numpy as np

from pellucid.compiler import plan
from pellucid.compiler.compiled import Compiled
from pellucid.compiler.kernels import conv2d
from pellucid.compiler.plan import Plan
from pellucid.compiler.report import lines
from pellucid.graph import Tracer, Variable
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.mean_squared_error import MeanSquaredError
from pellucid.ops.weighted_mean import WeightedMean

SHAPES = (
    *((28, 32, 32), (28, 64, 64), (18, 64, 128), (14, 128, 128), (14, 256, 256)),
    *((10, 256, 256), (7, 256, 256), (7, 512, 512)),
)
"""Side of the image, input channels, output channels."""
CHUNK = 4
"""So many samples, in one chunk of the batch, as they are in a batch of 32."""


def convolution(side: int, channels: int, filters: int) -> Plan:
    """Return the plan of a training step of one convolution with 'same' padding."""
    rng = np.random.default_rng(0)
    g = Tracer(True)
    x = g.input((None, side, side, channels))
    kernel = Variable(rng.standard_normal((3, 3, channels, filters)), "kernel")
    y = g.apply(Conv2D(padding="same"), x, g.weight(kernel), None)
    goal = g.input(y.shape, "goal", "target")
    loss = g.apply(WeightedMean(), g.apply(MeanSquaredError(), y, goal), None)
    program = g.program([x, goal], [loss])
    return Plan(Compiled(program, [kernel], wanted=[x]), CHUNK)


def shares(step: Plan, repeats: int) -> dict[str, tuple[str, float]]:
    """Return the kernel and its share of the peak, for each pass."""
    found = {}
    for line in lines(step, repeats=repeats):
        if line.share and line.kernel.startswith("conv2d"):
            kind = "weights" if "weights" in line.kernel else "data"
            forward = line.kernel in ("conv2d", "conv2d_winograd") and "forward" not in found
            found["forward" if forward else kind] = (line.kernel, line.share)
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--direct", action="store_true", help="without Winograd's form")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args(arguments)
    if options.direct:
        conv2d.winograd_pays = conv2d.winograd_weights_pay = lambda *_: False
    plan.chunk_size = lambda *_: CHUNK
    passes = ("forward", "data", "weights")
    print(f"{'shape':>18}" + "".join(f"{name:>14}" for name in passes))
    for side, channels, filters in SHAPES:
        found = shares(convolution(side, channels, filters), options.repeats)
        cells = []
        for name in passes:
            kernel, share = found[name]
            cells.append(f"{share:.0%}{' (W)' if 'winograd' in kernel else ''}")
        print(
            f"{side}×{side}×{channels} → {filters}".rjust(18) + "".join(f"{c:>14}" for c in cells)
        )
    print("(W): Winograd's form, counted in the products of the direct one")


if __name__ == "__main__":
    main()
