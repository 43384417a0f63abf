"""Random models, compiled: the reference's numbers, and not a byte written outside the buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers

pytest.importorskip("llvmlite")

from pellucid.compiler import compiled as compiling
from pellucid.compiler import plan as plans
from pellucid.compiler import runtime

GUARD = 4096
"""Bytes before and after every buffer that nothing may write to."""
MARK = 0xAB
KINDS = (
    *("conv", "conv", "conv", "depthwise", "pool", "norm", "act", "pad", "add", "join", "drop"),
    *("crop", "up", "scale"),
)


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay guards around all buffers, and look at them after every run."""
    guards: list[tuple[np.ndarray, int, int]] = []

    def lay_out(sizes: Any) -> tuple[np.ndarray, list[int]]:
        total = GUARD + sum(-(-size // 64) * 64 + GUARD for size in sizes)
        raw = np.full(total + 64, MARK, np.uint8)
        memory, offsets, end = raw[-raw.ctypes.data % 64 :], [], 0
        for size in sizes:
            offsets.append(-(-end // 64) * 64 + GUARD)
            guards.append((memory, end, offsets[-1]))
            end = offsets[-1] + size
            memory[offsets[-1] : end] = 0
        guards.append((memory, end, total))
        return memory, offsets

    run = runtime.Team.run

    def checked_run(self: Any, launch: Any, **arguments: Any) -> None:
        run(self, launch, **arguments)
        for memory, begin, end in guards:
            assert (memory[begin:end] == MARK).all(), f"written to the guard from {begin} to {end}"

    for module in (plans, compiling):
        monkeypatch.setattr(module, "lay_out", lay_out)
    monkeypatch.setattr(runtime.Team, "run", checked_run)


def random_model(seed: int) -> keras.Model:
    """A random graph of up to nine layers over an image, ending in class probabilities."""
    rng = np.random.default_rng(seed)

    def pick(*options: Any) -> Any:
        return options[rng.integers(len(options))]

    side = (int(rng.integers(5, 12)), int(rng.integers(5, 12)), int(pick(1, 2, 3, 5, 17)))
    x = image = keras.Input(side)
    earlier: list[Any] = []
    for _ in range(rng.integers(2, 7)):
        height, width, channels = x.shape[1:]
        small = min(height, width) < 4
        kind = pick(*KINDS)
        if kind == "conv":
            groups = channels if rng.random() < 0.1 else 1
            x = layers.Conv2D(
                int(pick(1, 3, 8, 16, 20)) * groups if groups < 5 else groups,
                (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if not small else 1,
                strides=pick(1, 1, 2),
                padding=pick("valid", "same", "same"),
                groups=groups,
                use_bias=bool(rng.integers(2)),
                activation=pick(None, "relu", "tanh", "gelu"),
            )(x)
        elif kind == "depthwise":
            x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=int(pick(1, 2)))(x)
        elif kind == "pool" and not small:
            layer = pick(layers.MaxPooling2D, layers.AveragePooling2D)
            x = layer(pick(2, 3, (1, 2)), strides=pick(None, 1), padding=pick("valid", "same"))(x)
        elif kind == "norm":
            x = pick(layers.BatchNormalization, layers.LayerNormalization)()(x)
        elif kind == "act":
            x = layers.Activation(pick("relu", "silu", "elu", "softplus", "hard_sigmoid"))(x)
        elif kind == "pad":
            x = layers.ZeroPadding2D(((1, 0), (0, 2)))(x)
        elif kind == "crop" and not small:
            x = layers.Cropping2D(((1, 0), (0, 1)))(x)
        elif kind == "up" and max(height, width) < 9:
            x = layers.UpSampling2D(2, interpolation=pick("nearest", "bilinear"))(x)
        elif kind == "scale":
            x = layers.Rescaling(0.5, offset=0.1)(x)
        elif kind == "drop":
            x = layers.Dropout(0.3)(x)
        elif kind in ("add", "join"):
            same = [e for e in earlier if e.shape[1:3] == x.shape[1:3]]
            if kind == "add":
                same = [e for e in same if e.shape == x.shape]
            if same:
                merge = layers.Concatenate() if kind == "join" else layers.Add()
                x = merge([x, pick(*same)])
        earlier.append(x)
    flat = pick(
        lambda t: layers.Flatten()(t),
        lambda t: layers.GlobalAveragePooling2D()(t),
        lambda t: layers.GlobalMaxPooling2D()(t),
        lambda t: layers.Concatenate()([layers.Flatten()(t), layers.GlobalMaxPooling2D()(t)]),
        lambda t: layers.BatchNormalization()(layers.Flatten()(t)),
        lambda t: layers.Flatten()(layers.Reshape((t.shape[2], t.shape[1] * t.shape[3]))(t)),
    )(x)
    if rng.random() < 0.5:
        flat = layers.Dense(int(pick(1, 7, 16, 33)), activation=pick("relu", "tanh"))(flat)
    return keras.Model(image, layers.Dense(int(pick(2, 3, 10, 17)), activation="softmax")(flat))


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("seed", range(40))
def test_random_models_train_as_the_reference_does(seed: int) -> None:
    batch = int(np.random.default_rng(seed).choice([1, 2, 5, 8, 33]))
    found = []
    for engine in ("auto", "reference"):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        model = random_model(seed)
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            "sparse_categorical_crossentropy",
            engine=engine,
        )
        rng = np.random.default_rng(seed)
        x = rng.random((batch, *model.input_shape[1:]), "f4")
        y = rng.integers(0, model.output_shape[-1], batch)
        losses = [model.train_on_batch(x, y) for _ in range(3)]
        found.append([np.array(losses), model.predict_on_batch(x), *model.get_weights()])
    for compiled, expected in zip(*found, strict=True):
        scale = np.abs(expected).max() + 1e-3
        np.testing.assert_allclose(compiled / scale, expected / scale, atol=2e-3)
