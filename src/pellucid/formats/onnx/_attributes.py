"""Reading a node's attributes: each of its type, and none left unread."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from pellucid.formats.onnx._graph import Node
from pellucid.ops._operation import Array

__all__ = ["Attributes", "UnsupportedError"]

Default = TypeVar("Default")


class UnsupportedError(Exception):
    """A node asks for something that is not known here; the message says what."""


class Attributes:
    """The attributes of one node, each to be asked for by its name and type.

    An attribute that is never asked for changes what the node means in a way that is not known
    here, so that `require_all_read` refuses it.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._node.attributes

    def whole(self, name: str, default: Default) -> int | Default:
        """Return a whole number."""
        found: int | Default = self._get(name, int, default)
        return found

    def number(self, name: str, default: Default) -> float | Default:
        """Return a number."""
        found: int | float | Default = self._get(name, (int, float), default)
        return float(found) if isinstance(found, int) else found

    def text(self, name: str, default: Default) -> str | Default:
        """Return a text."""
        found: str | Default = self._get(name, str, default)
        return found

    def array(self, name: str, default: Default) -> Array | Default:
        """Return an array."""
        found: Array | Default = self._get(name, np.ndarray, default)
        return found

    def wholes(self, name: str, default: Default) -> list[int] | Default:
        """Return a list of whole numbers."""
        found: list[int] | Default = self._list(name, int, default)
        return found

    def numbers(self, name: str, default: Default) -> list[float] | Default:
        """Return a list of numbers."""
        found: list[float] | Default = self._list(name, float, default)
        return found

    def flag(self, name: str, default: bool) -> bool:
        """Return whether a whole number is other than 0."""
        return bool(self.whole(name, int(default)))

    def ignore(self, *names: str) -> None:
        """Take attributes for read that say nothing that matters here."""
        self._read.update(names)

    def only(self, name: str, value: Any) -> None:
        """Refuse an attribute that has another value than the one that is supported."""
        self._read.add(name)
        found = self._node.attributes.get(name, value)
        if found != value:
            raise UnsupportedError(f"{name}={found!r} is not supported, only {value!r}")

    def require_all_read(self) -> None:
        """Refuse what nobody asked for."""
        if unknown := sorted(set(self._node.attributes) - self._read):
            raise UnsupportedError(f"its attribute {', '.join(unknown)} is not known")

    def _get(self, name: str, kind: Any, default: Any) -> Any:
        self._read.add(name)
        if name not in self._node.attributes:
            return default
        found = self._node.attributes[name]
        if not isinstance(found, kind):
            raise UnsupportedError(f"its attribute {name} is of a type that it cannot have")
        return found

    def _list(self, name: str, kind: Any, default: Any) -> Any:
        found = self._get(name, list, default)
        if found is not default and not all(isinstance(entry, kind) for entry in found):
            raise UnsupportedError(f"its attribute {name} is of a type that it cannot have")
        return found
