"""All randomness: one seed, and counters.

Nothing is drawn from a stream that remembers how often it was used. A generator is made for a key,
such as ("shuffle", epoch) or ("dropout", epoch, step): the same seed and the same key give the
same numbers, whatever was drawn before. Training is therefore resumed by restoring counters alone.

The bits come from Philox4×64-10, whose key is a BLAKE2b digest of the seed and the key's words.

Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import contextlib
import hashlib
import operator
import random
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import SupportsIndex

import numpy as np

from pellucid.errors import ArgumentError, TypeMismatchError

__all__ = [
    "generator",
    "get_seed",
    "get_state",
    "next_generator",
    "seeded",
    "seeded_generator",
    "set_random_seed",
    "set_state",
]

_LIMIT = 2**32

_global: dict[str, int] = {}
_state: ContextVar[dict[str, int]] = ContextVar("seed and counter", default=_global)


def set_random_seed(seed: int) -> None:
    """Set the seed of everything random here, and of Python's and NumPy's own generators.

    The same seed, on the same machine with the same number of threads, gives the same bits.

    Args:
        seed: A whole number from 0 to 2³² − 1.

    Raises:
        ArgumentError: the seed is not such a number.

    Example:
        >>> set_random_seed(7)
        >>> first = next_generator().random()
        >>> set_random_seed(7)
        >>> next_generator().random() == first
        True
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value < _LIMIT:
        raise ArgumentError(
            f"Expected the seed as a whole number from 0 to {_LIMIT - 1}, received {seed!r}."
        )
    random.seed(value)
    np.random.seed(value)
    _state.get().update(seed=value, count=0)


@contextlib.contextmanager
def seeded(seed: int, count: int = 0) -> Iterator[None]:
    """Let all that is drawn inside depend on `seed`; what is drawn outside, not notice.

    This holds for the thread that is inside, and for no other. Python's and NumPy's own generators
    are left alone.

    Example:
        >>> with seeded(7):
        ...     first = next_generator().random()
        >>> with seeded(7):
        ...     next_generator().random() == first
        True
    """
    token = _state.set({"seed": seed, "count": count})
    try:
        yield
    finally:
        _state.reset(token)


def get_seed() -> int:
    """Return the seed in use; where none was set, one drawn from the system's entropy."""
    state = _state.get()
    if not state:
        state.update(seed=secrets.randbelow(_LIMIT), count=0)
    return state["seed"]


def get_state() -> dict[str, int]:
    """Return what `set_state` needs to go on from here: the seed and the counter."""
    get_seed()
    return dict(_state.get())


def set_state(state: dict[str, int]) -> None:
    """Go on from where `get_state` was called; ArgumentError if `state` is something else."""
    whole = all(isinstance(n, int) and n >= 0 for n in state.values())
    if set(state) != {"seed", "count"} or not whole:
        raise ArgumentError(
            f"Expected the state as {{'seed': …, 'count': …}} with whole numbers, "
            f"received {state!r}."
        )
    _state.get().update(state)


def generator(*key: SupportsIndex | str) -> np.random.Generator:
    """Return the generator for `key` under the global seed.

    Args:
        key: Whole numbers and texts that name what is drawn, such as ("shuffle", epoch).

    Raises:
        TypeMismatchError: a word of the key is neither.
    """
    return seeded_generator(get_seed(), *key)


def seeded_generator(seed: int, *key: SupportsIndex | str) -> np.random.Generator:
    """Return the generator for `key` under a seed of its own."""
    digest = hashlib.blake2b(digest_size=16, person=b"pellucid")
    for word in (seed, *key):
        digest.update(_encoded(word))
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))


def next_generator() -> np.random.Generator:
    """Return the next of a row of generators: weights are drawn from these, one for each."""
    drawn = generator("next", get_state()["count"])
    _state.get()["count"] += 1
    return drawn


def _encoded(word: SupportsIndex | str) -> bytes:
    """A word with its kind and length before it, so that no two keys run together the same."""
    if isinstance(word, str):
        kind, text = b"s", word.encode()
    else:
        try:
            kind, text = b"i", str(operator.index(word)).encode()
        except TypeError:
            raise TypeMismatchError(
                f"Expected the words of a random key to be whole numbers or text, "
                f"received {word!r}."
            ) from None
    return kind + len(text).to_bytes(8, "little") + text
