"""Finding the operations, and the functions: every module of this package that has one."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TypeGuard

from pellucid import ops
from pellucid._lazy import names_of
from pellucid.ops._operation import Operation
from pellucid.ops._symbolic import FUNCTIONS, Function


def is_operation(thing: object) -> TypeGuard[type[Operation]]:
    """Return whether `thing` is an operation: a subclass of Operation with a name of its own."""
    return isinstance(thing, type) and issubclass(thing, Operation) and "name" in vars(thing)


@cache
def operations() -> dict[str, type[Operation]]:
    """Return every operation by name, in alphabetical order."""
    import pkgutil

    found: dict[str, type[Operation]] = {}
    for module in pkgutil.iter_modules(ops.__path__):
        if not module.name.startswith("_"):
            for thing in vars(importlib.import_module(f"pellucid.ops.{module.name}")).values():
                if is_operation(thing):
                    found[thing.name] = thing
    return dict(sorted(found.items()))


def functions() -> dict[str, Function]:
    """Return every function that can be called on symbolic tensors, by name."""
    for name in names_of(ops):
        getattr(ops, name)
    return FUNCTIONS
