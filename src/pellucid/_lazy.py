"""Names that load the module in which they are defined when they are first used.

There are eighty layers, sixty metrics and a hundred functions on arrays; a model needs a dozen of
them, and to import them all takes longer than its first step. So the `__init__` of such a package
says twice where each of its names is: in a table, and as imports that type checkers and editors
read but Python does not run. A test holds that the two agree.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

__all__ = ["load_on_use"]


class _Module(ModuleType):
    """A module that fetches a name from where it is defined when the name is first asked for.

    For that, a function `__getattr__` in the module would do. But importing the operation in
    `pellucid.ops.softmax` makes Python set this module on `pellucid.ops`, where `softmax` is a
    function, and only a class can decline.
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


def load_on_use(name: str, elsewhere: Mapping[str, str], own: str = "") -> list[str]:
    """Give a module names that are defined elsewhere; return all of its public names.

    They become its `__all__`. It cannot set that by itself: beside an `__all__` that type checkers
    cannot read, they would take none of its names for public.

    Args:
        name: The module's `__name__`.
        elsewhere: The names in each other module, with spaces between them. Those said to be in
            the module itself are its submodules, as in `from pellucid import layers`.
        own: The public names that it defines itself.
    """
    module = sys.modules[name]
    homes = {name: home for home, names in elsewhere.items() for name in names.split()}
    public = sorted([*homes, *own.split()])
    module.__dict__.update(_homes=homes, __all__=public)
    module.__class__ = _Module
    return public
