"""Activation functions as layers: ReLU, LeakyReLU, ELU, PReLU, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from pellucid import initializers, regularizers
from pellucid.constraints import Constraint
from pellucid.errors import ArgumentError, ShapeError
from pellucid.graph import Tracer, Value
from pellucid.layers._arguments import number, positive
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.ops._operation import Shape
from pellucid.ops.activation import Activation
from pellucid.ops.prelu import PReLU as PReLUOperation
from pellucid.ops.softmax import Softmax as SoftmaxOperation

__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]


class ReLU(Layer):
    """The negative numbers set to 0; any shape, kept.

    y = x for threshold < x < max_value, max_value above, negative_slope · (x − threshold) below.

    Args:
        max_value: The largest output; None for no limit.
        negative_slope: The slope below the threshold.
        threshold: Where the function begins to rise.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is negative.

    Source: Nair, Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines",
    ICML 2010.

    >>> ReLU(max_value=6.0)([[-1.0, 2.0, 9.0]])
    array([[0., 2., 6.]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.max_value = None if max_value is None else number(self.name, "max_value", max_value, 0)
        self.negative_slope = number(self.name, "negative_slope", negative_slope, 0)
        self.threshold = number(self.name, "threshold", threshold, 0)

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        op = Activation(
            "relu",
            max_value=self.max_value,
            negative_slope=self.negative_slope,
            threshold=self.threshold,
        )
        return g.apply(op, x)


class LeakyReLU(Layer):
    """The negative numbers made smaller: y = x for x > 0, negative_slope · x else.

    Args:
        negative_slope: The slope on the negative side.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `negative_slope` is negative.

    Source: Maas, Hannun, Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models",
    ICML 2013.

    >>> LeakyReLU(0.5)([[-1.0, 2.0]])
    array([[-0.5,  2. ]], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.negative_slope = number(self.name, "negative_slope", negative_slope, 0)

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        return g.apply(Activation("leaky_relu", negative_slope=self.negative_slope), x)


class ELU(Layer):
    """Exponential below 0: y = x for x > 0, alpha · (eˣ − 1) else.

    Args:
        alpha: How deep the negative side goes.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `alpha` is not a number.

    Source: Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by
    Exponential Linear Units", ICLR 2016.

    >>> ELU()([[0.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.alpha = number(self.name, "alpha", alpha)

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        return g.apply(Activation("elu", alpha=self.alpha), x)


class PReLU(Layer):
    """The negative numbers made smaller by slopes that are learned: any shape, kept.

    y = x for x > 0, alpha · x else.

    Args:
        alpha_initializer: What the slopes start as; the input's shape without the batch.
        alpha_regularizer: The penalty on the slopes.
        shared_axes: The axes along which one slope holds, counted from 1: [1, 2] gives images one
            slope for each channel.
        **options: alpha_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `shared_axes` is not a list of axes.
        ShapeError: The input has no such axis, or a size that is needed is not known.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015.

    >>> PReLU("ones")([[-1.0, 2.0]])
    array([[-1.,  2.]], dtype=float32)
    """

    constrainable: ClassVar[tuple[str, ...]] = ("alpha_constraint",)
    alpha_constraint: Constraint | None

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.shared_axes: list[int] | None = None
        if shared_axes is not None:
            axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes
            self.shared_axes = [positive(self.name, "each of shared_axes", n) for n in axes]

    def build(self, input_shape: Shape) -> None:
        """Make the slopes."""
        shared = self.shared_axes or []
        if any(axis >= len(input_shape) for axis in shared):
            raise ShapeError(
                f"{self.name}: shared_axes {shared} do not all exist in an input of shape "
                f"{input_shape}."
            )
        sizes = [1 if i in shared else n for i, n in enumerate(input_shape)][1:]
        known = [n for n in sizes if n is not None]
        if len(known) != len(sizes):
            raise ShapeError(
                f"{self.name}: sizes that do not share a slope must be known to make the weights, "
                f"received shape {input_shape}. Add the unknown axes to shared_axes."
            )
        self.alpha = self.add_weight(
            "alpha",
            known,
            self.alpha_initializer,
            self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        return g.apply(PReLUOperation(), x, g.weight(self.alpha))


class Softmax(Layer):
    """Probabilities from scores: yᵢ = exp xᵢ / Σⱼ exp xⱼ along an axis; the shape is kept.

    Args:
        axis: The axis along which the probabilities add up to 1.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `axis` is not a whole number.
        ShapeError: The input has no such axis.

    >>> Softmax()([[1.0, 1.0]])
    array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        if isinstance(axis, list | tuple) and len(axis) == 1:
            axis = axis[0]
        if not isinstance(axis, int):
            raise ArgumentError(f"{self.name}: axis must be a whole number, received {axis!r}.")
        self.axis = axis

    def call(self, g: Tracer, x: Value) -> Value:
        """Apply the function."""
        return g.apply(SoftmaxOperation(self.axis), x)
