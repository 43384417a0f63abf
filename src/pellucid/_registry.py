"""Finding objects by name, and writing them down as Keras does.

Optimisers, losses, metrics, initialisers, regularisers and schedules may all be given by name
("adam"), as a class, as an instance, or as the dictionary that a model file holds:

    {"module": "keras.optimizers", "class_name": "Adam", "config": {…}, "registered_name": None}

Only names in the registry, or in the `custom_objects` handed over by the caller, are ever looked
up: reading a dictionary imports nothing and runs no code of the file's choosing. A class is loaded
when it is first looked up, from where the registry's package has it.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from pellucid.errors import ArgumentError, PellucidError, TypeMismatchError, unknown_name

__all__ = ["Config", "Registry", "snake_case"]

Config = dict[str, Any]


class Configurable(Protocol):
    """An object that can be made again from its configuration."""

    def get_config(self) -> Config:
        """Return the arguments that make it again."""
        ...

    @classmethod
    def from_config(cls, config: Config) -> Any:
        """Make it again."""
        ...


T = TypeVar("T", bound=Configurable)


class Registry(Generic[T]):
    """The classes of one kind, by name.

    Args:
        kind: What they are, for messages: "optimizer".
        module: The Keras module that a file names for them: "keras.optimizers". They are names of
            the same module here.
        base: What all of them derive from.
        classes: Their names. They also go by the snake_case form of these.
        aliases: More names, and what they stand for.
    """

    def __init__(
        self,
        kind: str,
        module: str,
        base: type[T],
        classes: Iterable[str],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.module = module
        self.base = base
        self._home = module.replace("keras", "pellucid", 1)
        self._own = frozenset(classes)
        self._names = {snake_case(name): name for name in self._own}
        self._names |= {name: name for name in self._own} | dict(aliases or {})
        self._added: dict[str, type[T]] = {}
        self._loaded: dict[str, type[T]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names or name in self._added

    def add(self, name: str, cls: type[T]) -> None:
        """Add a class that is defined elsewhere."""
        self._added[name] = cls

    def find(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> type[T]:
        """Return the class of that name; NameLookupError, with the nearest names, if none has it.

        A class of `custom_objects` must be of this registry's kind.
        """
        custom = (custom_objects or {}).get(name)
        if custom is not None:
            if not (inspect.isclass(custom) and issubclass(custom, self.base)):
                raise TypeMismatchError(
                    f"Expected custom object {name!r} to be a subclass of "
                    f"{self.base.__name__}, received {custom!r}."
                )
            return custom
        if name in self._added:
            return self._added[name]
        meant = self._names.get(name)
        cls = self._load(meant) if meant else None
        if cls is None:
            written = snake_case if name.islower() else str  # spelled as the caller spells
            raise unknown_name(self.kind, name, {written(own) for own in self._own - {meant}})
        return cls

    def _load(self, own: str) -> type[T] | None:
        """Return the class of that name in the package, None if what is there is of another kind.

        It is kept: what a program sets in the package's place later cannot be named.
        """
        if own not in self._loaded:
            cls = getattr(importlib.import_module(self._home), own)
            if not (isinstance(cls, type) and issubclass(cls, self.base)):
                return None
            self._loaded[own] = cls
        return self._loaded[own]

    def get(self, identifier: object, custom_objects: Mapping[str, Any] | None = None) -> T:
        """Return the object meant by a name, a class, an instance or a serialised dictionary."""
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            return self.find(identifier, custom_objects)()
        if inspect.isclass(identifier) and issubclass(identifier, self.base):
            return identifier()
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, custom_objects)
        raise TypeMismatchError(
            f"Expected the {self.kind} as a name, a {self.base.__name__} or its configuration, "
            f"received {identifier!r}."
        )

    def serialize(self, obj: T) -> Config:
        """Return the dictionary that Keras writes for `obj`."""
        cls = type(obj)
        own = cls.__name__ in self._own and cls is self._load(cls.__name__)
        return {
            "module": self.module if own else cls.__module__,
            "class_name": cls.__name__,
            "config": obj.get_config(),
            "registered_name": None if own else cls.__name__,
        }

    def deserialize(
        self, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> T:
        """Return the object that `serialize` wrote down.

        Raises:
            NameLookupError: the class is not known.
            ArgumentError: the dictionary has no class, or its configuration does not fit it.
        """
        name, arguments = config.get("class_name"), config.get("config", {})
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise ArgumentError(
                f"Expected a serialised {self.kind} with 'class_name' (text) and 'config' "
                f"(a dictionary), received {dict(config)!r}."
            )
        cls = self.find(name, custom_objects)
        try:
            made: T = cls.from_config(dict(arguments))
        except PellucidError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise ArgumentError(
                f"The configuration of {self.kind} {name} does not fit it: {error}."
            ) from error
        return made


def snake_case(name: str) -> str:
    """Return a class name as Keras spells it in lower case.

    Example:
        >>> [snake_case(n) for n in ("GlorotUniform", "AdamW", "RMSprop")]
        ['glorot_uniform', 'adam_w', 'rm_sprop']
    """
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()
