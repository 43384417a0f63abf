"""The benchmarks run, agree on what they measure, and report it; no test depends on a time."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
RIVALS = ("torch", "keras-tensorflow", "keras-jax", "jax", "onnxruntime")


@pytest.fixture
def benchmark(monkeypatch):
    """Import one of the benchmarks' modules, which are scripts beside each other, no package."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


# As published: for LeNet-5 with the SimpleChains library, for the large ones with torchvision.
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("headline", 225_034),
        ("deep", 93_322),
        ("lenet5", 44_426),
        ("mobilenet", 3_504_872),
        ("resnet18", 11_689_512),
    ],
)
def test_models_are_the_known_ones(benchmark, name, count):
    works = benchmark("works")
    assert works.parameters(works.WORKS[name]) == count


def test_floor_of_dense_layers(benchmark):
    works = benchmark("works")
    first, rest = 784 * 512, 512 * 512 + 512 * 10
    weights = first + rest + 512 + 512 + 10
    mlp = works.WORKS["mlp"]
    assert works.floor(mlp, "latency") == (2 * (first + rest), 4 * (784 + weights))
    operations = 2 * 128 * (2 * first + 3 * rest)
    assert works.floor(mlp, "train") == (operations, 4 * 128 * 784 + 24 * weights)


def test_pellucid_alone(tmp_path):
    command = [sys.executable, BENCHMARKS / "run.py", "--work", "mlp", "--mode", "train,latency",
               "--rivals", "", "--pellucid", "pellucid-reference", "--rounds", "2", "--quick",
               "--output", tmp_path / "results"]  # fmt: skip
    environment = {"PYTHONPATH": str(BENCHMARKS.parent / "src"), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "results.json").read_text())
    assert [row["name"] for row in result["rows"]] == ["mlp, train 128", "mlp, latency 1"]
    for row in result["rows"]:
        assert row["errors"] == {}
        assert len(row["values"]["pellucid-reference"]) == 2
        assert min(row["values"]["pellucid-reference"]) > 0
    assert "pellucid" in result["versions"]["pellucid-reference"]
    assert (tmp_path / "results.png").stat().st_size > 0


@pytest.mark.parametrize(
    "name", ["pellucid-reference", *(pytest.param(name, marks=pytest.mark.slow) for name in RIVALS)]
)
def test_contestants_build_the_same_models(benchmark, name):
    contestants, works = benchmark("contestants"), benchmark("works")
    found, skipped = contestants.pythons([name], install=False)
    if skipped:
        pytest.skip(skipped[name])
    worker = contestants.Worker(name, found[name], threads=1)
    try:
        for work in ("same", "resnet8", "mobilenet"):  # between them, every kind of layer
            answer = worker.ask("prepare", work=work, mode="latency")
            assert answer["parameters"] == works.parameters(works.WORKS[work])
    finally:
        worker.close()


def test_table_fits_100_columns_and_says_who_is_better(benchmark):
    contestants, report = benchmark("contestants"), benchmark("report")
    everyone = dict.fromkeys(contestants.CONTESTANTS, 20.0)
    faster = {"name": "headline, train 64", "unit": "samples/s", "floor": {"value": 80.0},
              "medians": everyone | {"pellucid": 40.0}, "errors": {}}  # fmt: skip
    sooner = {"name": "mobilenet, latency 1", "unit": "µs", "floor": {"value": 10.0},
              "medians": everyone | {"pellucid": 5e6}, "errors": {}}  # fmt: skip
    del sooner["medians"]["jax"]
    sooner["errors"]["jax"] = "out of memory"
    lines = report.table({"rows": [faster, sooner]}).strip("\n").split("\n")
    assert max(map(len, lines)) <= 100
    assert lines[1].split()[-7:] == ["2.00×"] * 7
    assert "50%" in lines[1]
    assert lines[2].split()[-2] == "failed"
    assert lines[2].split()[-1] == "0.00×"
