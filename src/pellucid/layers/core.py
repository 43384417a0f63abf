"""Dense, Activation, Identity, and dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import initializers, regularizers
from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers import _activation
from pellucid.layers._arguments import last_axis, number, positive, seed_argument
from pellucid.layers._layer import Layer, LayerOptions, require_channels_last
from pellucid.layers._weighted import WeightedLayer
from pellucid.ops._operation import Array, Shape
from pellucid.ops.dense import Dense as DenseOperation
from pellucid.ops.dropout import Dropout as DropoutOperation

__all__ = ["Activation", "Dense", "Dropout", "Identity", "SpatialDropout2D"]


class Dense(WeightedLayer):
    """Every output from every input: (N, …, I) → (N, …, units).

    y = activation(x · kernel + bias), along the last axis.

    Args:
        units: How many outputs there are.
        activation: A name or function; None for none.
        use_bias: Whether a bias is added to every output.
        kernel_initializer: What the kernel starts as; (I, units).
        bias_initializer: What the bias starts as; (units,).
        kernel_regularizer: The penalty on the kernel.
        bias_regularizer: The penalty on the bias.
        **options: kernel_constraint, bias_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The size of the input's last axis is not known, or not the one built for.

    >>> import numpy as np
    >>> Dense(10, activation="softmax")(np.zeros((2, 64))).shape
    (2, 10)
    """

    keras_only: ClassVar[Mapping[str, Any]] = {"quantization_config": None}

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activation, use_bias, bias_initializer, bias_regularizer, options)
        self.units = positive(self.name, "units", units)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    def build(self, input_shape: Shape) -> None:
        """Make the kernel and the bias."""
        self.kernel = self.add_weight(
            "kernel",
            (last_axis(self.name, input_shape), self.units),
            self.kernel_initializer,
            self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(self.units)

    def call(self, g: Tracer, x: Value) -> Value:
        """Multiply, add the bias, apply the activation."""
        return self.finish(g, DenseOperation(), x, g.weight(self.kernel))


class Activation(Layer):
    """An activation function: any shape, kept.

    Args:
        activation: A name, a function of `pellucid.activations`, or a layer.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: A function that is not one of `pellucid.activations`.
        NameLookupError: A name that nobody knows.

    >>> Activation("relu")([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: Any, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.activation = _activation.get(activation)

    @property
    def sublayers(self) -> list[Layer]:
        """The activation, if it is a layer."""
        return [self.activation] if isinstance(self.activation, Layer) else []

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        return _activation.follow(g, self.activation, x)


class Identity(Layer):
    """Nothing: y = x.

    Args:
        **options: name, trainable, dtype, input_shape.

    >>> Identity()([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    def call(self, g: Tracer, x: Value) -> Value:  # noqa: ARG002 (no operation to apply)
        """Return x."""
        return x


class Dropout(Layer):
    """In training, each number is set to 0 with probability `rate`, and the others are enlarged.

    y = x · mask / (1 − rate), with mask 0 or 1, drawn anew for each step; otherwise y = x. The
    shape, any, is kept.

    Args:
        rate: The probability to drop a number, from 0 to 1.
        noise_shape: The shape of the mask; where it has 1, one draw holds along the whole axis,
            and None stands for the input's own size. By default the shape of the input.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: `noise_shape` does not fit the input.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: A Simple Way to
    Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    >>> Dropout(0.5)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.rate = number(self.name, "rate", rate, 0.0, 1.0)
        self.noise_shape = None if noise_shape is None else self._checked(noise_shape)
        self.seed = seed_argument(self.name, seed)

    def call(self, g: Tracer, x: Value) -> Value:
        """In training, multiply by a mask drawn at random."""
        if not g.training or self.rate == 0:
            return x
        shape = self.mask_shape(x.shape)
        sizes = [n for n in shape[1:] if n is not None]
        if len(sizes) != len(shape) - 1:
            raise ShapeError(
                f"{self.name}: the sizes of the input must be known to draw a mask for it, "
                f"received shape {x.shape}."
            )

        def sample(generator: np.random.Generator, batch_size: int) -> Array:
            first = batch_size if shape[0] is None else shape[0]
            return generator.random((first, *sizes), np.float32) >= self.rate

        mask = g.random(shape, sample, seed=self.seed)
        return g.apply(DropoutOperation(self.rate), x, mask)

    def mask_shape(self, shape: Shape) -> Shape:
        """Return the shape of the mask for an input of this shape."""
        if self.noise_shape is None:
            return shape
        if len(self.noise_shape) != len(shape) or any(
            mask not in (None, 1, size) for mask, size in zip(self.noise_shape, shape, strict=True)
        ):
            raise ShapeError(
                f"{self.name}: noise_shape {self.noise_shape} does not fit an input of shape "
                f"{shape}: each of its sizes must be the input's, 1 or None."
            )
        return tuple(
            size if mask is None else mask
            for mask, size in zip(self.noise_shape, shape, strict=True)
        )

    def _checked(self, noise_shape: Any) -> tuple[int | None, ...]:
        good = isinstance(noise_shape, list | tuple)
        if not good or any(
            n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1)
            for n in noise_shape
        ):
            raise ArgumentError(
                f"{self.name}: noise_shape must be a tuple of positive whole numbers or None, "
                f"received {noise_shape!r}."
            )
        return tuple(noise_shape)


class SpatialDropout2D(Dropout):
    """In training, whole channels of an image are set to 0: (N, H, W, C), kept.

    y[n, :, :, c] = x[n, :, :, c] · mask[n, c] / (1 − rate); otherwise y = x.

    Args:
        rate: The probability to drop a channel, from 0 to 1.
        data_format: "channels_last", the only one.
        seed: A seed of its own; None for the global one.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input is not (N, H, W, C).

    Source: Tompson, Goroshin, Jain, LeCun, Bregler, "Efficient Object Localization Using
    Convolutional Networks", CVPR 2015.

    >>> import numpy as np
    >>> SpatialDropout2D(0.5)(np.ones((1, 2, 2, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(rate, seed=seed, **options)
        self.data_format = require_channels_last(self.name, data_format)

    def mask_shape(self, shape: Shape) -> Shape:
        """Return (N, 1, 1, C)."""
        if len(shape) != 4:
            raise ShapeError(f"{self.name}: expected images (N, H, W, C), received shape {shape}.")
        return (shape[0], 1, 1, shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the configuration as Keras writes it: its layer does not take `trainable`."""
        config = super().get_config() | {"dtype": self.dtype}
        del config["trainable"]
        return config
