"""Questions about single Keras layers, answered in the Keras environment."""

import keras
import numpy as np


def run(arrays, settings):
    """Build a layer, give it the weights `w0`, `w1` …, call it on `x`.

    Settings: class_name, config, training. The result comes back as `y`, the weights that the call
    left as `w0`, `w1` …
    """
    layer = getattr(keras.layers, settings["class_name"])(**settings["config"])
    layer.build(arrays["x"].shape)
    layer.set_weights([arrays[f"w{i}"] for i in range(len(layer.weights))])
    # Of Keras' layers, some do not accept `training` at all.
    keywords = {"training": True} if settings["training"] else {}
    y = np.asarray(layer(arrays["x"], **keywords))
    return {"y": y} | {f"w{i}": w for i, w in enumerate(layer.get_weights())}, None
