"""How accurate the tutorial's model becomes, seed by seed.

    python benchmarks/accuracy.py [--tour-seeds 5] [--full-seeds 3]
    python benchmarks/accuracy.py --engines [--seeds 5] [--epochs 3] [--samples 60000]

With `--engines` the model is trained by the compiled engine and by the reference engine, from the
same seeds, and the accuracy after each epoch is printed side by side: speed must not be bought with
mathematics.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from typing import Any

import numpy as np

import pellucid as keras
from pellucid.architectures import build

TARGET = 0.99


def trained(
    seed: int, train: Any, validation: Any, epochs: int, stop_at: float = 2.0, engine: str = "auto"
) -> Any:
    """Train the tutorial's model and return (validation accuracy by epoch, model)."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build("mnist", (28, 28, 1), 10)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], engine=engine)
    reached = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _, logs: setattr(
            model, "stop_training", logs["val_accuracy"] >= stop_at
        )
    )
    history = model.fit(
        *train, epochs=epochs, batch_size=64, validation_data=validation, verbose=0,
        callbacks=[reached],
    )  # fmt: skip
    return history.history["val_accuracy"], model


def digest(model: Any) -> str:
    """Return a short name for the model's weights, to the bit."""
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()[:12]


def side_by_side(train: Any, test: Any, seeds: int, epochs: int) -> None:
    """Print the accuracy of both engines after each epoch, and how much it differs by seed."""
    print(
        f"{len(train[0]):,} images, batch 64, Adam; accuracy on {len(test[0]):,} test images after "
        f"each epoch"
    )
    found: dict[str, list[list[float]]] = {"auto": [], "reference": []}
    for seed in range(seeds):
        for engine, curves in found.items():
            start = time.perf_counter()
            curves.append(trained(seed, train, test, epochs, engine=engine)[0])
            by_epoch = "  ".join(f"{accuracy:.2%}" for accuracy in curves[-1])
            name = "compiled" if engine == "auto" else engine
            seconds = time.perf_counter() - start
            print(f"  seed {seed}  {name:10}  {by_epoch}  ({seconds:.0f} s)", flush=True)
    print(f"\n{'epoch':>7}{'compiled':>20}{'reference':>20}{'difference':>13}")
    for epoch in range(epochs):
        both = [[curve[epoch] for curve in curves] for curves in found.values()]
        means = [statistics.mean(values) for values in both]
        cells = [
            f"{mean:.2%} ± {statistics.stdev(values) if seeds > 1 else 0:.2%}"
            for mean, values in zip(means, both, strict=True)
        ]
        print(f"{epoch + 1:>7}{cells[0]:>20}{cells[1]:>20}{means[0] - means[1]:>+13.2%}")
    print("± is the standard deviation over the seeds.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tour-seeds", type=int, default=5)
    parser.add_argument("--full-seeds", type=int, default=3)
    parser.add_argument("--engines", action="store_true", help="both engines, side by side")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=60_000, help="how many to train on")
    options = parser.parse_args()
    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    x, x_test = (np.asarray(a, "float32")[..., None] / 255 for a in (x, x_test))
    if options.engines:
        train = x[: options.samples], y[: options.samples]
        side_by_side(train, (x_test, y_test), options.seeds, options.epochs)
        return

    print("The tour: 10,000 images, 5 epochs, batch 64, Adam; accuracy on 2,000 test images")
    last = []
    for seed in range(options.tour_seeds):
        start = time.perf_counter()
        curve, model = trained(
            seed, (x[:10000], y[:10000]), (x_test[:2000], y_test[:2000]), epochs=5
        )
        last.append(curve[-1])
        print(
            f"  seed {seed}: {curve[-1]:.2%}  ({time.perf_counter() - start:.1f} s, "
            f"weights {digest(model)})",
            flush=True,
        )
    if last:
        print(f"  mean {statistics.mean(last):.2%}")
        _, again = trained(
            options.tour_seeds - 1,
            (x[:10000], y[:10000]),
            (x_test[:2000], y_test[:2000]),
            epochs=5,
        )
        same = digest(again) == digest(model)
        print(f"  seed {options.tour_seeds - 1} again: {'the same bits' if same else 'OTHER BITS'}")

    if options.full_seeds:
        print(
            f"All of MNIST: 60,000 images, batch 64, Adam; until {TARGET:.0%} of 10,000 test images"
        )
    for seed in range(options.full_seeds):
        curve, _ = trained(seed, (x, y), (x_test, y_test), epochs=6, stop_at=TARGET)
        by_epoch = ", ".join(f"{a:.2%}" for a in curve)
        verdict = f"reached in epoch {len(curve)}" if curve[-1] >= TARGET else "not reached"
        print(f"  seed {seed}: {by_epoch}  ({verdict})", flush=True)


if __name__ == "__main__":
    main()
