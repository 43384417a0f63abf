import random
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import numpy as np
import pytest

from pellucid.errors import ArgumentError, TypeMismatchError
from pellucid.random import (
    generator,
    get_seed,
    get_state,
    next_generator,
    seeded,
    seeded_generator,
    set_random_seed,
    set_state,
)

FROZEN = [2881573260, 2307379572, 3575919977]


@pytest.fixture(autouse=True)
def _seed():
    set_random_seed(5)


def test_a_key_gives_the_same_numbers_whatever_was_drawn_before():
    first = generator("dropout", 3, 17).random(4)
    next_generator().random(100)
    generator("shuffle", 3).random(7)
    assert np.array_equal(generator("dropout", 3, 17).random(4), first)
    assert np.array_equal(generator("dropout", np.int64(3), 17).random(4), first)


def test_other_keys_and_seeds_give_other_numbers():
    keys = [(), ("a",), ("b",), ("ab",), ("a", "b"), (1,), ("1",), (1, 1), (11,), (-1,), (2**80,)]
    drawn = [generator(*key).random() for key in keys]
    set_random_seed(6)
    drawn += [generator(*key).random() for key in keys]
    assert len(set(drawn)) == len(drawn)


def test_the_numbers_are_the_same_in_every_process_and_version():
    # a model trained with a seed must stay repeatable
    assert seeded_generator(1, "x", 2).integers(0, 2**32, 3).tolist() == FROZEN


def test_the_row_of_generators_goes_on_from_a_saved_state():
    next_generator()
    state = get_state()
    drawn = [next_generator().random() for _ in range(3)]
    set_random_seed(99)
    set_state(state)
    assert get_seed() == 5
    assert [next_generator().random() for _ in range(3)] == drawn
    assert len(set(drawn)) == 3


def test_python_and_numpy_are_seeded_too():
    set_random_seed(8)
    first = random.random(), np.random.random()
    set_random_seed(8)
    assert (random.random(), np.random.random()) == first


def test_a_seed_that_was_never_set_is_drawn_once_and_reported(monkeypatch):
    nothing = {}
    monkeypatch.setattr("pellucid.random._state", ContextVar("state", default=nothing))
    seed = get_seed()
    assert get_seed() == seed
    first = generator("x").random()
    set_random_seed(seed)
    assert generator("x").random() == first


def test_a_seed_for_a_while_leaves_all_others_alone():
    before = get_state(), random.getstate(), np.random.get_state()[1].tolist()
    with seeded(11):
        inside = next_generator().random(), get_seed()
    with seeded(11), ThreadPoolExecutor(1) as other_thread:
        assert other_thread.submit(get_seed).result() == 5
        assert (next_generator().random(), get_seed()) == inside
    assert (get_state(), random.getstate(), np.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ArgumentError, match="from 0 to 4294967295"):
        set_random_seed(seed)


def test_other_misuse_is_refused():
    with pytest.raises(TypeMismatchError, match="whole numbers or text"):
        generator(1.5)
    for state in ({"seed": 1}, {"seed": 1, "count": -1}, {"seed": "1", "count": 0}):
        with pytest.raises(ArgumentError, match="seed"):
            set_state(state)
