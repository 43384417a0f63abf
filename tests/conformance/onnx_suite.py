"""The test suite that the `onnx` package has for its backends, run on Pellucid's.

    python tests/conformance/onnx_suite.py

runs it and writes `docs/conformance.md`.
"""

from __future__ import annotations

import os
import re
import tempfile
import unittest
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from pellucid.errors import LoadError
from pellucid.onnx_backend import PellucidBackend, Prepared

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
RTOL = 1e-4

SUITES = {
    "OnnxBackendNodeModelTest": "nodes",
    "OnnxBackendSimpleModelTest": "simple models",
    "OnnxBackendPyTorchConvertedModelTest": "recorded PyTorch layers",
    "OnnxBackendPyTorchOperatorModelTest": "recorded PyTorch operators",
    "OnnxBackendRealModelTest": "whole networks",
}

IMAGE_OPERATORS = """
Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool Gemm MatMul
BatchNormalization LayerNormalization InstanceNormalization GroupNormalization LRN Relu
LeakyRelu PRelu Elu Selu Gelu Sigmoid HardSigmoid HardSwish Mish Clip Softplus Softsign Tanh
Softmax LogSoftmax Dropout Identity Flatten Reshape Squeeze Unsqueeze Transpose Concat Slice
Split Pad Resize Add Sub Mul Div Pow Sqrt Exp Log Abs Neg Min Max ReduceMean ReduceSum ReduceMax
ArgMax Constant ConstantOfShape Shape Gather Cast Expand DepthToSpace SpaceToDepth
"""
LISTED = frozenset(IMAGE_OPERATORS.split())
"""The operators of image networks, which are meant to pass wherever a case can be run at all."""

REASONS = {
    r"operators that are not known here: (.*)\.$": "an operator that Pellucid does not have",
    r"is (float16|bfloat16), which": "numbers in half precision",
    r"(is|are) (float8|float4|float6|u?int[24]\b)\w*,? (which|not)": "numbers of 8 bits or fewer",
    r"(is|are) (string|complex64|complex128),? (which|not)": "texts, or complex numbers",
    r"(is|are) (float16|bfloat16|string),? (which|not)": "numbers in half precision",
    r"is (sequence|optional|sparse_tensor|map|nothing), which": "sequences, optionals, maps",
    r"attribute '\w+' is of type": "sequences, optionals, maps",
    r"holds numbers that are": "numbers of 8 bits or fewer",
    r"of [1356] axes|\d-dimensional|dimensions; only images": "images of other than two dimensions",
    r"training_mode|training mode": "training mode",
    r"computed; only a constant": "a shape that is computed from data",
    r"its output \d, '\w+', cannot be had": "a second output: the places of the largest numbers",
    r"tf_crop_and_resize": "Resize that crops as well",
    r"zero-size|nothing along axis|0 numbers|empty": "tensors without numbers",
    r"must say once|functions of its own": "operators of other domains, or functions in the file",
    r"versions \d+ to \d+ are read": "a version of the operators before 6",
}
"""The reasons for which a case may be skipped: what the error says, and what the page says."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case: "passed", "skipped" or "failed", and why."""

    suite: str
    name: str
    operators: frozenset[str]
    result: str
    reason: str = ""

    @property
    def listed(self) -> bool:
        return bool(self.operators) and self.operators <= LISTED


class _Asked(Prepared):
    def run(self, inputs: Any, **options: Any) -> tuple[Any, ...]:
        try:
            return super().run(inputs, **options)
        except LoadError as error:
            raise unittest.SkipTest(str(error)) from error


class _Backend(PellucidBackend):
    """The backend, with what it refuses reported as skipped."""

    engine = "auto"

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> _Asked:
        try:
            made = super().prepare(model, device)
        except LoadError as error:
            raise unittest.SkipTest(str(error)) from error
        return _Asked(made.graph, cls.engine)


class _Tolerance(dict[str, Any]):
    """The options of every case: a relative tolerance ten times tighter than the suite's."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return {"rtol": RTOL}


class _Result(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, tuple[str, str]] = {}

    def addSuccess(self, test: Any) -> None:  # noqa: N802 (unittest's name)
        self.results[_name(test)] = "passed", ""

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        self.results[_name(test)] = "skipped", reason

    def addFailure(self, test: Any, error: Any) -> None:  # noqa: N802
        self.results[_name(test)] = "failed", str(error[1])

    addError = addFailure  # noqa: N815


def run(matching: str = "") -> list[Outcome]:
    """Run every case whose suite and name match, on the processor."""
    cases = _operators()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        before = os.environ.get("ONNX_MODELS")
        os.environ["ONNX_MODELS"] = folder  # where the suite keeps what it makes
        try:
            for kind, tests in Runner(_Backend, __name__, _Tolerance()).test_cases.items():
                suite = unittest.TestSuite(
                    test
                    for test in unittest.defaultTestLoader.loadTestsFromTestCase(tests)
                    if _name(test) in cases and re.search(matching, f"{kind}.{_name(test)}")
                )
                # Compiling some 800 models of one operator would take longer than all else.
                _Backend.engine = "reference" if "NodeModel" in kind else "auto"
                result = _Result()
                suite.run(result)
                outcomes += [
                    Outcome(SUITES[kind], name, cases[name], *found)
                    for name, found in result.results.items()
                ]
        finally:
            if before is None:
                del os.environ["ONNX_MODELS"]
            else:
                os.environ["ONNX_MODELS"] = before
    return outcomes


def reason(outcome: Outcome) -> str | None:
    """Return the page's words for why a case was skipped; None if it is no reason known."""
    for pattern, words in REASONS.items():
        if re.search(pattern, outcome.reason):
            return words
    return None


def page(outcomes: list[Outcome]) -> str:
    """Return the page about what came of the cases."""
    lines = [
        "# Conformance with ONNX",
        "",
        "The `onnx` package has a test suite for backends. This is what comes of it for",
        "[Pellucid's](../src/pellucid/onnx_backend.py), written by",
        "`python tests/conformance/onnx_suite.py`; `pytest tests/conformance` runs the same and",
        "compares it with this page. Numbers agree within a relative tolerance of "
        f"{RTOL:g}, ten times",
        "tighter than the suite's own. A case that is not supported is skipped, with its reason,",
        "and never counted as passed.",
        "",
        f"onnx {onnx.__version__}",
        "",
        "| suite | cases | executed | passed | skipped |",
        "|---|--:|--:|--:|--:|",
    ]
    for title, part in [*_by_suite(outcomes).items(), ("all", outcomes)]:
        lines.append(_row(title, part))
    image = [outcome for outcome in outcomes if outcome.listed]
    lines += [
        _row("of these, with operators of image networks only", image),
        "",
        "The operators of image networks are those of convolution, pooling, normalisation,",
        "activation, arithmetic, shape and reduction that such networks are made of:",
        f"{', '.join(sorted(LISTED))}.",
        "",
        "## Why cases are skipped",
        "",
        "| reason | cases | of image networks' operators |",
        "|---|--:|--:|",
    ]
    skipped = [outcome for outcome in outcomes if outcome.result == "skipped"]
    counts = Counter(reason(outcome) or outcome.reason for outcome in skipped)
    for words, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        listed = sum(o.listed and (reason(o) or o.reason) == words for o in skipped)
        lines.append(f"| {words} | {count} | {listed} |")
    unknown = Counter(
        name
        for outcome in skipped
        if (found := re.search(r"not known here: (.*)\.$", outcome.reason))
        for name in found[1].split(", ")
    )
    names = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
    lines += [
        "",
        f"The operators that Pellucid does not have, and the cases that use them: {names}.",
    ]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for outcome in skipped:
        if outcome.listed:
            by_reason[reason(outcome) or outcome.reason].append(outcome.name)
    lines += ["", "## Cases of image networks' operators that are skipped", ""]
    for words, cases in sorted(by_reason.items()):
        lines += [f"- {words}: {', '.join(sorted(cases))}"]
    return "\n".join(lines) + "\n"


def _by_suite(outcomes: list[Outcome]) -> dict[str, list[Outcome]]:
    return {title: [o for o in outcomes if o.suite == title] for title in SUITES.values()}


def _row(title: str, outcomes: list[Outcome]) -> str:
    count = Counter(outcome.result for outcome in outcomes)
    executed = count["passed"] + count["failed"]
    numbers = [len(outcomes), executed, count["passed"], count["skipped"]]
    return f"| {title} | {' | '.join(map(str, numbers))} |"


def _operators() -> dict[str, frozenset[str]]:
    """Return the operators that each case uses, by the case's name."""
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    found = {}
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator", "real"):
        for case in load_model_tests(kind=kind):
            model = case.model
            if model is None:
                file = Path(case.model_dir or "") / "model.onnx"
                model = onnx.load(
                    file if case.model_dir else light / f"light_{case.model_name}.onnx"
                )
            found[case.name] = frozenset(node.op_type for node in model.graph.node)
    return found


def _name(test: unittest.TestCase) -> str:
    return test.id().rpartition(".")[2].removesuffix("_cpu")


if __name__ == "__main__":
    PAGE.write_text(page(run()), encoding="utf-8")
    print(f"Wrote {PAGE}.")
