"""Constraints: their formulas, written down as Keras does, in training and in its account."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import pellucid as keras
from pellucid import constraints
from pellucid.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from pellucid.errors import ArgumentError, NameLookupError, ShapeError

W = np.random.default_rng(0).standard_normal((3, 3, 2, 4)).astype("float32")
FAMILY = [
    MaxNorm(1.5, [0, 1, 2]),
    MaxNorm(0.5),
    UnitNorm(-1),
    MinMaxNorm(2.0, 2.5, 0.5, (0, 1)),
    NonNeg(),
]


def norms(w, axis):
    return np.sqrt((w**2).sum(tuple(axis) if isinstance(axis, list) else axis))


def test_what_is_allowed_is_left_and_what_is_not_is_brought_back():
    before, after = norms(W, [0, 1, 2]), norms(MaxNorm(4.0, [0, 1, 2])(W), [0, 1, 2])
    assert (before > 4).any()
    assert (before < 4).any()
    np.testing.assert_allclose(after, np.minimum(before, 4), rtol=1e-6)
    np.testing.assert_allclose(norms(UnitNorm(1)(W), 1), 1, rtol=1e-6)
    moved = norms(MinMaxNorm(2.0, 2.5, 0.25, axis=0)(W), 0)
    expected = 0.25 * norms(W, 0).clip(2, 2.5) + 0.75 * norms(W, 0)
    np.testing.assert_allclose(moved, expected, rtol=1e-6)
    assert np.array_equal(NonNeg()(W), W.clip(0))
    for constraint in FAMILY:
        assert constraint(W).dtype == np.float32
        assert constraint(np.zeros_like(W)).any() is np.False_


@pytest.mark.parametrize("made", FAMILY, ids=repr)
def test_written_down_as_keras_does(made):
    written = json.loads(json.dumps(constraints.serialize(made)))
    assert (written["module"], written["registered_name"]) == ("keras.constraints", None)
    again = constraints.deserialize(written)
    assert type(again) is type(made)
    assert np.array_equal(again(W), made(W))


def test_found_by_name():
    assert constraints.get(None) is None
    for name, cls in [("max_norm", MaxNorm), ("NonNeg", NonNeg), ("unit_norm", UnitNorm)]:
        assert type(constraints.get(name)) is cls
    assert keras.constraints.max_norm is MaxNorm
    with pytest.raises(NameLookupError, match="non_neg"):
        constraints.get("nonneg_")


def test_misuse_is_refused():
    for make in (lambda: MaxNorm(-1), lambda: MinMaxNorm(rate="much"), lambda: MaxNorm(np.inf)):
        with pytest.raises(ArgumentError, match="at least 0"):
            make()
    with pytest.raises(ArgumentError, match="axis must be"):
        UnitNorm("rows")
    with pytest.raises(ShapeError, match=r"UnitNorm\(axis=4\): weights of shape"):
        UnitNorm(4)(W)


class AtMostATenth(Constraint):
    def __call__(self, w):
        return np.clip(w, -0.1, 0.1)


def model():
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, kernel_constraint=MaxNorm(0.5, [0, 1, 2]), name="conv"),
            layers.Flatten(),
            layers.Dense(2, kernel_constraint=AtMostATenth(), bias_constraint="non_neg", name="d"),
        ]
    )


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(0.1, clipnorm=1.0)], ids=str)
def test_weights_keep_to_them_while_training(engine, optimizer):
    built = model()
    built.compile(copy.deepcopy(optimizer), "mse", engine=engine)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 6, 6, 1)), rng.normal(size=(40, 2)) * 5
    expected = keras.explain(built, x[:8], y[:8], training=True)
    new = {
        name: expected.array(f"{name}.updated") for name in ("conv.kernel", "d.kernel", "d.bias")
    }
    built.train_on_batch(x[:8], y[:8])
    for name, array in new.items():
        layer, weight = name.split(".")
        np.testing.assert_allclose(
            getattr(built.get_layer(layer), weight).value, array, rtol=1e-5, atol=1e-7
        )
    built.fit(x, y, epochs=3, verbose=0)
    conv, dense = built.get_layer("conv"), built.get_layer("d")
    assert (norms(conv.kernel.value, [0, 1, 2]) <= 0.5 + 1e-6).all()
    assert np.abs(dense.kernel.value).max() == np.float32(0.1)
    assert (dense.bias.value >= 0).all()


@pytest.mark.parametrize("address", ["conv.kernel[0,1,0,2]", "d.kernel[3,1]", "d.bias[0]"])
def test_the_account_of_a_weight_that_is_brought_back(address):
    built = model()
    built.compile(keras.optimizers.SGD(0.5), "mse")
    rng = np.random.default_rng(0)
    trace = keras.explain(built, rng.normal(size=(4, 6, 6, 1)), rng.normal(size=(4, 2)) * 5)
    ledger = trace[f"{address}.updated"]
    assert ledger.verify().passed
    assert ledger.value == pytest.approx(ledger.total, rel=1e-5)
    kind = {"conv": "max_norm factor", "d.k": "at_most_a_tenth(", "d.b": "non_neg("}
    name = next(value for start, value in kind.items() if address.startswith(start))
    assert name in ledger.formula
    assert "stepped" in ledger.formula
    assert ledger.definitions
