"""Makes tests/vectors/keras_trajectories.npz: ten training steps, as Keras takes them.

    python tests/oracle/trajectories.py

Every array is float32: `start_<i>` the weights at first, `x<step>_0` and `y<step>_0` the batches,
`<optimizer>/w<step>_<i>` the weights after each step.
"""

from pathlib import Path

import numpy as np

STEPS = 10
OPTIMIZERS = ("sgd", "adam", "rmsprop")
VECTORS = Path(__file__).parent.parent / "vectors" / "keras_trajectories.npz"

_SHAPES = [(3, 3, 1, 4), (4,), (4,), (4,), (4,), (4,), (3, 3, 4, 3), (12, 5), (5,)]


def given():
    """Return the weights to start from and the batches."""
    rng = np.random.default_rng(20240607)
    arrays = {
        f"start_{i}": rng.uniform(-0.5, 0.5, shape).astype("float32")
        for i, shape in enumerate(_SHAPES)
    }
    arrays["start_2"] += 1  # gamma
    arrays["start_5"] = np.abs(arrays["start_5"]) + 0.5  # the variance
    for step in range(STEPS):
        arrays[f"x{step}_0"] = rng.normal(size=(6, 8, 8, 1)).astype("float32")
        arrays[f"y{step}_0"] = rng.integers(0, 5, 6).astype("float32")
    return arrays


def taken(oracle, arrays):
    """Return what Keras' weights are after each step, for each optimiser."""
    results = {}
    for optimizer in OPTIMIZERS:
        weights, _ = oracle.ask(
            "ask_models.train",
            arrays,
            model="classifier",
            optimizer=optimizer,
            loss="sparse_categorical_crossentropy",
            steps=STEPS,
        )
        results |= {f"{optimizer}/{name}": value for name, value in weights.items()}
    return results


if __name__ == "__main__":
    from environment import Oracle, make_environment

    oracle = Oracle(make_environment())
    start = given()
    VECTORS.parent.mkdir(exist_ok=True)
    np.savez_compressed(VECTORS, **start, **taken(oracle, start))
    oracle.close()
