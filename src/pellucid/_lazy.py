"""Packages that load a module when one of its names is first used.

There are eighty layers, sixty metrics and a hundred functions on arrays; a model needs a dozen of
them, and to import them all takes longer than its first step. So the `__init__` of such a package
says where each of its names is, twice: in a table, and as imports that type checkers and editors
read, but Python does not run. `tests/test_lazy.py` holds that the two agree.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

__all__ = ["load_on_use"]


class _Package(ModuleType):
    """A module that fetches a name from where it is defined when the name is first asked for.

    A `__getattr__` in the module would be enough for that. But importing `pellucid.ops.softmax`,
    the module of an operation, makes Python set it on `pellucid.ops`, where `softmax` is a
    function: only a class can decline.
    """

    _homes: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        home = self._homes.get(name)
        if home is None:
            raise AttributeError(
                f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self
            )
        if home == self.__name__:
            value: Any = importlib.import_module(f"{home}.{name}")
        else:
            value = getattr(importlib.import_module(home), name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        submodule = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        if not submodule or self._homes.get(name, self.__name__) == self.__name__:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})

    def __reduce__(self) -> Any:
        """Let pickle, which knows plain modules at most, write it down by its name."""
        return importlib.import_module, (self.__name__,)


def load_on_use(package: str, names: Mapping[str, str], own: str = "") -> list[str]:
    """Give a package names that load their module when they are first used, and return them all.

    They become its `__all__`, which the package cannot set by itself: for type checkers, what is in
    no `__all__` that they can read is not public.

    Args:
        package: The package's `__name__`.
        names: The names in each module, with spaces between them. Those in the package itself are
            its submodules, as in `from pellucid import layers`.
        own: The public names that the package itself defines.
    """
    module = sys.modules[package]
    homes = {name: home for home, listed in names.items() for name in listed.split()}
    public = sorted([*homes, *own.split()])
    module.__dict__.update(_homes=homes, __all__=public)
    module.__class__ = _Package
    return public
