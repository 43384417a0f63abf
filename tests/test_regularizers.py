import json

import numpy as np
import pytest

from pellucid import regularizers
from pellucid.errors import ArgumentError, NameLookupError
from pellucid.regularizers import L1, L1L2, L2

W = np.random.default_rng(0).standard_normal((3, 3, 2, 4))


def test_the_penalties_are_their_formulas():
    assert L1(0.5)(W) == pytest.approx(0.5 * np.abs(W).sum())
    assert L2(0.25)(W) == pytest.approx(0.25 * (W**2).sum())
    assert L1L2(0.5, 0.25)(W) == pytest.approx(L1(0.5)(W) + L2(0.25)(W))
    assert L2()(W) == pytest.approx(0.01 * (W**2).sum())
    assert L1L2()(W) == 0.0


@pytest.mark.parametrize("made", [L1(0.1), L2(0.1), L1L2(0.1, 0.2)])
def test_gradients_are_those_of_the_penalty(made):
    operation = made.operation()
    gradient, *_ = operation.backward(np.ones(()), operation.forward(W), W)
    step = 1e-6 * np.random.default_rng(1).standard_normal(W.shape)
    assert (gradient * step).sum() == pytest.approx((made(W + step) - made(W - step)) / 2, rel=1e-5)


@pytest.mark.parametrize("made", [L1(0.1), L2(0.1), L1L2(0.1, 0.2)])
def test_written_down_as_keras_does(made):
    written = json.loads(json.dumps(regularizers.serialize(made)))
    assert (written["module"], written["registered_name"]) == ("keras.regularizers", None)
    again = regularizers.deserialize(written)
    assert type(again) is type(made)
    assert again(W) == made(W)


def test_configs_are_keras_own():
    assert L1().get_config() == {"l1": 0.009999999776482582}
    assert L2().get_config() == {"l2": 0.01}
    assert L1L2(None, 0.5).get_config() == {"l1": 0.0, "l2": 0.5}


def test_found_by_name():
    assert regularizers.get(None) is None
    for name, cls in [("l1", L1), ("L2", L2), ("l1_l2", L1L2), ("l1l2", L1L2), (L2, L2)]:
        assert type(regularizers.get(name)) is cls
    with pytest.raises(NameLookupError, match="l1"):
        regularizers.get("l3")


@pytest.mark.parametrize("strength", [-0.1, np.nan, np.inf, "much"])
def test_a_strength_that_is_none_is_refused(strength):
    for make in (L1, L2, L1L2):
        with pytest.raises(ArgumentError, match="at least 0"):
            make(strength)
