"""Whole models: the compiled step against the reference engine, threads, failures, the cache."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers
from pellucid.errors import NonFiniteError

pytest.importorskip("llvmlite")
from pellucid.compiler import engine, runtime, target
from pellucid.compiler.ir import Width
from pellucid.compiler.lowering import Builder
from pellucid.compiler.plan import Plan
from pellucid.compiler.report import lines, machine_code, python_code, table
from pellucid.compiler.sections import emit_section


def headline():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    ), (28, 28, 1)


def average():
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(16, 3, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(20, 3, padding="same", activation="elu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3, seed=3),
            layers.Dense(10, activation="softmax"),
        ]
    ), (12, 12, 3)


def residual():
    x = inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    for filters, stride in ((16, 1), (32, 2)):
        y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        y = layers.BatchNormalization()(y)
        y = layers.Activation("relu")(y)
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        if stride > 1:
            x = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(x)
            x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x)), (16, 16, 3)


def mixed():
    """With operations that have no kernel, branches, and a penalty on weights."""
    x = inputs = keras.Input((10, 10, 2))
    x = layers.ZeroPadding2D(1)(x)
    a = layers.Conv2D(8, 3, activation="gelu", kernel_regularizer="l2")(x)
    b = layers.DepthwiseConv2D(3, padding="valid", activation="relu")(x)
    x = layers.Concatenate()([a, b, layers.UpSampling2D()(layers.MaxPooling2D(2)(a))])
    x = layers.LayerNormalization(axis=1)(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="swish")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x)), (10, 10, 2)


def dense():
    """Dense layers alone: large, small, long and narrow, at sizes that no tile divides."""
    inputs = keras.Input((1301,))
    narrow = layers.Dense(13, activation="relu")(inputs)  # by parts at every width
    x = layers.Concatenate()([narrow, layers.Dense(100, use_bias=False)(inputs)])
    x = layers.Dense(290, activation="relu")(x)
    x = layers.Dense(131, activation="tanh", use_bias=False)(x)
    x = layers.Dense(70)(x)
    x = layers.Dense(40, activation="relu", kernel_regularizer="l2")(x)
    again = layers.Dense(40, activation="elu")
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(again(again(x)))), (1301,)


ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}

MODELS = {"headline": headline, "average": average, "residual": residual, "mixed": mixed,
          "dense": dense}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda: keras.optimizers.Adam(amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(),
    "rmsprop": lambda: keras.optimizers.RMSprop(momentum=0.5, centered=True),
    "clipped": lambda: keras.optimizers.Adam(clipnorm=1.0),
    "averaged": lambda: keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=2),
}


def trained(make, optimizer, which: str, steps: int = 3, batch: int = 13):
    keras.utils.set_random_seed(7)
    keras.utils.clear_session()
    model, shape = make()
    model.compile(
        optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"], engine=which
    )
    rng = np.random.default_rng(1)
    found = []
    for step in range(steps):
        n = batch if step < steps - 1 else 5
        x = rng.standard_normal((n, *shape)).astype("float32")
        y = rng.integers(0, 10, n)
        model.reset_metrics()
        found.append(model.train_on_batch(x, y)[0])
    return model, found, model.predict_on_batch(x)


def close(found, expected, tolerance: float = 2e-4) -> None:
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= tolerance * max(1e-2, np.abs(b).max())


@pytest.mark.parametrize("name", MODELS)
def test_steps_are_those_of_the_reference(name: str) -> None:
    fast, losses, outputs = trained(MODELS[name], OPTIMIZERS["nesterov"], "auto")
    slow, expected, answers = trained(MODELS[name], OPTIMIZERS["nesterov"], "reference")
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    np.testing.assert_allclose(outputs, answers, atol=1e-4)
    close(fast.get_weights(), slow.get_weights())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_are_those_of_the_reference(name: str) -> None:
    fast, losses, _ = trained(MODELS["average"], OPTIMIZERS[name], "auto")
    slow, expected, _ = trained(MODELS["average"], OPTIMIZERS[name], "reference")
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    # Adam's first steps are the signs of gradients: a gradient near 0 may go either way.
    close(fast.get_weights(), slow.get_weights(), 2e-2)
    assert fast.optimizer.iterations == slow.optimizer.iterations == 3


@pytest.mark.parametrize("lanes", ["8", "4"])
def test_steps_in_registers_are_those_of_the_reference_at_every_width(lanes, monkeypatch) -> None:
    monkeypatch.setattr(target, "_lanes_asked_for", lambda: int(lanes))
    target.host.cache_clear()
    try:
        fast, losses, _ = trained(dense, OPTIMIZERS["nesterov"], "auto", batch=75)
    finally:
        target.host.cache_clear()
    slow, expected, _ = trained(dense, OPTIMIZERS["nesterov"], "reference", batch=75)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    close(fast.get_weights(), slow.get_weights())


@pytest.mark.parametrize("name", ["headline", "residual", "dense"])
def test_any_number_of_threads_gives_the_same_bits(name: str, monkeypatch) -> None:
    bits = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("PELLUCID_THREADS", threads)
        model, losses, outputs = trained(MODELS[name], OPTIMIZERS["adamw"], "auto", batch=37)
        bits.append([np.asarray(losses), outputs, *model.get_weights()])
    for other in bits[1:]:
        for a, b in zip(bits[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    model, _, _ = trained(MODELS["residual"], OPTIMIZERS["rmsprop"], "auto")
    weights = model.get_weights()
    slots = [array.copy() for _, array in model.optimizer.variables]
    x = np.zeros((13, 16, 16, 3), "float32")
    x[4, 2, 3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="row 4"):
        model.train_on_batch(x, np.zeros(13, int))
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, (_, b) in zip(slots, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [3e15, 1e38])
def test_numbers_so_large_that_a_gradient_may_not_be_finite(size: float) -> None:
    """A dense layer's steps are taken before its gradient is whole: never on what is not finite."""
    weights = []
    for which in ("auto", "reference"):
        keras.utils.set_random_seed(7)
        x = inputs = keras.Input((150,))
        x = layers.Dense(300, kernel_initializer=keras.initializers.Constant(1e-38))(x)
        model = keras.Model(inputs, layers.Dense(10)(x))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(), loss, engine=which)
        model.layers[-1].kernel.assign(1e-2 * model.layers[-1].kernel.value)
        before = model.get_weights()
        images = np.full((64, 150), size, "float32")
        labels = np.zeros(64, int)
        if size < 1e16:
            model.train_on_batch(images, labels)
        else:
            model.layers[-1].kernel.assign(1e4 * model.layers[-1].kernel.value)
            before = model.get_weights()
            with pytest.raises(NonFiniteError, match="gradient"):
                model.train_on_batch(images, labels)
            for a, b in zip(before, model.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
        weights.append(model.get_weights())
        assert (model.optimizer.iterations == 1) == (size < 1e16)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


GRADIENTS = {
    "by channel": ((14, 14, 16), lambda x: layers.MaxPooling2D()(_convolved(x))),
    "by tile": ((12, 12, 32), lambda x: _convolved(x)),
    "by chunk": ((12, 12, 3), lambda x: _convolved(x)),
}


def _convolved(x):
    return layers.Conv2D(64, 3, activation="relu")(x)


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient_that_alone_is_not_finite_changes_nothing(name: str) -> None:
    """Each way to add up a kernel's gradient looks at it: the loss and all else are finite here."""
    shape, body = GRADIENTS[name]
    keras.utils.set_random_seed(3)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(body(inputs))))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss)
    kernel, dense = model.layers[1].kernel, model.layers[-1].kernel
    kernel.assign(kernel.value * 1e-37)
    dense.assign(dense.value * 1e3)
    before = model.get_weights()
    x = np.random.default_rng(0).uniform(1e37, 3e37, (24, *shape)).astype("float32")
    assert np.isfinite(model.predict(x, verbose=0)).all()
    with pytest.raises(NonFiniteError, match="gradient of conv2d"):
        model.train_on_batch(x, np.arange(24) % 10)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _first_scaled(x):
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(x))
    return layers.Flatten()(x)


FIRST = {
    "scaled": _first_scaled,
    "framed": lambda x: layers.Flatten()(layers.Conv2D(8, 3, padding="same")(x)),
    "flat": lambda x: layers.Dense(200)(layers.Flatten()(x)),
    "reference": lambda x: layers.Flatten()(layers.UpSampling2D(interpolation="bilinear")(x)),
}


@pytest.mark.parametrize("first", FIRST)
def test_bytes_are_fed_as_they_are_and_mean_the_same_numbers(first: str, monkeypatch) -> None:
    fed = []
    feed = Plan.feed

    def spy(self, feeds, random=None):
        found = feed(self, feeds, random)
        fed.append(found.arrays[0].dtype)
        return found

    monkeypatch.setattr(Plan, "feed", spy)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 12, 11, 1), "uint8"), rng.integers(0, 4, 40)
    found = []
    for x, which in ((images, "auto"), (images.astype("float32"), "auto"), (images, "reference")):
        keras.utils.set_random_seed(3)
        inputs = keras.Input((12, 11, 1))
        model = keras.Model(inputs, layers.Dense(4, activation="softmax")(FIRST[first](inputs)))
        model.compile(keras.optimizers.SGD(1e-7), "sparse_categorical_crossentropy", engine=which)
        model.fit(x, labels, batch_size=16, epochs=1, shuffle=False, verbose=0)
        assert which == "reference" or set(fed) == {x.dtype}
        fed.clear()
        found.append([model.predict(x, verbose=0), *model.get_weights()])
        fed.clear()
    for as_bytes, as_floats, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(as_bytes, as_floats)
        np.testing.assert_allclose(as_bytes, expected, rtol=1e-4, atol=1e-5)


def test_the_reference_can_be_asked_for(monkeypatch) -> None:
    with pytest.raises(ValueError, match="engine must be 'auto' or 'reference'"):
        headline()[0].compile(engine="fast")
    monkeypatch.setenv("PELLUCID_ENGINE", "reference")
    assert engine.choose(None) == "reference"
    assert engine.choose("auto") == "auto"


def test_batches_of_every_size() -> None:
    model, _, _ = trained(MODELS["average"], OPTIMIZERS["sgd"], "auto")
    x = np.random.default_rng(0).standard_normal((300, 12, 12, 3)).astype("float32")
    whole = model.predict(x, batch_size=300, verbose=0)
    for size in (1, 2, 7, 64, 128):
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), whole, atol=1e-6)


def test_the_cache_survives_damage_and_a_missing_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    trained(MODELS["average"], OPTIMIZERS["sgd"], "auto", steps=1)
    target._loaded.clear()
    trained(MODELS["average"], OPTIMIZERS["sgd"], "auto", steps=1)
    entries = list((tmp_path / "code").glob("*.o"))
    assert entries
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:100])
    target._loaded.clear()
    trained(MODELS["average"], OPTIMIZERS["sgd"], "auto", steps=1)
    file = tmp_path / "file"
    file.write_text("in the way")
    monkeypatch.setenv("PELLUCID_CACHE", str(file))
    target._loaded.clear()
    trained(MODELS["average"], OPTIMIZERS["sgd"], "auto", steps=1)


def test_the_cache_is_kept_below_its_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))
    monkeypatch.setattr(target, "CACHE_LIMIT", 2500)
    for k in range(5):
        target._write(f"{k}", bytes(1000))
        os.utime(tmp_path / "code" / f"{k}.o", (k, k))
    left = {path.name for path in (tmp_path / "code").iterdir()}
    assert left == {"3.o", "4.o"}


def test_without_llvmlite_the_reference_runs_and_says_so(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['llvmlite'] = None; sys.modules['llvmlite.binding'] = None\n"
        "import numpy as np, pellucid as keras\n"
        "m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "print(m.predict(np.zeros((4, 3), 'float32'), verbose=0).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT | {"PELLUCID_ENGINE": "auto"},
    )
    assert done.stdout == "(4, 2)\n"
    assert len(done.stderr.splitlines()) == 1
    assert "reference engine runs" in done.stderr


def test_the_table_names_kernels_and_what_fell_back() -> None:
    model, _, _ = trained(MODELS["mixed"], OPTIMIZERS["sgd"], "auto")
    plan = engine.plan_for(model.program(), 13)
    assert plan is not None
    text = table(plan, lines(plan, measure=False))
    assert "conv2d" in text
    assert "reference: layer_normalization" in text
    timed = [line for line in lines(plan, repeats=2) if line.share]
    assert all(0 < line.share < 1.2 for line in timed)


MEMORY = """
import tracemalloc
import numpy as np
import pellucid as keras
from pellucid import layers
from pellucid.compiler import engine, memory
from pellucid.compiler.plan import Plan

model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"),
    layers.MaxPooling2D(), layers.Flatten(), layers.Dense(600), layers.Dense(10)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model._settle()
variables = model.trainable_weights
program = model._loss_program(True, {}, variables)
compiled = engine.plan_for(program, 8, variables, model.optimizer).compiled
tracemalloc.start()
plan = Plan(compiled, 1500)
allocated = tracemalloc.get_traced_memory()[0]
x, y = np.zeros((1500, 28, 28, 1), "float32"), np.zeros(1500, "int32")
for _ in range(3):
    plan.train(plan.feed([x, y]))
print(plan.bytes, allocated, memory.of_plan(plan).peak, memory.of_process()[1], x.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells no process' peak")
def test_memory_is_told_as_it_is_taken() -> None:
    found = subprocess.run(
        [sys.executable, "-c", MEMORY], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    told, allocated, peak, real, data = map(int, found.stdout.split())
    assert told > 40 * 2**20
    assert abs(allocated - told) < 0.01 * told
    assert abs(real - data - peak) < 0.05 * real


def test_threads_are_as_many_as_asked(monkeypatch) -> None:
    monkeypatch.setenv("PELLUCID_THREADS", "3")
    assert runtime.thread_count() == 3
    monkeypatch.setenv("PELLUCID_THREADS", "none")
    with pytest.raises(ValueError, match="PELLUCID_THREADS"):
        runtime.thread_count()


def test_a_model_shows_its_plan_and_its_machine_code() -> None:
    model, _, _ = trained(MODELS["headline"], OPTIMIZERS["adam"], "auto", steps=1)
    before = [a.copy() for a in [*model.get_weights(), *(v for _, v in model.optimizer.variables)]]
    assert "of peak" in model.plan(8)
    shown = model.plan(8, training=True)
    assert "dense_weights_adam" in shown
    after = [*model.get_weights(), *(v for _, v in model.optimizer.variables)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    plan = engine.plan_for(model.program(), 8)
    assert plan is not None
    text = machine_code(plan, model.layers[0].name)
    assert "def forward(b: Builder, group: Group)" in python_code(plan, model.layers[0].name)
    assert "conv2d" in text
    with pytest.raises(ValueError, match="layer with a kernel"):
        machine_code(plan, "nothing")


def test_kernels_for_arm_pass_the_verifier_and_code_generation() -> None:
    import llvmlite.binding as llvm

    try:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this llvmlite does not know AArch64")
    arm = target.Target("aarch64-unknown-linux-gnu", "generic", "+neon", Width(4, 32, True))
    model, _ = MODELS["average"]()
    module = Builder(model.program(), arm)
    module.forward()
    for section in module.schedule.sections():
        emit_section(module.schedule.module, "section", section)
    assert "fmla" in target.assembly(module.schedule.module, arm)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own() -> None:
    code = (
        "import os, numpy as np, pellucid as keras\n"
        "m = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])\n"
        "x = np.ones((64, 8, 8, 3), 'float32')\n"
        "m.predict(x, batch_size=64, verbose=0)\n"
        "child = os.fork()\n"
        "m.predict(x, batch_size=64, verbose=0)\n"
        "if child:\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "    print('both')\n"
        "else:\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert done.stdout == "both\n"


def test_views_keep_the_shapes_of_their_own() -> None:
    def model():
        inputs = keras.Input((48,))
        image = layers.Reshape((4, 4, 3))(inputs)
        same = layers.Conv2D(5, 3, padding="same", activation="relu")(image)
        valid = layers.Conv2D(4, 3)(image)
        joined = layers.Concatenate()(
            [layers.Flatten()(image), layers.Flatten()(same), layers.Flatten()(valid)]
        )
        again = layers.Conv2D(6, 3, padding="same")(layers.Reshape((12, 12, 1))(joined))
        top = layers.Dense(10, activation="softmax")(layers.Flatten()(again))
        return keras.Model(inputs, top), (48,)

    fast, losses, outputs = trained(model, OPTIMIZERS["sgd"], "auto")
    slow, expected, answers = trained(model, OPTIMIZERS["sgd"], "reference")
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    np.testing.assert_allclose(outputs, answers, atol=1e-4)
    close(fast.get_weights(), slow.get_weights())


def test_machine_code_and_buffers_go_with_the_model() -> None:
    model, shape = headline()
    model.predict_on_batch(np.zeros((2, *shape), "f4"))
    program = weakref.ref(model.program())
    model._forget()
    gc.collect()
    assert program() is None


def test_one_model_may_be_trained_from_two_threads() -> None:
    model, shape = headline()
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.random((16, *shape), "f4"), rng.integers(0, 10, 16)
    model.train_on_batch(x, y)

    def train() -> None:
        for _ in range(30):
            model.train_on_batch(x, y)

    threads = [threading.Thread(target=train, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert model.optimizer.iterations == 61
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_settings_of_the_optimizer_may_change_between_steps() -> None:
    found = []
    for which in ("auto", "reference"):
        keras.utils.set_random_seed(0)
        model, shape = average()
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", engine=which)
        rng = np.random.default_rng(0)
        x, y = rng.random((8, *shape), "f4"), rng.integers(0, 3, 8)
        model.train_on_batch(x, y)
        model.optimizer.beta_1, model.optimizer.weight_decay = 0.5, 0.1
        model.train_on_batch(x, y)
        model.optimizer.clipnorm = 0.01
        model.train_on_batch(x, y)
        found.append(model.get_weights())
    for compiled, expected in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, expected, atol=2e-5)


def test_what_cannot_be_compiled_is_said_of_the_model_and_not_of_llvmlite(capfd) -> None:
    x = keras.Input((6,))
    model = keras.Model(x, [layers.Dense(2, name="seen")(x), layers.Dense(3, name="unseen")(x)])
    model.compile("sgd", {"seen": "mse", "unseen": None})
    model.train_on_batch(np.zeros((2, 6), "f4"), [np.zeros((2, 2), "f4"), np.zeros((2, 3), "f4")])
    variables = model.trainable_weights
    program = model._loss_program(True, {}, variables)
    assert "does not depend on" in engine.refusal(program, variables, model.optimizer)
    assert "llvmlite" not in capfd.readouterr().err


def test_constants_that_depend_on_no_weight_are_made() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
    model = keras.Sequential(
        [keras.Input((3,)), layers.Rescaling([1.0, 2.0, 3.0], [0.5, 0.0, -1.0]), layers.Dense(4)]
    )
    expected = model(x)
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-5)
