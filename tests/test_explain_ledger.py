"""Addresses and ledgers: names, formulas, terms, notes, the paper example, updates."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pellucid
from pellucid import layers, optimizers
from pellucid.errors import ArgumentError, NameLookupError, ShapeError
from pellucid.explain import Address, explain


def _sequential(*parts):
    pellucid.utils.set_random_seed(7)
    return pellucid.Sequential(list(parts))


@pytest.fixture(scope="module")
def paper():
    """The 3 × 3 image of the textbooks: convolution, ReLU, maximum, dense."""
    model = _sequential(
        layers.Input((3, 3, 1)),
        layers.Conv2D(1, 2, use_bias=False, activation="relu", name="conv"),
        layers.MaxPooling2D(2, strides=1, name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dense(1, name="dense"),
    )
    kernel = np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1)
    model.set_weights([kernel, np.array([[0.5]]), np.array([0.1])])
    return explain(model, np.arange(1.0, 10.0).reshape(3, 3, 1), target=1.0)


@pytest.fixture(scope="module")
def trace():
    """A small classifier, two samples."""
    model = _sequential(
        layers.Input((6, 6, 1)),
        layers.Conv2D(3, 3, activation="relu", name="conv", bias_initializer="random_normal"),
        layers.MaxPooling2D(name="pool"),
        layers.Flatten(name="flatten"),
        layers.Dense(4, activation="softmax", name="dense"),
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(1).random((2, 6, 6, 1))
    return explain(model, x, ["cat", "owl"], class_names=["ant", "bee", "cat", "owl"])


def test_paper_example(paper):
    assert np.all(paper.value("conv.pre_activation") == -4)
    assert np.all(paper.value("conv.output") == 0)
    assert paper.value("pool.output[0,0,0]") == 0
    assert paper.value("dense.output[0]") == pytest.approx(0.1)
    ledger = paper["conv.pre_activation[0,0,0]"]
    assert [term.value for term in ledger.terms] == [1, 0, 0, -5]
    assert ledger.running == [1, 1, 1, -4]
    assert ledger.formula_with_numbers == (
        "conv.pre_activation[0,0,0] = 1 × 1 + 2 × 0 + 4 × 0 + 5 × (−1) = −4"
    )
    assert paper["conv.output[1,1,0]"].formula_with_numbers == "conv.output[1,1,0] = relu(−4) = 0"
    assert [t.note for t in paper["pool.output[0,0,0]"].terms] == ["winner, tied", *["tie"] * 3]
    assert [t.note for t in paper["conv.pre_activation[0,0,0].grad"].terms] == ["gate shut"]


@pytest.mark.parametrize(
    "text",
    [
        "input[5,0,0]",
        "input@1[5,0,0].grad",
        "conv.pre_activation@1[3,3,2]",
        "conv.kernel[2,0,0,1].grad",
        "conv.kernel[2,0,0,1].updated",
        "conv.kernel[2,0,0,1].velocity.updated",
        "dense.bias[3].momentum",
        "dense.output",
        "dense.output@1.grad",
        "losses@1",
        "loss",
        "loss.grad",
        "target@1",
        "learning_rate",
    ],
)
def test_addresses_round_trip(trace, text):
    address = trace.address(text)
    assert str(address) == text
    assert trace.address(str(address)) == address
    assert np.all(np.isfinite(trace.value(address)))


def test_addresses_are_read_generously(trace):
    meant = Address("conv.kernel", (2, 0, 0, 1), None, "grad")
    assert trace.address(" conv.kernel.grad[2, 0, 0, 1] ") == meant
    assert trace.address("conv.output@0[1,2,0]") == trace.address("conv.output[1,2,0]")
    assert trace.address("conv.output@1.grad[1,2,0]").sample == 1


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("conv.outptu[1,2,0]", NameLookupError, "Did you mean conv.output[1,2,0]"),
        ("nonsense", NameLookupError, "There are input[0–5, 0–5, 0–0]"),
        ("conv.output[1,2]", ArgumentError, "Nearest: conv.output[1,2,0]"),
        ("conv.output[9,2,0].grad", ArgumentError, "Nearest: conv.output[3,2,0].grad"),
        ("conv.output[-1,2,0]", ArgumentError, "[0–3, 0–3, 0–2]"),
        ("conv.output[a]", ArgumentError, "whole numbers"),
        ("conv.output@2[0,0,0]", ArgumentError, "Nearest: conv.output@1[0,0,0]"),
        ("conv.kernel@1[0,0,0,0]", ArgumentError, "Nearest: conv.kernel[0,0,0,0]"),
        ("conv.kernel[0,0,0,0].velocty", ArgumentError, "Did you mean conv.kernel[0,0,0,0].velo"),
        ("target.grad", ArgumentError, "only the value is recorded"),
        ("conv.output", ArgumentError, "a ledger is of one number. Example: conv.output[0,0,0]"),
        ("[1,2]", ArgumentError, "not an address"),
        ("", ArgumentError, "not an address"),
    ],
)
def test_wrong_addresses_are_answered_with_right_ones(trace, text, error, says):
    with pytest.raises(error) as caught:
        trace[text]
    assert says in str(caught.value)


def test_gradient_of_softmax_and_cross_entropy_is_p_minus_y(trace):
    p = trace.value("dense.output")
    for k, probability in enumerate(p):
        ledger = trace[f"dense.pre_activation[{k}].grad"]
        assert ledger.value == pytest.approx((probability - (k == 2)) / 2, abs=1e-7)
    skipped = trace["dense.output[1].grad"]
    assert skipped.value == 0
    assert "dense.pre_activation[1].grad" in skipped.notes[0]


def test_notes_say_what_a_term_is(trace):
    values = trace.value("conv.pre_activation")
    for index in ((0, 0, 0), (1, 2, 1), (3, 3, 2)):
        place = ",".join(map(str, index))
        (term,) = trace[f"conv.pre_activation[{place}].grad"].terms
        assert term.note == ("gate open" if values[index] > 0 else "gate shut")
    notes = [term.note for term in trace["pool.output[0,0,0]"].terms]
    assert sum(note.startswith("winner") for note in notes) == 1


def test_definitions_name_the_intermediates(trace):
    ledger = trace["dense.output[1]"]
    assert ledger.formula.endswith("/ sum")
    (total,) = (d for d in ledger.definitions if d.name == "sum")
    assert total.formula.count("exp(") == 4
    assert ledger.value == pytest.approx(ledger.total, rel=1e-6)


def test_ledger_as_json(trace):
    ledger = trace["dense.pre_activation[1]"]
    described = json.loads(json.dumps(ledger.to_dict(3)))
    assert described["count"] == 13
    assert len(described["terms"]) == 3
    shown = sum(term["value"] for term in described["terms"])
    assert shown + described["others"]["sum"] == pytest.approx(ledger.total)
    sizes = [abs(term["value"]) for term in described["terms"]]
    assert sizes == sorted(sizes, reverse=True)
    assert json.loads(json.dumps(trace.to_dict()))["tensors"][0]["name"] == "input"
    assert json.loads(json.dumps(trace["conv.kernel[0,0,0,0].grad"].verify(True).to_dict()))


def test_following(trace):
    ledger = trace["pool.output[0,0,0]"]
    largest = max(ledger.terms, key=lambda term: term.value)
    assert ledger.follow().address == largest.main
    assert ledger.follow(2).address == trace.address("conv.output[1,0,0]")
    product = trace["dense.pre_activation[0]"]
    assert str(product.follow(5).address) == "flatten.output[5]"
    assert str(product.follow(5, 1).address) == "dense.kernel[5,0]"
    for wrong in (lambda: ledger.follow(9), lambda: product.follow(5, 2)):
        with pytest.raises(ArgumentError):
            wrong()
    with pytest.raises(ArgumentError, match="given"):
        trace["input[0,0,0]"].follow()


@pytest.mark.parametrize(
    "text",
    [
        "loss",
        "dense.output[2]",
        "pool.output@1[1,1,1]",
        "conv.kernel[1,1,0,2].updated",
        "conv.kernel[1,1,0,2].velocity.updated",
    ],
)
def test_verification_of_numbers(trace, text):
    verification = trace[text].verify()
    assert verification.passed
    assert verification["terms"].ulp < 8
    assert verification["reference"].difference == 0


@pytest.mark.parametrize(
    "text", ["conv.kernel[1,1,0,2].grad", "dense.bias[0].grad", "input[3,3,0].grad"]
)
def test_verification_of_gradients(trace, text):
    verification = trace[text].verify(finite_difference=True)
    assert verification.passed
    assert verification["reference"].difference == 0
    assert verification["finite difference"].relative < 1e-5
    assert "finite difference" in str(verification)


def test_verification_finds_a_wrong_number(trace):
    ledger = trace["conv.kernel[1,1,0,2].grad"]
    ledger.value *= 1.001
    verification = ledger.verify(finite_difference=True)
    assert {"terms", "reference", "finite difference"} <= {c.name for c in verification.checks}
    assert not any(check.passed for check in verification.checks)
    assert "DIFFERS" in str(verification)
    with pytest.raises(ArgumentError, match="not a gradient"):
        trace["loss"].verify(finite_difference=True)


def test_kinks_are_told():
    model = _sequential(
        layers.Input((1,)), layers.Dense(1, activation="relu", use_bias=False, name="d")
    )
    trace = explain(model, [0.0], target=1.0)
    check = trace["d.pre_activation[0].grad"].verify(True)["finite difference"]
    assert "kink" in check.note
    assert check.passed


OPTIMIZERS = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5), clipvalue=0.01),
    optimizers.Adam(0.01),
    optimizers.Adam(0.01, amsgrad=True, clipnorm=0.05),
    optimizers.AdamW(0.01, global_clipnorm=0.1),
    optimizers.RMSprop(0.01),
    optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    optimizers.Nadam(0.01),
    optimizers.Adamax(0.01),
    optimizers.Adagrad(0.01, weight_decay=0.01),
    optimizers.Adadelta(0.1),
    optimizers.Lion(0.001),
    optimizers.Adagrad(0.01, use_ema=True, ema_overwrite_frequency=1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_updated_is_what_the_optimizer_does(optimizer):
    optimizer = type(optimizer).from_config(optimizer.get_config())
    model = _sequential(
        layers.Input((5, 5, 1)),
        layers.Conv2D(2, 3, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dropout(0.4, name="dropout"),
        layers.Dense(3, activation="softmax", kernel_regularizer="l2", name="dense"),
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", engine="reference")
    generator = np.random.default_rng(3)
    x, y = generator.random((4, 5, 5, 1)).astype("float32"), np.array([0, 1, 2, 0])
    for _ in range(3):
        before = model.get_weights()
        trace = explain(model, x, y, training=True)
        told, summed = {}, {}
        for variable in model.weights:
            name = variable.path.replace("/", ".")
            told[name] = trace.array(f"{name}.updated")
            assert trace.array(f"{name}.updated").dtype == np.float32
            index = tuple(int(generator.integers(n)) for n in variable.shape)
            summed[name] = index, trace[Address(name, index, None, "updated")]
        slots = {
            (v.path, slot): trace.array(f"{v.path.replace('/', '.')}.{slot}.updated")
            for v in model.trainable_weights
            for slot in optimizer.slots_of(v)
        }
        later = trace.update.loss_after()
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        loss = model.train_on_batch(x, y)
        model.reset_metrics()
        assert trace.loss == pytest.approx(loss, rel=1e-6)
        assert np.isfinite(later)
        for variable in model.weights:
            name = variable.path.replace("/", ".")
            np.testing.assert_array_equal(told[name], variable.value, err_msg=name)
            index, ledger = summed[name]
            assert ledger.value == variable.value[index]
            assert ledger.total == pytest.approx(ledger.value, rel=2e-5, abs=1e-7)
            assert ledger.verify().passed
        for variable in model.trainable_weights:
            for slot, array in optimizer.slots_of(variable).items():
                np.testing.assert_array_equal(slots[variable.path, slot], array)


def test_a_trace_is_not_changed_by_training():
    model = _sequential(layers.Input((3,)), layers.Dense(2, name="d"))
    model.compile(optimizers.SGD(0.5, momentum=0.9), "mse")
    x, y = np.ones((2, 3), "float32"), np.ones((2, 2), "float32")
    model.train_on_batch(x, y)
    trace = explain(model, x, y)
    momentum = optimizer_memory = trace.value("d.kernel[0,0].momentum")
    model.train_on_batch(x, y)
    assert trace.value("d.kernel[0,0].momentum") == momentum == optimizer_memory
    assert trace["d.output[0]"].verify().passed
    assert trace["d.kernel[0,0].updated"].value == pytest.approx(model.get_weights()[0][0, 0])


def test_nested_models_shared_layers_and_penalties():
    base = _sequential(layers.Input((4,)), layers.Dense(4, activation="tanh", name="inner"))
    base.name = "base"
    inputs = layers.Input((4,))
    shared = layers.Dense(4, name="shared", kernel_regularizer="l2")
    x = shared(shared(base(inputs)))
    model = pellucid.Model(inputs, layers.Dense(2, name="a")(x))
    trace = explain(model, np.ones(4), target=[0.0, 1.0])
    assert trace.value("base/inner.output").shape == (4,)
    assert trace["base/inner.kernel[0,0].grad"].verify(True).passed
    first, second = trace["shared.output[1]"], trace["shared.output#2[1]"]
    assert "shared.output[0]" in second.formula
    assert "base/inner.output[0]" in first.formula
    gradient = trace["shared.kernel[0,1].grad"]
    assert "read 3 times" in gradient.notes[0]
    assert gradient.verify(True).passed
    penalty = trace.value("shared.kernel.penalty")
    assert trace.loss == pytest.approx(trace.value("data_loss") + penalty)
    assert trace["loss"].verify().passed


def test_several_inputs_and_outputs():
    a, b = layers.Input((3,), name="a"), layers.Input((2,), name="b")
    x = layers.Concatenate()([a, b])
    model = pellucid.Model(
        [a, b],
        [
            layers.Dense(2, activation="softmax", name="kind")(x),
            layers.Dense(1, name="size")(x),
        ],
    )
    model.compile("sgd", ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.5])
    trace = explain(model, [np.ones(3), np.zeros(2)], target=[1, 2.0])
    assert trace.outputs == ["kind.output", "size.output"]
    total = trace.value("kind_loss") + 0.5 * trace.value("size_loss")
    assert trace.loss == pytest.approx(total)
    assert trace["a[0].grad"].verify(True).passed
    named = explain(model, {"a": np.ones(3), "b": np.zeros(2)}, target={"kind": 1, "size": 2.0})
    assert named.loss == trace.loss


def test_what_is_assumed_is_said():
    model = _sequential(layers.Input((3,)), layers.Dense(2, activation="softmax"))
    trace = explain(model, np.ones((4, 3)), samples=[1, 2])
    assert trace.size == 2
    assert any("predicted" in note for note in trace.notes)
    assert any("sparse_categorical_crossentropy" in note for note in trace.notes)
    assert any("SGD" in note for note in trace.notes)
    np.testing.assert_array_equal(trace.target, trace.prediction.argmax(-1))
    plain = _sequential(layers.Input((3,)), layers.Dense(2, name="d"))
    without = explain(plain, np.ones(3))
    assert without.loss is None
    assert without["d.output[0]"].verify().passed
    with pytest.raises(ArgumentError):
        without["d.output[0].grad"]


def test_targets_that_cannot_be(trace):
    with pytest.raises(NameLookupError, match="owl"):
        explain(trace.model, np.ones((6, 6, 1)), "dog", class_names=["cat", "owl"])
    with pytest.raises(pellucid.errors.DataError):
        explain(trace.model, np.ones((6, 6, 1)), 4)
    with pytest.raises(ArgumentError, match="samples"):
        explain(trace.model, np.ones((2, 6, 6, 1)), 1, samples=5)
    with pytest.raises(ArgumentError, match="dtype"):
        explain(trace.model, np.ones((6, 6, 1)), 1, dtype="float16")


def test_the_package_is_the_function(trace):
    assert pellucid.explain(trace.model, np.ones((6, 6, 1)), 1).size == 1


def test_layers_that_pass_their_input_on_are_told():
    model = _sequential(
        layers.Input((3,)), layers.Dropout(0.5, name="drop"), layers.Dense(2, name="d")
    )
    x, y = np.ones(3), np.zeros((1, 2))
    with pytest.raises(NameLookupError, match="drop passes its input on"):
        explain(model, x, y)["drop.output[0]"]
    dropped = explain(model, x, y, training=True)
    kept = dropped.value("drop.random[1]")
    assert dropped.value("drop.output[1]") == 2 * kept
    assert dropped["input[1].grad"].verify(True).passed


def test_only_what_is_asked_for_is_computed(trace):
    fresh = explain(trace.model, np.ones((2, 6, 6, 1)), [0, 1])
    assert fresh["conv.output[0,0,0]"].verify().passed
    computed = {fresh.names[value] for value in fresh.recording._arrays}
    assert "conv.output" in computed
    assert not computed & {"pool.output", "dense.pre_activation", "loss"}
    assert not fresh.gradients._arrays


def test_gradients_too_large_to_keep_are_their_terms(trace, monkeypatch):
    monkeypatch.setattr("pellucid.explain._recording.LARGEST_GRADIENT", 100)
    monkeypatch.setattr("pellucid.explain._setup.COPIED", 100)
    fresh = explain(
        trace.model, trace.recording.array(trace.value_of(trace.address("input"))), [2, 3]
    )
    for text in ("dense.kernel[3,1].grad", "dense.kernel[3,1].updated", "dense.bias[1].grad"):
        assert fresh.value(text) == pytest.approx(trace.value(text), rel=1e-5)
    assert "too large" in fresh["dense.kernel[3,1].grad"].notes[0]
    assert fresh["dense.kernel[3,1].grad"].verify(True).passed
    kept = {fresh.names[value] for value in fresh.gradients._arrays}
    assert "dense.kernel" not in kept


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_accounts_of_updates_are_exact_in_double_precision(optimizer):
    optimizer = type(optimizer).from_config(optimizer.get_config())
    model = _sequential(layers.Input((3,)), layers.Dense(2, name="d"))
    model.compile(optimizer, "mse")
    x, y = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    model.train_on_batch(x, y[:, :2])
    trace = explain(model, x, y[:, :2], dtype="float64")
    for index in np.ndindex(3, 2):
        name = f"d.kernel[{index[0]},{index[1]}]"
        for quantity in trace.tensors["d.kernel"].quantities:
            if quantity.endswith("updated"):
                ledger = trace[f"{name}.{quantity}"]
                assert ledger.total == pytest.approx(ledger.value, rel=1e-12, abs=1e-15)


def test_terms_of_a_long_sum_are_a_sequence(trace):
    terms = trace["conv.kernel[1,1,0,2].grad"].terms
    assert len(terms) == len(list(terms)) == len(terms.values) == 32
    assert terms[-1] == terms[31]
    assert terms[2:5] == [terms[2], terms[3], terms[4]]
    assert [term.value for term in terms] == terms.values
    with pytest.raises(IndexError):
        terms[32]
    (term,) = terms.containing(trace.address("input@1[2,3,0]"))
    assert str(term.main) == "conv.pre_activation@1[1,2,2].grad"


def test_the_compiled_engine_is_asked_too() -> None:
    pytest.importorskip("llvmlite")
    pellucid.utils.set_random_seed(0)
    model = pellucid.Sequential(
        [
            layers.Input((7, 7, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    trace = explain(model, np.random.default_rng(0).random((2, 7, 7, 2), "f4"), [0, 2])
    names = [layer.name for layer in model.layers]
    for address in (
        f"{names[0]}.pre_activation@1[2,3,1]",
        f"{names[1]}.output[1,0,3]",
        f"{names[3]}.output[2]",
        "loss",
        f"{names[0]}.kernel[1,2,0,3].grad",
        f"{names[3]}.bias[1].grad",
        "input@1[3,3,1].grad",
    ):
        found = trace[address].verify()
        assert found["compiled"].passed, str(found)
    kernel = model.layers[0].get_weights()
    model.layers[0].set_weights([2 * w for w in kernel])
    again = explain(model, np.zeros((1, 7, 7, 2), "f4"), 0)
    model.layers[0].set_weights(kernel)  # its machine code would now read other weights
    assert "compiled" not in [c.name for c in again["loss"].verify().checks]


def test_what_single_precision_loses_is_not_called_a_mistake() -> None:
    """p − 1 of a very sure answer has few right digits, and so has all that comes from it."""
    model = _sequential(layers.Input((2,)), layers.Dense(2, activation="softmax", name="d"))
    model.set_weights([np.array([[9.0, 0.0], [0.3, 0.1]], "f4"), np.zeros(2, "f4")])
    check = explain(model, [[1.0, 0.7]], 0)["d.kernel[0,0].grad"].verify(True)["finite difference"]
    assert check.relative > 1e-5
    assert check.passed
    assert "double precision" in check.note


def test_a_weight_of_a_sample_is_in_the_account():
    model = _sequential(layers.Input((3,)), layers.Dense(2, activation="softmax", name="dense"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y, weights = np.eye(3), np.array([0, 1, 1]), np.array([1.0, 0.5, 4.0])
    trace = explain(model, x, y, sample_weight=weights)
    assert trace["loss"].formula == (
        "loss = 1/n · (losses · sample_weight + losses@1 · sample_weight@1"
        " + losses@2 · sample_weight@2)"
    )
    assert trace["loss"].verify().passed
    assert trace["sample_weight@2"].value == 4
    assert trace["sample_weight@2"].notes == ["It is how much the sample counts in the loss."]
    assert trace.change("sample_weight@2", 0).actual < 0
    alone = explain(model, x, y, samples=[2], sample_weight=weights)
    assert alone.loss == pytest.approx(4 * trace.value("losses@2"))
    model.train_on_batch(x, y, sample_weight=weights)
    assert np.array_equal(trace.array("dense.kernel.updated"), model.layers[0].kernel.value)
    with pytest.raises(ShapeError, match="one number for each sample"):
        explain(model, x, y, sample_weight=[1, 2])
    without_loss = _sequential(layers.Input((3,)), layers.Dense(2))
    with pytest.raises(ArgumentError, match="there is no loss to weigh"):
        explain(without_loss, x, sample_weight=weights)


def test_outputs_have_sample_weights_of_their_own():
    pellucid.utils.set_random_seed(1)
    x = pellucid.Input((2,))
    model = pellucid.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", "mse")
    samples, targets = np.ones((2, 2)), [np.zeros((2, 1)), np.zeros((2, 1))]
    trace = explain(model, samples, targets, sample_weight={"a": [1, 0], "b": [0, 0]})
    assert trace.loss == trace.value("losses") / 2
    assert explain(model, samples, targets, sample_weight=np.ones(2)).loss == pytest.approx(
        explain(model, samples, targets).loss
    )


def test_a_minus_takes_the_place_of_a_plus():
    trace = explain(
        _sequential(
            layers.Input((4, 4, 2)),
            layers.Conv2D(2, 3, name="conv", bias_initializer="random_normal"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(2),
        ),
        np.random.default_rng(0).normal(size=(2, 4, 4, 2)),
        np.zeros((2, 2)),
        training=True,
    )
    sums = 0
    for tensor in trace.addresses():
        for quantity in ("", *tensor.quantities):
            ledger = trace[Address(tensor.name, (0,) * len(tensor.shape), None, quantity)]
            parts = [ledger.formula, ledger.formula_with_numbers]
            for definition in ledger.definitions:
                parts += [definition.formula, definition.formula_with_numbers]
            sums += sum(part.count(" − ") for part in parts)
            assert not [part for part in parts if "+ −" in part or "− −" in part or "-mean" in part]
    assert sums > 50
