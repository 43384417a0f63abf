"""Names that load their module when first used: all there, told alike, and nothing too early."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import pellucid
from pellucid import constraints, initializers, layers, ops, regularizers
from pellucid.errors import NameLookupError
from pellucid.layers import _registry as layers_registry
from pellucid.losses import _registry as losses_registry
from pellucid.metrics import _registry as metrics_registry
from pellucid.optimizers import _registry as optimizers_registry
from pellucid.optimizers import schedules

SOURCE = Path(pellucid.__file__).parent


def lazy_modules() -> list[str]:
    """Return the modules that use `load_on_use`."""
    paths = [p for p in sorted(SOURCE.rglob("*.py")) if "load_on_use(" in p.read_text("utf-8")]
    parts = [("pellucid", *path.relative_to(SOURCE).with_suffix("").parts) for path in paths]
    found = [".".join(part for part in words if part != "__init__") for words in parts]
    return [name for name in found if name != "pellucid._lazy"]


def python(code: str) -> str:
    """Return what a fresh process prints."""
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=known, check=True
    ).stdout


# What readers, type checkers and Python are told.


@pytest.mark.parametrize("name", lazy_modules())
def test_type_checkers_are_told_the_same_as_python(name: str) -> None:
    module = importlib.import_module(name)
    told = []
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom)
                told += [(alias.name, line.module) for alias in line.names]
                # Type checkers take a name for public if it is imported as itself.
                assert all(alias.asname == alias.name for alias in line.names)
    if name == "pellucid":  # the package `explain` is itself the function
        told[told.index(("explain", "pellucid.explain.trace"))] = ("explain", "pellucid")
    assert sorted(told) == sorted(module._homes.items())


@pytest.mark.parametrize("name", lazy_modules())
def test_every_name_is_there_for_all_who_ask(name: str) -> None:
    module = importlib.import_module(name)
    named: dict[str, object] = {}
    exec(f"from {name} import *", named)
    for public in module.__all__:
        assert named[public] is getattr(module, public)
        assert public in dir(module)
    assert set(module.__all__) <= {member for member, _ in inspect.getmembers(module)}
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018  # asking for it is what is tested


def test_help_and_pickle_take_them_for_modules() -> None:
    assert "class Dense(" in pydoc.render_doc(layers, renderer=pydoc.plaintext)
    assert pickle.loads(pickle.dumps(layers)) is layers
    assert pickle.loads(pickle.dumps(ops.softmax)) is ops.softmax
    assert inspect.ismodule(layers)


def test_names_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "softmax", None)
    assert ops.softmax is None
    monkeypatch.undo()
    assert ops.softmax([0.0]) == 1


# Functions, and modules of operations, of the same name.

OF_ONE_NAME = """
import importlib, pkgutil, types
from pellucid import ops
both = {m.name for m in pkgutil.iter_modules(ops.__path__)} & set(ops.__all__)
assert {"softmax", "add", "pad", "take", "concatenate", "reshape", "cast", "clip"} <= both
def are_functions():
    assert all(isinstance(getattr(ops, name), types.FunctionType) for name in both)
def load():
    for name in both:
        module = importlib.import_module(f"pellucid.ops.{name}")
        assert isinstance(module, types.ModuleType) and module.__name__.endswith(name)
"""


@pytest.mark.parametrize(
    "code",
    [
        f"{OF_ONE_NAME}\nload()\nare_functions()",
        f"{OF_ONE_NAME}\nare_functions()\nload()\nare_functions()",
        f"{OF_ONE_NAME}\nops.operations()\nare_functions()",
        "from pellucid.ops.softmax import Softmax\n"
        "from pellucid.ops import softmax\n"
        "assert softmax([0.0]) == 1 and Softmax.name == 'softmax'",
        "import pellucid.ops.softmax, sys\n"
        "assert pellucid.ops.softmax([0.0]) == 1 and sys.modules['pellucid.ops.softmax'].Softmax",
        "import pellucid.keras.ops.softmax\nassert pellucid.keras.ops.softmax([0.0]) == 1",
        "from pellucid.ops import huber\nassert huber.Huber.name == 'huber'",
        "from pellucid import ops\nassert ops.image.resize([[[[1.0]]]], (1, 1)).ndim == 4",
    ],
)
def test_an_operation_never_takes_the_place_of_a_function(code: str) -> None:
    python(code)


def test_many_threads_may_be_first() -> None:
    python(
        "import sys, threading\n"
        "import numpy  # whose own import may fail if several threads begin it\n"
        "import pellucid\n"
        "from pellucid import callbacks, data, layers, losses, metrics, ops, optimizers\n"
        "sys.setswitchinterval(1e-6)\n"
        "modules = (ops, layers, losses, metrics, optimizers, callbacks, data)\n"
        "names = [(m, n) for m in modules for n in m.__all__]\n"
        "names += [(pellucid, n) for n in ('Model', 'Sequential', 'load_model')]\n"
        "start, found = threading.Barrier(8), []\n"
        "def ask(shift):\n"
        "    start.wait()\n"
        "    turned = names[shift:] + names[:shift]\n"
        "    found.append({(m.__name__, n): getattr(m, n) for m, n in turned})\n"
        "threads = [threading.Thread(target=ask, args=(43 * i,)) for i in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert len(found) == 8 and all(one == found[0] for one in found)\n"
    )


# The closed lists that files may name.

REGISTRIES = [
    module._REGISTRY
    for module in (
        constraints,
        initializers,
        layers_registry,
        losses_registry,
        metrics_registry,
        optimizers_registry,
        regularizers,
        schedules,
    )
]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_what_can_be_named_is_of_its_kind(registry) -> None:
    assert registry._own
    for name, own in registry._names.items():
        cls = registry.find(name)
        assert issubclass(cls, registry.base)
        assert cls is not registry.base
        assert cls.__name__ == own
    for name in ("Layer", "Input", "Loss", "Metric", "Registry", "load_on_use", "sys", "os.system"):
        assert name not in registry
        with pytest.raises(NameLookupError):
            registry.find(name)


def test_every_public_layer_can_be_named() -> None:
    public = {cls for cls in map(layers.__dict__.get, dir(layers)) if inspect.isclass(cls)}
    public = {c for c in public if issubclass(c, layers.Layer)} - {layers.Layer}
    assert {cls.__name__ for cls in public} == layers_registry._REGISTRY._own


def test_reading_a_layer_loads_that_layer_alone() -> None:
    loaded = python(
        "import sys\n"
        "from pellucid import layers\n"
        "from pellucid.errors import NameLookupError\n"
        "layers.deserialize({'class_name': 'Dense', 'config': {'units': 3}})\n"
        "import difflib  # for the message\n"
        "before = set(sys.modules)\n"
        "for name in ('antigravity', 'pellucid.cli', 'cli', 'noise', '_random'):\n"
        "    try:\n"
        "        layers.deserialize({'class_name': name, 'config': {}})\n"
        "    except NameLookupError:\n"
        "        pass\n"
        "print(*sys.modules)\n"
        "assert set(sys.modules) == before"
    ).split()
    assert "pellucid.layers.core" in loaded
    assert not {"pellucid.layers.noise", "pellucid.layers.normalization"} & set(loaded)


def test_a_function_can_be_named_before_it_is_used() -> None:
    python(
        "from pellucid.layers import OperationLayer\n"
        "layer = OperationLayer.from_config({'operation': 'erf'})\n"
        "assert layer([[0.0]]) == 0"
    )


# What is loaded when.

FIRST_STEP = """
import sys
import numpy as np
import pellucid as keras
from pellucid import layers
loaded = lambda: {n for n in sys.modules if n.startswith("pellucid.")}
imported = loaded()
model = keras.Sequential([
    keras.Input((12, 12, 1)),
    layers.Conv2D(4, 3, activation="relu"),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(10),
])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, metrics=["accuracy"])
model.fit(np.zeros((8, 12, 12, 1), "float32"), np.zeros(8, int), verbose=0)
print(*imported)
print(*loaded())
"""


def test_a_first_step_loads_what_its_model_needs() -> None:
    imported, loaded = (set(line.split()) for line in python(FIRST_STEP).splitlines())
    assert not any(name.startswith(("pellucid.ops.", "pellucid.layers.")) for name in imported)
    operations = {name.removeprefix("pellucid.ops.") for name in loaded} & set(ops.operations())
    assert {"conv2d", "max_pool2d", "flatten", "dense", "softmax_cross_entropy"} <= operations
    assert len(operations) <= 24, operations
    assert not operations & {"matmul", "resize", "conv1d", "group_normalization", "hinge"}
    functions = [name for name in loaded if name.endswith("_functions")]
    assert not functions
    unused = "layers.normalization layers.merging losses.focal metrics.confusion optimizers.nadam"
    assert not loaded & {f"pellucid.{name}" for name in unused.split()}
