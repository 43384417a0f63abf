"""ONNX's own test suite for backends: what Pellucid executes, it passes; what not, has a reason."""

from collections import Counter
from pathlib import Path

import onnx
import pytest

from conformance import onnx_suite


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the suite's own, when it makes its cases
def test_the_backend_suite_of_onnx(capsys):
    outcomes = onnx_suite.run()
    failed = [f"{o.name}: {o.reason}" for o in outcomes if o.result == "failed"]
    assert not failed, "\n".join(failed)
    unexplained = [
        f"{o.name}: {o.reason}"
        for o in outcomes
        if o.result == "skipped" and onnx_suite.reason(o) is None
    ]
    assert not unexplained, "\n".join(unexplained)
    networks = [o for o in outcomes if o.suite == "whole networks"]
    assert Counter(o.result for o in networks) == {"passed": 9}
    page = onnx_suite.page(outcomes)
    with capsys.disabled():
        table = [line for line in page.splitlines() if line.startswith("|")][:8]
        print("", "The backend suite of onnx:", *table, sep="\n")
    written = Path(onnx_suite.PAGE).read_text(encoding="utf-8")
    if f"\nonnx {onnx.__version__}\n" in written:  # another version has other cases
        assert page == written, "write it anew: python tests/conformance/onnx_suite.py"
