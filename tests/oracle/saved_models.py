"""Makes tests/vectors/keras_*.keras: models that Keras saved after some steps of training.

    python tests/oracle/saved_models.py

Beside each lies an .npz file: `x<step>_<i>`, `y<step>_<i>` the batches, `p<i>` the predictions for
batch 0, `w<i>` the weights, `w<step>_<i>` the weights after more steps on the same batches.
What begins with `keras_3_0` was saved in the same way by Keras 3.0.5.
"""

from pathlib import Path

import numpy as np

STEPS = 3
FOLDER = Path(__file__).parent.parent / "vectors"

MODELS = {
    "sequential": ([(12, 12, 2)], [3], "categorical_crossentropy", "adam"),
    "nested": ([(8, 8, 2), (8, 8, 2)], [3, (8, 8, 1)], ["mse", "mae"], "adamw"),
    "classifier": ([(8, 8, 1)], [5], "categorical_crossentropy", "adam"),
    "constrained": ([(8, 8, 2)], [3], "categorical_crossentropy", "averaged"),
    "functions": ([(6, 6, 2)], [3], "mse", "sgd"),
    "every_layer": ([(9, 16, 3)], [3], None, None),
}
"""Input shapes, output shapes, loss, optimiser; what draws at random is not trained."""


def batches(name):
    """Return the batches for a model."""
    rng = np.random.default_rng(7)
    inputs, outputs, loss, _ = MODELS[name]
    arrays = {}
    for step in range(STEPS):
        for i, shape in enumerate(inputs):
            arrays[f"x{step}_{i}"] = rng.normal(size=(4, *shape)).astype("float32")
        for i, shape in enumerate(outputs):
            shape = shape if isinstance(shape, tuple) else (shape,)
            y = rng.uniform(size=(4, *shape))
            if loss == "categorical_crossentropy":
                y = np.eye(shape[0])[rng.integers(0, shape[0], 4)]
            arrays[f"y{step}_{i}"] = y.astype("float32")
    return arrays


def save(oracle, name, path, optimizer=None, **settings):
    """Have Keras save a model; return the batches, predictions and weights, and layer names."""
    _, _, loss, usual = MODELS[name]
    arrays = batches(name)
    results, layers = oracle.ask(
        "ask_models.save",
        arrays,
        model=name,
        optimizer=optimizer or usual,
        loss=loss,
        steps=STEPS,
        path=str(path),
        **settings,
    )
    return arrays | results, layers


if __name__ == "__main__":
    from environment import Oracle, make_environment

    oracle = Oracle(make_environment())
    FOLDER.mkdir(exist_ok=True)
    for name in ("sequential", "nested"):
        arrays, _ = save(oracle, name, FOLDER / f"keras_{name}.keras")
        np.savez_compressed(FOLDER / f"keras_{name}.npz", **arrays)
    oracle.close()
