"""Batches: from arrays, sequences and generators, and from data sets made of these."""

import threading

import numpy as np
import pytest

from pellucid.data import ArrayDataset, Dataset, IterableDataset, SequenceDataset, as_dataset
from pellucid.data.dataset import shuffled_order
from pellucid.errors import ArgumentError, DataError


def labels(dataset, epoch=0):
    return [batch[1].tolist() for batch in dataset.batches(epoch)]


def numbered(count=10, **options):
    return ArrayDataset(np.arange(count) * 10, np.arange(count), **options)


def test_unshuffled_batches_are_views_in_order():
    x = np.arange(20, dtype=np.uint8).reshape(10, 2)
    batches = list(ArrayDataset(x, batch_size=4).batches())
    assert [len(batch[0]) for batch in batches] == [4, 4, 2]
    assert all(batch[0].base is x.base and batch[0].dtype == np.uint8 for batch in batches)


def test_the_order_depends_on_seed_and_epoch_alone():
    first, again = numbered(50, shuffle=True, seed=1), numbered(50, shuffle=True, seed=1)
    list(first.batches(0))
    assert labels(first, 3) == labels(again, 3)
    assert labels(first, 3) != labels(first, 4)
    assert labels(first, 3) != labels(numbered(50, shuffle=True, seed=2), 3)
    assert sorted(np.concatenate(labels(first, 3))) == list(range(50))
    for x, y in first.batches(5):
        np.testing.assert_array_equal(x, y * 10)


def test_the_order_is_the_same_for_ever():
    assert shuffled_order(8, seed=7, epoch=2).tolist() == [6, 7, 4, 0, 1, 5, 3, 2]
    assert shuffled_order(8, seed=-1, epoch=0).size == 8


def test_every_place_is_equally_likely():
    counts = np.zeros((5, 5))
    for epoch in range(2000):
        counts[np.arange(5), shuffled_order(5, 0, epoch)] += 1
    # χ² with 16 degrees of freedom is below 39 with probability 0.999.
    assert ((counts - 400) ** 2 / 400).sum() < 39


def test_a_loop_over_a_data_set_goes_on_to_the_next_epoch():
    dataset = numbered(20, shuffle=True)
    first, second = ([y.tolist() for _, y in dataset] for _ in range(2))
    assert first == labels(dataset, 0)
    assert second == labels(dataset, 1)
    assert isinstance(next(iter(ArrayDataset(np.ones(3)))), np.ndarray)


def test_several_inputs_and_weights():
    x = {"a": np.ones((6, 2)), "b": [np.zeros((6, 3)), np.zeros(6)]}
    dataset = ArrayDataset(x, [np.arange(6)], np.ones(6), batch_size=4)
    inputs, targets, weights = next(dataset.batches())
    assert inputs["a"].shape == (4, 2)
    assert inputs["b"][0].shape == (4, 3)
    assert targets[0].tolist() == [0, 1, 2, 3]
    assert weights.shape == (4,)
    assert dataset.input_shape == {"a": (2,), "b": [(3,), ()]}


def test_plain_lists_and_anything_numpy_takes():
    class Frame:  # as pandas' DataFrame: has items, a length and __array__
        def __getitem__(self, key):
            raise KeyError(key)

        def __len__(self):
            return 3

        def __array__(self, dtype=None, copy=None):
            return np.eye(3)

    assert ArrayDataset([[1, 2], [3, 4]], [0, 1]).input_shape == (2,)
    assert len(ArrayDataset([[1], [2]], list(np.arange(2))).arrays[1]) == 2
    assert as_dataset(Frame(), [1, 2, 3]).input_shape == (3,)


@pytest.mark.parametrize(
    ("parts", "hint"),
    [
        ((np.ones(3), np.ones(4)), "as many samples"),
        (({"a": np.ones(3), "b": np.ones(2)},), "as many samples"),
        ((np.ones((0, 3)),), "empty"),
        ((np.array(["a", "b"]),), "whole numbers"),
        ((np.array([object()]),), "expected numbers"),
        (([[1, 2], [3]],), "equal length"),
        ((np.float32(3),), "sample axis"),
    ],
)
def test_arrays_that_do_not_fit(parts, hint):
    with pytest.raises(DataError, match=hint):
        ArrayDataset(*parts)


def test_options_that_cannot_be():
    with pytest.raises(ArgumentError):
        ArrayDataset(np.ones(3), batch_size=0)
    with pytest.raises(ArgumentError, match="whole number"):
        ArrayDataset(np.ones(3), batch_size="8")
    with pytest.raises(ArgumentError):
        as_dataset(np.ones(3), batch_size=0)
    with pytest.raises(ArgumentError, match="text 'mnist'"):
        as_dataset("mnist")
    with pytest.raises(ArgumentError):
        ArrayDataset(np.ones(3), None, np.ones(3))
    with pytest.raises(ArgumentError):
        as_dataset(iter([]), np.ones(3))
    with pytest.raises(ArgumentError):
        as_dataset(7)


def test_validate_names_the_first_number_that_is_none():
    x = np.zeros((3000, 700), np.float32)
    x[2500, 3] = np.inf
    with pytest.raises(DataError, match=r"x\[2500, 3\] is inf"):
        ArrayDataset(x).validate()
    with pytest.raises(DataError, match=r"x\[1\] is 1e\+300.*float32"):
        ArrayDataset(np.array([1.0, 1e300])).validate()
    ArrayDataset(np.zeros((3, 2)), np.arange(3)).validate()


def test_first_and_select():
    dataset = numbered(10, shuffle=True, batch_size=3).first(4)
    assert sorted(np.concatenate(labels(dataset))) == [0, 1, 2, 3]
    assert labels(numbered().select(np.array([5, 2]))) == [[5, 2]]
    assert numbered().map(lambda x, y: (x, -y)).first(2).sample_count == 2
    with pytest.raises(ArgumentError, match="take"):
        IterableDataset([np.ones(2)]).first(1)


# ---- sequences and generators


class Pages:
    def __init__(self):
        self.ends = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.full((2, 3), index), np.full(2, index)

    def on_epoch_end(self):
        self.ends += 1


def test_a_sequence_of_batches():
    pages = Pages()
    dataset = as_dataset(pages)
    assert isinstance(dataset, SequenceDataset)
    assert len(dataset) == 4
    assert [y[0] for _, y in dataset.batches()] == [0, 1, 2, 3]
    assert pages.ends == 1
    shuffled = as_dataset(pages, shuffle=True, seed=3)
    orders = [[int(y[0]) for _, y in shuffled.batches(epoch)] for epoch in range(6)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(set(map(tuple, orders))) > 1


def batches_for_ever():
    index = 0
    while True:
        yield np.full((2, 3), index), np.full(2, index)
        index += 1


def test_a_generator_goes_on_where_it_stopped():
    dataset = as_dataset(batches_for_ever(), steps=3)
    assert dataset.input_shape == (3,)
    assert [y[0] for _, y in dataset.batches(0)] == [0, 1, 2]
    assert [y[0] for _, y in dataset.batches(1)] == [3, 4, 5]
    assert len(dataset) == 3


def test_a_generator_that_ends():
    dataset = as_dataset(iter([np.ones(2)]))
    with pytest.raises(TypeError):
        len(dataset)
    assert dataset
    assert len(list(dataset.batches(0))) == 1
    with pytest.raises(DataError, match="ended in an earlier epoch, after 1 batches"):
        list(dataset.batches(1))
    with pytest.raises(DataError, match="after 1 batches; an epoch was to have 5"):
        list(as_dataset(iter([np.ones(2)]), steps=5).batches())


def test_a_function_makes_a_new_generator_for_every_epoch():
    dataset = as_dataset(lambda: iter([(np.ones(2), np.zeros(2))]))
    for epoch in range(2):
        assert len(list(dataset.batches(epoch))) == 1


@pytest.mark.parametrize(
    "item",
    [(), (1, 2, 3, 4), (None, np.ones(2)), (np.ones(3), np.ones(2)), (np.float64(1),)],
)
def test_a_generator_that_gives_no_batch(item):
    with pytest.raises(DataError, match="Batch 0 of epoch 1"):
        list(as_dataset(lambda: iter([item])).batches())


def test_parts_that_are_none_at_the_end_are_left_out():
    (batch,) = as_dataset(iter([(np.ones(2), None, None)])).batches()
    assert len(batch) == 1


# ---- data sets of data sets


def test_map_take_skip_cache_shuffle():
    base = numbered(10, batch_size=2)
    assert labels(base.map(lambda x, y: (x, y + 100)).take(1)) == [[100, 101]]
    assert labels(base.skip(4)) == [[8, 9]]
    assert [len(d) for d in (base.take(2), base.take(99), base.take(-1), base.skip(2))] == [
        2, 5, 5, 3,
    ]  # fmt: skip
    calls = []
    cached = base.map(lambda *batch: (calls.append(1), batch)[1]).cache()
    for epoch in range(3):
        assert labels(cached, epoch) == labels(base)
    assert len(calls) == 5
    mixed = base.shuffle(3, seed=1)
    assert sorted(labels(mixed)) == labels(base)
    assert labels(mixed, 0) == labels(mixed, 0)
    assert any(labels(mixed, epoch) != labels(base) for epoch in range(4))


def test_map_of_the_input_alone():
    dataset = ArrayDataset(np.arange(4), batch_size=2).map(lambda x: x * 2)
    assert [x.tolist() for x in dataset] == [[0, 2], [4, 6]]
    with pytest.raises(DataError, match="map"):
        list(numbered().map(lambda x, y: (x, y, x, y)).batches())


def test_names_and_sizes_pass_through():
    dataset = numbered(10, batch_size=4)
    dataset.class_names = ["a"]
    for derived in (dataset.map(lambda x, y: (x, y)), dataset.prefetch(), dataset.cache()):
        assert derived.class_names == ["a"]
        assert (len(derived), derived.sample_count, derived.batch_size) == (3, 10, 4)


def test_prefetch_gives_the_same_and_reads_only_so_far_ahead():
    drawn = []

    def source():
        for index in range(100):
            drawn.append(index)
            yield np.full(2, index)

    ahead = iter(as_dataset(source).prefetch(3).batches())
    assert next(ahead)[0][0] == 0
    ahead.close()
    assert len(drawn) <= 6
    assert labels(numbered(50, shuffle=True).prefetch(), 2) == labels(numbered(50, shuffle=True), 2)
    assert not [t for t in threading.enumerate() if t.name == "pellucid-prefetch"]


def test_prefetch_raises_what_its_source_raises():
    def source():
        yield np.ones(2)
        raise DataError("the disk is gone")

    ahead = as_dataset(source).prefetch().batches()
    next(ahead)
    with pytest.raises(DataError, match="the disk is gone"):
        next(ahead)


def test_an_empty_data_set_has_no_spec():
    with pytest.raises(DataError, match="empty"):
        _ = as_dataset(iter([])).element_spec
    with pytest.raises(NotImplementedError):
        Dataset().batches()
