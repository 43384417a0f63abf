"""How accurate the tutorial's model becomes, seed by seed.

python benchmarks/accuracy.py [--tour-seeds 5] [--full-seeds 3]
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


def trained(seed: int, train: Any, validation: Any, epochs: int, stop_at: float = 2.0) -> Any:
    """Train the tutorial's model and return (validation accuracy by epoch, model)."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build("mnist", (28, 28, 1), 10)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tour-seeds", type=int, default=5)
    parser.add_argument("--full-seeds", type=int, default=3)
    options = parser.parse_args()
    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    x, x_test = (np.asarray(a, "float32")[..., None] / 255 for a in (x, x_test))

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
