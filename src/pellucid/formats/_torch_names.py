"""Which entries of a PyTorch state dict go into which weights: by shape, then by order, or told.

Entries that PyTorch keeps in one module ("layer1.0.bn1.weight", "….bias", "….running_mean" …) go
into one unit of the model. A module fits a unit if both have the same weights in the same shapes.
Where several fit one another, their order decides, but only if both sides have one: the modules'
names differ in nothing but numbers, or the file keeps the order in which PyTorch defined them; and
each of the model's units depends on the one before. Otherwise a guess could swap two branches
without anyone noticing, so that is an error, which a mapping resolves.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pellucid.errors import ArgumentError, LoadError, unknown_name
from pellucid.formats._placing import Placed, fitting
from pellucid.formats._safetensors import Tensor
from pellucid.formats._torch_units import Shape, Signature, Unit, units_of
from pellucid.models import Model

__all__ = ["placed_by_shape"]

Module = dict[str, str]
"""The entries of a module by the last word of their names."""

_IGNORED = "num_batches_tracked"


@dataclass(frozen=True)
class _Pair:
    """An entry of the file, and the weight that it is for."""

    entry: str
    unit: Unit
    role: str


@dataclass
class _Match:
    """What belongs to what, and what could not be decided.

    Attributes:
        pairs: What belongs together.
        superfluous: Entries that fit nothing in the model.
        missing: Weights that nothing in the file fits, with their shapes in PyTorch.
        ambiguous: Modules and units that fit one another in more than one way.
    """

    pairs: list[_Pair] = field(default_factory=list)
    superfluous: list[str] = field(default_factory=list)
    missing: list[tuple[str, Shape]] = field(default_factory=list)
    ambiguous: list[tuple[list[str], list[Unit]]] = field(default_factory=list)


def placed_by_shape(
    model: Model,
    tensors: Mapping[str, Tensor],
    where: str,
    mapping: Mapping[str, str | None],
    skip_mismatch: bool,
) -> tuple[list[Placed], list[str]]:
    """Return which entry goes into which weight, and the entries that were left out.

    Args:
        model: The model.
        tensors: The file's entries, in its order.
        where: The file, for errors.
        mapping: What goes where, by names: a module or an entry of the file, and a layer or a
            weight of the model; or None, to leave an entry out.
        skip_mismatch: Whether to leave out what has no counterpart, with a warning.

    Raises:
        LoadError: Entries or weights have no counterpart, or more than one; the message lists all.
        ArgumentError: The mapping puts something where it does not fit.
        NameLookupError: The mapping names something that is not there.
    """
    shapes = {name: tensor.shape for name, tensor in tensors.items() if not _is_counter(name)}
    units = units_of(model)
    told, left_out = _told(shapes, units, mapping)
    for pair in told:
        _require_fit(pair, shapes[pair.entry])
    used = {pair.entry for pair in told} | set(left_out)
    filled = {(pair.unit.number, pair.role) for pair in told}
    match = _matched(
        _modules([name for name in shapes if name not in used]),
        [_without(unit, filled) for unit in units],
        shapes,
        in_order=list(shapes) != sorted(shapes),
    )
    _require_match(match, shapes, where, model.name, skip_mismatch)
    pairs = sorted(told + match.pairs, key=lambda pair: pair.unit.number)
    ignored = [name for name in tensors if _is_counter(name)] + left_out + match.superfluous
    return [_placed(pair, tensors[pair.entry], where) for pair in pairs], ignored


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] == _IGNORED


def _modules(names: Sequence[str]) -> dict[str, Module]:
    modules: dict[str, Module] = {}
    for name in names:
        module, _, role = name.rpartition(".")
        modules.setdefault(module, {})[role] = name
    return modules


def _placed(pair: _Pair, tensor: Tensor, where: str) -> Placed:
    array, change = pair.unit.converted(pair.role, tensor.array)
    variable = pair.unit.weights[pair.role]
    fitting(array, variable, pair.entry, where)
    if tensor.dtype != variable.dtype.name:
        change = ", ".join(filter(None, [change, f"{tensor.dtype} → {variable.dtype.name}"]))
    return Placed(pair.entry, variable, array, change)


# What the mapping says.


def _told(
    shapes: Mapping[str, Shape], units: Sequence[Unit], mapping: Mapping[str, str | None]
) -> tuple[list[_Pair], list[str]]:
    modules = _modules(list(shapes))
    by_name = {unit.name: unit for unit in units}
    by_path = {unit.path(role): (unit, role) for unit in units for role in unit.weights}
    pairs: list[_Pair] = []
    left_out: list[str] = []
    for source, target in mapping.items():
        if source not in modules and source not in shapes:
            raise unknown_name("module or entry of the file", source, [*modules, *shapes])
        entries = modules.get(source) or {source.rpartition(".")[2]: source}
        if target is None:
            left_out += entries.values()
        elif target in by_name:
            unit = by_name[target]
            if set(entries) != set(unit.weights):
                raise ArgumentError(
                    f"mapping: {source!r} has {_listed(entries)}, but {target!r} needs "
                    f"{_listed(unit.weights)}. Map the entries one by one."
                )
            pairs += [_Pair(entry, unit, role) for role, entry in entries.items()]
        elif target in by_path and source in shapes:
            pairs.append(_Pair(source, *by_path[target]))
        else:
            known = [*by_name, *by_path] if source in shapes else by_name
            raise unknown_name("layer or weight of the model", target, known)
    return pairs, left_out


def _require_fit(pair: _Pair, shape: Shape) -> None:
    needed = pair.unit.torch_shape(pair.role)
    if shape != needed:
        raise ArgumentError(
            f"mapping: {pair.entry!r} has shape {shape}; {pair.unit.path(pair.role)} "
            f"needs {needed} in PyTorch's order."
        )


def _without(unit: Unit, filled: set[tuple[int, str]]) -> Unit:
    left = {role: v for role, v in unit.weights.items() if (unit.number, role) not in filled}
    return replace(unit, weights=left)


# What shapes and order say.


def _matched(
    modules: Mapping[str, Module],
    units: Sequence[Unit],
    shapes: Mapping[str, Shape],
    in_order: bool,
) -> _Match:
    alike: dict[Signature, tuple[list[str], list[Unit]]] = {}
    for name, entries in modules.items():
        signature = frozenset((role, shapes[entry]) for role, entry in entries.items())
        alike.setdefault(signature, ([], []))[0].append(name)
    for unit in units:
        if unit.weights:
            alike.setdefault(unit.signature, ([], []))[1].append(unit)
    match = _Match()
    for names, candidates in alike.values():
        if not names:
            match.missing += [
                (unit.path(role), unit.torch_shape(role))
                for unit in candidates
                for role in unit.weights
            ]
        elif not candidates:
            match.superfluous += [entry for name in names for entry in modules[name].values()]
        elif (ordered := _ordered(names, in_order)) and _each_needs_the_last(
            candidates, len(names)
        ):
            for name, unit in zip(ordered, candidates, strict=True):
                match.pairs += [_Pair(entry, unit, role) for role, entry in modules[name].items()]
        else:
            match.ambiguous.append((names, candidates))
    return match


def _ordered(names: list[str], in_order: bool) -> list[str]:
    """Return modules in their order; [] if neither their names nor the file tell it."""
    if len({re.sub(r"\d+", "#", name) for name in names}) == 1:
        return sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
    return names if in_order else []


def _each_needs_the_last(units: Sequence[Unit], count: int) -> bool:
    return len(units) == count and all(
        later.before >> earlier.number & 1 for earlier, later in itertools.pairwise(units)
    )


# What is wrong.


def _require_match(
    match: _Match, shapes: Mapping[str, Shape], where: str, model: str, skip_mismatch: bool
) -> None:
    lines = []
    if match.superfluous:
        lines.append("  in the file, and fitting nothing in the model:")
        lines += [f"    {name} {shapes[name]}" for name in match.superfluous]
    if match.missing:
        lines.append("  in the model, with nothing in the file for it (shapes as in PyTorch):")
        lines += [f"    {path} {shape}" for path, shape in match.missing]
    if skip_mismatch and lines and not match.ambiguous:
        text = "\n".join(lines)
        warnings.warn(f"{where} and {model!r} differ; left as it was:\n{text}", stacklevel=5)
        return
    for names, units in match.ambiguous:
        lines.append("  of the same shapes, in an order that cannot be told:")
        lines.append(f"    in the file: {', '.join(names)}")
        lines.append(f"    in the model: {', '.join(unit.name for unit in units)}")
    if match.ambiguous:
        names, units = match.ambiguous[0]
        example = f"{{{names[0]!r}: {units[0].name!r}, …}}"
        lines.append(f"Say which is which: load_weights(…, mapping={example}).")
    elif lines:
        lines.append(
            "Change the model, say with mapping={…} what goes where (None leaves an entry out), or "
            "pass skip_mismatch=True."
        )
    if lines:
        raise LoadError("\n".join([f"{where} does not fit {model!r}:", *lines]))


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))
