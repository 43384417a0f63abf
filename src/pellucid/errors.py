"""Every exception that Pellucid raises on purpose.

```
PellucidError
├── ArgumentError       (ValueError)       an option or argument that cannot be
├── ShapeError          (ValueError)       shapes that do not fit each other
├── TypeMismatchError   (TypeError)        a value of the wrong type or dtype
├── NameLookupError     (ValueError)       a name nobody knows, with the nearest that are known
├── NotBuiltError       (ValueError)       weights or shapes asked of a layer that has none yet
├── NonFiniteError      (ArithmeticError)  a NaN or infinity that would have reached the weights
├── MissingPackageError (ImportError)      an extra that is not installed, and how to install it
├── DataError           (ValueError)       data that cannot be read or learned from
│   └── DownloadError                      a data set that could not be fetched
└── LoadError           (ValueError)       a model file that is broken, hostile or unknown
```

`except PellucidError` catches them all; each is also the built-in exception that a caller who has
never heard of Pellucid would expect.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "DataError",
    "DownloadError",
    "LoadError",
    "MissingPackageError",
    "NameLookupError",
    "NonFiniteError",
    "NotBuiltError",
    "PellucidError",
    "ShapeError",
    "TypeMismatchError",
    "unknown_name",
]


class PellucidError(Exception):
    """The base of every exception raised by Pellucid."""


class ArgumentError(PellucidError, ValueError):
    """An option or argument has a value that it cannot have."""


class ShapeError(PellucidError, ValueError):
    """The shapes of two tensors, or of a tensor and a layer, do not fit."""


class TypeMismatchError(PellucidError, TypeError):
    """A value has a type or dtype that cannot be used where it was given."""


class NameLookupError(PellucidError, ValueError):
    """A name (of a layer, loss, optimiser …) is not known."""


class NotBuiltError(PellucidError, ValueError):
    """A layer or model was asked for something that exists only once it is built."""


class NonFiniteError(PellucidError, ArithmeticError):
    """A NaN or an infinity appeared; the weights were left as they were before it."""


class MissingPackageError(PellucidError, ImportError):
    """Something was asked for that needs a package that is not installed."""


class DataError(PellucidError, ValueError):
    """Data is missing, broken, out of range or otherwise unfit to learn from."""


class DownloadError(DataError):
    """A data set could not be downloaded, or what came was not the expected file."""


class LoadError(PellucidError, ValueError):
    """A model file is broken, hostile, or holds something that Pellucid does not know."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> NameLookupError:
    """Return the error for a name that is not known: the nearest known ones first, then all.

    Example:
        >>> print(unknown_name("activation", "rulu", ["relu", "elu", "tanh"]))
        Unknown activation 'rulu'. Did you mean 'relu'? Known: elu, relu, tanh.
    """
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=2)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return NameLookupError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}.")
