"""Ledgers of random models: their terms make the number, and every gradient is the true slope."""

from __future__ import annotations

import math

import numpy as np
import pytest

from explain_models import KINDS, random_addresses, random_trace
from pellucid.explain.verification import finite_difference, rounding_scale
from pellucid.ops._registry import operations

SEEDS = range(60)


def _parts(ledger):
    return [part.expression for part in ledger._parts]


@pytest.mark.parametrize("ends", ["", "grad"])
def test_terms_recombine_to_the_recorded_number(ends):
    epsilon = float(np.finfo("float32").eps)
    cells = 0
    for seed in SEEDS:
        trace = random_trace(seed)
        for text in random_addresses(trace, np.random.default_rng(seed), 60, ends):
            ledger = trace[text]
            scale = max([abs(ledger.value), *map(rounding_scale, _parts(ledger))])
            allowed = epsilon * scale * (16 + 2 * math.sqrt(len(ledger.terms)))
            assert abs(ledger.total - ledger.value) <= allowed, f"seed {seed}: {ledger!r}"
            if ledger.how == "sum" and ledger.running:
                assert ledger.running[-1] == pytest.approx(ledger.total, abs=1e-9 * scale)
            assert ledger.value == trace.value(text)
            assert str(ledger.address) == text.replace("@0", "")
            cells += 1
    assert cells >= 3000


def test_random_models_have_every_operation():
    made = {t.operation for seed in SEEDS for t in random_trace(seed).addresses()}
    assert set(operations()) - made == set()


def test_gradients_agree_with_finite_differences():
    tight = 0
    for seed in SEEDS:
        trace = random_trace(seed, "float64")
        for text in random_addresses(trace, np.random.default_rng(seed), 25, "grad"):
            gradient = trace.value(text)
            slope = finite_difference(trace, trace.address(text).plain)
            size = max(abs(gradient), abs(slope.value))
            if not slope.smooth or slope.uncertainty > 1e-6 * max(size, 1e-5):
                continue
            tight += 1
            assert abs(gradient - slope.value) <= max(1e-5 * size, 4 * slope.uncertainty), (
                f"seed {seed}: {text} is {gradient}, numerically {slope}"
            )
    assert tight >= 1300


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_following_from_the_loss_reaches_inputs_and_weights(seed):
    trace = random_trace(seed)
    open_ = [trace.address("loss")]
    reached: dict[str, set] = {}
    for address in open_:
        for following in trace[address].addresses:
            of_tensor = reached.setdefault(following.tensor, set())
            if len(of_tensor) < 300 and following not in of_tensor:
                of_tensor.add(following)
                open_.append(following)
    wanted = {
        tensor.name
        for tensor in trace.addresses()
        if tensor.kind in ("input", "weight")
        and "grad" in tensor.quantities
        and np.any(trace.array(f"{tensor.name}.grad"))
    }
    assert wanted <= set(reached)


@pytest.mark.parametrize("seed", SEEDS)
def test_following_gradients_leads_to_the_loss(seed):
    trace = random_trace(seed)
    for text in random_addresses(trace, np.random.default_rng(seed), 10, "grad"):
        ledger = trace[text]
        while any(term.main for term in ledger.terms):
            ledger = ledger.follow()
        is_nothing = ledger.value == 0  # the loss does not depend on it
        assert str(ledger.address) == "loss.grad" or is_nothing
