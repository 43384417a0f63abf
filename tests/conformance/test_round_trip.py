"""Architectures exported as ONNX and opened again: the same numbers as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid as keras
from conformance.drawn import require_close
from pellucid.architectures import NAMES, build

pytest.importorskip("onnx")


@pytest.mark.parametrize("name", NAMES)
def test_architectures_open_again(name: str, tmp_path: Path) -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = build(name, (32, 32, 3), 5)
    x = np.random.default_rng(0).random((2, 32, 32, 3), "f4")
    model.export(tmp_path / "m.onnx")
    found = keras.load_model(tmp_path / "m.onnx").predict(x, verbose=0)
    require_close([found], [model.predict(x, verbose=0)], "the output", name, 1e-5)
