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
import types
from pathlib import Path

import joblib
import pytest

import pellucid
from pellucid import constraints, initializers, layers, losses, ops, regularizers
from pellucid._lazy import _Module
from pellucid._registry import Registry, snake_case
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=known)
    assert done.returncode == 0, done.stderr
    return done.stdout


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
    assert sorted(told) == sorted((n, h) for n, h in module._homes.items() if n in module.__all__)


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


def test_help_takes_them_for_modules() -> None:
    assert "class Dense(" in pydoc.render_doc(layers, renderer=pydoc.plaintext)
    assert inspect.ismodule(layers)


def test_functions_that_refer_to_them_can_be_sent_to_another_process() -> None:
    def dense() -> layers.Layer:
        return layers.Dense(3)

    by_value = joblib.wrap_non_picklable_objects(dense, keep_wrapper=False)  # with cloudpickle
    again = pickle.loads(pickle.dumps(by_value))
    assert again is not dense
    assert isinstance(again(), layers.Dense)
    assert pickle.loads(pickle.dumps(ops.softmax)) is ops.softmax


@pytest.mark.parametrize("value", [None, types.ModuleType("pellucid.ops.softmax")])
def test_names_can_be_replaced(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "softmax", value)
    assert ops.softmax is value
    monkeypatch.undo()
    assert ops.softmax([0.0]) == 1


SUBMODULES = [
    "callbacks.stopping",
    "data.loading",
    "formats.onnx",
    "layers.convolution",
    "losses.regression",
    "metrics.confusion",
    "ops.functional",
    "optimizers.adam",
    "optimizers.schedules",
]


def test_submodules_are_there_before_anything_of_them_is_used() -> None:
    code = "import pellucid, sys\nfrom pellucid import formats\n"
    for name in SUBMODULES:
        parent, _, word = name.rpartition(".")
        code += f"assert {word!r} in dir(pellucid.{parent})\n"
        code += f"assert pellucid.{name} is sys.modules['pellucid.{name}']\n"
    python(code)


@pytest.mark.parametrize("name", lazy_modules())
def test_dir_shows_nothing_that_the_module_has_for_itself(name: str) -> None:
    module = importlib.import_module(name)
    for shown in {name for name in dir(module) if not name.startswith("__")} - set(module.__all__):
        assert not shown.startswith("_")
        assert getattr(module, shown) is sys.modules[f"{name}.{shown}"]
    assert {"__all__", "__doc__", "__name__"} <= set(dir(module))


def test_a_module_without_a_table_has_no_names() -> None:
    module = _Module("empty")
    assert not hasattr(module, "name")
    assert "__doc__" in dir(module)


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


@pytest.mark.parametrize(
    ("module", "base", "name"),
    [
        ("keras.layers", layers.Layer, "Input"),  # a function
        ("keras.losses", layers.Layer, "Huber"),
        ("keras.metrics", losses.Loss, "MeanSquaredError"),
    ],
)
def test_what_is_not_of_its_kind_cannot_be_named(module: str, base: type, name: str) -> None:
    registry = Registry("kind", module, base, [name, "Other"])
    for spelling in (name, snake_case(name)):
        with pytest.raises(NameLookupError, match=rf"Unknown kind '{spelling}'.*: [Oo]ther\.$"):
            registry.deserialize({"class_name": spelling, "config": {}})


def test_what_can_be_named_is_not_what_is_set_later(monkeypatch: pytest.MonkeyPatch) -> None:
    huber = losses.get("huber")
    monkeypatch.setattr(losses, "Huber", lambda: 3)
    assert type(losses.get("huber")) is type(huber)
    assert losses.serialize(huber)["registered_name"] is None
    registry = Registry("loss", "keras.losses", losses.Loss, ["Huber"])
    with pytest.raises(NameLookupError):
        registry.get("huber")


def test_every_public_layer_can_be_named() -> None:
    public = {getattr(layers, name) for name in layers.__all__}
    public = {cls for cls in public if inspect.isclass(cls)}
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
