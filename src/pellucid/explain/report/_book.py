"""What a page knows: every tensor that fits, and how its numbers were made."""

from __future__ import annotations

import inspect
import json
import math
import operator
import re
import sys
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.explain.address import Address, Tensor
from pellucid.explain.formula import Located
from pellucid.explain.ledger import Place
from pellucid.explain.report._accounts import Locate, Seen, Tables, learn, read
from pellucid.explain.report._binary import Binary
from pellucid.ops._operation import Array, Operation
from pellucid.ops._terms import Cell

if TYPE_CHECKING:
    from pellucid.explain.trace import Trace

__all__ = ["Book"]

LARGEST = 64 * 2**20
"""A tensor of more bytes is shown only where its numbers are not made for the page alone."""

_PACKED = 0.93
_PLACE = 60
_EFFORT = 3_000_000


class Book:
    """Everything that a page shows of a trace.

    Args:
        trace: The trace.
        max_bytes: How many bytes of the page it may fill.
    """

    def __init__(self, trace: Trace, max_bytes: int) -> None:
        self.trace = trace
        self.binary = Binary()
        self._room = max_bytes * 3 // 4
        self._strides: dict[str, tuple[int, ...]] = {}
        self._arrays: dict[str, Any] = {}
        self._notes: dict[str, list[str]] = {}
        self.tables = Tables(self._whole)
        self._add_remarks()
        self._accounts = self._learn_accounts()
        self._room -= len(self.data()) * 3 // 4 + _PLACE * len(list(self._keys()))
        for name, table in self.tables.arrays().items():
            self._arrays[name] = self._add(table)
        self._add_tensors()

    def data(self) -> str:
        """Return all but the arrays: JSON, deflated, in base64."""
        trace = self.trace
        book = {
            "model": trace.model.name,
            "training": trace.training,
            "samples": trace.size,
            "classes": trace.class_names,
            "notes": trace.notes,
            "loss": trace.loss,
            "outputs": trace.outputs,
            "targets": [trace.names[value] for value in trace.setup.targets],
            "optimizer": trace.setup.optimizer.name if trace.setup.has_loss else None,
            "tensors": [self._tensor(tensor) for tensor in trace.addresses()],
            "arrays": self._arrays,
            "accounts": self._accounts,
            "remarks": self._notes,
        }
        plain = json.dumps(book, separators=(",", ":"), ensure_ascii=False, allow_nan=True)
        return b64encode(zlib.compress(_strict(plain).encode(), 9)).decode("ascii")

    def _tensor(self, tensor: Tensor) -> dict[str, Any]:
        described = tensor.to_dict()
        node = self._node(tensor)
        if node is not None:
            sentence, formula = _docstring(node.op)
            described.update(
                sentence=sentence,
                formula=formula,
                settings=_settings(node.op),
                reads=[self.trace.names[value] for value in node.inputs if value is not None],
            )
        return described

    def _node(self, tensor: Tensor) -> Any:
        if tensor.kind != "result":
            return None
        return self.trace.recording.producers.get(self.trace.value_of(Address(tensor.name)))

    def _key_shape(self, key: str) -> tuple[int, ...]:
        tensor, _ = self._split(key)
        return tensor.shape if tensor.samples is None else (tensor.samples, *tensor.shape)

    def _split(self, key: str) -> tuple[Tensor, str]:
        tensors = self.trace.tensors
        name, rest = key, ""
        while name not in tensors:
            name, _, last = name.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
        return tensors[name], rest

    def _strides_of(self, key: str) -> tuple[int, ...]:
        if key not in self._strides:
            shape = self._key_shape(key)
            self._strides[key] = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        return self._strides[key]

    def _whole(self, key: str) -> Array:
        """Return a tensor's numbers, all samples."""
        tensor, quantity = self._split(key)
        if tensor.samples is None:
            return self.trace.array(
                Address(tensor.name, None if tensor.shape else (), None, quantity)
            )
        index = None if tensor.shape else ()
        rows = [
            self.trace.array(Address(tensor.name, index, sample, quantity))
            for sample in range(tensor.samples)
        ]
        return np.stack(rows)

    def _keys(self) -> Iterable[tuple[int, str]]:
        """Yield every tensor and quantity with its rank: what comes first when room is short."""
        for tensor in self.trace.addresses():
            bytes_ = 4 * math.prod(tensor.shape) * (tensor.samples or 1)
            weight = tensor.kind == "weight"
            yield (2 if weight else 0), tensor.name
            if bytes_ > LARGEST:
                continue
            for quantity in tensor.quantities:
                after = 5 if quantity.endswith(".updated") else 4
                order = (3 if weight else 1) if quantity == "grad" else after
                yield order, f"{tensor.name}.{quantity}"

    # Accounts.

    def _learn_accounts(self) -> dict[str, Any]:
        learned: dict[str, Any] = {}
        generator = np.random.default_rng(0)
        for _, key in sorted(self._keys(), key=lambda pair: pair[0]):
            shape = self._key_shape(key)
            account = learn(shape, partial(self._look, key), _EFFORT, generator)
            if account is not None:
                learned[key] = account.to_json()
                if account.each is not None:
                    learned[key]["each"] = self._add(account.each)
                    learned[key]["width"] = account.each.shape[1]
        return learned

    def _look(self, key: str, cell: tuple[int, ...]) -> Seen | None:
        tensor, quantity = self._split(key)
        if quantity not in ("", "grad"):
            return self._look_at_ledger(tensor, quantity, cell)
        trace = self.trace
        if tensor.kind == "setting":
            return None
        value = trace.value_of(Address(tensor.name))
        if quantity:
            found = trace.gradient_parts(trace.require_gradients(), value, cell)
            parts = [part for _, part in found]
        else:
            node = trace.recording.producers.get(value)
            parts = [trace.forward_part(node, cell)] if node else []
        if not parts:
            return None
        return read([(part.expression, self._locator(part.places)) for part in parts], self.tables)

    def _look_at_ledger(self, tensor: Tensor, quantity: str, cell: tuple[int, ...]) -> Seen | None:
        ledger = self.trace[Address(tensor.name, cell, None, quantity)]
        if ledger.how == "given":
            return None
        return read([(ledger.expression, self._locate_address)], self.tables)

    def _locator(self, places: Mapping[str, Place]) -> Locate:
        known: dict[str, tuple[str, tuple[int, ...]]] = {}

        def locate(cell: Cell) -> tuple[str, int]:
            if cell.tensor not in known:
                place = places[cell.tensor]
                key = _key(place.tensor, place.quantity)
                known[cell.tensor] = key, self._strides_of(key)
            key, strides = known[cell.tensor]
            return key, sum(map(operator.mul, cell.index, strides))

        return locate

    def _locate_address(self, cell: Cell) -> tuple[str, int]:
        assert isinstance(cell, Located)
        key = _key(cell.address.tensor, cell.address.quantity)
        return key, sum(map(operator.mul, cell.address.cell, self._strides_of(key)))

    def _add_remarks(self) -> None:
        """Keep what the ledgers of each tensor say beside the numbers."""
        for _, key in self._keys():
            tensor, quantity = self._split(key)
            index = tuple(n // 2 for n in tensor.shape)
            sample = None if tensor.samples is None else 0
            ledger = self.trace[Address(tensor.name, index, sample, quantity)]
            if ledger.notes:
                self._notes[key] = [re.sub(r"\[[\d,]+\]", "[…]", note) for note in ledger.notes]

    # Arrays.

    def _add(self, array: Array) -> dict[str, Any]:
        before = self.binary.size
        entry = self.binary.add(array)
        self._room -= self.binary.size - before
        return entry

    def _add_tensors(self) -> None:
        ranked = sorted(
            self._keys(), key=lambda pair: (pair[0], math.prod(self._key_shape(pair[1])))
        )
        for position, (_, key) in enumerate(ranked):
            shape = self._key_shape(key)
            estimate = _PACKED * 4 * math.prod(shape)
            waiting = [k for order, k in ranked[position:] if order == ranked[position][0]]
            share = self._room / len(waiting)
            if estimate <= share or estimate <= min(4096, self._room):
                self._arrays[key] = self._add(self._whole(key))
            elif shape[-1:] > (1,):
                planes = self._planes(key, int(share / (estimate / shape[-1])))
                if planes:
                    part = np.ascontiguousarray(self._whole(key)[..., planes])
                    self._arrays[key] = {**self._add(part), "planes": planes}

    def _planes(self, key: str, count: int) -> list[int]:
        """Choose the planes of a tensor (its last axis) in which most happens."""
        tensor, _ = self._split(key)
        if 4 * math.prod(self._key_shape(tensor.name)) > LARGEST:
            return list(range(min(count, tensor.shape[-1])))
        whole = self._whole(_key(tensor.name, "grad" if "grad" in tensor.quantities else ""))
        size = np.abs(whole).max(axis=tuple(range(whole.ndim - 1)))
        order = np.argsort(-size, kind="stable")[: max(count, 0)]
        return sorted(int(i) for i in order)


def _key(tensor: str, quantity: str) -> str:
    return f"{tensor}.{quantity}" if quantity else tensor


def _docstring(op: Operation) -> tuple[str, str]:
    """Return what an operation's file says first: its sentence, and its formula."""
    documentation = inspect.cleandoc(sys.modules[type(op).__module__].__doc__ or "")
    paragraphs = documentation.split("\n\n")
    sentence = " ".join(paragraphs[0].split())
    formulas = [part for part in paragraphs[1:] if part.startswith("    ")]
    return sentence, inspect.cleandoc(formulas[0]) if formulas else ""


def _settings(op: Operation) -> dict[str, str]:
    if not is_dataclass(op):
        return {}
    given = {field.name: getattr(op, field.name) for field in fields(op)}
    return {name: str(value) for name, value in given.items() if value is not None}


def _strict(text: str) -> str:
    """JSON has no NaN and no infinities: a page reads them from strings."""
    return text if "NaN" not in text and "Infinity" not in text else _replaced(text)


def _replaced(text: str) -> str:
    return json.dumps(json.loads(text, parse_constant=str), separators=(",", ":"))
