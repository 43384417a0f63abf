"""How fast the reference engine trains the tutorial's model, and how much of that is BLAS.

    python benchmarks/reference_speed.py [--batch-size 64] [--steps 40] [--repeats 5]

The share is found by replaying the step's matrix products, of the same shapes, by themselves.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import pellucid as keras
from pellucid.architectures import build


def products(model: keras.Model, batch: int) -> list[tuple[int, int, int]]:
    """Return (rows, inner, columns) of every matrix product of one training step."""
    found = []
    first = True
    for node in model.program(training=True).nodes:
        if node.op.name in ("conv2d", "dense"):
            kernel = node.inputs[1].shape
            inner, columns = int(np.prod(kernel[:-1])), kernel[-1]
            rows = batch * int(np.prod(node.output.shape[1:-1]))
            found += [(rows, inner, columns), (inner, rows, columns)]
            if not first:
                found.append((rows, columns, inner))
            first = False
    return found


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of `action`."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    batch, count = options.batch_size, options.batch_size * options.steps

    (x, y), _ = keras.datasets.mnist.load_data()
    x = np.asarray(x[:count], "float32")[..., None] / 255
    y = y[:count]
    keras.utils.set_random_seed(0)
    model = build("mnist", (28, 28, 1), 10)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], engine="reference"
    )
    model.fit(x, y, batch_size=batch, verbose=0)
    training = seconds(lambda: model.fit(x, y, batch_size=batch, verbose=0), options.repeats)
    inference = seconds(lambda: model.predict(x, batch_size=256, verbose=0), options.repeats)

    shapes = products(model, batch)
    rng = np.random.default_rng(0)
    pairs = [(rng.random((m, k), "f4"), rng.random((k, n), "f4")) for m, k, n in shapes]

    def replay() -> None:
        for _ in range(options.steps):
            for left, right in pairs:
                left @ right

    replay()
    blas = seconds(replay, options.repeats)
    flops = 2 * sum(m * k * n for m, k, n in shapes) * options.steps
    print(f"training, batch {batch}:   {count / training:8,.0f} samples/s")
    print(f"inference, batch 256: {count / inference:8,.0f} samples/s")
    print(f"matrix products:      {blas / training:8.0%} of a training step")
    print(f"                      {flops / blas / 1e9:8,.0f} GFLOP/s while in them")


if __name__ == "__main__":
    main()
