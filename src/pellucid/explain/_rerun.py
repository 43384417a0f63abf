"""A recorded pass run again with some of its numbers replaced: only what depends on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from pellucid.explain._recording import Recording, run
from pellucid.graph import Value
from pellucid.ops._operation import Array

__all__ = ["Rerun"]

_KEPT = 64 * 2**20


class Rerun:
    """What depends on some values of a recording, to be run with other arrays in their place.

    Args:
        recording: The recorded pass.
        replaced: The values that will be replaced.
        dtype: The type to compute in; what is not replaced is what was recorded, in this type.
        until: Only what leads to these values; all by default.
    """

    def __init__(
        self,
        recording: Recording,
        replaced: Collection[Value],
        dtype: npt.DTypeLike | None = None,
        until: Collection[Value] | None = None,
    ) -> None:
        self.recording = recording
        self.replaced = set(replaced)
        self.dtype = recording.dtype if dtype is None else np.dtype(dtype)
        changed = set(replaced)
        for node in recording.program.nodes:
            if node.output not in changed and any(v in changed for v in node.inputs):
                changed.add(node.output)
        wanted = changed if until is None else set(until)
        self.nodes = []
        for node in reversed(recording.program.nodes):
            if node.output in wanted and node.output in changed - self.replaced:
                self.nodes.append(node)
                wanted.update(v for v in node.inputs if v is not None)
        self.nodes.reverse()
        self._cast: dict[Value, Array] = {}

    def run(self, arrays: Mapping[Value, Array]) -> dict[Value, Array]:
        """Return the arrays of all that depends on the replaced ones, and these themselves."""
        found = {value: self._as_type(array) for value, array in arrays.items()}
        for node in self.nodes:
            inputs = [None if v is None else self._read(v, found) for v in node.inputs]
            found[node.output] = run(node, inputs)
        return found

    def base(self, value: Value) -> Array:
        """Return what was recorded for a value, in the type of this run."""
        if value not in self._cast:
            array = self._as_type(self.recording.array(value))
            if array.nbytes > _KEPT:
                return array
            self._cast[value] = array
        return self._cast[value]

    def _read(self, value: Value, found: Mapping[Value, Array]) -> Array:
        return found[value] if value in found else self.base(value)

    def _as_type(self, array: Array) -> Array:
        return array.astype(self.dtype, copy=False) if array.dtype.kind == "f" else array
