"""Channels repeated side by side, and such repetitions added up: c c c … and back.

Where the number of repetitions is a power of 2, vectors are shuffled; otherwise, and at the end of
a pixel, numbers go one by one. Floor: a load or a store for each number of the larger image.
"""

from __future__ import annotations

from pellucid.compiler.ir import Address, Function, Index, Value

__all__ = ["add_up_repetitions", "repeat_channels"]


def repeat_channels(f: Function, x: Address, y: Address, channels: int, times: int) -> None:
    """Write y[c·times + m] = x[c] for one pixel."""
    at_once = f.lanes // times if _by_vectors(f, times) else 0
    whole = channels // at_once if at_once else 0
    if whole:
        lanes = [lane // times for lane in range(f.lanes)]
        with f.each(whole) as i:
            value = x.load(i * at_once, at_once)
            y.store(f.shuffle(value, value, lanes), i * f.lanes)
    done = whole * at_once
    if done < channels:
        with f.each(channels - done) as c:
            number = x.get(c + done)
            for m in range(times):
                y.put(number, (c + done) * times + m)


def add_up_repetitions(
    f: Function, x: Address, y: Address, channels: int, times: int, *, add: bool
) -> None:
    """Write y[c] = Σ_m x[c·times + m] for one pixel, or add it."""
    whole = channels // f.lanes if _by_vectors(f, times) else 0
    if whole:
        with f.each(whole) as i:
            parts = [x.load(i * (f.lanes * times) + m * f.lanes) for m in range(times)]
            while len(parts) > 1:
                parts = [_pairs(f, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            _put(y, i * f.lanes, parts[0], add)
    done = whole * f.lanes
    if done < channels:
        with f.each(channels - done) as c:
            total = x.get((c + done) * times)
            for m in range(1, times):
                total = total + x.get((c + done) * times + m)
            y.put(total + y.get(c + done) if add else total, c + done)


def _by_vectors(f: Function, times: int) -> bool:
    return times <= f.lanes and not times & (times - 1)


def _pairs(f: Function, a: Value, b: Value) -> Value:
    """The sums of neighbours: a0 + a1, a2 + a3, …, b0 + b1, …."""
    even, odd = (f.shuffle(a, b, range(first, 2 * f.lanes, 2)) for first in (0, 1))
    return even + odd


def _put(y: Address, place: Index, value: Value, add: bool) -> None:
    y.store(value + y.load(place) if add else value, place)
