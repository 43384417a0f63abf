"""Where a value's numbers lie: which axis of the file's tensor is which axis of the one here.

A file's images are (N, C, H, W), those here (N, H, W, C), and nothing is moved to make up for it.
Each value carries its layout instead: its axes, as the file has them, are made of *atoms*, and the
numbers lie in memory in some order of these. A transposition in the file only reorders the axes; a
reshape splits atoms, or joins them to one axis; both leave the numbers where they are. Only an
operation that needs them in another order has them moved.

An axis of size 1 has no atoms: it is everywhere and nowhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.formats.onnx._batch import Batch, Size
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._operation import Array

__all__ = [
    "Atom",
    "Axis",
    "Gated",
    "Linear",
    "Padded",
    "Tensor",
    "arranged",
    "atoms_of",
    "in_memory_order",
    "quotient",
    "size_of_axis",
    "split_axes",
]


class Atom:
    """A run of cells that no reshape has divided yet.

    Attributes:
        size: How many cells; the batch has a `Batch`.
    """

    __slots__ = ("size",)

    def __init__(self, size: Size) -> None:
        self.size = size


Axis = tuple[Atom, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value that the model computes.

    Attributes:
        keras: The symbolic tensor that has its numbers.
        axes: The axes that the file's tensor has, each made of atoms, the last fastest.
        order: The atoms in the order in which they lie in memory.
        dtype: The type that the file's numbers have.
        origin: What it was made of, for a node after it that can do the two steps in one.
    """

    keras: KerasTensor
    axes: tuple[Axis, ...]
    order: Axis
    dtype: np.dtype[Any]
    origin: Padded | Linear | Gated | None = None

    @property
    def shape(self) -> tuple[Size, ...]:
        """The sizes of the file's tensor."""
        return tuple(size_of_axis(axis) for axis in self.axes)

    @property
    def batch(self) -> Size:
        """The size that is not known: the batch."""
        return next((a.size for a in self.order if isinstance(a.size, Batch)), Batch())

    def permutation(self) -> tuple[int, ...] | None:
        """Return the order of the axes in memory; None if it is no order of whole axes.

        Where axes of size 1 leave a choice, images have their channels last.
        """
        rank = len(self.axes)
        plain = tuple(range(rank))
        for candidate in ((0, 2, 3, 1) if rank == 4 else plain, plain):
            if self.lies(candidate):
                return candidate
        place = {atom: i for i, atom in enumerate(self.order)}
        first = {axis: place[axis[0]] for axis in self.axes if axis}
        order = sorted(plain, key=lambda i: first.get(self.axes[i], -1))
        return tuple(order) if self.lies(order) else None

    def lies(self, order: Sequence[int]) -> bool:
        """Return whether the numbers lie in memory with the axes in this order."""
        return tuple(itertools.chain.from_iterable(self.axes[i] for i in order)) == self.order

    def sizes(self, order: Sequence[int]) -> tuple[int | None, ...]:
        """Return the sizes of the axes in this order, as shapes here have them."""
        return tuple(_open(size_of_axis(self.axes[i])) for i in order)

    def made(self, keras: KerasTensor) -> Tensor:
        """Return what was made of it number by number: the same layout."""
        return replace(self, keras=keras, origin=None)


@dataclass(frozen=True, eq=False)
class Padded:
    """That a tensor lies in memory as images (N, H, W, C) with zeros around them.

    Attributes:
        image: The images without them.
        sides: How many, ((top, bottom), (left, right)).
    """

    image: KerasTensor
    sides: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Linear:
    """That a tensor's channels, last in memory, come of a layer that can scale and shift them.

    Attributes:
        rescaled: Takes a factor and an offset for each channel; makes the layer anew with them.
    """

    rescaled: Callable[[Array, Array], tuple[KerasTensor, Linear]]


@dataclass(frozen=True, eq=False)
class Gated:
    """That a tensor is an activation of another one.

    Attributes:
        gate: The symbolic tensor that it is the activation of.
        function: The activation: "sigmoid" or "hard_sigmoid".
    """

    gate: KerasTensor
    function: str


def atoms_of(shape: Iterable[Size]) -> tuple[Axis, ...]:
    """Return new axes of the given sizes."""
    return tuple(() if size == 1 else (Atom(size),) for size in shape)


def arranged(
    keras: KerasTensor,
    shape: Sequence[Size],
    order: Sequence[int],
    dtype: np.dtype[Any],
) -> Tensor:
    """Return a new value of the file's `shape`, whose axes lie in memory in this `order`."""
    axes = atoms_of(shape)
    memory = tuple(itertools.chain.from_iterable(axes[i] for i in order))
    return Tensor(keras, axes, memory, np.dtype(dtype))


def size_of_axis(axis: Axis) -> Size:
    """Return how many cells an axis has."""
    known = math.prod(atom.size for atom in axis if not isinstance(atom.size, Batch))
    batch = [atom.size for atom in axis if isinstance(atom.size, Batch)]
    return batch[0] * known if batch else known


def split_axes(tensor: Tensor, shape: Sequence[Size]) -> Tensor | None:
    """Return the tensor with the axes of another shape, none of its numbers moved.

    None if that cannot be said by dividing atoms and joining them.
    """
    rest = list(itertools.chain.from_iterable(tensor.axes))
    order = list(tensor.order)
    axes: list[Axis] = []
    for size in shape:
        axis: list[Atom] = []
        while (needed := quotient(size, size_of_axis(tuple(axis)))) != 1:
            if not rest or needed is None:
                return None
            atom = rest.pop(0)
            if quotient(needed, atom.size) is None:
                remaining = quotient(atom.size, needed)
                if remaining is None:
                    return None
                parts = [Atom(needed), Atom(remaining)]
                place = order.index(atom)
                order[place : place + 1] = parts
                atom = parts[0]
                rest.insert(0, parts[1])
            axis.append(atom)
        axes.append(tuple(axis))
    return None if rest else Tensor(tensor.keras, tuple(axes), tuple(order), tensor.dtype)


def in_memory_order(array: Array, tensor: Tensor) -> Array | None:
    """Return a constant of the file's shape, or one that spreads to it, as it lies with `tensor`.

    The result has the rank of the tensor's memory; None if the constant does not spread to the
    tensor's shape, but the tensor to the constant's.
    """
    rank = len(tensor.axes)
    if array.ndim > rank:
        return None
    sizes = (1,) * (rank - array.ndim) + array.shape
    split: list[int] = []
    for size, axis in zip(sizes, tensor.axes, strict=True):
        if size not in (1, size_of_axis(axis)):
            return None
        split += [1 if size == 1 else _known(atom) for atom in axis]
    where = {atom: i for i, atom in enumerate(itertools.chain.from_iterable(tensor.axes))}
    moved = array.reshape(split).transpose([where[atom] for atom in tensor.order])
    wanted: list[int] = []
    atoms = list(zip(tensor.order, moved.shape, strict=True))
    full: list[int] = []
    for cells in tensor.keras.shape:
        axis_atoms: list[tuple[Atom, int]] = []
        while _open(size_of_axis(tuple(atom for atom, _ in axis_atoms))) != cells:
            axis_atoms.append(atoms.pop(0))
        spread = all(n == 1 for _, n in axis_atoms)
        full += [1 if spread else _known(atom) for atom, _ in axis_atoms]
        wanted.append(1 if spread else math.prod(_known(atom) for atom, _ in axis_atoms))
    return np.broadcast_to(moved, full).reshape(wanted)


def _known(atom: Atom) -> int:
    assert isinstance(atom.size, int)  # a constant has no batch, so nothing of it spreads there
    return atom.size


def _open(size: Size) -> int | None:
    return None if isinstance(size, Batch) else size


def quotient(size: Size, divisor: Size) -> Size | None:
    """Return size / divisor; None if that is no whole number."""
    if isinstance(size, Batch):
        if isinstance(divisor, Batch):
            return size.factor // divisor.factor if size.factor % divisor.factor == 0 else None
        return Batch(size.factor // divisor) if size.factor % divisor == 0 else None
    if isinstance(divisor, Batch) or divisor == 0:
        return None
    return size // divisor if size % divisor == 0 else None
