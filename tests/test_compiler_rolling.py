"""Kernels that go through large images together: the bits are those of one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers

pytest.importorskip("llvmlite")
from pellucid.compiler import engine, rolling
from pellucid.compiler.kernels import _tiles, conv2d


def network(height: int, window: dict[str, object], second: dict[str, object]) -> keras.Model:
    """Windows between pointwise convolutions; the image after them is read twice."""
    image = keras.Input((height, 56, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.Conv2D(20, 1, activation="relu")(x)
    x = layers.DepthwiseConv2D(**window, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(12, 1)(x)
    x = layers.Conv2D(9, **second, activation="relu", name="shared")(x)
    y = layers.Conv2D(7, 1)(x)
    x = layers.DepthwiseConv2D(2, padding="same")(x)
    x = layers.Add()([layers.Conv2D(7, 1)(x), y])
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


SAME = {"padding": "same"}
CASES = [
    (23, {"kernel_size": 3, **SAME}, {"kernel_size": 3, **SAME}),
    (40, {"kernel_size": 5, "strides": 2, **SAME}, {"kernel_size": (1, 3)}),
    (31, {"kernel_size": (3, 2)}, {"kernel_size": (2, 1), "strides": 2}),
    (37, {"kernel_size": 3, "dilation_rate": 2, **SAME}, {"kernel_size": 1, "strides": 3}),
    (26, {"kernel_size": 2, "strides": 3, **SAME}, {"kernel_size": 2}),
]


@pytest.mark.parametrize(("height", "window", "second"), CASES)
@pytest.mark.parametrize(("step", "repeated"), [(1, 5.0), (3000, 0.5), (10**9, 0.1)])
def test_rows_have_the_bits_of_whole_images(
    height: int,
    window: dict[str, object],
    second: dict[str, object],
    step: int,
    repeated: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_tiles, "PART", 1)
    keras.utils.set_random_seed(1)
    model = network(height, window, second)
    x = np.random.default_rng(0).standard_normal((5, height, 56, 3)).astype("f4")
    whole = model.predict_on_batch(x)
    compiled = engine.plan_for(model.program(), 5).compiled  # type: ignore[union-attr]  # it is one
    assert not any(job.members for job in compiled.schedule.jobs)

    for module in (rolling, conv2d):
        monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(rolling, "STEP", step)
    monkeypatch.setattr(rolling, "REPEATED", repeated)
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("PELLUCID_THREADS", threads)
        model.program().kept.clear()
        model.compile()
        np.testing.assert_array_equal(model.predict_on_batch(x), whole)
        single = np.concatenate([model.predict_on_batch(x[k : k + 1]) for k in range(5)])
        np.testing.assert_array_equal(single, whole)
    compiled = engine.plan_for(model.program(), 1).compiled  # type: ignore[union-attr]  # it is one
    together = [job for job in compiled.schedule.jobs if job.members]
    assert together
    for job in together:
        inner = [rows for member in job.members[1:] if (rows := member.rows)]
        assert len(inner) == len(job.members) - 1
        assert sum(rows.reach > rows.stride for rows in inner) <= 1
    # What others read too is no image between two kernels of a set.
    read_twice = [p for p in compiled.schedule.places if p.name.startswith("shared")]
    assert all(job.writes[0] is p or p not in job.writes for job in together for p in read_twice)
    assert "by rows" in model.plan(1, measure=False)


def test_large_images_alone_are_rolled() -> None:
    def sets(side: int) -> list[str]:
        image = keras.Input((side, side, 16))
        x = layers.Conv2D(96, 1)(image)
        x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
        model = keras.Model(image, layers.Conv2D(24, 1)(x))
        plan = engine.plan_for(model.program(), 1)
        assert plan is not None
        return [job.layer for job in plan.compiled.schedule.jobs if job.members]

    assert len(sets(112)) == 1
    assert not sets(28)
