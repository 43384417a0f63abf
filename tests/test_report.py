"""The report as text: sealed, bounded, the same every time; and how accounts are found again."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest

from explain_models import random_trace
from pellucid.errors import ArgumentError, NameLookupError
from pellucid.explain.report import _asset, _script, notebook_frame, render, write
from pellucid.explain.report._accounts import Account, Seen, learn
from pellucid.explain.report._binary import Binary


@pytest.fixture(scope="module")
def trace():
    return random_trace(2)


@pytest.fixture(scope="module")
def page(trace):
    return render(trace)


def test_script_and_style_are_small():
    assert len(_script().encode()) + len(_asset("style.css")) + len(_asset("page.html")) <= 200_000


def test_only_the_pages_own_script_and_style_may_run(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        opening = '<script type="module">' if tag == "script" else "<style>"
        content = page.split(opening)[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_names_no_other_place(page):
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/1998/Math/MathML"}
    assert not re.search(r"\b(src|srcset|@import)\s*=|url\(", page)


def test_the_same_trace_makes_the_same_page(page, trace):
    assert render(trace) == page


def test_a_page_without_room_is_refused(trace):
    with pytest.raises(ArgumentError, match="max_bytes must be at least"):
        render(trace, max_bytes=1000)


def test_a_page_is_written_whole(tmp_path, page, trace):
    path = tmp_path / "page.html"
    write(trace, path)
    assert path.read_text() == page
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_notebooks_frame_is_sealed_and_capped(page):
    frame = notebook_frame(page)
    assert 'sandbox="allow-scripts"' in frame
    assert "allow-same-origin" not in frame
    assert page not in frame
    too_large = notebook_frame("x" * 9_000_000)
    assert "9.0 MB" in too_large
    assert "to_html" in too_large
    assert len(too_large) < 1000


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_numbers_keep_their_bytes_close_together(dtype):
    import zlib

    array = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    binary = Binary()
    binary.add(np.zeros(4, "float32"))
    entry = binary.add(array)
    whole = base64.b64decode(binary.text())
    piece = zlib.decompress(whole[entry["at"] : entry["at"] + entry["bytes"]])
    kind = np.dtype(entry["type"])
    back = np.frombuffer(piece, np.uint8).reshape(kind.itemsize, -1).T.copy().view(kind).ravel()
    assert np.array_equal(back, array.ravel())


def found_again(account: Account, shape, cell) -> Seen:
    """Find an account in the way that the page does."""
    if account.each is not None:
        number, *bases = account.each[np.ravel_multi_index(cell, shape)].tolist()
    else:
        corner = 0
        for axis, index in zip(account.axes, cell, strict=True):
            corner = corner * axis["count"] + (axis["classes"][index] if axis["classes"] else 0)
        number, *bases = account.corners[corner]
    pattern, tensors = account.patterns[number]
    bases = bases[: len(tensors)]
    for axis, index in zip(account.axes, cell, strict=False):
        for group, move in enumerate(axis["moves"][: len(bases)]):
            bases[group] += move * index if isinstance(move, int) else move[index]
    return Seen(pattern, tensors, tuple(bases))


def padded(cell):
    """A window of three cells over a row of 60, padded with one cell on each side."""
    row, column = cell
    cells = [("c", 0, i) for i in range(3)]
    if column == 0:
        return Seen(("+", ("k", "padding", 0.0), *cells[:2]), ("x",), (60 * row,))
    if column == 59:
        return Seen(("+", *cells[:2], ("k", "padding", 0.0)), ("x",), (60 * row + 58,))
    return Seen(("+", *cells), ("x",), (60 * row + column - 1,))


def scattered(cell):
    """A rule that no axis explains."""
    row, column = cell
    return Seen(("c", 0, (row * column) % 3), ("x",), ((row * row + column) % 7,))


@pytest.mark.parametrize(("rule", "one_by_one"), [(padded, False), (scattered, True)])
def test_accounts_are_found_again(rule, one_by_one):
    shape = (4, 60)
    account = learn(shape, rule, 10**6, np.random.default_rng(0))
    assert (account.each is not None) == one_by_one
    for cell in np.ndindex(shape):
        assert found_again(account, shape, cell) == rule(cell)


def test_accounts_that_take_too_long_are_left_out():
    assert learn((4, 60), padded, 100, np.random.default_rng(0)) is None
    assert learn((4, 60), lambda _: None, 10**6, np.random.default_rng(0)) is None


def test_traces_ledgers_and_models_show_the_page_in_a_notebook(trace):
    ledger = trace["input[1,2,0]"]
    for shown in (trace, ledger, trace.model):
        frame = shown._repr_html_()
        assert frame.startswith("<iframe")
        assert 'sandbox="allow-scripts"' in frame
    assert "data-start=&quot;input[1,2,0]&quot;" in ledger._repr_html_()


def test_a_page_opens_at_an_address(trace, tmp_path):
    path = tmp_path / "page.html"
    page = trace.to_html(path, start="loss")
    assert path.read_text(encoding="utf-8") == page
    assert 'data-start="loss"' in page
    with pytest.raises(NameLookupError):
        trace.to_html(start="los")
