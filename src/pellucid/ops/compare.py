"""Whether a relation holds between two tensors, number by number.

    y = x0 > x1,  x0 = x1,  x0 ≠ 0 and x1 ≠ 0, …

| tensor | shape                                          |
|--------|------------------------------------------------|
| x0, x1 | the same, or 1 where they differ (`_merge.py`) |
| y      | the shape that both spread to                  |

The answers are truth values (bool) and have no gradient.

Source: the Array API standard, "Element-wise functions".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops._merge import Merge
from pellucid.ops._operation import EVERYTHING, Array, Case, Invalid
from pellucid.ops._terms import Call, Cell, Expression

RELATIONS: dict[str, Callable[[Array, Array], Array]] = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}


@dataclass(frozen=True)
class Compare(Merge):
    """Whether a relation holds; the module's docstring has the formula.

    Attributes:
        relation: "greater", "less_equal", "logical_and" …: a name in `RELATIONS`.
    """

    relation: str = "equal"

    name: ClassVar[str] = "compare"
    inputs: ClassVar[tuple[str, ...]] = ("x0", "x1")
    constant: ClassVar[frozenset[str]] = frozenset({"x0", "x1"})
    variadic: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ArgumentError(
                f"compare: relation must be one of {', '.join(RELATIONS)}, received "
                f"{self.relation!r}."
            )

    def output_dtype(self, *dtypes: str) -> str:
        """Return the type of truth values."""
        return "bool"

    def merge(self, tensors: list[Array]) -> Array:
        """Answer for each pair of numbers."""
        return RELATIONS[self.relation](*tensors)

    def backward(
        self, dy: Array, y: Array, *tensors: Array, wrt: Collection[str] = EVERYTHING
    ) -> tuple[Array | None, ...]:
        """Return nothing."""
        return None, None

    def merge_terms(self, cells: list[Cell]) -> Expression:
        """The relation between two numbers."""
        relation = RELATIONS[self.relation]
        return Call(
            self.relation, cells, lambda a, b: float(relation(np.asarray(a), np.asarray(b)))
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every relation, with equals among the numbers."""
        for relation in RELATIONS:
            yield _case(cls(relation), ((2, 3, 4), (4,)))
        yield _case(cls(), ((2, 3), (2, 1)))

    @classmethod
    def invalid_cases(cls) -> Iterator[Invalid]:
        """A relation that is none, shapes that do not fit."""
        yield Invalid(lambda: cls("like"), ArgumentError, "relation")
        yield Invalid(lambda: cls().output_shape((2, 3), (2, 4)), ShapeError, "same, or 1")


def _case(op: Compare, shapes: tuple[tuple[int, ...], ...]) -> Case:
    return Case(op, shapes, lambda g: tuple(g.integers(0, 3, s).astype(float) for s in shapes))
