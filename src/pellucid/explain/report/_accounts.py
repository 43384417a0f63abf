"""The accounts of all numbers of a tensor, as a few patterns and where each number puts them.

Every number's account is a tree (`ops/_terms.py`). Within a tensor the trees are nearly all alike:
the window of a convolution is the same everywhere, only the cells under it move. So an account is
kept as a *pattern*, whose cells are offsets from a few *bases*, and a rule that says for every
number which pattern it has and where its bases are:

* by axes: pattern and bases follow from the index, axis by axis. The rule is learned from the
  accounts along each axis and believed only after it has foretold those of other cells;
* one by one, where that fails: for each number its pattern and bases.

No operation is known by name here: whatever gives accounts can be shown.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.ops._operation import Array
from pellucid.ops._terms import (
    Call,
    Cell,
    Constant,
    Expression,
    Maximum,
    Named,
    Product,
    Sum,
    Table,
)

__all__ = ["Account", "Locate", "Seen", "Tables", "learn", "read"]

Pattern = tuple[Any, ...]
Cells = tuple[int, ...]
Locate = Callable[[Cell], tuple[str, int]]

COMPUTED = frozenset(
    {"exp", "log", "sqrt", "square", "1/sqrt", "divide", "|w|", "abs", "sign", "one_hot"}
)
"""Functions that the page evaluates itself; the values of all others come from the trace."""

_FEW = 40
_SPOT_CHECKS = 24
_MOST_PATTERNS = 400
_MOST_LEAVES = 60_000
_LOOK = 40  # what one look costs besides, in nodes


@dataclass(frozen=True)
class Seen:
    """One number's account: its pattern, the tensor of each base, and the bases."""

    pattern: Pattern
    tensors: tuple[str, ...]
    bases: tuple[int, ...]


class Tables:
    """Functions that the page does not evaluate, as tables of their values over whole tensors."""

    def __init__(self, array: Callable[[str], Array]) -> None:
        self._array = array
        self._functions: dict[tuple[str, str], Callable[..., float]] = {}

    def name(self, function: str, tensor: str, evaluate: Callable[..., float]) -> str:
        """Return the name of the table of `function` over `tensor`."""
        self._functions.setdefault((function, tensor), evaluate)
        return f"{function}|{tensor}"

    def arrays(self) -> dict[str, Array]:
        """Return every table by its name."""
        made = {}
        for (function, tensor), evaluate in self._functions.items():
            given = self._array(tensor)
            values, back = np.unique(given, return_inverse=True)
            table = np.array([evaluate(float(v)) for v in values])[back].reshape(given.shape)
            small = table.astype(np.float32)
            made[f"{function}|{tensor}"] = small if np.array_equal(small, table) else table
        return made


@dataclass
class Account:
    """How the accounts of all of a tensor's numbers are found; see the module's docstring.

    Attributes:
        patterns: The patterns, each once, with the tensors of its bases.
        axes: For each axis which class an index has, and how far it moves each base.
        corners: For each combination of the axes' classes its pattern and bases.
        each: Instead of axes and corners: every number's pattern and bases, (cells, 1 + bases).
    """

    patterns: list[tuple[Pattern, tuple[str, ...]]] = field(default_factory=list)
    axes: list[dict[str, Any]] = field(default_factory=list)
    corners: list[list[Any]] = field(default_factory=list)
    each: Array | None = None

    def number_of(self, seen: Seen) -> int:
        """Return the number of a pattern, which is added if it is new."""
        entry = seen.pattern, seen.tensors
        if entry not in self._numbers:
            self._numbers[entry] = len(self.patterns)
            self.patterns.append(entry)
        return self._numbers[entry]

    _numbers: dict[tuple[Pattern, tuple[str, ...]], int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what the page reads; a table of `each` number is put in by the caller."""
        return {
            "patterns": [{"tree": tree, "tensors": tensors} for tree, tensors in self.patterns],
            "axes": self.axes,
            "corners": self.corners,
        }


def read(parts: Sequence[tuple[Expression, Locate]], tables: Tables) -> Seen:
    """Return the pattern of an account, the sum of its parts, and its bases.

    Args:
        parts: Expressions, each with what tells where its cells are: the tensor, and the place
            in it, counted in numbers. It is also asked with arrays for the indices.
        tables: Takes the functions that the page cannot evaluate.
    """
    reader = _Reader(tables)
    trees = []
    for expression, locate in parts:
        reader.locate = locate
        trees.append(reader.walk(expression, "", root=len(parts) == 1))
    return reader.seen(trees[0] if len(trees) == 1 else ("p", *trees))


class _Reader:
    """Writes accounts as patterns; the cells of one tensor within one sum share a base."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.locate: Locate
        self._groups: dict[tuple[str, str], int] = {}
        self._bases: list[int] = []
        self._sums = itertools.count()

    def walk(self, node: Expression, scope: str, root: bool = False) -> Pattern:
        match node:
            case Cell():
                name, offset = self.locate(node)
                group = self._group(scope, name, offset)
                return "c", group, offset - self._bases[group]
            case Constant(name, value):
                return "k", name, float(value)
            case Sum(Table() as table):
                return "+", *self._table(table, f"Σ{next(self._sums)}")
            case Sum(terms):
                inner = f"Σ{next(self._sums)}" if len(terms) > 2 else scope
                return "+", *[self.walk(term, inner) for term in terms]
            case Product(factors):
                return "*", *[self.walk(factor, scope) for factor in factors]
            case Maximum(candidates):
                inner = f"Σ{next(self._sums)}"
                return "m", *[self.walk(candidate, inner) for candidate in candidates]
            case Named(name, named):
                return "n", name, self.walk(named, f"{scope}/{name}")
            case Call():
                return self._call(node, scope, root)

    def seen(self, pattern: Pattern) -> Seen:
        """Return what was read, its bases in an order that does not depend on the cells met."""
        order = sorted(self._groups)
        numbers = [self._groups[key] for key in order]
        if numbers != sorted(numbers):
            pattern = _renumbered(pattern, {old: new for new, old in enumerate(numbers)})
        return Seen(
            pattern, tuple(name for _, name in order), tuple(self._bases[i] for i in numbers)
        )

    def _group(self, scope: str, name: str, offset: int) -> int:
        group = self._groups.setdefault((scope, name), len(self._groups))
        if group == len(self._bases):
            self._bases.append(offset)
        return group

    def _table(self, table: Table, scope: str) -> list[Pattern]:
        columns: list[list[Pattern]] = []
        for column in table.columns:
            name, places = self.locate(Cell(column.tensor, column.index, 0.0))  # type: ignore[arg-type]  # arrays for indices: all rows at once
            offsets = np.broadcast_to(places, table.rows).tolist()
            padding = [False] * table.rows
            if column.is_padding is not None:
                padding = np.broadcast_to(column.is_padding, table.rows).tolist()
            inside = [offset for offset, out in zip(offsets, padding, strict=True) if not out]
            group = self._group(scope, name, inside[0]) if inside else -1
            base = self._bases[group] if inside else 0
            columns.append(
                [
                    ("k", "padding", 0.0) if out else ("c", group, offset - base)
                    for offset, out in zip(offsets, padding, strict=True)
                ]
            )
        rows = (
            columns[0] if len(columns) == 1 else [("*", *row) for row in zip(*columns, strict=True)]
        )
        return [*rows, *[self.walk(term, scope) for term in table.tail]]

    def _call(self, node: Call, scope: str, root: bool) -> Pattern:
        inside = [self.walk(argument, scope) for argument in node.arguments]
        if node.function in COMPUTED:
            return "f", node.function, *inside
        if root:
            return "r", node.function, *inside
        only = node.arguments[0]
        if len(node.arguments) == 1 and isinstance(only, Cell):
            table = self.tables.name(node.function, self.locate(only)[0], node.evaluate)
            return "t", node.function, table, *inside
        return "v", node.function, node.value, *inside


def _renumbered(pattern: Pattern, numbers: dict[int, int]) -> Pattern:
    if pattern[0] == "c":
        return "c", numbers[pattern[1]], pattern[2]
    return tuple(_renumbered(p, numbers) if isinstance(p, tuple) else p for p in pattern)


def learn(
    shape: Cells, look: Callable[[Cells], Seen | None], effort: int, generator: Any
) -> Account | None:
    """Return how the accounts of a tensor's numbers are found; None if that takes too long.

    Args:
        shape: The tensor's shape, the batch axis included.
        look: Gives the account of one number; None for one that was given.
        effort: How much may be looked at, in nodes of accounts. It is not counted in seconds, so
            that the same trace always makes the same page.
        generator: Chooses the cells of the spot checks.
    """
    if not math.prod(shape):
        return None
    middle = tuple(n // 2 for n in shape)
    first = look(middle)
    if first is None or _leaves(first.pattern) > _MOST_LEAVES:
        return None
    each = _leaves(first.pattern) + _LOOK
    known: dict[Cells, Seen | None] = {}

    def cached(cell: Cells) -> Seen | None:
        if cell not in known:
            known[cell] = look(cell)
        return known[cell]

    probes = sum(min(n, _FEW) for n in shape) + _SPOT_CHECKS
    if each * probes > effort:
        return None
    found = _by_axes(shape, cached, generator, effort // each)
    if found is None and each * math.prod(shape) < effort:
        found = _one_by_one(shape, cached)
    if found is None or sum(_leaves(tree) for tree, _ in found.patterns) > _MOST_LEAVES:
        return None
    return found


def _leaves(pattern: Pattern) -> int:
    return 1 + sum(_leaves(part) for part in pattern if isinstance(part, tuple))


def _by_axes(
    shape: Cells, look: Callable[[Cells], Seen | None], generator: Any, most: int
) -> Account | None:
    middle = tuple(n // 2 for n in shape)
    account = Account()
    classes: list[list[int]] = []
    representatives: list[list[int]] = []
    for axis, size in enumerate(shape):
        line = _along(axis, size, middle, look, generator, most)
        if line is None:
            return None
        own: dict[tuple[Pattern, tuple[str, ...]], int] = {}
        firsts: list[int] = []
        numbers: list[int] = []
        for index, seen in enumerate(line):
            number = own.setdefault((seen.pattern, seen.tensors), len(own))
            numbers.append(number)
            if number == len(firsts):
                firsts.append(index)
        classes.append(numbers)
        representatives.append(firsts)
        count = max(len(seen.bases) for seen in line)
        moves = [[0] * size for _ in range(count)]
        for index, seen in enumerate(line):
            for group, base in enumerate(seen.bases):
                moves[group][index] = base - line[firsts[numbers[index]]].bases[group]
        account.axes.append(
            {
                "classes": numbers if len(firsts) > 1 else 0,
                "count": len(firsts),
                "moves": [_step(list_) for list_ in moves],
            }
        )
    if math.prod(map(len, representatives)) > _MOST_PATTERNS:
        return None
    for corner in itertools.product(*representatives):
        met = look(corner)
        if met is None:
            return None
        account.corners.append([account.number_of(met), *met.bases])
    for _ in range(_SPOT_CHECKS):
        cell = tuple(int(generator.integers(n)) for n in shape)
        if _foretold(account, classes, cell) != look(cell):
            return None
    return account


def _along(
    axis: int,
    size: int,
    middle: Cells,
    look: Callable[[Cells], Seen | None],
    generator: Any,
    most: int,
) -> list[Seen] | None:
    """Look at every index of an axis; where it is long and regular, at some of them."""

    def at(index: int) -> Seen | None:
        return look((*middle[:axis], index, *middle[axis + 1 :]))

    chosen = set(range(size))
    if size > _FEW:
        inner = generator.choice(size, 12, replace=False)
        chosen = {*range(6), *range(size - 6, size), *(int(i) for i in inner)}
    line: list[Seen | None] = [at(i) if i in chosen else None for i in range(size)]
    if any(line[i] is None for i in chosen):
        return None
    gaps = sorted(chosen)
    for low, high in itertools.pairwise(gaps):
        below, above = line[low], line[high]
        assert below is not None
        assert above is not None
        between = range(low + 1, high)
        if not between:
            continue
        same = (below.pattern, below.tensors) == (above.pattern, above.tensors)
        steps = [b - a for a, b in zip(below.bases, above.bases, strict=False)]
        if same and all(step % (high - low) == 0 for step in steps):
            for i in between:
                bases = (
                    base + step // (high - low) * (i - low)
                    for base, step in zip(below.bases, steps, strict=True)
                )
                line[i] = Seen(below.pattern, below.tensors, tuple(bases))
        elif len(between) > most:
            return None
        else:
            for i in between:
                line[i] = at(i)
    return None if any(seen is None for seen in line) else [seen for seen in line if seen]


def _step(moves: list[int]) -> int | list[int]:
    """Moves that grow evenly from 0 as one number."""
    step = moves[1] if len(moves) > 1 else 0
    return step if moves == [step * i for i in range(len(moves))] else moves


def _foretold(account: Account, classes: Sequence[list[int]], cell: Cells) -> Seen:
    place = 0
    for axis, index in zip(account.axes, zip(classes, cell, strict=True), strict=True):
        place = place * axis["count"] + index[0][index[1]]
    number, *bases = account.corners[place]
    pattern, tensors = account.patterns[number]
    for axis, index_ in zip(account.axes, cell, strict=True):
        for group, move in enumerate(axis["moves"][: len(bases)]):
            bases[group] += move * index_ if isinstance(move, int) else move[index_]
    return Seen(pattern, tensors, tuple(bases))


def _one_by_one(shape: Cells, look: Callable[[Cells], Seen | None]) -> Account | None:
    account = Account()
    rows = []
    for cell in np.ndindex(shape):
        seen = look(cell)
        if seen is None:
            return None
        rows.append((account.number_of(seen), *seen.bases))
        if len(account.patterns) > _MOST_PATTERNS:
            return None
    width = max(map(len, rows))
    account.each = np.array([(*row, *[0] * (width - len(row))) for row in rows], np.int32)
    return account
