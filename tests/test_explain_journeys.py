"""Paths, receptive fields, what-ifs, and a convolution's input gradient both ways."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import pellucid
from explain_models import KINDS, random_trace
from pellucid import layers
from pellucid.errors import ArgumentError, NameLookupError
from pellucid.explain import explain
from pellucid.explain.paths import all_paths


def _model(*parts, seed=5):
    pellucid.utils.set_random_seed(seed)
    return pellucid.Sequential(list(parts))


@pytest.fixture(scope="module")
def trace():
    model = _model(
        layers.Input((8, 8, 1)),
        layers.Conv2D(3, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(name="pool"),
        layers.Conv2D(4, 2, activation="relu", name="conv2"),
        layers.Flatten(name="flatten"),
        layers.Dense(4, activation="softmax", name="dense"),
    )
    x = np.random.default_rng(2).random((2, 8, 8, 1))
    return explain(model, x, [1, 3], class_names=["a", "b", "c", "d"])


SMALL = {
    "convolution": lambda x: layers.Dense(2, activation="softmax")(
        layers.Flatten()(
            layers.MaxPooling2D((2, 1), strides=1)(layers.Conv2D(2, 2, activation="relu")(x))
        )
    ),
    "residual": lambda x: layers.Dense(1)(
        layers.GlobalAveragePooling2D()(
            layers.Add()([x, layers.Conv2D(1, 3, padding="same", activation="tanh")(x)])
        )
    ),
    "normalised": lambda x: layers.Dense(1, activation="sigmoid")(
        layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(1, 2, strides=2)(x)))
    ),
    "transposed": lambda x: layers.GlobalMaxPooling2D()(
        layers.Conv2DTranspose(2, 2, activation="elu")(layers.AveragePooling2D(2)(x))
    ),
    "shared": lambda x: layers.Flatten()(
        (twice := layers.Conv2D(1, 2, padding="same", activation="tanh"))(twice(x))
    ),
    "merged": lambda x: layers.Dense(2)(
        layers.Flatten()(
            layers.Concatenate()([layers.Multiply()([x, x]), layers.UpSampling2D(1)(x)])
        )
    ),
    "dropped": lambda x: layers.Dense(2)(layers.Dropout(0.5)(layers.Flatten()(x))),
}


@pytest.mark.parametrize("kind", SMALL)
def test_products_along_all_paths_add_up_to_the_gradient(kind):
    pellucid.utils.set_random_seed(3)
    inputs = layers.Input((3, 3, 1))
    model = pellucid.Model(inputs, SMALL[kind](inputs))
    generator = np.random.default_rng(3)
    target = None if kind == "convolution" else np.ones((2, *model.output_shape[1:]))
    x = generator.normal(size=(2, 3, 3, 1))
    trace = explain(model, x, target, training=True, dtype="float64")
    loss = trace.address("loss")
    starts = ["input[0,0,0]", "input@1[1,2,0]", "input[2,2,0]"]
    starts += [
        t.example for t in trace.addresses() if "grad" in t.quantities and t.kind == "weight"
    ]
    for start in starts:
        found = list(all_paths(trace, trace.address(start), loss))
        gradient = trace.value(f"{start}.grad")
        total = math.fsum(product for _, product in found)
        size = math.fsum(abs(product) for _, product in found)
        assert abs(total - gradient) <= 1e-12 * max(size, 1e-3), start
        assert all(path[-1] == loss for path, _ in found)


def test_path_from_a_pixel_to_the_loss(trace):
    path = trace.path("input[4,3,0]", "loss")
    operations = [step.operation for step in path.steps]
    assert operations == [
        *("conv2d", "activation", "max_pool2d", "conv2d", "activation"),
        *("flatten", "dense", "softmax_cross_entropy", "weighted_mean"),
    ]
    assert path.gradient == pytest.approx(trace.value("input[4,3,0].grad"))
    notes = [step.note for step in path.steps]
    assert notes[1] == "gate open"
    assert notes[2] == "winner"
    for before, step in zip(path.addresses, path.steps, strict=False):
        assert step.source == before
        assert step.value == trace.value(step.target)
    products = {step.operation: step.contribution for step in path.steps}
    first = path.steps[0]
    assert first.contribution == pytest.approx(trace.value(first.source) * first.slope)
    assert products["weighted_mean"] == pytest.approx(trace.value(path.addresses[-2]) / 2)
    assert [str(a) for a in path.backward[:1]] == ["loss.grad"]
    assert json.loads(json.dumps(path.to_dict()))["steps"][0]["source"] == "input[4,3,0]"
    for address, following in zip(path.backward, path.backward[1:], strict=False):
        assert address in trace[following].addresses


def test_path_may_be_asked_for_from_the_end(trace):
    forward = trace.path("conv.kernel[0,0,0,1]", "loss")
    assert trace.path("loss", "conv.kernel[0,0,0,1]").addresses == forward.addresses
    assert trace.path("loss.grad", "conv.kernel[0,0,0,1].grad").addresses == forward.addresses


def test_path_shows_what_stands_in_the_way():
    model = _model(
        layers.Input((2, 2, 1)),
        layers.Conv2D(1, 1, use_bias=False, activation="relu", name="conv"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(),
        layers.Dense(1, name="dense"),
    )
    model.set_weights([np.ones((1, 1, 1, 1)), np.ones((1, 1)), np.zeros(1)])
    image = np.array([[1.0, 3.0], [3.0, -2.0]]).reshape(2, 2, 1)
    trace = explain(model, image, target=0.0)
    assert trace.path("input[0,1,0]").steps[2].note == "winner, tied"
    tied, loser, shut = (trace.path(f"input[{i},{j},0]") for i, j in ((1, 0), (0, 0), (1, 1)))
    assert tied.steps[2].note == "tie"
    assert tied.blocked == tied.steps[2]
    assert loser.blocked.note == "loser"
    assert shut.blocked.note == "gate shut"
    for path in (tied, loser, shut):
        assert path.gradient == path.product == 0
        assert path.addresses[-1] == trace.address("loss")


def test_no_path(trace):
    for a, b in (
        ("conv.output[0,0,0]", "conv.output[0,0,1]"),
        ("input[7,7,0]", "conv.output[0,0,0]"),
        ("input@1[0,0,0]", "losses"),
        ("conv.kernel[0,0,0,1]", "conv.output[0,0,0]"),
    ):
        with pytest.raises(ArgumentError, match="no path"):
            trace.path(a, b)


def _all_sources(trace, address):
    """Every address that a number was made from, by following every cell."""
    found = {address}
    for here in (open_ := [address]):
        for following in trace[here].addresses:
            if following not in found:
                found.add(following)
                open_.append(following)
    return found


@pytest.mark.parametrize("seed", range(0, 60, 2))
def test_receptive_field_is_what_following_finds(seed):
    trace = random_trace(seed)
    generator = np.random.default_rng(seed)
    results = [t for t in trace.addresses() if t.kind == "result" and t.shape]
    tensor = results[int(generator.integers(min(6, len(results))))]
    index = ",".join(str(generator.integers(n)) for n in tensor.shape)
    field = trace.receptive_field(f"{tensor.name}@1[{index}]")
    sources = _all_sources(trace, field.address)
    read = [a for a in sources if a.tensor == "input"]
    assert bool(read) == bool(field.inputs)
    if not read:
        return
    (of_input,) = field.inputs
    for axis, found in enumerate(of_input.axes):
        assert set(found) == {a.index[axis] for a in read}, f"axis {axis} of {field}"
    assert set(of_input.samples) == {a.sample for a in read}
    assert of_input.contributed <= of_input.count
    assert not np.any(of_input.gradient[~of_input.mask])


def test_receptive_field_of_two_convolutions(trace):
    (field,) = trace.receptive_field("conv2.output[1,0,1]").inputs
    assert field.ranges == ((2, 7), (0, 5), (0, 0))
    assert field.size == (6, 6, 1)
    assert field.count == 36
    assert 0 < field.contributed <= 36 or trace.value("conv2.output[1,0,1]") == 0
    assert json.loads(json.dumps(trace.receptive_field("dense.output[1]").to_dict()))


@pytest.mark.parametrize(
    ("text", "step"),
    [("input[4,3,0]", 1e-4), ("conv.kernel[1,1,0,2]", 1e-4), ("conv2.output[1,1,1]", 1e-4)],
)
def test_small_changes_are_as_predicted(trace, text, step):
    change = trace.change(text, trace.value(text) + step)
    assert change.actual == pytest.approx(change.predicted, rel=1e-2, abs=1e-9)
    assert change.loss_before == pytest.approx(trace.loss, rel=1e-6)


def test_change_reaches_what_is_downstream_and_nothing_else(trace):
    change = trace.change("input@1[4,3,0]", 0.9)
    changed = {difference.tensor for difference in change.differences}
    assert {"input", "conv.pre_activation", "dense.output", "loss"} <= changed
    assert not np.any(change.array("conv.output"))
    assert np.any(change.array("conv.output@1"))
    assert change.array("input@1[4,3,0]") == pytest.approx(0.9 - trace.value("input@1[4,3,0]"))
    x = trace.array("input@1").copy()
    x[4, 3, 0] = 0.9
    other = explain(trace.model, np.stack([trace.array("input"), x]), [1, 3])
    np.testing.assert_allclose(change.after_change("dense.output@1"), other.prediction[1], 1e-5)
    assert change.loss_after == pytest.approx(other.loss, rel=1e-6)
    assert json.loads(json.dumps(change.to_dict()))["address"] == "input@1[4,3,0]"
    assert "→ 0.9" in str(change)


def test_change_of_the_label(trace):
    change = trace.change("target@1", "c")
    assert change.predicted is None
    assert "no gradient" in change.notes[0]
    probabilities = trace.value("dense.output@1")
    expected = (math.log(probabilities[3]) - math.log(probabilities[2])) / 2
    assert change.actual == pytest.approx(expected, rel=1e-5)
    with pytest.raises(NameLookupError):
        trace.change("target", "z")


def test_change_of_a_one_hot_label():
    model = _model(layers.Input((3,)), layers.Dense(3, activation="softmax", name="d"))
    model.compile("sgd", "categorical_crossentropy")
    trace = explain(model, np.ones(3), 1)
    change = trace.change("target", 2)
    assert (change.before, change.after) == (1, 2)
    p = trace.value("d.output")
    assert change.actual == pytest.approx(math.log(p[1] / p[2]), rel=1e-5)


def test_change_of_the_learning_rate(trace):
    rate = trace.value("learning_rate")
    change = trace.change("learning_rate", 1.1 * rate)
    assert change.loss_before == pytest.approx(trace.update.loss_after())
    assert change.actual == pytest.approx(change.predicted, rel=0.2)
    squares = sum(
        float(np.square(trace.array(f"{t.name}.grad")).sum())
        for t in trace.addresses()
        if t.kind == "weight"
    )
    assert change.predicted == pytest.approx(-0.1 * rate * squares, rel=1e-3)


@pytest.mark.parametrize("wrong", ["conv.kernel[0,0,0,0].grad", "conv.output", "learning_rate"])
def test_changes_that_cannot_be(trace, wrong):
    with pytest.raises(ArgumentError):
        trace.change(wrong, -1.0)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(3, 3),
        lambda: layers.Conv2D(2, (2, 3), strides=2, padding="same"),
        lambda: layers.Conv2D(2, 2, dilation_rate=2),
        lambda: layers.Conv2D(4, 3, groups=2, padding="same"),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.Conv2DTranspose(2, 3, strides=2),
    ],
)
def test_both_ways_of_a_convolution_agree(layer):
    inputs = layers.Input((6, 7, 2))
    pellucid.utils.set_random_seed(1)
    convolution = layer()
    model = pellucid.Model(inputs, layers.Flatten()(convolution(inputs)))
    x = np.random.default_rng(4).normal(size=(1, 6, 7, 2))
    trace = explain(model, x, target=np.zeros((1, model.output_shape[1])))
    name = f"{convolution.name}.output"
    for index in ("0,0,0", "3,4,1", "5,6,1", "2,2,0"):
        ledger = trace[f"input[{index}].grad"]
        if not len(ledger.terms):
            continue
        scatter, turned = ledger.scatter(), ledger.correlation()
        assert scatter.total == turned.total == ledger.total
        assert scatter.shares[-1].running == scatter.total
        assert turned.is_turned == ("transpose" not in name)
        for plane in turned.planes:
            np.testing.assert_allclose(plane.products, plane.window * plane.kernel, atol=1e-12)
            for row, addresses in zip(plane.window, plane.addresses, strict=True):
                for delta, address in zip(row, addresses, strict=True):
                    assert delta == (0 if address is None else trace.value(address))
        assert json.loads(json.dumps(turned.to_dict()))["total"] == ledger.total
        assert json.loads(json.dumps(scatter.to_dict()))["total"] == ledger.total


def test_correlation_with_the_turned_kernel_in_numbers():
    """A stride of 1 and 'valid': dx is δ, with a border of zeros, correlated with the kernel."""
    model = _model(layers.Input((5, 5, 1)), layers.Conv2D(1, 3, name="c"), layers.Flatten())
    trace = explain(model, np.random.default_rng(0).random((5, 5, 1)), target=np.ones((1, 9)))
    delta = np.pad(trace.array("c.output.grad")[..., 0].astype(float), 2)
    turned = np.rot90(trace.array("c.kernel")[..., 0, 0].astype(float), 2)
    for i, j in np.ndindex(5, 5):
        (plane,) = trace[f"input[{i},{j},0].grad"].correlation().planes
        np.testing.assert_array_equal(plane.kernel, turned)
        np.testing.assert_array_equal(plane.window, delta[i : i + 3, j : j + 3])


def test_only_convolutions_are_shown_both_ways(trace):
    for text in ("flatten.output[0].grad", "conv.output[0,0,0].grad", "input[0,0,0]"):
        with pytest.raises(ArgumentError, match="convolution"):
            trace[text].correlation()


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_paths_through_every_kind_of_layer(seed):
    trace = random_trace(seed)
    generator = np.random.default_rng(seed)
    index = ",".join(str(generator.integers(n)) for n in trace.tensors["input"].shape)
    try:
        path = trace.path(f"input[{index}]")
    except ArgumentError as error:
        assert "no path" in str(error)  # noqa: PT017  a pixel that no window covers
        return
    assert path.gradient == trace.value(f"input[{index}].grad")
    assert (path.blocked is None) == (path.product != 0)
