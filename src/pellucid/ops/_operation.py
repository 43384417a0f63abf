"""What an operation is: shape, forward, backward, and the account of every number it makes.

An operation is a frozen dataclass in a file of its own. Its fields are what is fixed when a model
is built (strides, padding …); its methods take the tensors. Nothing is hidden: `backward` gets
exactly what `forward` got, what it gave, and the gradient of the loss with respect to that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pellucid.errors import ShapeError
from pellucid.ops._terms import Expression

__all__ = [
    "EVERYTHING",
    "Array",
    "Case",
    "Invalid",
    "Operation",
    "Shape",
    "common_type",
    "known",
    "require_rank",
]

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]


class _Everything:
    """A collection that contains every name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "EVERYTHING"


EVERYTHING: Collection[str] = _Everything()
"""The default of `wrt`: the gradient of every input is wanted."""


@dataclass(frozen=True)
class Case:
    """One configuration on which the generic tests try an operation.

    Attributes:
        op: The operation, configured.
        shapes: The shape of each input; None for an optional input left out.
        make: Makes the inputs from a random generator. By default each is standard normal, in
            double precision.
    """

    op: Operation
    shapes: tuple[tuple[int, ...] | None, ...]
    make: Callable[[np.random.Generator], tuple[Array | None, ...]] | None = None

    def inputs(self, generator: np.random.Generator) -> tuple[Array | None, ...]:
        """Return the case's input tensors."""
        if self.make is not None:
            return self.make(generator)
        return tuple(None if s is None else generator.standard_normal(s) for s in self.shapes)


@dataclass(frozen=True)
class Invalid:
    """A call that must fail: the call, the exception's type, and a part of what it must say."""

    call: Callable[[], object]
    error: type[Exception]
    message: str


class Operation:
    """The base of every operation. A subclass is a frozen dataclass in a file named as it is.

    Class attributes:
        name: The operation's name, which is its file's name.
        inputs: The names of its input tensors, in order.
        optional: Inputs that may be None.
        constant: Inputs that have no gradient: labels, masks, stored statistics.
        variadic: Whether it takes any number of tensors, named x0, x1, ….
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    optional: ClassVar[frozenset[str]] = frozenset()
    constant: ClassVar[frozenset[str]] = frozenset()
    variadic: ClassVar[bool] = False

    @property
    def batched(self) -> bool:
        """Whether axis 0 is the batch, which the output keeps; else it is an axis as any other."""
        return True

    # The signatures below are the widest ones: a subclass names its own tensors.

    def output_shape(self, *args: Any, **kwargs: Any) -> Shape:
        """Return the output's shape from the inputs' shapes; raise ShapeError if there is none.

        Axis 0 is the batch where an operation has one; it may be None and is then kept.
        """
        raise NotImplementedError  # every subclass has its own

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type of the output's numbers from those of the inputs that are there."""
        return common_type(map(np.dtype, dtypes)).name

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Return the output, in the floating-point type of the inputs."""
        raise NotImplementedError  # every subclass has its own

    def backward(self, dy: Array, y: Array, *args: Any, **kwargs: Any) -> tuple[Array | None, ...]:
        """Return ∂L/∂input for each input, given dy = ∂L/∂y and y = forward(*inputs).

        A constant or absent input has None. An input whose name is not in `wrt` may have None.
        """
        raise NotImplementedError  # every subclass has its own

    def terms(self, cell: tuple[int, ...], *args: Any, **kwargs: Any) -> Expression:
        """Return how y[cell] is made from cells of the inputs."""
        raise NotImplementedError  # every subclass has its own

    def gradient_terms(
        self, wrt: str, cell: tuple[int, ...], dy: Array, y: Array, *args: Any, **kwargs: Any
    ) -> Expression:
        """Return how ∂L/∂wrt[cell] is made; it is linear in the cells of "dy"."""
        raise NotImplementedError  # every subclass has its own

    def state_updates(self, *args: Any, **kwargs: Any) -> tuple[Array, ...]:
        """Return the new values of the state that a training step changes, if there is any."""
        return ()

    def state_terms(self, which: int, cell: tuple[int, ...], *args: Any) -> Expression:
        """Return how state_updates(…)[which][cell] is made from cells of the inputs."""
        raise NotImplementedError  # operations with state have their own

    def multiply_adds(self, *args: Any, **kwargs: Any) -> int:
        """Return how many multiply-adds inputs of these shapes take; 0 if there are no products."""
        return 0

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Yield the configurations that the generic tests run."""
        raise NotImplementedError  # every subclass has its own

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """Yield calls that must be refused, with the error expected."""
        return iter(())

    def input_names(self, count: int) -> tuple[str, ...]:
        """Return the names of `count` input tensors."""
        return tuple(f"x{i}" for i in range(count)) if self.variadic else self.inputs[:count]


def common_type(kinds: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the type in which numbers of these types are computed with.

    It is the widest floating-point type among them; where there is none, the type that holds all.
    """
    given = list(kinds)
    return np.result_type(*([kind for kind in given if kind.kind == "f"] or given))


def known(shape: Shape) -> tuple[int, ...]:
    """Return `shape` as whole numbers; ShapeError if one of them is not known yet."""
    sizes = tuple(n for n in shape if n is not None)
    if len(sizes) != len(shape):
        raise ShapeError(f"Expected a shape without unknown sizes, received {shape}.")
    return sizes


def require_rank(op: Operation, name: str, shape: Shape, rank: int, layout: str) -> None:
    """Raise ShapeError unless `shape` has `rank` axes; `layout` names them for the message."""
    if len(shape) != rank:
        raise ShapeError(
            f"{op.name}: expected {name} with {rank} axes {layout}, received shape {shape} "
            f"with {len(shape)}."
        )
