"""Several threads in one image, late workers, what is made of weights, what must stay mapped."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers

pytest.importorskip("llvmlite")
from pellucid.compiler import engine, runtime, target
from pellucid.compiler.ir import Function, Module
from pellucid.compiler.kernels import _sweep
from pellucid.compiler.schedule import LIGHT, Job, Place, Schedule
from pellucid.compiler.sections import PARTS, control_of, emit_section
from test_compiler_plan import ENVIRONMENT, headline


def network(rows: int = 28, wide: int = 128) -> keras.Model:
    """Every kind of job that has parts: direct, by tile (by rows, by channels), depthwise, …."""

    def normalised(x, function=None):
        x = layers.BatchNormalization()(x)
        return x if function is None else layers.Activation(function)(x)

    image = keras.Input((rows, rows, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = normalised(layers.Conv2D(32, 3, strides=2, use_bias=False)(x), "relu6")
    x = normalised(layers.Conv2D(96, 1, use_bias=False)(x), "relu6")
    x = normalised(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x), "relu6")
    x = y = normalised(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Activation("tanh")(layers.Add()([x, y]))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(wide, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(wide, 3, padding="same")(x)
    x = layers.Conv2D(40, 3, strides=2, activation="relu")(x)
    x = layers.AveragePooling2D(2, strides=1)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


@pytest.fixture(params=["16", "8", "4"])
def lanes(request, monkeypatch):
    monkeypatch.setenv("PELLUCID_LANES", request.param)
    target.host.cache_clear()
    try:
        target.host()
    except ValueError:
        pytest.skip(f"this processor has no vectors of {request.param} floats")
    yield
    monkeypatch.delenv("PELLUCID_LANES")
    target.host.cache_clear()


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("panel", [20_000, 300_000])
def test_images_taken_apart_have_the_bits_of_whole_ones(panel, monkeypatch) -> None:
    monkeypatch.setattr(_sweep, "PANEL", panel)
    monkeypatch.setattr(_sweep, "SMALL_WEIGHTS", panel)
    keras.utils.set_random_seed(3)
    model = network()
    for weight in model.weights:
        if "moving" in weight.path or "gamma" in weight.path:
            rng = np.random.default_rng(len(weight.path))
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    x = np.random.default_rng(0).standard_normal((7, 28, 28, 3)).astype("f4")
    monkeypatch.setenv("PELLUCID_THREADS", "1")
    whole = model.predict_on_batch(x)
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("PELLUCID_THREADS", threads)
        model.program().kept.clear()
        model.compile()
        apart = [model.predict_on_batch(x[k : k + 1]) for k in range(3)]
        plan = engine.plan_for(model.program(), 1)
        assert plan is not None
        assert plan._apart
        np.testing.assert_array_equal(np.concatenate(apart), whole[:3])
        np.testing.assert_array_equal(model.predict_on_batch(x[:3]), whole[:3])
    model.compile(engine="reference")
    np.testing.assert_allclose(model.predict_on_batch(x), whole, atol=1e-5)


def test_what_is_made_of_weights_follows_them() -> None:
    keras.utils.set_random_seed(5)
    model, shape = headline()
    x = np.random.default_rng(0).random((2, *shape), "f4")
    kernel = model.layers[2].kernel

    def check() -> None:
        found = model.predict_on_batch(x)
        model.compile("sgd", "sparse_categorical_crossentropy", engine="reference")
        # Scores grow to hundreds here; weights out of date would be wrong by more than a tenth.
        np.testing.assert_allclose(found, model.predict_on_batch(x), atol=5e-5)
        model.compile("sgd", "sparse_categorical_crossentropy")

    check()
    kernel.assign(kernel.numpy() * 0.5)
    check()
    kernel.value[0] = 0.25
    check()
    held = kernel.value[1]
    check()
    model.predict_on_batch(x)
    held *= -3.0
    check()
    del held
    model.predict_on_batch(x)
    model.train_on_batch(x, np.zeros(2, int))
    check()
    model.set_weights([w * 1.5 for w in model.get_weights()])
    check()


def test_calling_a_model_and_the_shortest_way(monkeypatch) -> None:
    model, shape = headline()
    x = np.random.default_rng(0).random((3, *shape), "f4")
    first = model.predict_on_batch(x)
    again, called = model.predict_on_batch(x), model(x)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, called)
    assert again is not first
    turned = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(model.predict_on_batch(turned), first)
    np.testing.assert_array_equal(model.predict_on_batch(x.astype("f8")), first)
    assert model._shortcuts
    monkeypatch.setenv("PELLUCID_ENGINE", "reference")
    assert np.abs(model.predict_on_batch(x) - first).max() < 1e-6
    monkeypatch.delenv("PELLUCID_ENGINE")
    model.layers[0].trainable = False
    np.testing.assert_array_equal(model.predict_on_batch(x), first)
    model.compile("sgd", "mse")
    assert not model._shortcuts


def test_code_is_not_unmapped_while_a_worker_may_be_in_it(monkeypatch) -> None:
    from llvmlite.binding.executionengine import ExecutionEngine

    monkeypatch.setenv("PELLUCID_THREADS", "2")
    model, shape = headline()
    model.predict_on_batch(np.zeros((64, *shape), "f4"))
    plan = engine.plan_for(model.program(), 64)
    assert plan is not None
    code, events = id(plan.compiled.code._engine), []
    dispose = ExecutionEngine._dispose

    def watched(self) -> None:
        events.extend(["unmapped"] if id(self) == code else [])
        dispose(self)

    monkeypatch.setattr(ExecutionEngine, "_dispose", watched)
    passes = plan.team._mailbox[runtime.STATE + 8 + runtime.PASSES :][:1]
    while passes[0] % 2:
        time.sleep(0)
    passes += 1  # as if the worker had not quite come out of the section

    def come_out() -> None:
        time.sleep(0.1)
        events.append("out")
        passes.__iadd__(1)

    thread = threading.Thread(target=come_out)
    thread.start()
    target._loaded.clear()
    target._recent.clear()
    del model, plan
    gc.collect()
    thread.join()
    gc.collect()
    assert events == ["out", "unmapped"]


STRESS = """
import gc, sys, threading
import numpy as np
import pellucid as keras
from pellucid.compiler import target
sys.setswitchinterval(1e-6)
rng = np.random.default_rng(0)
def work(seed):
    for k in range(8):
        filters = int(rng.integers(8, 40))
        model = keras.Sequential([
            keras.Input((12, 12, 3)), keras.layers.Conv2D(filters, 3, activation="relu"),
            keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(5),
        ])
        for batch in (1, 40):
            x = np.ones((batch, 12, 12, 3), "f4")
            first = model.predict_on_batch(x)
            for _ in range(20):
                assert (model.predict_on_batch(x) == first).all()
        target._loaded.clear()
        target._recent.clear()
        del model
        gc.collect()
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
print("done")
"""


def test_models_come_and_go_while_workers_are_late(tmp_path) -> None:
    environment = ENVIRONMENT | {"PELLUCID_THREADS": "4", "PELLUCID_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", STRESS], capture_output=True, text=True, timeout=120,
        env=environment, check=False,
    )  # fmt: skip
    assert done.stdout == "done\n", done.stderr


WATCHES = pytest.mark.parametrize("watch", [0, 100_000_000], ids=["asleep", "awake"])


@WATCHES
def test_what_is_done_meanwhile_changes_nothing(watch: int, monkeypatch) -> None:
    monkeypatch.setenv("PELLUCID_THREADS", "3")
    team = runtime.team()
    done: list[int] = []
    run = runtime.Team.run

    def counted(self, launch, *, alone=False, meanwhile=None) -> None:
        if meanwhile is None or alone:
            run(self, launch, alone=alone)
            return
        given = meanwhile
        run(self, launch, meanwhile=lambda: (done.append(1), given()))

    monkeypatch.setattr(runtime.Team, "run", counted)
    monkeypatch.setattr(runtime, "WATCH", watch)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(64 * 6 + 5, 28, 28, 1)).astype("float32")
    y = rng.integers(0, 10, len(x))

    def trained(data) -> list[np.ndarray]:
        keras.utils.set_random_seed(1)
        model, _ = headline()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(data, y if data is x else None, batch_size=64, shuffle=False, verbose=0)
        return model.get_weights()

    ahead = trained(x)
    assert team is runtime.team()
    assert len(done) == 7  # once for each step
    del done[:]
    # A generator is asked for its next batch when it is the batch's turn.
    asked = trained((x[i : i + 64], y[i : i + 64]) for i in range(0, len(x), 64))
    assert not done
    for one, other in zip(ahead, asked, strict=True):
        np.testing.assert_array_equal(one, other)


@WATCHES
def test_a_section_is_finished_whatever_happens_meanwhile(watch: int, monkeypatch) -> None:
    monkeypatch.setenv("PELLUCID_THREADS", "2")
    monkeypatch.setattr(runtime, "WATCH", watch)
    model, shape = headline()
    x = np.random.default_rng(4).normal(size=(64, *shape)).astype("f4")
    expected = model.predict_on_batch(x)
    plan = engine.plan_for(model.program(), 64)
    assert plan is not None
    launch, place, _, output = plan._direct
    plan._table[place.slot] = x.ctypes.data

    def interrupted() -> None:
        raise KeyboardInterrupt

    for _ in range(5):
        output[...] = 0
        with contextlib.suppress(KeyboardInterrupt):
            plan.team.run(launch, meanwhile=interrupted)
        np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("others", range(5), ids=lambda n: f"beside {n} jobs")
def test_nobody_goes_on_to_the_next_phase_before_all_of_this_one_is_done(others, threads) -> None:
    """One piece takes a tenth of a second; what the next phase makes of it must be there."""
    machine = target.host()
    schedule = Schedule(Module(machine.width))
    slow = schedule.place("slow", (1,), extent="whole")
    copies = schedule.place("copies", (8,), extent="whole")
    quick = [schedule.place(f"quick {k}", (1,), extent="whole") for k in range(others)]

    def work(f) -> None:
        x = f.arguments[0]
        with f.each(3_000_000):  # each waits for the one before
            x.put(x.get() + 1.0)

    def one(f) -> None:
        f.arguments[0].put(1.0)

    def copy(f) -> None:
        x, y, item, _ = f.arguments
        y.put(x.get(), item)

    schedule.add("", ("slow",), "item", [slow], [slow], work, count=lambda _: 1)
    for place in quick:
        schedule.add("", ("quick",), "item", [place], [place], one, count=lambda _: 1)
    schedule.add("", ("copy",), "item", [slow, copies], [copies], copy, count=lambda _: 8)
    (section,) = schedule.sections()
    assert len(section.phases) == 2
    emit_section(schedule.module, "run", section)
    runtime.provide_symbols()
    pointer = ctypes.c_void_p
    run = target.compile_module(schedule.module, machine).function(
        "run", pointer, pointer, ctypes.c_int64
    )
    memory = {place: np.zeros(16, np.float32) for place in schedule.places}
    table = np.array([memory[p].ctypes.data for p in schedule.places], np.uint64)
    control = control_of(section, 1, 1, threads)
    team = [
        threading.Thread(target=run, args=(table.ctypes.data, control.ctypes.data, k))
        for k in range(threads)
    ]
    for member in team:
        member.start()
    for member in team:
        member.join()
    assert memory[slow][0] == 3_000_000
    np.testing.assert_array_equal(memory[copies][:8], 3_000_000)


def nothing(f: Function) -> None:
    """Write no code."""


def test_chains_that_need_nothing_of_each_other_are_pieces_of_their_own() -> None:
    """Two sums of one image, and a light one that needs nothing: it goes with the first."""
    schedule = Schedule(Module(target.host().width))
    image = schedule.place("image", (4,))
    between = schedule.place("between", (4,))

    def add(name: str, read: Place, written: Place, macs: int) -> Job:
        places = [read, written]
        return schedule.add("", (name,), "sample", places, [written], nothing, macs=macs)

    def sums(name: str) -> Place:
        return schedule.place(name, (4,), extent="chunk")

    first = add("first", image, sums("a"), LIGHT)
    second = add("second", image, between, LIGHT)
    light = add("light", image, sums("b"), 0)
    third = add("third", between, sums("c"), 0)
    (section,) = schedule.sections()
    (phase,) = section.phases
    assert phase.chunked
    assert phase.chains == [[first, light], [second, third]]
    for threads in (1, 2):
        control = control_of(section, 20, 8, threads)
        assert control[PARTS] == 2 * 3  # two chains of three chunks
