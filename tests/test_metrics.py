import json

import numpy as np
import pytest

from pellucid import losses, metrics
from pellucid.errors import (
    ArgumentError,
    DataError,
    NameLookupError,
    ShapeError,
    TypeMismatchError,
)
from pellucid.metrics import (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    Mean,
    MeanAbsoluteError,
    MeanSquaredError,
    Precision,
    Recall,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    confusion_matrix,
)

RANDOM = np.random.default_rng(0)
CLASSES = 6
BATCHES = 3


def scores(*shape):
    p = RANDOM.random((*shape, CLASSES)).astype("float32")
    return p / p.sum(-1, keepdims=True)


def probabilities(*shape):
    return RANDOM.random(shape).astype("float32")


def labels(*shape):
    return RANDOM.integers(0, CLASSES, shape)


def one_hot(y):
    return np.eye(CLASSES, dtype="float32")[y]


def bits(*shape):
    return RANDOM.integers(0, 2, shape).astype("float32")


def each_batch(y, p):
    return [(y(), p()) for _ in range(BATCHES)]


CATEGORICAL = (lambda: one_hot(labels(9)), lambda: scores(9))
SPARSE = (lambda: labels(9), lambda: scores(9))
BINARY = (lambda: bits(9, 1), lambda: probabilities(9, 1))
NUMBERS = (lambda: probabilities(9, 2), lambda: probabilities(9, 2))
FAMILY = [
    (Accuracy(), lambda: labels(9, 1), lambda: labels(9, 1)),
    (BinaryAccuracy(threshold=0.3), *BINARY),
    (CategoricalAccuracy(), *CATEGORICAL),
    (CategoricalAccuracy(), lambda: one_hot(labels(9, 4, 5)), lambda: scores(9, 4, 5)),
    (SparseCategoricalAccuracy(), *SPARSE),
    (SparseCategoricalAccuracy(), lambda: labels(9, 1), lambda: scores(9)),
    (SparseCategoricalAccuracy(), lambda: labels(9, 4, 5), lambda: scores(9, 4, 5)),
    (TopKCategoricalAccuracy(k=2), *CATEGORICAL),
    (SparseTopKCategoricalAccuracy(k=3), *SPARSE),
    (
        SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True),
        lambda: labels(9),
        lambda: labels(9, 4).astype("float32"),
    ),
    (Precision(), *BINARY),
    (Precision(thresholds=[0.2, 0.5, 0.8]), *BINARY),
    (Precision(top_k=2), *CATEGORICAL),
    (Precision(class_id=1, thresholds=0.1), *CATEGORICAL),
    (Recall(), *BINARY),
    (Recall(thresholds=[0.7, 0.2]), *BINARY),
    (Recall(top_k=2, class_id=3), *CATEGORICAL),
    (AUC(), *BINARY),
    (AUC(curve="PR"), *BINARY),
    (AUC(num_thresholds=20, summation_method="minoring"), *BINARY),
    (AUC(curve="PR", summation_method="majoring"), *BINARY),
    (AUC(thresholds=[0.1, 0.5, 0.6]), *BINARY),
    (AUC(from_logits=True), lambda: bits(9, 1), lambda: 8 * probabilities(9, 1) - 4),
    (MeanSquaredError(), *NUMBERS),
    (MeanAbsoluteError(), *NUMBERS),
    (RootMeanSquaredError(), *NUMBERS),
    (BinaryCrossentropy(label_smoothing=0.1), *BINARY),
    (CategoricalCrossentropy(), *CATEGORICAL),
    (SparseCategoricalCrossentropy(), *SPARSE),
    (SparseCategoricalCrossentropy(from_logits=True), *SPARSE),
    (metrics.MeanAbsolutePercentageError(), *NUMBERS),
    (metrics.MeanSquaredLogarithmicError(), *NUMBERS),
    (metrics.LogCoshError(), *NUMBERS),
    (metrics.Poisson(), *NUMBERS),
    (metrics.KLDivergence(), lambda: scores(9), lambda: scores(9)),
    (metrics.CosineSimilarity(), *NUMBERS),
    (metrics.Hinge(), *BINARY),
    (metrics.SquaredHinge(), *BINARY),
    (metrics.CategoricalHinge(), *CATEGORICAL),
    (metrics.TruePositives(), *BINARY),
    (metrics.FalseNegatives(thresholds=[0.2, 0.7]), *BINARY),
    (metrics.TrueNegatives(0.3), *BINARY),
    (metrics.FalsePositives(), *BINARY),
    (metrics.F1Score("macro"), *CATEGORICAL),
    (metrics.F1Score(), *CATEGORICAL),
    (metrics.FBetaScore("weighted", 2.0, 0.2), *CATEGORICAL),
    (metrics.FBetaScore("micro", 0.5), *CATEGORICAL),
    (metrics.R2Score(), *NUMBERS),
    (metrics.R2Score("variance_weighted_average"), *NUMBERS),
    (metrics.R2Score(None), *NUMBERS),
    (metrics.MeanIoU(CLASSES, dtype="float32"), lambda: labels(9), lambda: labels(9)),
    (metrics.IoU(4, [0, 3], ignore_class=1, dtype="float32"), lambda: labels(9), lambda: labels(9)),
    (metrics.BinaryIoU(dtype="float32"), *BINARY),
    (metrics.OneHotMeanIoU(CLASSES, dtype="float32"), *CATEGORICAL),
    (metrics.OneHotIoU(CLASSES, [1, 2], dtype="float32"), *CATEGORICAL),
]
IDS = [f"{type(metric).__name__}-{i}" for i, (metric, *_) in enumerate(FAMILY)]


@pytest.mark.parametrize(("metric", "y", "p"), FAMILY, ids=IDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_follows_keras(metric, y, p, weighted, keras_oracle):
    metric.reset_state()
    arrays = {}
    for i, (true, pred) in enumerate(each_batch(y, p)):
        weight = RANDOM.random(len(pred)).astype("float32") if weighted else None
        # Keras would count weights of samples along the last axis of a prediction with more
        if weighted and pred.ndim > 2:
            weight = np.broadcast_to(weight[:, None, None], pred.shape[:-1])
        metric.update_state(true, pred, weight)
        arrays |= {f"y_true{i}": true, f"y_pred{i}": pred}
        arrays |= {} if weight is None else {f"weight{i}": weight}
    written = json.loads(json.dumps(metrics.serialize(metric)))
    theirs, config = keras_oracle.ask(
        "ask_training.metric", arrays, metric=written, batches=BATCHES
    )
    np.testing.assert_allclose(metric.result(), theirs["result"], rtol=1e-5)
    assert written == config
    assert metrics.deserialize(written).get_config() == metric.get_config()


@pytest.mark.parametrize(("metric", "y", "p"), FAMILY, ids=IDS)
def test_batches_add_up_to_the_whole(metric, y, p):
    parts = each_batch(y, p)
    metric.reset_state()
    for true, pred in parts:
        metric.update_state(true, pred)
    in_parts = metric.result()
    metric.reset_state()
    at_once = metric(*(np.concatenate(side) for side in zip(*parts, strict=True)))
    np.testing.assert_allclose(in_parts, at_once, rtol=1e-12)


@pytest.mark.parametrize(("metric", "y", "p"), FAMILY, ids=IDS)
def test_a_weight_of_two_is_a_sample_twice(metric, y, p):
    true, pred = y(), p()
    weight = RANDOM.integers(0, 3, len(pred))
    metric.reset_state()
    weighted = metric(true, pred, weight)
    metric.reset_state()
    repeated = metric(np.repeat(true, weight, axis=0), np.repeat(pred, weight, axis=0))
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)


def test_by_hand():
    y, p = [1, 0, 1, 1], [0.9, 0.8, 0.7, 0.2]
    assert Precision()(y, p) == pytest.approx(2 / 3)
    assert Recall()(y, p) == pytest.approx(2 / 3)
    # of the pairs of a positive and a negative, the share in which the positive scores higher
    assert AUC(num_thresholds=1000)(y, p) == pytest.approx(1 / 3, abs=1e-3)
    assert (
        TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
        == 0.5
    )
    assert BinaryAccuracy()([1, 0], [0.6, 0.6]) == 0.5
    assert Precision()([0], [0.1]) == 0.0
    assert Mean().result() == 0.0


def test_equal_scores_count_as_in_keras():
    assert SparseTopKCategoricalAccuracy(k=1)([0, 1, 2], np.full((3, 3), 0.5)) == 1.0
    assert SparseCategoricalAccuracy()([0, 1, 2], np.full((3, 3), 0.5)) == pytest.approx(1 / 3)
    assert SparseTopKCategoricalAccuracy(k=3)([0], [[np.nan, 0.5, 0.5]]) == 0.0


@pytest.mark.parametrize(
    "cls",
    [
        Accuracy,
        BinaryAccuracy,
        MeanSquaredError,
        MeanAbsoluteError,
        RootMeanSquaredError,
        Precision,
        Recall,
        AUC,
        BinaryCrossentropy,
    ],
)
def test_one_axis_never_spreads_over_another(cls):
    y, p = bits(7), np.round(probabilities(7), 1)
    column = cls()(y, p[:, None])
    assert column == cls()(y[:, None], p) == cls()(y, p)
    assert cls()(y, p, np.ones(7)) == pytest.approx(column)
    for true, pred, weight in [
        (y[:1], p, None),
        (y, p[:, None], np.ones(3)),
        (bits(7, 2), p, None),
        (bits(7, 1), np.zeros((7, 7)), None),
    ]:
        with pytest.raises((ShapeError, DataError)):
            cls()(true, pred, weight)


def test_wrong_kinds_of_labels_are_pointed_out():
    with pytest.raises(ShapeError, match="to_categorical"):
        CategoricalAccuracy()(labels(9), scores(9))
    with pytest.raises(ShapeError, match="without Sparse"):
        SparseCategoricalAccuracy()(one_hot(labels(9)), scores(9))
    with pytest.raises(ShapeError, match="top_k and class_id"):
        Precision(top_k=2)([1, 0], [0.5, 0.5])
    with pytest.raises(DataError, match="from_logits"):
        AUC()([1, 0], [2.0, -1.0])


@pytest.mark.parametrize(
    ("name", "y", "p"),
    [
        ("accuracy", bits(9, 1), probabilities(9, 1)),
        ("acc", bits(9), probabilities(9, 1)),
        ("accuracy", labels(9), scores(9)),
        ("accuracy", labels(9, 1), scores(9)),
        ("accuracy", one_hot(labels(9)), scores(9)),
        ("acc", labels(9, 2, 2, 1), scores(9, 2, 2)),
        ("Accuracy", labels(9), scores(9)),
        ("mse", probabilities(9, 2), probabilities(9, 2)),
        ("MAE", probabilities(9, 2), probabilities(9, 2)),
        ("binary_accuracy", bits(9, 1), probabilities(9, 1)),
        ("sparse_top_k_categorical_accuracy", labels(9), scores(9)),
        ("AUC", bits(9, 1), probabilities(9, 1)),
    ],
)
def test_names_come_to_what_they_come_to_in_keras(name, y, p, keras_oracle):
    found = metrics.get(name, None, p.shape, y.shape)
    _, theirs = keras_oracle.ask("ask_training.resolve", {"y_true": y, "y_pred": p}, name=name)
    assert [type(found).__name__, found.name] == theirs


def test_crossentropy_goes_by_shapes_and_loss():
    def found(output, target, loss=None):
        return metrics.get("crossentropy", loss, output, target)

    assert type(found((None, 1), (None, 1))) is BinaryCrossentropy
    assert type(found((None, 5), (None,))) is SparseCategoricalCrossentropy
    assert type(found((None, 5), (None, 5))) is CategoricalCrossentropy
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert found((None, 5), (None,), logits).get_config()["from_logits"]


def test_a_function_of_ones_own():
    def distance(y_true, y_pred):
        return np.abs(y_true - y_pred)

    metric = metrics.get(distance)
    assert metric.name == "distance"
    metric.update_state(np.array([1.0, 2.0]), np.array([2.0, 4.0]), [3.0, 1.0])
    assert metric.result() == 1.25


def test_found_and_not_found():
    made = Precision(name="mine")
    assert metrics.get(made) is made
    assert type(metrics.get(Precision)) is Precision
    assert type(metrics.deserialize("recall")) is Recall
    with pytest.raises(NameLookupError, match="Did you mean 'precision'"):
        metrics.get("precison")
    with pytest.raises(TypeMismatchError):
        metrics.get(None)
    for make in (
        lambda: Precision(thresholds=1.5),
        lambda: AUC(curve="XY"),
        lambda: AUC(summation_method="mid"),
        lambda: AUC(num_thresholds=1),
        lambda: AUC(multi_label=True),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_directions():
    for cls in (Accuracy, AUC, Precision, Recall, TopKCategoricalAccuracy):
        assert cls.direction == "up"
    for cls in (MeanSquaredError, RootMeanSquaredError, CategoricalCrossentropy):
        assert cls.direction == "down"
    assert Mean.direction is None


def test_the_confusion_matrix():
    true, guess = labels(200), labels(200)
    weight = RANDOM.random(200)
    expected = np.zeros((CLASSES, CLASSES))
    for t, g, w in zip(true, guess, weight, strict=True):
        expected[t, g] += w
    found = confusion_matrix(true, guess, CLASSES, weight, dtype="float64")
    np.testing.assert_allclose(found, expected)
    p = scores(200)
    counted = confusion_matrix(true[:, None], p, CLASSES)
    assert counted.dtype == np.int32
    assert counted.trace() / 200 == pytest.approx(SparseCategoricalAccuracy()(true, p))
    for wrong in ([0, CLASSES], [0, -1], [0, 0.5], [0, np.nan]):
        with pytest.raises(DataError, match="in row 1"):
            confusion_matrix(wrong, [0, 0], CLASSES)
    with pytest.raises(ShapeError):
        confusion_matrix([0, 1, 2], [0, 1], CLASSES)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.F1Score("mean"), "average must be"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta above 0"),
        (lambda: metrics.R2Score(num_regressors=1), "adjusted"),
        (lambda: metrics.R2Score("mean"), "class_aggregation"),
        (lambda: metrics.IoU(2, [2]), "target_class_ids from 0 to 1"),
        (lambda: metrics.TruePositives(2.0), "thresholds from 0 to 1"),
        (lambda: metrics.CosineSimilarity(axis=0), "axis -1"),
    ],
)
def test_what_a_metric_cannot_be_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_scores_need_columns():
    with pytest.raises(ShapeError, match=r"\(N, C\)"):
        metrics.F1Score("macro").update_state([0, 1], [0.1, 0.9])
    with pytest.raises(ShapeError, match="as many classes"):
        metrics.MeanIoU(2).update_state([0, 1], [0, 1, 1])


def test_classes_that_are_nowhere_have_no_overlap():
    assert metrics.MeanIoU(3)([0, 0, 1], [0, 1, 1]) == pytest.approx(0.5)
    assert metrics.IoU(3, [2])([0, 0, 1], [0, 1, 1]) == 0
