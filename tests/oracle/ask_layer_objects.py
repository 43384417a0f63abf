"""Questions about Keras' layers as objects: what they write, read, and do with given weights."""

import keras
import numpy as np


def configs(arrays, settings):
    """Return what Keras writes for each [class name, arguments] of `layers`."""
    written = []
    for kind, arguments in settings["layers"]:
        keras.utils.clear_session()
        layer = getattr(keras.layers, kind)(**arguments)
        written.append(keras.saving.serialize_keras_object(layer))
    return {}, written


def call(arrays, settings):
    """Make a layer from `config`, set its weights to w0, w1 …, and call it on x0, x1 …

    Returns the output and the weights as they are afterwards; and the weights' names.
    """
    layer = keras.saving.deserialize_keras_object(settings["config"])
    inputs = [arrays[f"x{i}"] for i in range(sum(k[0] == "x" for k in arrays))]
    inputs = inputs if settings["merges"] else inputs[0]
    layer(inputs)
    layer.set_weights([arrays[f"w{i}"] for i in range(len(layer.weights))])
    if hasattr(layer, "finalize_state"):  # Normalization's weights take effect only then
        layer.finalize_state()
    training = {"training": True} if settings["training"] else {}
    results = {"y": np.asarray(layer(inputs, **training))}
    results |= {f"w{i}": np.asarray(w) for i, w in enumerate(layer.get_weights())}
    return results, [w.name for w in layer.weights]


def augment(arrays, settings):
    """Let a random layer change `x` by numbers that are given instead of drawn."""
    kind = settings["kind"]
    layer = getattr(keras.layers, kind)(**settings["arguments"])
    x = arrays["x"]
    height, width = x.shape[1:3]
    if kind == "RandomTranslation":
        shifts = np.stack([arrays["columns"] * width, arrays["rows"] * height], axis=1)
        transformation = {"translations": shifts.astype("float32")}
    elif kind == "RandomZoom":
        zooms = {"height_zoom": arrays["rows"], "width_zoom": arrays["columns"]}
        transformation = {k: (1 + v[:, None]).astype("float32") for k, v in zooms.items()}
    elif kind == "RandomRotation":
        zero, one = np.zeros(len(x)), np.ones(len(x))
        matrix = layer._compute_affine_matrix(
            0.5, 0.5, 360 * arrays["angles"], zero, zero, one, zero, zero, height, width
        )
        transformation = {"rotation_matrix": np.asarray(matrix, "float32")}
    elif kind == "RandomFlip":
        transformation = {"flips": arrays["flips"][:, None, None, None] <= 0.5}
    elif kind == "RandomBrightness":
        low, high = layer.value_range
        transformation = {
            "rgb_delta": (arrays["deltas"] * (high - low))[:, None, None, None].astype("float32")
        }
    else:
        factors = arrays["factors"][:, None, None, None]
        transformation = {"contrast_factor": factors.astype("float32")}
    return {"y": np.asarray(layer.transform_images(x, transformation, training=True))}, None
