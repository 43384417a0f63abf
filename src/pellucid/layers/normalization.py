"""Normalisation layers: by the batch, by each sample, by groups of its channels, to a length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from pellucid import initializers, regularizers
from pellucid.constraints import Constraint
from pellucid.errors import ShapeError
from pellucid.graph import Tracer, Value, Variable
from pellucid.layers._arguments import axes_argument, normal_axis
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.ops._operation import Shape
from pellucid.ops.batch_normalization import BatchNormalization as BatchOperation
from pellucid.ops.group_normalization import GroupNormalization as GroupOperation
from pellucid.ops.layer_normalization import LayerNormalization as LayerOperation
from pellucid.ops.rms_normalization import RMSNormalization as RMSOperation
from pellucid.ops.unit_normalization import UnitNormalization as UnitOperation

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
]


class _Normalization(Layer):
    """A scale γ and an offset β after the normalisation."""

    constrainable: ClassVar[tuple[str, ...]] = ("beta_constraint", "gamma_constraint")
    beta_constraint: Constraint | None
    gamma_constraint: Constraint | None

    def __init__(
        self,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        options: LayerOptions,
    ) -> None:
        super().__init__(**options)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def add_scale_and_offset(self, shape: tuple[int, ...]) -> None:
        """Make γ and β, as far as they are wanted."""
        if self.scale:
            self.gamma = self.add_weight(
                "gamma",
                shape,
                self.gamma_initializer,
                self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                "beta",
                shape,
                self.beta_initializer,
                self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def scale_and_offset(self, g: Tracer) -> tuple[Value | None, Value | None]:
        """Return γ and β as values."""
        gamma = None if self.gamma is None else g.weight(self.gamma)
        beta = None if self.beta is None else g.weight(self.beta)
        return gamma, beta

    def sizes(self, shape: Shape, axes: Sequence[int]) -> tuple[int, ...]:
        """Return the sizes of the axes, which the shape of the weights depends on."""
        return _sizes(self.name, shape, axes)


class BatchNormalization(_Normalization):
    """Each channel made to have mean 0 and variance 1, then scaled and shifted; the shape is kept.

    y = γ · (x − μ) / √(σ² + ε) + β. In training μ and σ² are those of the batch, and the running
    statistics move towards them: running ← momentum · running + (1 − momentum) · batch. Otherwise,
    or if the layer is not `trainable`, they are the running statistics.

    Args:
        axis: The axis of the channels.
        momentum: How slowly the running statistics move.
        epsilon: ε, which keeps the root away from 0.
        center: Whether there is a β.
        scale: Whether there is a γ.
        beta_initializer: What β starts as; (C,).
        gamma_initializer: What γ starts as; (C,).
        moving_mean_initializer: What the running mean starts as; (C,).
        moving_variance_initializer: What the running variance starts as; (C,).
        beta_regularizer: The penalty on β.
        gamma_regularizer: The penalty on γ.
        **options: beta_constraint, gamma_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input has no such axis, or its size is not known.

    Source: Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
    Internal Covariate Shift", ICML 2015.

    >>> layer = BatchNormalization(epsilon=1e-12)
    >>> layer([[1.0], [3.0]], training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> [weight.name for weight in layer.weights]
    ['gamma', 'beta', 'moving_mean', 'moving_variance']
    """

    keras_only: ClassVar[Mapping[str, Any]] = {
        "synchronized": False,
        "renorm": False,
        "renorm_clipping": None,
        "renorm_momentum": 0.99,
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            options,
        )
        if isinstance(axis, list | tuple) and len(axis) == 1:
            axis = axis[0]  # as older files have it
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self._operation(training=False)

    def build(self, input_shape: Shape) -> None:
        """Make γ, β and the running statistics."""
        shape = self.sizes(input_shape, [self.axis])
        self.add_scale_and_offset(shape)
        self.moving_mean = self.add_weight(
            "moving_mean", shape, self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )

    def call(self, g: Tracer, x: Value) -> Value:
        """Normalise by the batch's statistics in training, by the running ones otherwise."""
        training = g.training and self.trainable
        return g.apply(
            self._operation(training),
            x,
            *self.scale_and_offset(g),
            g.weight(self.moving_mean),
            g.weight(self.moving_variance),
            updates=(self.moving_mean, self.moving_variance) if training else (),
        )

    def _operation(self, training: bool) -> BatchOperation:
        return BatchOperation(self.axis, self.epsilon, self.momentum, training)


class LayerNormalization(_Normalization):
    """Each sample made to have mean 0 and variance 1 along an axis, then scaled and shifted.

    y = γ · (x − μ) / √(σ² + ε) + β, with μ and σ² of the numbers along `axis`; the shape is kept.

    Args:
        axis: The axis, or a list of axes, to normalise along.
        epsilon: ε, which keeps the root away from 0.
        center: Whether there is a β.
        scale: Whether there is a γ.
        beta_initializer: What β starts as; the sizes of the axes.
        gamma_initializer: What γ starts as; the sizes of the axes.
        beta_regularizer: The penalty on β.
        gamma_regularizer: The penalty on γ.
        **options: beta_constraint, gamma_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input has no such axis, or its size is not known.

    Source: Ba, Kiros, Hinton, "Layer Normalization", arXiv:1607.06450, 2016.

    >>> LayerNormalization(epsilon=1e-12)([[1.0, 3.0]])
    array([[-1.,  1.]], dtype=float32)
    """

    keras_only: ClassVar[Mapping[str, Any]] = {"rms_scaling": False}

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            options,
        )
        self._axes = axes_argument(self.name, axis)
        self.axis: int | list[int] = axis if isinstance(axis, int) else self._axes
        self.epsilon = epsilon
        self._op = LayerOperation(tuple(self._axes), self.epsilon)

    def build(self, input_shape: Shape) -> None:
        """Make γ and β."""
        self.add_scale_and_offset(self.sizes(input_shape, self._axes))

    def call(self, g: Tracer, x: Value) -> Value:
        """Normalise each sample."""
        return g.apply(self._op, x, *self.scale_and_offset(g))


class GroupNormalization(_Normalization):
    """Each group of a sample's channels made to have mean 0 and variance 1, scaled and shifted.

    y = γ · (x − μ) / √(σ² + ε) + β, with μ and σ² of each run of C / groups channels over all
    places; the shape is kept. Nothing depends on the rest of the batch.

    Args:
        groups: The number of runs that the channels are split into; −1 for one for each channel,
            which is instance normalisation.
        axis: The axis of the channels.
        epsilon: ε, which keeps the root away from 0.
        center: Whether there is a β.
        scale: Whether there is a γ.
        beta_initializer: What β starts as; (C,).
        gamma_initializer: What γ starts as; (C,).
        beta_regularizer: The penalty on β.
        gamma_regularizer: The penalty on γ.
        **options: beta_constraint, gamma_constraint; name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input has no such axis, its size is not known, or it does not split.

    Source: Wu, He, "Group Normalization", ECCV 2018.

    >>> GroupNormalization(2, epsilon=1e-12)([[1.0, 3.0, 5.0, 9.0]])
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            options,
        )
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self._op = GroupOperation(groups, axis, epsilon)

    def build(self, input_shape: Shape) -> None:
        """Make γ and β."""
        self.add_scale_and_offset(self.sizes(input_shape, [self.axis]))

    def call(self, g: Tracer, x: Value) -> Value:
        """Normalise each group."""
        return g.apply(self._op, x, *self.scale_and_offset(g))


class RMSNormalization(Layer):
    """Each sample divided by its root mean square along an axis, then scaled.

    y = scale · x / √(mean(x²) + ε), with the mean along `axis`; the shape is kept.

    Args:
        axis: The axis, or a list of axes, to normalise along.
        epsilon: ε, which keeps the root away from 0.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: An argument is not what it should be.
        ShapeError: The input has no such axis, or its size is not known.

    Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019.

    >>> RMSNormalization(epsilon=1e-12)([[1.0, 7.0]])
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-6,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self._axes = axes_argument(self.name, axis)
        self.axis: int | list[int] = axis if isinstance(axis, int) else self._axes
        self.epsilon = epsilon
        self._op = RMSOperation(tuple(self._axes), self.epsilon)

    def build(self, input_shape: Shape) -> None:
        """Make the scale."""
        sizes = _sizes(self.name, input_shape, self._axes)
        self.scale = self.add_weight("scale", sizes, initializers.get("ones"))

    def call(self, g: Tracer, x: Value) -> Value:
        """Normalise each sample."""
        return g.apply(self._op, x, g.weight(self.scale))


class UnitNormalization(Layer):
    """Each sample scaled so that its length along an axis is 1: y = x / √(Σ x²); zeros stay zeros.

    Args:
        axis: The axis, or a list of axes, to measure along.
        **options: name, trainable, dtype, input_shape.

    Raises:
        ArgumentError: `axis` is not an axis.
        ShapeError: The input has no such axis, or its size is not known.

    >>> UnitNormalization()([[3.0, 4.0]])
    array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        axes = axes_argument(self.name, axis)
        self.axis: int | list[int] = axis if isinstance(axis, int) else list(axis)
        self._op = UnitOperation(tuple(axes))

    def call(self, g: Tracer, x: Value) -> Value:
        """Scale each sample."""
        return g.apply(self._op, x)


def _sizes(layer: str, shape: Shape, axes: Sequence[int]) -> tuple[int, ...]:
    sizes = [shape[normal_axis(layer, axis, shape)] for axis in axes]
    if None in sizes:
        raise ShapeError(
            f"{layer}: the size of axis {', '.join(map(str, axes))} must be known to make "
            f"the weights, received shape {shape}. Say it in Input(shape)."
        )
    return tuple(size for size in sizes if size is not None)
