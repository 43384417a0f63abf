import json
import warnings

import numpy as np
import pytest

from pellucid import losses
from pellucid.errors import (
    ArgumentError,
    DataError,
    NameLookupError,
    ShapeError,
    TypeMismatchError,
)
from pellucid.graph import Tracer
from pellucid.graph.reference import forward, gradients
from pellucid.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from pellucid.ops.activation import Activation
from pellucid.ops.rescaling import Rescaling
from pellucid.ops.softmax import Softmax

RANDOM = np.random.default_rng(0)
CLASSES = 5


def probabilities(*shape):
    p = RANDOM.random((*shape, CLASSES)) + 0.05
    return (p / p.sum(-1, keepdims=True)).astype("float32")


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype("float32")


def labels(*shape):
    return RANDOM.integers(0, CLASSES, shape)


def one_hot(y):
    return np.eye(CLASSES, dtype="float32")[y]


# The formulas again, for each sample, in plain NumPy and double precision.


def plain_categorical(y, p, loss):
    p = np.asarray(p, "float64")
    if loss.from_logits:
        p = np.exp(p) / np.exp(p).sum(-1, keepdims=True)
    s = getattr(loss, "label_smoothing", 0.0)
    if isinstance(loss, SparseCategoricalCrossentropy):
        y = one_hot(np.reshape(y, p.shape[:-1]).astype(int))
    return -((y * (1 - s) + s / CLASSES) * np.log(p)).sum(-1)


def plain_binary(y, p, loss):
    p = np.asarray(p, "float64")
    p = 1 / (1 + np.exp(-p)) if loss.from_logits else p
    y = np.reshape(y, p.shape) * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1)


def plain_error(y, p, loss):
    e = np.abs(np.asarray(p, "float64") - np.reshape(y, p.shape))
    if isinstance(loss, MeanSquaredError):
        e = e**2
    elif isinstance(loss, Huber):
        e = np.where(e <= loss.delta, e**2 / 2, loss.delta * e - loss.delta**2 / 2)
    return e.mean(-1)


def plain_focal(y, p, loss):
    p, y = np.asarray(p, "float64"), np.asarray(y, "float64")
    s = loss.label_smoothing
    if isinstance(loss, CategoricalFocalCrossentropy):
        p = np.exp(p) / np.exp(p).sum(-1, keepdims=True) if loss.from_logits else p
        y = y * (1 - s) + s / CLASSES
        return -(loss.alpha * (1 - p) ** loss.gamma * y * np.log(p)).sum(-1)
    p = 1 / (1 + np.exp(-p)) if loss.from_logits else p
    y = y * (1 - s) + s / 2
    missed = np.abs(y - p) if s == 0 else y * (1 - p) + (1 - y) * p
    weight = y * 0.25 + (1 - y) * 0.75 if loss.apply_class_balancing else 1
    return (-weight * missed**loss.gamma * (y * np.log(p) + (1 - y) * np.log(1 - p))).mean(-1)


SIMPLE = {
    KLDivergence: lambda y, p: (y * np.log(y / p)).sum(-1),
    Poisson: lambda y, p: (p - y * np.log(p)).mean(-1),
    MeanAbsolutePercentageError: lambda y, p: 100 * np.abs(1 - p / y).mean(-1),
    MeanSquaredLogarithmicError: lambda y, p: (np.log((1 + y) / (1 + p)) ** 2).mean(-1),
    LogCosh: lambda y, p: np.log(np.cosh(y - p)).mean(-1),
    CosineSimilarity: lambda y, p: -(y * p).sum(-1)
    / np.sqrt((y**2).sum(-1) * (p**2).sum(-1)),
    Hinge: lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(-1),
    SquaredHinge: lambda y, p: (np.maximum(1 - (2 * y - 1) * p, 0) ** 2).mean(-1),
    CategoricalHinge: lambda y, p: np.maximum(
        1 + np.where(y == 1, np.minimum(p.min(-1, keepdims=True), 0), p).max(-1).clip(0)
        - (y * p).sum(-1), 0),
}  # fmt: skip


def plain_simple(y, p, loss):
    return SIMPLE[type(loss)](np.asarray(y, "float64"), np.asarray(p, "float64"))


FAMILY = [
    (CategoricalCrossentropy(), one_hot(labels(7)), probabilities(7), plain_categorical),
    (
        CategoricalCrossentropy(label_smoothing=0.2),
        one_hot(labels(7)),
        probabilities(7),
        plain_categorical,
    ),
    (
        CategoricalCrossentropy(from_logits=True),
        one_hot(labels(7)),
        numbers(7, CLASSES),
        plain_categorical,
    ),
    (
        CategoricalCrossentropy(),
        one_hot(labels(2, 3, 4)),
        probabilities(2, 3, 4),
        plain_categorical,
    ),
    (SparseCategoricalCrossentropy(), labels(7), probabilities(7), plain_categorical),
    (
        SparseCategoricalCrossentropy(),
        labels(7, 1).astype("uint8"),
        probabilities(7),
        plain_categorical,
    ),
    (
        SparseCategoricalCrossentropy(from_logits=True),
        labels(7).astype("float32"),
        numbers(7, CLASSES),
        plain_categorical,
    ),
    (SparseCategoricalCrossentropy(), labels(2, 3, 4), probabilities(2, 3, 4), plain_categorical),
    (BinaryCrossentropy(), labels(7, 2) % 2, RANDOM.random((7, 2)).astype("float32"), plain_binary),
    (
        BinaryCrossentropy(label_smoothing=0.1),
        labels(7) % 2,
        RANDOM.random((7, 1)).astype("float32"),
        plain_binary,
    ),
    (BinaryCrossentropy(from_logits=True), labels(7, 1) % 2, numbers(7, 1), plain_binary),
    (MeanSquaredError(), numbers(7, 3), numbers(7, 3), plain_error),
    (MeanSquaredError(), numbers(7), numbers(7, 1), plain_error),
    (MeanAbsoluteError(), numbers(7, 3), numbers(7, 3), plain_error),
    (Huber(), numbers(7, 3), 3 * numbers(7, 3), plain_error),
    (Huber(delta=0.5), numbers(7, 3), numbers(7, 3), plain_error),
    (KLDivergence(), probabilities(7), probabilities(7), plain_simple),
    (Poisson(), labels(7, 3), probabilities(7)[:, :3], plain_simple),
    (MeanAbsolutePercentageError(), 2 + probabilities(7), numbers(7, CLASSES), plain_simple),
    (MeanSquaredLogarithmicError(), probabilities(7), probabilities(7), plain_simple),
    (LogCosh(), numbers(7, 3), 3 * numbers(7, 3), plain_simple),
    (CosineSimilarity(), numbers(7, 3), numbers(7, 3), plain_simple),
    (Hinge(), labels(7, 3) % 2, numbers(7, 3), plain_simple),
    (SquaredHinge(), labels(7, 3) % 2, numbers(7, 3), plain_simple),
    (CategoricalHinge(), one_hot(labels(7)), numbers(7, CLASSES), plain_simple),
    (BinaryFocalCrossentropy(), labels(7, 3) % 2, probabilities(7)[:, :3], plain_focal),
    (
        BinaryFocalCrossentropy(True, gamma=1.5, from_logits=True, label_smoothing=0.1),
        labels(7, 3) % 2,
        numbers(7, 3),
        plain_focal,
    ),
    (CategoricalFocalCrossentropy(), one_hot(labels(7)), probabilities(7), plain_focal),
    (
        CategoricalFocalCrossentropy(
            [0.1, 0.2, 0.3, 0.2, 0.2], 1.0, from_logits=True, label_smoothing=0.1
        ),
        one_hot(labels(7)),
        numbers(7, CLASSES),
        plain_focal,
    ),
]
IDS = [f"{type(loss).__name__}-{i}" for i, (loss, *_) in enumerate(FAMILY)]
REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", None]


def with_reduction(loss, reduction):
    return losses.deserialize(
        losses.serialize(loss) | {"config": loss.get_config() | {"reduction": reduction}}
    )


@pytest.mark.parametrize(("loss", "y", "p", "plain"), FAMILY, ids=IDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_follows_the_formula(loss, y, p, plain, weighted, reduction):
    loss = with_reduction(loss, reduction)
    weight = np.linspace(0.0, 2.0, len(p)).astype("float32") if weighted else None
    each = plain(y, p, loss)
    spread = np.ones(len(p)) if weight is None else weight
    spread = np.broadcast_to(spread.reshape(-1, *[1] * (each.ndim - 1)), each.shape)
    divisor = {None: None, "sum": 1.0, "mean_with_sample_weight": spread.sum()}.get(
        reduction, each.size
    )
    expected = each * spread if divisor is None else (each * spread).sum() / divisor
    np.testing.assert_allclose(loss(y, p, weight), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("loss", "y", "p", "plain"), FAMILY, ids=IDS)
def test_follows_keras(loss, y, p, plain, keras_oracle):
    weight = np.linspace(0.5, 2.0, len(p)).astype("float32")
    if p.ndim > 2:  # Keras would count such weights along the wrong axis
        weight = np.broadcast_to(weight.reshape(-1, *[1] * (p.ndim - 2)), p.shape[:-1])
    written = json.loads(json.dumps(losses.serialize(loss)))
    arrays = {"y_true": y, "y_pred": p, "weight": weight}
    theirs, config = keras_oracle.ask("ask_training.loss", arrays, loss=written)
    assert loss(y, p, weight) == pytest.approx(float(theirs["loss"]), rel=1e-5)
    written["config"].pop("delta", None)  # Keras reads it and does not write it
    assert written == config


@pytest.mark.parametrize(
    ("loss", "activation", "target"),
    [
        (CategoricalCrossentropy(label_smoothing=0.1), Softmax(), one_hot(labels(4))),
        (SparseCategoricalCrossentropy(), Softmax(), labels(4)),
        (BinaryCrossentropy(label_smoothing=0.1), Activation("sigmoid"), labels(4, CLASSES) % 2),
    ],
)
def test_a_final_softmax_or_sigmoid_is_fused_into_the_loss(loss, activation, target):
    logits = np.array([[-200.0, 0.0, 300.0, 1.0, -1.0]] * 4)
    g = Tracer()
    x = g.input((None, CLASSES))
    t = g.input(loss.target_shape((None, CLASSES)), "target", "target")
    y = g.apply(activation, x)
    result = loss.build(g, y, t)
    program = g.program([x, t], [result])
    assert activation.name not in [node.op.name for node in program.nodes]
    values = forward(program, [logits, loss.prepare(target, (None, CLASSES), "float64")], keep=True)
    from_logits = type(loss)(**loss.get_config() | {"from_logits": True})
    assert values[result] == pytest.approx(from_logits(target, logits))
    slope = gradients(program, values, [x])[x]
    assert np.isfinite(slope).all()
    step = 1e-4 * RANDOM.standard_normal(logits.shape)
    numeric = (from_logits(target, logits + step) - from_logits(target, logits - step)) / 2
    assert (slope * step).sum() == pytest.approx(numeric, rel=1e-4)


def test_what_comes_from_elsewhere_is_not_fused():
    loss = SparseCategoricalCrossentropy()
    g = Tracer()
    x, t = g.input((None, CLASSES)), g.input((None,), "target", "target")
    scaled = g.apply(Rescaling(1.0), g.apply(Softmax(), x))
    program = g.program([x, t], [loss.build(g, scaled, t)])
    assert [node.op.name for node in program.nodes][-2] == "categorical_cross_entropy"
    other_axis = g.apply(Softmax(axis=0), x)
    program = g.program([x, t], [loss.build(g, other_axis, t)])
    assert [node.op.name for node in program.nodes][-2] == "categorical_cross_entropy"


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        (CategoricalCrossentropy(from_logits=True), Softmax()),
        (BinaryCrossentropy(from_logits=True), Activation("sigmoid")),
    ],
)
def test_a_softmax_applied_twice_is_pointed_out(loss, activation):
    g = Tracer()
    x, t = g.input((None, 3)), g.input((None, 3), "target", "target")
    with pytest.warns(UserWarning, match="applied twice"):
        loss.build(g, g.apply(activation, x), t)


def test_weights_join_the_program():
    loss = MeanSquaredError()
    g = Tracer()
    x, t = g.input((None, 2)), g.input((None, 2), "target", "target")
    w = g.input((None,), "sample_weight", "target")
    result = loss.build(g, x, t, w)
    p, y, weight = numbers(4, 2), numbers(4, 2), np.array([0, 1, 2, 3], "float32")
    values = forward(g.program([x, t, w], [result]), [p, y, weight])
    assert values[result] == pytest.approx(loss(y, p, weight))


@pytest.mark.parametrize(
    ("loss", "targets", "shape", "error", "message"),
    [
        (
            "sparse_categorical_crossentropy",
            [1, 2, 10],
            (None, 10),
            DataError,
            r"from 0 to 9.* from 1 to 10.*10, in row 2.*subtract 1",
        ),
        ("sparse_categorical_crossentropy", [0, -1], (None, 10), DataError, "-1, in row 1"),
        ("sparse_categorical_crossentropy", [0, 1.5], (None, 10), DataError, "1.5, in row 1"),
        ("sparse_categorical_crossentropy", [np.nan, 1], (None, 10), DataError, "nan, in row 0"),
        ("sparse_categorical_crossentropy", [np.inf, 1], (None, 10), DataError, "inf, in row 0"),
        (
            "sparse_categorical_crossentropy",
            np.eye(4),
            (None, 4),
            ShapeError,
            "loss='categorical_crossentropy'",
        ),
        ("sparse_categorical_crossentropy", np.zeros((4, 3)), (None, 4), ShapeError, r"\(4, 3\)"),
        ("sparse_categorical_crossentropy", ["cat", "dog"], (None, 2), DataError, "Number the"),
        (
            "categorical_crossentropy",
            [0, 1, 2],
            (None, 3),
            ShapeError,
            r"sparse_categorical_crossentropy.*to_categorical\(y, 3\)",
        ),
        ("categorical_crossentropy", np.full((2, 3), np.nan), (None, 3), DataError, "row 0"),
        ("categorical_crossentropy", [[0, 1], [0, 2]], (None, 2), DataError, "2 in row 1"),
        ("binary_crossentropy", [[-1], [1]], (None, 1), DataError, "from 0 to 1.*-1 in row 0"),
        ("binary_crossentropy", np.zeros((4, 2)), (None, 1), ShapeError, r"\(4, 2\)"),
        ("mse", np.zeros(4), (None, 4), ShapeError, r"\(4,\)"),
        ("mse", np.zeros((4, 1)), (None, 4), ShapeError, r"\(4, 1\)"),
        ("mse", [[0.0], [np.nan]], (None, 1), DataError, "nan in row 1"),
        ("mae", [[np.inf]], (None, 1), DataError, "inf in row 0"),
        ("mae", [[1j]], (None, 1), DataError, "complex128"),
    ],
)
def test_bad_targets_are_found_before_the_first_step(loss, targets, shape, error, message):
    with pytest.raises(error, match=message):
        losses.get(loss).check(np.asarray(targets), shape)


def test_targets_are_looked_through_in_parts(monkeypatch):
    monkeypatch.setattr("pellucid.losses._loss._CHECKED_AT_ONCE", 3)
    targets = np.zeros((20, 2))
    MeanSquaredError().check(targets, (None, 2))
    targets[17, 1] = np.nan
    with pytest.raises(DataError, match="nan in row 17"):
        MeanSquaredError().check(targets, (None, 2))


def test_one_axis_never_spreads_over_another():
    p, y = numbers(6, 1), numbers(6)
    expected = ((p[:, 0] - y) ** 2).mean()
    assert MeanSquaredError()(y, p) == pytest.approx(expected)
    assert MeanSquaredError()(p, y) == pytest.approx(expected)
    assert MeanSquaredError()(y, p[:, 0], np.ones(6)) == pytest.approx(expected)
    with pytest.raises(ShapeError):
        MeanSquaredError()(y[:1], p)
    with pytest.raises(ShapeError):
        MeanSquaredError()(y, p, np.ones(5))


def test_prepare_gives_the_types_that_programs_read():
    sparse = SparseCategoricalCrossentropy()
    assert sparse.prepare(np.array([[1], [2]], "uint8"), (None, 3)).dtype == np.int32
    assert sparse.prepare(np.array([[1], [2]]), (None, 3)).shape == (2,)
    assert MeanSquaredError().prepare(np.arange(3), (None, 1)).dtype == np.float32
    assert MeanSquaredError().prepare(np.arange(3), (None, 1)).shape == (3, 1)
    with pytest.raises(DataError, match="row 0"):
        sparse.prepare([3], (None, 3))


def test_found_by_name_and_function():
    assert losses.get(None) is None
    for identifier in (
        "mse",
        "MSE",
        "mean_squared_error",
        "MeanSquaredError",
        MeanSquaredError,
        losses.mean_squared_error,
    ):
        assert type(losses.get(identifier)) is MeanSquaredError
    assert type(losses.get("bce")) is BinaryCrossentropy
    assert type(losses.get("huber")) is Huber
    made = Huber(2.0)
    assert losses.get(made) is made
    assert losses.deserialize("mae").name == "mean_absolute_error"
    with pytest.raises(NameLookupError, match="Did you mean 'categorical_crossentropy'"):
        losses.get("categorical_crossentopy")
    with pytest.raises(TypeMismatchError, match="no gradient is known"):
        losses.get(np.mean)


def test_the_functions_give_one_number_for_each_sample():
    y, p = numbers(4, 3), numbers(4, 3)
    np.testing.assert_allclose(losses.mean_squared_error(y, p), ((y - p) ** 2).mean(-1), rtol=1e-6)
    np.testing.assert_allclose(losses.mean_absolute_error(y, p), abs(y - p).mean(-1), rtol=1e-6)
    assert losses.huber(y, p, delta=0.1).shape == (4,)
    assert losses.mean_squared_error([0.0, 1.0], [1.0, 3.0]).shape == ()


def test_a_loss_of_ones_own():
    class Signed(Loss):
        def per_sample(self, g, prediction, target):
            return g.apply(Rescaling(-1.0), prediction)

    assert Signed()(np.zeros((2, 1)), [[1.0], [3.0]]) == -2.0
    with pytest.raises(TypeMismatchError, match="custom"):
        losses.deserialize({"class_name": "X", "config": {}}, custom_objects={"X": int})
    written = losses.serialize(Signed())
    assert written["registered_name"] == "Signed"
    again = losses.deserialize(written, custom_objects={"Signed": Signed})
    assert type(again) is Signed


def test_options_are_checked():
    for make, message in [
        (lambda: MeanSquaredError(reduction="average"), "reduction"),
        (lambda: CategoricalCrossentropy(label_smoothing=1.5), "label_smoothing"),
        (lambda: CategoricalCrossentropy(axis=1), "axis"),
        (lambda: SparseCategoricalCrossentropy(ignore_class=0), "sample_weight of 0"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            make()
    g = Tracer()
    x, t = g.input((None, 2)), g.input((None, 2), "target", "target")
    with pytest.raises(ArgumentError, match="one for the batch"):
        MeanSquaredError(reduction=None).build(g, x, t)


def test_nothing_is_warned_of_in_ordinary_use():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for loss, y, p, _ in FAMILY:
            loss(y, p)
