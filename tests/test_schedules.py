import json

import numpy as np
import pytest

from pellucid.errors import ArgumentError, NameLookupError
from pellucid.optimizers import schedules
from pellucid.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

STEPS = np.array([0, 1, 3, 9, 10, 11, 19, 20, 21, 29, 30, 35, 69, 70, 71, 200])
FAMILY = [
    ExponentialDecay(0.1, 10, 0.9),
    ExponentialDecay(0.1, 10, 0.9, staircase=True),
    InverseTimeDecay(0.1, 10, 0.5),
    InverseTimeDecay(0.1, 10, 0.5, staircase=True),
    PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001]),
    PiecewiseConstantDecay([10], [0.1, 0.01]),
    PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0),
    PolynomialDecay(0.1, 20, cycle=True),
    CosineDecay(0.1, 20, alpha=0.1),
    CosineDecay(0.01, 20, warmup_target=0.1, warmup_steps=10),
    CosineDecay(0.0, 20, alpha=0.2, warmup_target=0.1, warmup_steps=10),
    CosineDecayRestarts(0.1, 10, m_mul=0.5, alpha=0.1),
    CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.9),
]


@pytest.mark.parametrize("schedule", FAMILY, ids=repr)
def test_follows_keras(schedule, keras_oracle):
    written = json.loads(json.dumps(schedules.serialize(schedule)))
    arrays = {"steps": STEPS}
    theirs, _ = keras_oracle.ask("ask_training.schedule", arrays, schedule=written)
    again = schedules.deserialize(written)
    ours = [again(int(step)) for step in STEPS]
    np.testing.assert_allclose(ours, theirs["rates"], rtol=2e-5, atol=1e-8)


def test_by_hand():
    assert CosineDecay(0.1, 20)(10) == pytest.approx(0.05)
    warm = CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=10)
    assert [warm(s) for s in (0, 5, 10, 20, 30, 99)] == pytest.approx(
        [0, 0.05, 0.1, 0.05, 0, 0], abs=1e-12
    )
    again = CosineDecayRestarts(0.1, 10, m_mul=0.5)
    assert [again(s) for s in (0, 10, 30, 70)] == pytest.approx([0.1, 0.05, 0.025, 0.0125])
    assert PolynomialDecay(0.1, 20, 0.0)(5) == pytest.approx(0.075)


def test_misuse_is_refused():
    for make in (
        lambda: ExponentialDecay(0.1, 0, 0.9),
        lambda: CosineDecay(0.1, -1),
        lambda: PolynomialDecay(0.1, 0),
        lambda: CosineDecayRestarts(0.1, 0),
        lambda: CosineDecayRestarts(0.1, 10, t_mul=0.5),
        lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]),
        lambda: PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]),
    ):
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(NameLookupError):
        schedules.deserialize({"class_name": "StepDecay", "config": {}})
