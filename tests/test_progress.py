"""ProgbarLogger: rows for files, a live line for terminals, one output for notebooks."""

from __future__ import annotations

import io
import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import pellucid as keras
from pellucid.callbacks import ProgbarLogger
from pellucid.callbacks import progress as module
from pellucid.errors import ArgumentError


@pytest.fixture
def model() -> keras.Sequential:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.normal(size=(40, 1))


def terminal(width: int = 80, **options: Any) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, **options)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_a_file_gets_one_row_an_epoch_and_no_control_characters(
    model: Any, data: Any, verbose: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model.fit(*data, epochs=3, batch_size=8, validation_split=0.25, verbose=verbose)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "epoch", "loss", "mae", "val_loss", "val_mae", "time", "samples/s",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:]] == ["1/3", "2/3", "3/3"]
    assert len({len(line) for line in lines}) == 1
    assert not re.search(r"[\x00-\x1f\x7f]", "".join(lines))


def test_verbose_0_says_nothing(model: Any, data: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model.fit(*data, epochs=2, verbose=0)
    model.evaluate(*data, verbose=0)
    model.predict(data[0], verbose=0)
    assert capsys.readouterr().out == ""


def test_the_row_says_what_the_history_says(model: Any, data: Any) -> None:
    console = Console(file=io.StringIO(), width=80)
    history = model.fit(*data, verbose=0, callbacks=[ProgbarLogger(console=console)]).history
    assert written(console).splitlines()[1].split()[1] == f"{history['loss'][0]:.4f}"


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_the_live_line_keeps_to_one_line_and_goes_away(
    model: Any, data: Any, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_INTERVAL", 0.0)
    console = terminal(width)
    model.fit(*data, epochs=2, batch_size=4, verbose=0, callbacks=[ProgbarLogger(console=console)])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written(console))
    updates = [part for part in plain.split("\r") if part.startswith("epoch 1/2")]
    assert len(updates) == 10
    assert all(len(update) < width for update in updates)
    if width >= 80:
        assert "samples/s" in updates[-1]
        assert "left" in updates[-1]
    rows = on_screen(plain)
    assert [row.split()[0] for row in rows] == ["epoch", "1/2", "2/2"]
    assert len({len(row) for row in rows}) == 1


def on_screen(text: str) -> list[str]:
    """Return the lines that a terminal would show in the end."""
    lines = []
    for written_over in text.split("\n"):
        line: list[str] = []
        for part in written_over.split("\r"):
            line[: len(part)] = part
        lines.append("".join(line).rstrip())
    return [line for line in lines if line]


def test_an_interruption_leaves_a_clean_line(
    model: Any, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_INTERVAL", 0.0)
    console = terminal()
    progress = ProgbarLogger(console=console)
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=_interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[progress, stop])
    progress.close()
    assert written(console).endswith(" \r")


def _interrupt(batch: int, logs: Any) -> None:
    if batch == 3:
        raise KeyboardInterrupt


def test_evaluate_ends_with_its_results(
    model: Any, data: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    loss, mae = model.evaluate(*data)
    assert capsys.readouterr().out.startswith(f"loss {loss:.4f}  mae {mae:.4f}  (")


def test_a_notebook_has_one_output_that_is_updated(
    model: Any, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Handle:
        def display(self, content: dict[str, str], raw: bool) -> None:
            assert raw
            assert not shown
            shown.append(content["text/plain"])

        def update(self, content: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(content["text/plain"])

    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.DisplayHandle = Handle  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(module, "_INTERVAL", 0.0)
    model.fit(*data, epochs=2, batch_size=8)
    assert any("epoch 1/2  20%" in text for text in shown)
    assert [line.split()[0] for line in shown[-1].splitlines()] == ["epoch", "1/2", "2/2"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (0.0, "0.0000"), (12.0, "12.0000"), (1.5e-5, "1.50e-05"),
     (2.5e6, "2.50e+06"), (float("nan"), "nan"), (float("inf"), "inf")],
)  # fmt: skip
def test_numbers_are_legible(value: float, text: str) -> None:
    assert module._number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (100, "1:40 min"), (3725, "1:02 h")],
)
def test_durations_are_legible(seconds: float, text: str) -> None:
    assert module._duration(seconds) == text


def test_a_wrong_verbose_is_refused() -> None:
    with pytest.raises(ArgumentError, match="received 3"):
        ProgbarLogger(3)
