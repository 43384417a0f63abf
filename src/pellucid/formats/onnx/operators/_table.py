"""The table of operators: what each one that is known here becomes."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.formats.onnx._builder import Call, Value

__all__ = ["HANDLERS", "Handler", "operator"]

Handler = Callable[[Call], Value | list[Value]]
"""Makes the values of a node; UnsupportedError says why it cannot."""

HANDLERS: dict[str, Handler] = {}
"""The handlers by the operator's name."""


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Enter a function into the table under the names of the operators that it handles."""

    def enter(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return enter
