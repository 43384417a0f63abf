"""Plain functions called on tensors that have no numbers yet.

Each function of `pellucid.ops` works on arrays. The decorator `function` makes it work on symbolic
tensors as well: one that a model is put together of notes the call down; one that stands for a
value of a program states the operations that the function's body applies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.ops._operation import Array, Operation, Shape

__all__ = ["FUNCTIONS", "Function", "Symbolic", "function"]


class Symbolic:
    """A tensor that has a shape and a type, but no numbers yet."""

    shape: Shape
    dtype: str

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def state(self, name: str, operands: Sequence[Any], options: dict[str, Any]) -> Any:
        """Return what the function of that name makes of the operands, this tensor among them."""
        raise NotImplementedError  # every subclass has its own

    def apply(self, op: Operation, inputs: Sequence[Array | Symbolic | None]) -> Symbolic:
        """Return what the operation makes of the inputs, this tensor among them."""
        raise NotImplementedError  # every subclass has its own


@dataclass(frozen=True)
class Function:
    """A plain function, as it is without the decorator.

    Attributes:
        body: The function.
        tensors: The names of its arguments that are tensors, in order.
        listed: Whether its one tensor argument is a list of tensors.
        options: The names of its other arguments, with their defaults.
    """

    body: Callable[..., Any]
    tensors: tuple[str, ...]
    listed: bool
    options: dict[str, Any]

    def __call__(self, operands: Sequence[Any], options: dict[str, Any]) -> Any:
        """Call the body."""
        if self.listed:
            return self.body(list(operands), **options)
        return self.body(**dict(zip(self.tensors, operands, strict=True)), **options)


FUNCTIONS: dict[str, Function] = {}
"""The functions that can be called on symbolic tensors, by name: a closed list."""

F = TypeVar("F", bound=Callable[..., Any])


def function(body: F) -> F:
    """Make a plain function callable on symbolic tensors.

    Its tensors are the arguments annotated as array-likes; its other arguments are options.
    """
    signature = inspect.signature(body)
    parameters = signature.parameters.values()
    tensors = tuple(p.name for p in parameters if "ArrayLike" in str(p.annotation))
    listed = any("Sequence" in str(signature.parameters[name].annotation) for name in tensors)
    options = {p.name: p.default for p in parameters if p.name not in tensors}
    name = body.__name__
    FUNCTIONS[name] = Function(body, tensors, listed, options)

    @wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(leaf, Symbolic) for leaf in _leaves((*args, *kwargs.values()))):
            return body(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        operands = [given.pop(tensor) for tensor in tensors]
        if listed:
            operands = list(operands[0])
        if any(isinstance(leaf, Symbolic) for leaf in _leaves(given.values())):
            raise ArgumentError(
                f"{name}: only {', '.join(tensors)} can be symbolic tensors; the other arguments "
                f"must be known when the model is put together."
            )
        first = next(x for x in operands if isinstance(x, Symbolic))
        return first.state(name, operands, given)

    return call  # type: ignore[return-value]  # the signature is the body's


def _leaves(arguments: Any) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from _leaves(argument)
        elif not isinstance(argument, np.ndarray):
            yield argument
