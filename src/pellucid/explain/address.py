"""One name for a number, everywhere: `conv2d.output@1[5,7,3].grad`.

    address  = tensor ["@" sample] ["[" index "]"] ["." quantity]
    tensor   = "input", "target", "loss", "learning_rate", or layer "." role,
               such as "conv2d.output", "base/conv2d.kernel", "conv2d.output#2"
    quantity = "grad"               ∂loss/∂number
             | "updated"            the number after the optimiser's step
             | slot                 the optimiser's memory of it: "momentum", "velocity" …
             | slot ".updated"      that memory after the step

An index counts rows, columns and channels from 0 and leaves the batch out: that is the sample,
0 if it is not said. `#2` is the second use of a shared layer; `base/` a model within the model.
Without an index, an address means the whole tensor of one sample.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pellucid.errors import ArgumentError, NameLookupError

__all__ = ["Address", "Tensor", "parse"]

_FORM = re.compile(
    r"\s*(?P<head>[^\[\]@]+?)\s*(?:@\s*(?P<sample>\d+)\s*)?"
    r"(?P<early>(?:\.\w+)*)(?:\[(?P<index>[^\[\]]*)\])?(?P<late>(?:\.\w+)*)\s*"
)
_SHOWN = 12


@dataclass(frozen=True)
class Address:
    """The name of one number, or of one sample's whole tensor.

    Attributes:
        tensor: The tensor: "conv2d.output".
        index: The place in it, without the batch axis; None for the whole tensor.
        sample: The sample; None for a tensor that has no batch axis, such as a weight.
        quantity: "" for the number itself, "grad", "updated", or the name of an optimiser's slot.

    Example:
        >>> str(Address("conv2d.output", (5, 7, 3), 1, "grad"))
        'conv2d.output@1[5,7,3].grad'
        >>> str(Address("loss", ()))
        'loss'
    """

    tensor: str
    index: tuple[int, ...] | None = None
    sample: int | None = None
    quantity: str = ""

    def __str__(self) -> str:
        sample = f"@{self.sample}" if self.sample else ""
        index = f"[{','.join(map(str, self.index))}]" if self.index else ""
        return f"{self.tensor}{sample}{index}{'.' if self.quantity else ''}{self.quantity}"

    @property
    def cell(self) -> tuple[int, ...]:
        """The index into the array, the batch axis included."""
        index = self.index or ()
        return index if self.sample is None else (self.sample, *index)

    @property
    def is_gradient(self) -> bool:
        """Whether it names a gradient."""
        return self.quantity == "grad"

    @property
    def grad(self) -> Address:
        """The address of the gradient of this number."""
        return replace(self, quantity="grad")

    @property
    def plain(self) -> Address:
        """The address of the number itself, without `.grad` or another quantity."""
        return replace(self, quantity="")


@dataclass(frozen=True)
class Tensor:
    """What can be addressed of one tensor.

    Attributes:
        name: Its name in addresses.
        shape: The shape of one sample of it, or of all of it if it has no batch axis.
        samples: How many samples there are; None without a batch axis.
        quantities: What else can be asked of its numbers: "grad", "updated" ….
        kind: "input", "target", "weight", "random", "result" or "setting" (the learning rate).
        layer: The layer that it belongs to; "" outside layers.
        operation: The operation that made it; "" if none did.
    """

    name: str
    shape: tuple[int, ...]
    samples: int | None
    quantities: tuple[str, ...]
    kind: str
    layer: str = ""
    operation: str = ""

    @property
    def example(self) -> str:
        """The address of its first number."""
        return str(Address(self.name, (0,) * len(self.shape), None))

    @property
    def ranges(self) -> str:
        """The indices that there are, as text: "[0–25, 0–25, 0–31]"."""
        return f"[{', '.join(f'0–{n - 1}' for n in self.shape)}]" if self.shape else "no index"

    def to_dict(self) -> dict[str, object]:
        """Return the tensor's description as JSON."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "samples": self.samples,
            "quantities": list(self.quantities),
            "kind": self.kind,
            "layer": self.layer,
            "operation": self.operation,
        }


def parse(
    text: str | Address, tensors: Mapping[str, Tensor], silent: Collection[str] = ()
) -> Address:
    """Return the address that `text` means.

    Args:
        text: An address, as text or already as an `Address`.
        tensors: What there is to address, by name.
        silent: Layers that have no numbers, since they pass their input on as it is.

    Raises:
        NameLookupError: No tensor is called that; the message has the nearest names.
        ArgumentError: The index, the sample or the quantity does not exist; the message has the
            valid ranges and the nearest valid address.
    """
    match = _FORM.fullmatch(str(text))
    if match is None:
        raise ArgumentError(
            f"{text!r} is not an address. Expected tensor[index] or tensor[index].grad, such as "
            f"{_examples(tensors)}."
        )
    head = match["head"] + match["early"] if not match["sample"] else match["head"]
    quantities = [match["late"]] if not match["sample"] else [match["early"], match["late"]]
    layer = head.partition(".")[0]
    if layer in silent:
        raise NameLookupError(
            f"There is no {str(text)!r} in this trace: {layer} passes its input on as it is, so it "
            f"has no numbers of its own. {_listed(tensors.values())}"
        )
    tensor, rest = _split(str(text), head, match["index"], tensors)
    quantity = ".".join(part for part in (rest, *(q.strip(".") for q in quantities)) if part)
    if quantity and quantity not in tensor.quantities:
        raise _no_such_quantity(tensor, quantity, match["index"])
    sample = _sample(tensor, match["sample"], match["index"], quantity)
    index = _index(tensor, match["index"], sample, quantity)
    return Address(tensor.name, index, sample, quantity)


def _split(
    text: str, head: str, index: str | None, tensors: Mapping[str, Tensor]
) -> tuple[Tensor, str]:
    """Split "conv2d.kernel.grad" into the tensor and the quantity after it."""
    name, rest = head, ""
    while name not in tensors and "." in name:
        name, _, last = name.rpartition(".")
        rest = f"{last}.{rest}" if rest else last
    if name in tensors:
        return tensors[name], rest
    near = difflib.get_close_matches(head, tensors, n=3, cutoff=0.5)
    layer = head.partition(".")[0]
    same_layer = [t.name for t in tensors.values() if t.layer == layer]
    near += [name for name in same_layer if name not in near]
    place = f"[{index}]" if index else ""
    axes = index.count(",") + 1 if index else 0
    near.sort(key=lambda name: len(tensors[name].shape) != axes if axes else False)
    meant = [f"{name}{place}" if tensors[name].shape else name for name in near[:3]]
    hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
    raise NameLookupError(f"There is no {text!r} in this trace.{hint} {_listed(tensors.values())}")


def _listed(tensors: Iterable[Tensor]) -> str:
    named = [f"{t.name}{t.ranges if t.shape else ''}" for t in tensors]
    more = f" and {len(named) - _SHOWN} more (see trace.tensors)" if len(named) > _SHOWN else ""
    return f"There are {', '.join(named[:_SHOWN])}{more}."


def _examples(tensors: Mapping[str, Tensor]) -> str:
    results = [t for t in tensors.values() if t.kind == "result" and t.shape]
    return " or ".join(t.example for t in (results or list(tensors.values()))[:2])


def _no_such_quantity(tensor: Tensor, quantity: str, index: str | None) -> ArgumentError:
    place = f"[{index}]" if index else ""
    if not tensor.quantities:
        return ArgumentError(
            f"{tensor.name}{place} has no {quantity!r}: it is a {tensor.kind} of which only the "
            f"value is recorded."
        )
    near = difflib.get_close_matches(quantity, tensor.quantities, n=1, cutoff=0.4)
    listed = ", ".join(f".{q}" for q in tensor.quantities)
    hint = f" Did you mean {tensor.name}{place}.{near[0]}?" if near else ""
    return ArgumentError(f"{tensor.name}{place} has no {quantity!r}; it has {listed}.{hint}")


def _sample(tensor: Tensor, given: str | None, index: str | None, quantity: str) -> int | None:
    tail = (f"[{index}]" if index else "") + (f".{quantity}" if quantity else "")
    if tensor.samples is None:
        if given is None:
            return None
        raise ArgumentError(
            f"{tensor.name} is the same for every sample, so it takes no @{given}. "
            f"Nearest: {tensor.name}{tail}."
        )
    sample = int(given or 0)
    if sample >= tensor.samples:
        last = tensor.samples - 1
        raise ArgumentError(
            f"{tensor.name}@{sample}: the trace has samples 0–{last}. "
            f"Nearest: {tensor.name}{f'@{last}' if last else ''}{tail}."
        )
    return sample


def _index(
    tensor: Tensor, given: str | None, sample: int | None, quantity: str
) -> tuple[int, ...] | None:
    if given is None:
        return None if tensor.shape else ()
    try:
        index = tuple(int(part) for part in given.split(",")) if given.strip() else ()
    except ValueError:
        raise ArgumentError(
            f"{tensor.name}[{given}]: an index is whole numbers with commas between them, "
            f"{tensor.ranges}. Example: {tensor.example}."
        ) from None
    inside = len(index) == len(tensor.shape) and all(
        0 <= i < n for i, n in zip(index, tensor.shape, strict=True)
    )
    if inside:
        return index
    padded = (*index, *[0] * len(tensor.shape))[: len(tensor.shape)]
    nearest = tuple(min(max(i, 0), n - 1) for i, n in zip(padded, tensor.shape, strict=True))
    what = f"received {len(index)} of them" if len(index) != len(tensor.shape) else "out of range"
    raise ArgumentError(
        f"{tensor.name}[{given}]: {what}; the indices are {tensor.ranges}. "
        f"Nearest: {Address(tensor.name, nearest, sample, quantity)}."
    )
