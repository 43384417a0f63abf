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

__all__ = ["load_on_use", "names_of"]


class _Module(ModuleType):
    """A module that fetches a name from where it is defined when the name is first asked for.

    For that, a function `__getattr__` in the module would do. But importing the operation in
    `pellucid.ops.softmax` makes Python set this module on `pellucid.ops`, where `softmax` is a
    function, and only a class can decline.
    """

    _homes: Mapping[str, str] = {}

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
        elsewhere = self._homes.get(name, self.__name__) != self.__name__
        if not (elsewhere and _is_submodule(self, name, value)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        """Tell what users look for: not what the module imports for itself."""
        found = {*self._homes, *self.__dict__.get("__all__", ())}
        for name, value in self.__dict__.items():
            if name.startswith("__") or (name[0] != "_" and _is_submodule(self, name, value)):
                found.add(name)
        return sorted(found)

    def __reduce__(self) -> Any:
        """Be pickled by name.

        A function that is sent to another process by value, as joblib and Dask do, takes along the
        modules that it refers to, and cloudpickle knows how for `ModuleType` itself alone.
        """
        return importlib.import_module, (self.__name__,)


def _is_submodule(module: ModuleType, name: str, value: object) -> bool:
    """Return whether `value` is the submodule of that name that Python has imported."""
    return isinstance(value, ModuleType) and value is sys.modules.get(f"{module.__name__}.{name}")


def load_on_use(name: str, elsewhere: Mapping[str, str], own: str = "") -> None:
    """Give a module the names that are defined elsewhere, and those modules that are below it.

    `__all__` is set here, not in the module, because type checkers treat a computed `__all__` as
    empty. The submodules are attributes (`losses.regression`) but not in `__all__`.

    Args:
        name: The module's `__name__`.
        elsewhere: The names in each other module, with spaces between them. Those said to be in
            the module itself are its submodules, as in `from pellucid import layers`.
        own: The public names that it defines itself.
    """
    module = sys.modules[name]
    homes = {name: home for home, names in elsewhere.items() for name in names.split()}
    public = sorted([*homes, *own.split()])
    below = [home.removeprefix(f"{name}.") for home in elsewhere if home.startswith(f"{name}.")]
    submodules = {path.split(".")[0]: name for path in below if path[0] != "_"}
    module.__dict__.update(_homes=submodules | homes, __all__=public)
    module.__class__ = _Module


def names_of(module: ModuleType) -> list[str]:
    """Return a module's `__all__`, where type checkers do not see that it has one."""
    names: list[str] = module.__all__
    return names
