"""Random models of every kind of layer, and samples for them, for the tests of explanations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pellucid
from pellucid import layers, ops
from pellucid.explain import Trace, explain
from pellucid.ops.local_response_normalization import LocalResponseNormalization

LOSSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "logits",
    "smoothed",
    "probabilities",
    "kl_divergence",
    "poisson",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "log_cosh",
    "cosine_similarity",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
)
ACTIVATIONS = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "logits": "log_softmax",
    "smoothed": "softmax",
    "probabilities": "softmax",
    "kl_divergence": "softmax",
    "poisson": "softplus",
    "mean_squared_logarithmic_error": "softplus",
    "binary_focal_crossentropy": "sigmoid",
    "categorical_focal_crossentropy": "softmax",
}


def _pick(generator: np.random.Generator, options: Any) -> Any:
    return options[int(generator.integers(len(options)))]


def _convolution(generator: np.random.Generator, kind: str, channels: int) -> layers.Layer:
    size = [int(n) for n in generator.integers(1, 4, 2)]
    common = {
        "padding": _pick(generator, ("valid", "same")),
        "use_bias": bool(generator.integers(2)),
        "activation": _pick(generator, (None, "relu", "tanh", "gelu", "leaky_relu")),
        "bias_initializer": "random_normal",
    }
    strides = [int(n) for n in generator.integers(1, 3, 2)]
    if kind == "depthwise":
        return layers.DepthwiseConv2D(size, depth_multiplier=2, **common)
    if kind == "separable":
        return layers.SeparableConv2D(3, size, strides=strides[0], **common)
    if kind == "transposed":
        return layers.Conv2DTranspose(2, size, strides=strides, **common)
    if kind == "dilated":
        return layers.Conv2D(3, 2, dilation_rate=(1, 2), **common)
    groups = channels if kind == "grouped" else 1
    return layers.Conv2D(2 * groups, size, strides=strides, groups=groups, **common)


KINDS = (
    *("plain", "grouped", "dilated", "depthwise", "separable", "transposed"),
    *("max", "average", "batch", "layer", "upsample", "bilinear", "pad", "crop", "permute"),
    *("dropout", "spatial", "prelu", "elu", "residual", "concatenate", "shared", "rows"),
    *("Multiply", "Maximum", "Minimum", "Subtract", "Average"),
    *("relu", "rescale", "softmax", "flip", "rotate", "contrast"),
    *("scaled", "chosen", "cut", "centred", "product", "elementary", "stacked"),
    *("placed", "normal", "blocks", "neighbours"),
)

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "scaled": lambda x: ops.maximum(x * np.linspace(-1, 2, x.shape[-1]) - 0.5, -1) / (x**2 + 1),
    "chosen": lambda x: ops.where(x > 0.1, x, ops.clip(-x, -0.4, 0.5)),
    "cut": lambda x: ops.take(x[:, ::-1], [0, -1, 0], axis=-1),
    "centred": lambda x: (
        x - ops.mean(x, axis=(1, 2), keepdims=True) + ops.max(x, axis=-2)[:, :, None]
    ),
    "product": lambda x: ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))),
    "elementary": lambda x: ops.sin(x) + ops.logsumexp(x, axis=1, keepdims=True),
    "stacked": lambda x: ops.squeeze(ops.stack([x, abs(x)], axis=1)[:, 1:], axis=1),
    "placed": lambda x: x + ops.cast(ops.argmax(x, axis=2, keepdims=True), "float32") / 9,
    "normal": lambda x: (
        ops.broadcast_to(
            ops.normalize(ops.mean(x, axis=3, keepdims=True), axis=1), (None, *x.shape[1:])
        )
        + layers.GroupNormalization(1)(ops.rms_normalization(x))
    ),
    "blocks": lambda x: ops.depth_to_space(
        ops.space_to_depth(
            ops.pad(
                ops.concatenate([x, x], axis=1),
                ((0, 0), (0, 0), (0, x.shape[2]), (0, 0)),
                "symmetric",
            ),
            2,
        ),
        2,
    ),
    "neighbours": lambda x: layers.OperationLayer(LocalResponseNormalization(3, alpha=0.5))(x),
}
"""Functions between layers, of an image."""


def _image_layer(generator: np.random.Generator, kind: str, x: Any) -> Any:
    """Apply a layer that keeps four axes."""
    height, width, channels = x.shape[1:]
    if kind in ("max", "average"):
        pool = layers.MaxPooling2D if kind == "max" else layers.AveragePooling2D
        size = [min(2, height), min(int(generator.integers(1, 4)), width)]
        stride = [int(n) for n in generator.integers(1, 3, 2)]
        return pool(size, strides=stride, padding=_pick(generator, ("valid", "same")))(x)
    if kind == "rows":
        row = layers.Reshape((height * width, channels))(x)
        row = layers.Conv1D(channels, 3, padding=_pick(generator, ("same", "causal")))(row)
        return layers.Reshape((height, width, channels))(row)
    if kind == "residual":
        branch = layers.Conv2D(channels, 3, padding="same", activation="tanh")(x)
        return layers.Add()([x, branch])
    if kind == "concatenate":
        return layers.Concatenate()([x, layers.Conv2D(1, 1)(x), x])
    if kind[0].isupper():
        other = layers.Conv2D(channels, 1, activation="sigmoid")(x)
        return getattr(layers, kind)()([x, other])
    if kind == "shared":
        twice = layers.Conv2D(channels, 1, activation="tanh")
        return twice(twice(x))
    made = {
        "batch": lambda: layers.BatchNormalization(epsilon=0.1, scale=bool(generator.integers(2))),
        "layer": lambda: layers.LayerNormalization(epsilon=0.1),
        "upsample": lambda: layers.UpSampling2D((2, 1)),
        "bilinear": lambda: layers.UpSampling2D((1, 2), interpolation="bilinear"),
        "pad": lambda: layers.ZeroPadding2D(((1, 0), (0, 2))),
        "crop": lambda: layers.Cropping2D(((0, int(height > 2)), (int(width > 2), 0))),
        "permute": lambda: layers.Permute((2, 1, 3)),
        "dropout": lambda: layers.Dropout(0.3),
        "spatial": lambda: layers.SpatialDropout2D(0.3),
        "prelu": lambda: layers.PReLU(alpha_initializer="random_normal"),
        "elu": lambda: layers.ELU(),
        "relu": lambda: layers.ReLU(max_value=2.0, negative_slope=0.1),
        "rescale": lambda: layers.Rescaling(0.5, offset=0.1),
        "softmax": lambda: layers.Softmax(),
        "flip": lambda: layers.RandomFlip(),
        "rotate": lambda: layers.RandomRotation(0.2),
        "contrast": lambda: layers.RandomContrast(0.5),
    }
    if kind in FUNCTIONS:
        return FUNCTIONS[kind](x)
    if kind in made:
        return made[kind]()(x)
    return _convolution(generator, kind, channels)(x)


def random_trace(seed: int, dtype: str = "float32", *, training: bool | None = None) -> Trace:
    """Return a trace of a random model on random samples; the same for the same seed."""
    generator = np.random.default_rng(seed)
    pellucid.utils.set_random_seed(seed)
    x = inputs = layers.Input(tuple(int(n) for n in (*generator.integers(4, 7, 2), 2)))
    first = KINDS[seed % len(KINDS)]
    for kind in (first, *(_pick(generator, KINDS) for _ in range(int(generator.integers(1, 4))))):
        if x.shape[1] * x.shape[2] * x.shape[3] > 200:
            x = layers.AveragePooling2D((2, 1), padding="same")(x)
        x = _image_layer(generator, kind, x)
    ending = _pick(generator, ("flatten", "reshape", "average", "max"))
    if ending == "flatten":
        x = layers.Flatten()(x)
    elif ending == "reshape":
        x = layers.Reshape((-1,))(x)
    else:
        x = (layers.GlobalAveragePooling2D if ending == "average" else layers.GlobalMaxPooling2D)()(
            x
        )
    if generator.integers(2):
        x = layers.Dense(4, activation="tanh", kernel_regularizer="l1_l2")(x)
    loss = LOSSES[seed % len(LOSSES)]
    x = layers.Dense(3, activation=ACTIVATIONS.get(loss))(x)
    if loss == "probabilities":
        x = layers.Reshape((3,))(x)
    model = pellucid.Model(inputs, x)
    size = 2
    labels = generator.integers(0, 3, size)
    one_hot = np.eye(3, dtype="float32")[labels]
    numbers = generator.normal(size=(size, 3)).astype("float32")
    known = {
        "logits": (pellucid.losses.SparseCategoricalCrossentropy(from_logits=True), labels),
        "smoothed": (pellucid.losses.CategoricalCrossentropy(label_smoothing=0.2), one_hot),
        "sparse_categorical_crossentropy": (loss, labels),
        "categorical_crossentropy": (loss, one_hot),
        "binary_crossentropy": (loss, one_hot),
        "probabilities": ("categorical_crossentropy", one_hot),
        "kl_divergence": (loss, 0.1 + 0.7 * one_hot),
        "poisson": (loss, np.floor(np.abs(3 * numbers))),
        "mean_squared_logarithmic_error": (loss, np.abs(numbers)),
        "hinge": (loss, one_hot),
        "squared_hinge": (loss, one_hot),
        "categorical_hinge": (loss, one_hot),
        "binary_focal_crossentropy": (loss, one_hot),
        "categorical_focal_crossentropy": (loss, one_hot),
    }
    chosen, target = known.get(loss, (loss, numbers))
    model.compile(_pick(generator, ("sgd", "adam", "rmsprop")), chosen)
    samples = generator.normal(size=(size, *inputs.shape[1:])).astype("float32")
    random_pictures = first in ("dropout", "spatial", "flip", "rotate", "contrast")
    train = bool(generator.integers(2)) or random_pictures if training is None else training
    return explain(model, samples, target, training=train, dtype=dtype)


def random_addresses(trace: Trace, generator: np.random.Generator, count: int, ends: str = ""):
    """Return random addresses of a trace; `ends` is "" for numbers or "grad"."""
    tensors = [
        tensor
        for tensor in trace.addresses()
        if tensor.kind != "setting" and (not ends or ends in tensor.quantities)
    ]
    found = []
    for i in range(count):
        tensor = tensors[i % len(tensors)]
        index = [int(generator.integers(n)) for n in tensor.shape]
        sample = f"@{generator.integers(tensor.samples)}" if tensor.samples else ""
        place = f"[{','.join(map(str, index))}]" if index else ""
        found.append(f"{tensor.name}{sample}{place}{'.' if ends else ''}{ends}")
    return found
