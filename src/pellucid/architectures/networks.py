"""The named architectures."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.architectures._head import Shape, head, require_picture, start
from pellucid.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
)
from pellucid.layers._symbolic import KerasTensor
from pellucid.models import Model, Sequential

__all__ = ["lenet5", "mlp", "mnist", "mnist_deep", "resnet8", "simple_cifar"]


def mnist(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """Two convolutions, each with ReLU and pooling, and two dense layers."""
    require_picture("mnist", input_shape, 10)
    return Sequential(
        [
            Input(input_shape),
            *augment,
            Conv2D(32, (3, 3), activation="relu"),
            MaxPooling2D((2, 2)),
            Conv2D(64, (3, 3), activation="relu"),
            MaxPooling2D((2, 2)),
            Flatten(),
            Dense(128, activation="relu"),
            head(outputs, task),
        ]
    )


def mnist_deep(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """Three convolutions, of which the first two are pooled, and two dense layers."""
    require_picture("mnist-deep", input_shape, 18)
    return Sequential(
        [
            Input(input_shape),
            *augment,
            Conv2D(32, (3, 3), activation="relu"),
            MaxPooling2D((2, 2)),
            Conv2D(64, (3, 3), activation="relu"),
            MaxPooling2D((2, 2)),
            Conv2D(64, (3, 3), activation="relu"),
            Flatten(),
            Dense(64, activation="relu"),
            head(outputs, task),
        ]
    )


def lenet5(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """LeNet-5, as it is usually built today.

    The original's second convolution saw only some of the maps, its poolings had weights, and its
    outputs were radial basis functions; here they are a full convolution, a plain average and a
    softmax. Pictures smaller than the original's 32 × 32 are padded in the first convolution.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86 (11), 1998.
    """
    require_picture("lenet5", input_shape, 12)
    padding = "valid" if min(input_shape[:2]) >= 32 else "same"
    return Sequential(
        [
            Input(input_shape),
            *augment,
            Conv2D(6, (5, 5), activation="tanh", padding=padding),
            AveragePooling2D((2, 2)),
            Conv2D(16, (5, 5), activation="tanh"),
            AveragePooling2D((2, 2)),
            Flatten(),
            Dense(120, activation="tanh"),
            Dense(84, activation="tanh"),
            head(outputs, task),
        ]
    )


def simple_cifar(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """Three blocks of two 3×3 convolutions with batch normalisation, pooling and dropout.

    Source: the plan of Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, made small.
    """
    require_picture("simple-cifar", input_shape, 8)
    layers: list[Layer | KerasTensor] = [Input(input_shape), *augment]
    for filters, dropped in ((32, 0.2), (64, 0.3), (128, 0.4)):
        for _ in range(2):
            layers += [
                Conv2D(filters, (3, 3), padding="same", use_bias=False),
                BatchNormalization(),
                Activation("relu"),
            ]
        layers += [MaxPooling2D((2, 2)), Dropout(dropped)]
    layers += [Flatten(), Dense(128, activation="relu"), Dropout(0.5), head(outputs, task)]
    return Sequential(layers)


def resnet8(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """A residual network of three stages (16, 32, 64 filters), one block each: 8 weighted layers.

    Where a stage halves the picture, a 1×1 convolution with stride 2 brings the shortcut to the
    block's shape.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, §4.2,
    with n = 1 and projection shortcuts.
    """
    require_picture("resnet8", input_shape, 4)
    image, x = start(input_shape, augment)
    x = Activation("relu")(_convolved(x, 16))
    for filters in (16, 32, 64):
        strides = 1 if filters == 16 else 2
        y = Activation("relu")(_convolved(x, filters, strides))
        y = _convolved(y, filters)
        shortcut = x
        if strides > 1:
            shortcut = Conv2D(filters, (1, 1), strides, kernel_initializer="he_normal")(x)
        x = Activation("relu")(Add()([shortcut, y]))
    return Model(image, head(outputs, task)(GlobalAveragePooling2D()(x)))


def _convolved(x: KerasTensor, filters: int, strides: int = 1) -> KerasTensor:
    convolution = Conv2D(
        filters,
        (3, 3),
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    normalized: KerasTensor = BatchNormalization()(convolution(x))
    return normalized


def mlp(
    input_shape: Shape, outputs: int, task: str = "classification", augment: Sequence[Layer] = ()
) -> Model:
    """Two dense layers of 128 and 64 numbers, and the output; pictures are flattened first."""
    return Sequential(
        [
            Input(input_shape),
            *augment,
            *([Flatten()] if len(input_shape) > 1 else []),
            Dense(128, activation="relu"),
            Dense(64, activation="relu"),
            head(outputs, task),
        ]
    )
