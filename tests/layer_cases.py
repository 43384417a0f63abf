"""One list of layers, with arguments and the shapes of their inputs, for every test of layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pellucid import layers


@dataclass(frozen=True)
class LayerCase:
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((2, 7, 6, 4),)

    def make(self, **options: Any) -> layers.Layer:
        layer: layers.Layer = getattr(layers, self.kind)(**self.arguments, **options)
        return layer

    def __str__(self) -> str:
        given = ",".join(f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.kind}({given})".replace(" ", "")


ROWS = ((3, 5),)
TWO = ((2, 4, 3, 2), (2, 4, 3, 2))
THREE = (*TWO, (2, 4, 3, 2))

CASES = [
    LayerCase("Conv2D", {"filters": 3, "kernel_size": 3}),
    LayerCase(
        "Conv2D",
        {
            "filters": 6,
            "kernel_size": [2, 3],
            "strides": [2, 1],
            "padding": "same",
            "groups": 2,
            "activation": "relu",
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
        },
    ),
    LayerCase("Conv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False}),
    LayerCase("DepthwiseConv2D", {"kernel_size": 3}),
    LayerCase(
        "DepthwiseConv2D",
        {"kernel_size": 3, "depth_multiplier": 2, "padding": "same", "activation": "tanh"},
    ),
    LayerCase("SeparableConv2D", {"filters": 5, "kernel_size": 3}),
    LayerCase(
        "SeparableConv2D",
        {
            "filters": 3,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "depth_multiplier": 2,
            "activation": "silu",
            "use_bias": False,
        },
    ),
    LayerCase("Conv2DTranspose", {"filters": 3, "kernel_size": 3}),
    LayerCase(
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "elu"},
    ),
    LayerCase(
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": [3, 2], "strides": [2, 3], "output_padding": 1},
    ),
    LayerCase("Dense", {"units": 4}, ROWS),
    LayerCase("Dense", {"units": 3, "activation": "softmax", "use_bias": False}, ROWS),
    LayerCase("Dense", {"units": 3, "activation": "gelu", "bias_initializer": "ones"}),
    LayerCase("Activation", {"activation": "relu"}, ROWS),
    LayerCase("Activation", {"activation": "swish"}, ROWS),
    LayerCase("Activation", {"activation": "log_softmax"}, ROWS),
    LayerCase("Identity", {}, ROWS),
    LayerCase("Dropout", {"rate": 0.5, "seed": 3}, ROWS),
    LayerCase("Dropout", {"rate": 0.25, "noise_shape": [None, 1, 1, 4]}),
    LayerCase("SpatialDropout2D", {"rate": 0.3}),
    LayerCase("Flatten"),
    LayerCase("Reshape", {"target_shape": [6, -1, 2]}),
    LayerCase("Permute", {"dims": [3, 1, 2]}),
    LayerCase("ZeroPadding2D"),
    LayerCase("ZeroPadding2D", {"padding": [[1, 0], [2, 3]]}),
    LayerCase("Cropping2D", {"cropping": [[1, 0], [2, 1]]}),
    LayerCase("Cropping2D"),
    LayerCase("UpSampling2D"),
    LayerCase("UpSampling2D", {"size": [2, 3], "interpolation": "bilinear"}),
    LayerCase("UpSampling2D", {"size": 2, "interpolation": "bicubic"}),
    LayerCase("MaxPooling2D"),
    LayerCase("MaxPooling2D", {"pool_size": 3, "strides": [2, 1], "padding": "same"}),
    LayerCase("AveragePooling2D", {"pool_size": 2}),
    LayerCase("AveragePooling2D", {"pool_size": [3, 2], "strides": 2, "padding": "same"}),
    LayerCase("GlobalMaxPooling2D"),
    LayerCase("GlobalMaxPooling2D", {"keepdims": True}),
    LayerCase("GlobalAveragePooling2D"),
    LayerCase("GlobalAveragePooling2D", {"keepdims": True}),
    LayerCase("BatchNormalization"),
    LayerCase("BatchNormalization", {"axis": 1, "momentum": 0.9, "epsilon": 0.01, "scale": False}),
    LayerCase("BatchNormalization", {"center": False, "gamma_regularizer": "l1"}, ((5, 4),)),
    LayerCase("LayerNormalization"),
    LayerCase("LayerNormalization", {"axis": [2, 3], "center": False}),
    LayerCase("LayerNormalization", {"scale": False, "epsilon": 1e-5}, ROWS),
    LayerCase("GroupNormalization", {"groups": 2}),
    LayerCase("GroupNormalization", {"groups": -1, "center": False, "epsilon": 0.01}),
    LayerCase("GroupNormalization", {"groups": 3, "axis": 2, "gamma_regularizer": "l2"}),
    LayerCase("RMSNormalization"),
    LayerCase("RMSNormalization", {"axis": [2, 3], "epsilon": 1e-3}),
    LayerCase("UnitNormalization", {}, ROWS),
    LayerCase("UnitNormalization", {"axis": [1, 2]}),
    LayerCase("ReLU", {}, ROWS),
    LayerCase("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.25}, ROWS),
    LayerCase("LeakyReLU", {}, ROWS),
    LayerCase("LeakyReLU", {"negative_slope": 0.1}, ROWS),
    LayerCase("ELU", {}, ROWS),
    LayerCase("ELU", {"alpha": 0.5}, ROWS),
    LayerCase("PReLU"),
    LayerCase("PReLU", {"shared_axes": [1, 2], "alpha_initializer": "ones"}),
    LayerCase("Softmax", {}, ROWS),
    LayerCase("Softmax", {"axis": 1}),
    LayerCase("Add", {}, THREE),
    LayerCase("Add", {}, ((2, 4, 3, 2), (2, 1, 1, 2))),
    LayerCase("Subtract", {}, TWO),
    LayerCase("Multiply", {}, ((2, 4, 3, 2), (2, 2))),
    LayerCase("Maximum", {}, THREE),
    LayerCase("Minimum", {}, THREE),
    LayerCase("Average", {}, THREE),
    LayerCase("Concatenate", {}, THREE),
    LayerCase("Concatenate", {"axis": 1}, ((2, 4, 3, 2), (2, 1, 3, 2))),
    LayerCase("Rescaling", {"scale": 1 / 255}),
    LayerCase("Normalization"),
    LayerCase("Normalization", {"mean": [0.5, 0.0, -1.0, 2.0], "variance": [1.0, 4.0, 0.25, 2.0]}),
    LayerCase("Rescaling", {"scale": [1.0, 2.0, 3.0, 4.0], "offset": [0.0, 1.0, 2.0, 3.0]}),
    LayerCase("Resizing", {"height": 9, "width": 4}),
    LayerCase("Resizing", {"height": 3, "width": 11, "interpolation": "nearest"}),
    LayerCase("Resizing", {"height": 5, "width": 3, "interpolation": "bicubic", "antialias": True}),
    LayerCase("Resizing", {"height": 4, "width": 5, "crop_to_aspect_ratio": True}),
    LayerCase("Resizing", {"height": 4, "width": 9, "pad_to_aspect_ratio": True, "fill_value": 2}),
    LayerCase("RandomFlip", {"seed": 3}),
    LayerCase("RandomFlip", {"mode": "horizontal"}),
    LayerCase("RandomTranslation", {"height_factor": 0.2, "width_factor": [-0.1, 0.3]}),
    LayerCase("RandomRotation", {"factor": 0.1, "fill_mode": "nearest"}),
    LayerCase("RandomRotation", {"factor": [-0.2, 0.5], "interpolation": "nearest"}),
    LayerCase("RandomZoom", {"height_factor": 0.3, "fill_mode": "constant", "fill_value": 0.5}),
    LayerCase("RandomZoom", {"height_factor": [-0.1, 0.2], "width_factor": [0.1, 0.2]}),
    LayerCase("RandomContrast", {"factor": 0.5}),
    LayerCase("RandomContrast", {"factor": [0.2, 0.4], "value_range": [-1, 1], "seed": 1}),
]

ROWS_OF_VECTORS = ((2, 9, 4),)
CASES += [
    LayerCase("Conv1D", {"filters": 3, "kernel_size": 3}, ROWS_OF_VECTORS),
    LayerCase(
        "Conv1D",
        {
            "filters": 6,
            "kernel_size": [2],
            "strides": 2,
            "padding": "same",
            "groups": 2,
            "activation": "relu",
            "kernel_regularizer": "l2",
        },
        ROWS_OF_VECTORS,
    ),
    LayerCase(
        "Conv1D",
        {
            "filters": 2,
            "kernel_size": 3,
            "padding": "causal",
            "dilation_rate": 2,
            "use_bias": False,
        },
        ROWS_OF_VECTORS,
    ),
    LayerCase("MaxPooling1D", {}, ROWS_OF_VECTORS),
    LayerCase("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"}, ROWS_OF_VECTORS),
    LayerCase("AveragePooling1D", {"pool_size": 2}, ROWS_OF_VECTORS),
    LayerCase("AveragePooling1D", {"pool_size": 4, "padding": "same"}, ROWS_OF_VECTORS),
    LayerCase("GlobalMaxPooling1D", {}, ROWS_OF_VECTORS),
    LayerCase("GlobalAveragePooling1D", {"keepdims": True}, ROWS_OF_VECTORS),
    LayerCase("GlobalAveragePooling1D", {}, ROWS_OF_VECTORS),
    LayerCase("ZeroPadding1D", {"padding": [0, 2]}, ROWS_OF_VECTORS),
    LayerCase("ZeroPadding1D", {}, ROWS_OF_VECTORS),
    LayerCase("Cropping1D", {"cropping": [1, 3]}, ROWS_OF_VECTORS),
    LayerCase("UpSampling1D", {"size": 3}, ROWS_OF_VECTORS),
    LayerCase("SpatialDropout1D", {"rate": 0.3}, ROWS_OF_VECTORS),
    LayerCase("RandomBrightness", {"factor": 0.3}),
    LayerCase("RandomBrightness", {"factor": [-0.1, 0.4], "value_range": [-1, 1], "seed": 1}),
    LayerCase("GaussianNoise", {"stddev": 0.2}),
    LayerCase("GaussianDropout", {"rate": 0.2, "seed": 4}, ROWS),
    LayerCase("AlphaDropout", {"rate": 0.3}),
    LayerCase("AlphaDropout", {"rate": 0.3, "noise_shape": [None, 1, 1, 4], "seed": 2}),
]

RANDOM = {
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "RandomBrightness",
    "SpatialDropout1D",
    "Dropout",
    "SpatialDropout2D",
    "RandomFlip",
    "RandomTranslation",
    "RandomRotation",
    "RandomZoom",
    "RandomContrast",
}
