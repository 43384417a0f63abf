"""One pass of a model recorded: forward, loss, backward and one update, every number by address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain._recording import Gradients, Recording
from pellucid.explain._setup import Setup, layer_names, prepare, value_names
from pellucid.explain.address import Address, Tensor, parse
from pellucid.explain.formula import number
from pellucid.explain.ledger import Ledger
from pellucid.explain.terms import Part, Place
from pellucid.explain.update import Update
from pellucid.graph import Node, Value
from pellucid.ops._operation import Array

if TYPE_CHECKING:
    from pellucid.explain._compiled import CompiledRun
    from pellucid.explain.change import Change
    from pellucid.explain.paths import Path
    from pellucid.explain.receptive_field import ReceptiveField
    from pellucid.models import Model

__all__ = ["Trace", "explain"]

RATE = "learning_rate"
NOTEBOOK_BYTES = 1_500_000
"""How large a trace's page may become in a notebook's cell."""


def explain(
    model: Model,
    x: Any,
    target: Any = None,
    optimizer: Any = None,
    samples: int | Sequence[int] | slice | None = None,
    class_names: Sequence[str] | None = None,
    *,
    sample_weight: Any = None,
    training: bool = False,
    dtype: str = "float32",
) -> Trace:
    """Record one pass of `model` over samples, so that every number in it can be asked about.

    Nothing is changed: the update of the weights is made on copies. What is recorded is computed
    when it is first asked for.

    Args:
        model: A built model, compiled or not. Without a loss, the output decides: softmax has
            cross-entropy, a sigmoid binary cross-entropy, anything else the mean squared error.
        x: One sample, or a batch (N, …); a list or dict of them for several inputs.
        target: A class number or name, an array with a target for each sample, or a list or dict
            for several outputs. Left out, the class predicted is taken, and `notes` says so.
        optimizer: An optimiser or its name; by default the compiled one, else plain SGD.
        samples: Which rows of a batch to record; all by default.
        class_names: The names of the classes, in order.
        sample_weight: How much each sample counts in the loss, (N,); for several outputs, a list or
            dict of such arrays.
        training: Whether to record a step of training: dropout drops what the next step of `fit`
            would drop, batches normalise themselves. By default layers behave as in `predict`.
        dtype: "float32" as the engines compute, or "float64" to study rounding.

    Returns:
        The trace: `trace["conv2d.kernel[2,0,0,3].grad"]` is the ledger of that number.

    Raises:
        NotBuiltError: The model does not know the shape of its input yet.
        ShapeError, DataError: Samples or targets do not fit the model.
        NameLookupError: A class is not among `class_names`.

    Example:
        >>> import numpy as np
        >>> from pellucid import Sequential, layers
        >>> model = Sequential([layers.Input((2,)), layers.Dense(1, use_bias=False, name="d")])
        >>> model.set_weights([np.array([[3.0], [0.5]])])
        >>> trace = explain(model, [1.0, 2.0], target=[5.0])
        >>> print(trace["d.output[0]"].formula)
        d.output[0] = input[0] · d.kernel[0,0] + input[1] · d.kernel[1,0]
        >>> print(trace["d.kernel[1,0].grad"].formula_with_numbers)
        d.kernel[1,0].grad = −2 × 2 = −4
    """
    return Trace(
        prepare(
            model,
            x,
            target,
            optimizer,
            samples,
            class_names,
            sample_weight,
            training=training,
            dtype=dtype,
        )
    )


class Trace:
    """A recorded pass; made by `explain`.

    Attributes:
        model: The model.
        training: Whether it is a step of training.
        class_names: The names of the classes, or None.
        notes: What was assumed where nothing was said: the target, the loss, the optimiser.
        tensors: All that can be addressed, by name.
        size: How many samples there are.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.model = setup.model
        self.training = setup.training
        self.class_names = setup.class_names
        self.notes = list(setup.notes)
        self.size = setup.size
        self.recording = Recording(setup.program, setup.given, setup.predicted, setup.dtype)
        self.names = value_names(setup, self.recording.values)
        self._by_name = {name: value for value, name in self.names.items()}
        self.gradients = (
            Gradients(self.recording, setup.program.outputs[0]) if setup.has_loss else None
        )
        self.update = Update(self)
        self.compiled: CompiledRun | None = None
        self.tensors = self._tensors()
        self._silent = layer_names(self.model, "") - {*self.layers, *self.tensors}

    # Numbers.

    def __getitem__(self, address: str | Address) -> Ledger:
        """Return the ledger of one number.

        Raises:
            NameLookupError, ArgumentError: There is no such number; the message has the nearest.
        """
        found = self.address(address)
        if found.index is None:
            tensor = self.tensors[found.tensor]
            raise ArgumentError(
                f"{found} is a whole tensor {tensor.shape}; a ledger is of one number. "
                f"Example: {Address(found.tensor, (0,) * len(tensor.shape), found.sample)}"
                f"{f'.{found.quantity}' if found.quantity else ''}; indices {tensor.ranges}."
            )
        if found.is_gradient:
            return self._gradient_ledger(found)
        if found.quantity or found.tensor == RATE:
            return self.update.ledger(found)
        return self._ledger(found)

    def value(self, address: str | Address) -> Any:
        """Return a number (float), or without an index one sample's whole tensor (array)."""
        found = self.address(address)
        single = not found.is_gradient or self._is_too_large(found)
        if found.index is not None and found.quantity and single:
            return self[found].value
        array = self.array(found)
        return float(array) if found.index is not None else array

    def array(self, address: str | Address) -> Array:
        """Return the numbers at an address as an array of the recorded type."""
        found = self.address(address)
        if found.tensor == RATE:
            return np.asarray(self.update.rate, self.recording.dtype)
        value = self.value_of(found)
        if found.is_gradient:
            whole = self.require_gradients().array(value)
        elif found.quantity:
            whole = self.update.array(value, found.quantity)
        else:
            whole = self.recording.array(value)
        return np.asarray(whole[found.cell])

    def address(self, address: str | Address) -> Address:
        """Return the address meant, if there is such a number or tensor."""
        return parse(address, self.tensors, self._silent)

    def addresses(self) -> list[Tensor]:
        """Return all that can be addressed: every tensor with its shape."""
        return list(self.tensors.values())

    def value_of(self, address: Address) -> Value:
        """Return the program's value that an address belongs to."""
        return self._by_name[address.tensor]

    # What the model said.

    @property
    def layers(self) -> list[str]:
        """The names of the layers that have numbers, in order."""
        return list(dict.fromkeys(t.layer for t in self.tensors.values() if t.layer))

    @property
    def outputs(self) -> list[str]:
        """The names of the model's outputs."""
        return [self.names[value] for value in self.setup.outputs]

    @property
    def prediction(self) -> Any:
        """The model's output for the samples, (N, …); a list where there are several outputs."""
        arrays = [self.recording.array(value) for value in self.setup.outputs]
        return arrays[0] if len(arrays) == 1 else arrays

    @property
    def target(self) -> Any:
        """The targets, as the loss reads them; None without a loss."""
        arrays = [self.recording.array(value) for value in self.setup.targets]
        return (arrays[0] if len(arrays) == 1 else arrays) if arrays else None

    @property
    def loss(self) -> float | None:
        """The loss; None if there was no target."""
        if not self.setup.has_loss:
            return None
        return float(self.recording.array(self.setup.program.outputs[0]))

    # Journeys.

    def path(self, start: str | Address, end: str | Address = "loss") -> Path:
        """Return how one number reaches another, step by step; see `Path`."""
        from pellucid.explain.paths import find_path

        return find_path(self, self.address(start), self.address(end))

    def receptive_field(self, address: str | Address) -> ReceptiveField:
        """Return the input cells that a number can depend on, and those that it does."""
        from pellucid.explain.receptive_field import receptive_field

        return receptive_field(self, self.address(address))

    def change(self, address: str | Address, value: Any) -> Change:
        """Return what would follow if a number were another one.

        Args:
            address: A pixel, weight or other number of the forward pass, "target" or
                "learning_rate".
            value: The number instead; for the target also a class name.
        """
        from pellucid.explain.change import change

        return change(self, self.address(address), value)

    def to_dict(self) -> dict[str, Any]:
        """Return what the trace is of as JSON; the numbers are asked for by address."""
        return {
            "model": self.model.name,
            "training": self.training,
            "samples": self.size,
            "class_names": self.class_names,
            "loss": self.loss,
            "learning_rate": self.update.rate if self.setup.has_loss else None,
            "outputs": self.outputs,
            "layers": self.layers,
            "tensors": [tensor.to_dict() for tensor in self.tensors.values()],
            "notes": self.notes,
        }

    def to_html(
        self, path: Any = None, max_bytes: int = 3_000_000, start: str | Address = ""
    ) -> str:
        """Return the trace as one self-contained page, and write it to `path` if one is given.

        Args:
            path: The file to write.
            max_bytes: How large the page may become; what does not fit is left out, and said so.
            start: The address that the page opens at.

        Raises:
            ArgumentError: `max_bytes` leaves no room for numbers.
            OSError: The file cannot be written.
        """
        from pellucid.explain.report import render
        from pellucid.formats import atomic_write

        page = render(self, max_bytes, str(self.address(start)) if start else "")
        if path is not None:
            atomic_write(path, page.encode())
        return page

    def notebook_html(self, start: str | Address = "") -> str:
        """Return the page as a frame for a notebook's cell, opened at the address `start`."""
        from pellucid.explain.report import notebook_frame

        return notebook_frame(self.to_html(max_bytes=NOTEBOOK_BYTES, start=start))

    def _repr_html_(self) -> str:
        return self.notebook_html()

    def __repr__(self) -> str:
        loss = "no loss" if self.loss is None else f"loss {number(self.loss)}"
        return f"<Trace of {self.model.name}: {self.size} sample(s), {loss}>"

    # How ledgers are made.

    def require_gradients(self) -> Gradients:
        """Return the loss's gradients; ArgumentError if there is no loss."""
        if self.gradients is None:
            raise ArgumentError(
                "This trace has no loss, so there are no gradients. Give explain() a target."
            )
        return self.gradients

    def gradients_of(self, address: Address) -> Gradients:
        """Return the gradients of one number, which may be another one than the loss."""
        value = self.value_of(address)
        if self.gradients is not None and value is self.gradients.of:
            return self.gradients
        return Gradients(self.recording, value, address.cell)

    def place(self, value: Value, quantity: str = "") -> Place:
        """Return where a value's cells are."""
        return Place(self.names[value], value.shape[:1] == (None,), quantity)

    def forward_part(self, node: Node, cell: tuple[int, ...]) -> Part:
        """Return the account of one cell that a node makes."""
        expression = node.op.terms(cell, *self.recording.inputs(node))
        return Part(expression, self.places(node))

    def gradient_parts(
        self, gradients: Gradients, value: Value, cell: tuple[int, ...]
    ) -> list[tuple[Node, Part]]:
        """Return what each reader of one cell hands back to it."""
        parts = []
        for node, position in gradients.consumers(value):
            expression = node.op.gradient_terms(
                node.input_names[position],
                cell,
                gradients.array(node.output),
                self.recording.array(node.output),
                *self.recording.inputs(node),
            )
            parts.append((node, Part(expression, self.places(node))))
        return parts

    def places(self, node: Node) -> Mapping[str, Place]:
        """Return where the tensors that an operation's accounts name are."""
        pairs = zip(node.input_names, node.inputs, strict=True)
        read = {name: self.place(value) for name, value in pairs if value is not None}
        return {**read, "y": self.place(node.output), "dy": self.place(node.output, "grad")}

    def _ledger(self, address: Address) -> Ledger:
        value = self.value_of(address)
        recorded = float(self.recording.array(value)[address.cell])
        node = self.recording.producers.get(value)
        if node is None:
            given = _GIVEN["weighting" if value in self.setup.weightings else value.kind]
            return Ledger(self, address, recorded, (), notes=[given])
        part = self.forward_part(node, address.cell)
        return Ledger(
            self, address, recorded, [part], operation=node.op.name, layer=self.layer_of(value)
        )

    def _gradient_ledger(self, address: Address) -> Ledger:
        gradients = self.require_gradients()
        value = self.value_of(address)
        layer = self.layer_of(value)
        if value is gradients.of:
            note = "The loss changes by exactly as much as itself: here the way back begins."
            return Ledger(self, address, 1.0, (), layer=layer, notes=[note])
        found = self.gradient_parts(gradients, value, address.cell)
        if not found:
            return Ledger(self, address, 0.0, (), layer=layer, notes=self._unreached(address))
        recorded = None
        notes = []
        if not any(True for _, part in found for _ in part.expression.cells()):
            notes.append("Nothing reads this number, so nothing is handed back to it.")
        if self._is_too_large(address):
            notes.append("The whole gradient is too large to keep: the value is its terms' sum.")
        else:
            recorded = float(gradients.array(value)[address.cell])
        operations = list(dict.fromkeys(node.op.name for node, _ in found))
        if len(found) > 1:
            readers = ", ".join(dict.fromkeys(self.names[node.output] for node, _ in found))
            notes.append(f"It is read {len(found)} times, by {readers}: their shares are added up.")
        return Ledger(
            self,
            address,
            recorded,
            [part for _, part in found],
            operation=", ".join(operations),
            layer=layer,
            notes=notes,
        )

    def _unreached(self, address: Address) -> list[str]:
        """Say why nothing is handed back to a number."""
        gradients = self.require_gradients()
        node = self.recording.producers.get(self.value_of(address))
        read = [
            v for v in (node.inputs if node else ()) if v in gradients.reached and not v.variable
        ]
        note = f"The loss is computed without {address.tensor}, so its gradient is 0."
        if read:
            note += (
                f" It reads {' and '.join(self.names[v] for v in read)} instead: the gradient is "
                f"there, as {self.names[read[0]]}{_listed(address, self, read[0])}.grad."
            )
        return [note]

    def _is_too_large(self, address: Address) -> bool:
        value = self._by_name.get(address.tensor)
        return (
            address.is_gradient
            and value is not None
            and self.require_gradients().is_too_large(value)
        )

    def layer_of(self, value: Value) -> str:
        """Return the name of the layer that a value belongs to; "" outside layers."""
        name = self.names[value]
        return name.partition(".")[0] if "." in name else ""

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for value in self.recording.values:
            shape = self.recording.shapes[value]
            batched = value.shape[:1] == (None,)
            node = self.recording.producers.get(value)
            tensors[self.names[value]] = Tensor(
                self.names[value],
                shape[1:] if batched else shape,
                shape[0] if batched else None,
                self._quantities(value),
                value.kind,
                self.layer_of(value),
                node.op.name if node else "",
            )
        if self.setup.has_loss:
            tensors[RATE] = Tensor(RATE, (), None, (), "setting")
        return tensors

    def _quantities(self, value: Value) -> tuple[str, ...]:
        if not self.setup.has_loss:
            return ()
        differentiable = value.kind in ("result", "input") or (
            value.kind == "weight" and value in self.require_gradients().reached
        )
        return (*(("grad",) if differentiable else ()), *self.update.quantities(value))


_GIVEN = {
    "input": "It is part of the sample.",
    "target": "It is part of the target.",
    "weighting": "It is how much the sample counts in the loss.",
    "weight": "It is a weight: training made it what it is.",
    "random": "It was drawn at random for this step.",
}


def _listed(address: Address, trace: Trace, value: Value) -> str:
    """The same index, if the other tensor has the same shape."""
    same = trace.tensors[trace.names[value]].shape == trace.tensors[address.tensor].shape
    return f"[{','.join(map(str, address.index or ()))}]" if same and address.index else "[…]"
