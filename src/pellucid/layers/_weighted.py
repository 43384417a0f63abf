"""What convolution and dense layers share: a bias and an activation at the end."""

from __future__ import annotations

from typing import Any, ClassVar

from pellucid import initializers, regularizers
from pellucid.constraints import Constraint
from pellucid.graph import Tracer, Value, Variable
from pellucid.layers import _activation
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.ops._operation import Operation

__all__ = ["WeightedLayer"]


class WeightedLayer(Layer):
    """The base of layers that multiply by weights, add a bias and apply an activation."""

    constrainable: ClassVar[tuple[str, ...]] = ("kernel_constraint", "bias_constraint")
    kernel_constraint: Constraint | None
    bias_constraint: Constraint | None
    bias: Variable | None

    def __init__(
        self,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        options: LayerOptions,
    ) -> None:
        super().__init__(**options)
        self.activation = _activation.get(activation)
        self.use_bias = bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    @property
    def sublayers(self) -> list[Layer]:
        """The activation, if a layer was given for it."""
        return [self.activation] if isinstance(self.activation, Layer) else []

    def add_bias(self, size: int) -> None:
        """Make the bias, unless there shall be none."""
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                (size,),
                self.bias_initializer,
                self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def finish(self, g: Tracer, op: Operation, *inputs: Value) -> Value:
        """Apply `op`, whose last input is the bias, and the activation."""
        bias = None if self.bias is None else g.weight(self.bias)
        return _activation.apply(g, self.activation, op, *inputs, bias)
