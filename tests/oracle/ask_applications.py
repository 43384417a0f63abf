"""Questions about the networks of keras.applications, answered in the Keras environment."""

from pathlib import Path

import keras
import numpy as np


def save(arrays, settings):
    """Save a network with random weights as each kind of file; what it answers, and its size.

    Settings: name, size (of the picture), gain (of the weights: 2 keeps the size of numbers through
    a ReLU), folder.
    """
    size = settings["size"]
    draw = keras.initializers.VarianceScaling.__call__
    keras.initializers.VarianceScaling.__call__ = _zeros  # drawing them takes longer than the rest
    try:
        model = getattr(keras.applications, settings["name"])(
            weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None
        )
    finally:
        keras.initializers.VarianceScaling.__call__ = draw
    gain = settings["gain"]
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(_value(rng, weight.name, weight.shape, gain))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization's weights take effect only then
            layer.finalize_state()
    folder = Path(settings["folder"])
    model.save(folder / "m.keras")
    model.save(folder / "m.h5")
    model.save_weights(folder / "m.weights.h5")
    answer = model.predict(arrays["x0"], verbose=0)
    return {"answer": answer}, {"parameters": model.count_params(), "layers": len(model.layers)}


def _zeros(self, shape, dtype=None):
    return np.zeros(shape, "float32")


def _value(rng, name, shape, gain):
    """Return values with which every weight matters, and the inputs matter to the end."""
    if name == "count":
        return np.zeros(shape)
    if name in ("bias", "beta", "mean", "moving_mean"):
        return rng.normal(0, 0.1, shape)
    if name in ("gamma", "variance", "moving_variance"):
        return rng.uniform(0.8, 1.2, shape)
    depthwise = len(shape) == 4 and shape[-1] == 1 and shape[-2] > 1
    fan_in = np.prod(shape[:2] if depthwise else shape[:-1])
    return rng.normal(0, np.sqrt(gain / fan_in), shape)
