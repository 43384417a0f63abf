"""The repository's promises about itself: links, commands, names, directions, sizes and times."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import resource
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import pellucid
from pellucid.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "pellucid"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")

# Times are CPU seconds, medians of several runs, and on a busy machine this much longer.
ALLOWANCE = 2.0


# What the README says.


@pytest.mark.parametrize("page", sorted(p.name for p in ROOT.glob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", text)
    for link in [a or b for a, b in links]:
        assert link.startswith(("http://", "https://")) or (ROOT / link).exists(), link


def test_commands_in_the_readme_exist() -> None:
    used = re.findall(r"^\$ pellucid (?:--\S+ )*(\w+)", README, re.MULTILINE)
    used += re.findall(r"`pellucid (\w+)", README)
    assert used
    assert set(used) <= set(COMMANDS)
    assert set(COMMANDS) <= set(used), "a command that the README does not mention"
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"^make (\w+)$", README, re.MULTILINE)) <= targets


def test_files_that_the_readme_says_to_run_are_there() -> None:
    for file in re.findall(r"`(?:pytest|python) (\S+\.py)`", README):
        assert (ROOT / file).exists(), file


def test_the_python_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 14
    (x, y), (x_test, y_test) = pellucid.datasets.mnist.load_data()
    few = (x[:256], y[:256]), (x_test[:64], y_test[:64])
    monkeypatch.setattr(pellucid.datasets.mnist, "load_data", lambda: few)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert list(tmp_path.iterdir())


def test_the_model_in_the_readme_is_the_tours() -> None:
    from pellucid.architectures import build

    pellucid.utils.clear_session()
    shown: list[str] = []
    build("mnist", (28, 28, 1), 10).summary(line_length=80, print_fn=shown.append)
    table = [line for line in shown[0].splitlines() if line.startswith(("│", "╭", "╰", "├"))]
    assert all(line in README for line in table)


# What the names and files say.


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert pellucid.__version__ == version
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_public_name_is_there() -> None:
    for name in pellucid.__all__:
        assert getattr(pellucid, name) is not None
    assert set(pellucid.__all__) <= set(dir(pellucid))


def test_the_licence_is_whole_and_ci_runs_everything() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"^make (\w+)$", script.read_text(), re.MULTILINE) == [
        "lint", "types", "test",
    ]  # fmt: skip


# Which way imports point: a module loads only what stands on its own line or above it.

LEVELS = [
    {"errors", "_lazy"},
    {"ops"},
    {"random", "graph", "_registry"},
    {"compiler"},
    {"initializers", "regularizers", "constraints", "activations"},
    {"layers", "losses", "metrics", "optimizers", "callbacks"},
    {"data", "formats", "models", "datasets", "utils", "backend", "saving", "onnx_backend"},
    {"testing", "architectures", "plots", "explain", "sklearn"},
    {"cli"},
]
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}


def imports_at_the_top(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports when it is loaded, or when a name of it is first used.

    Imports for type checkers do not count.
    """
    stack: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "pellucid":
                yield from (f"pellucid.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "load_on_use":
            table = node.args[1]
            assert isinstance(table, ast.Dict)
            yield from (ast.literal_eval(key) for key in table.keys if key)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def modules() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*.py")) if p.parent != SOURCE or p.stem[0] != "_"]


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in modules()} <= set(LEVEL_OF)


@pytest.mark.parametrize("part", sorted({part_of(path) for path in modules()}))
def test_imports_point_one_way(part: str) -> None:
    wrong = []
    for path in (p for p in modules() if part_of(p) == part):
        for name in imports_at_the_top(path):
            words = name.split(".")
            if words[0] != "pellucid" or len(words) < 2 or words[1] == "__version__":
                continue
            if LEVEL_OF[words[1]] > LEVEL_OF[part]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_operations_import_numpy_and_errors_alone() -> None:
    allowed = {"pellucid.errors", "pellucid._lazy", "pellucid.ops", "numpy"}
    for path in sorted((SOURCE / "ops").rglob("*.py")):
        for name in imports_at_the_top(path):
            known = name.split(".")[0] in sys.stdlib_module_names
            assert known or any(f"{name}.".startswith(f"{a}.") for a in allowed), (path.name, name)


# What it weighs and how long it takes.


def python(code: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=known, check=True
    )


def loaded_after(code: str) -> set[str]:
    found = python(f"{code}\nimport sys\nprint('\\n'.join(sys.modules))").stdout.split()
    return {name.split(".")[0] for name in found}


def cpu_seconds(code: str) -> float:
    """Return the CPU time of a Python process that runs `code`: the median of seven."""
    times = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        python(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def test_import_loads_nothing_heavy() -> None:
    heavy = {"numpy", "h5py", "pyfive", "matplotlib", "PIL", "rich", "click", "llvmlite", "onnx"}
    heavy |= {"sklearn", "scipy"}
    assert not heavy & loaded_after("import pellucid")


def test_building_a_model_loads_no_file_formats_and_no_plots() -> None:
    heavy = {"h5py", "pyfive", "matplotlib", "PIL", "rich", "click", "onnx", "platformdirs"}
    code = "import pellucid as k\nk.Sequential([k.Input((4,)), k.layers.Dense(2)])"
    assert not heavy & loaded_after(code)


def test_import_takes_50_ms_more_than_numpy() -> None:
    extra = cpu_seconds("import numpy, pellucid") - cpu_seconds("import numpy")
    assert extra <= 0.050 * ALLOWANCE


HELP = "from pellucid.cli import main\nmain(['--help'])"


def test_help_loads_no_numpy_and_takes_150_ms() -> None:
    assert not {"numpy", "rich", "PIL", "h5py", "matplotlib"} & loaded_after(HELP)
    assert cpu_seconds(HELP) <= 0.150 * ALLOWANCE


def installed_bytes(requirements: list[str]) -> dict[str, int]:
    """Return how many bytes each distribution takes, with all that it requires in turn."""
    sizes: dict[str, int] = {}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in sizes or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found = importlib.metadata.distribution(name)
        places = [Path(str(file.locate())) for file in found.files or ()]
        sizes[name] = sum(place.stat().st_size for place in places if place.exists())
        waiting += [Requirement(text) for text in found.requires or ()]
    return sizes


def test_the_base_install_takes_at_most_200_mb_beside_llvmlite() -> None:
    """The aim is 300 MB in all; LLVM alone has grown from 133 MB (llvmlite 0.44) to 180 (0.50)."""
    sizes = installed_bytes(PROJECT["project"]["dependencies"])
    own = sum(path.stat().st_size for path in SOURCE.rglob("*") if path.is_file())
    llvm = sizes.pop("llvmlite")
    assert sizes["numpy"] > 1e6
    assert llvm == max(llvm, *sizes.values())
    assert own + sum(sizes.values()) <= 200e6, sizes


def test_mnist_is_in_the_box() -> None:
    (x, _), _ = pellucid.datasets.mnist.load_data()
    assert x.shape == (60_000, 28, 28)
    assert x.dtype == np.uint8
    assert (SOURCE / "data" / "mnist.xz").stat().st_size < 10e6
