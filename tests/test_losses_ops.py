"""Losses: exact at extreme scores, right in their gradients, and never spread to other shapes."""

import math

import numpy as np
import pytest
from scipy import special

from pellucid.errors import DataError, ShapeError
from pellucid.ops.binary_cross_entropy import BinaryCrossEntropy
from pellucid.ops.categorical_cross_entropy import CategoricalCrossEntropy
from pellucid.ops.huber import Huber
from pellucid.ops.l1_l2 import L1L2
from pellucid.ops.mean_absolute_error import MeanAbsoluteError
from pellucid.ops.mean_squared_error import MeanSquaredError
from pellucid.ops.softmax_cross_entropy import SoftmaxCrossEntropy
from pellucid.ops.weighted_mean import WeightedMean


def gradient(op, prediction, targets):
    y = op.forward(prediction, targets)
    return op.backward(np.ones_like(y), y, prediction, targets)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_is_exact_at_extreme_logits(dtype):
    logits = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    labels = np.array([0, 1, 2])
    op = SoftmaxCrossEntropy(sparse=True)
    np.testing.assert_allclose(op.forward(logits, labels), [0, 2e4, math.log(3)], rtol=1e-6)
    expected = [[0, 0, 0], [1, -1, 0], [1 / 3, 1 / 3, -2 / 3]]
    np.testing.assert_allclose(gradient(op, logits, labels), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_is_exact_at_extreme_logits(dtype):
    logits = np.array([[1e4], [1e4], [-1e4], [-1e4], [40]], dtype)
    targets = np.array([[1], [0], [1], [0], [1]])
    op = BinaryCrossEntropy(from_logits=True)
    expected = [0, 1e4, 1e4, 0, math.exp(-40)]
    np.testing.assert_allclose(op.forward(logits, targets), expected, rtol=1e-6)
    np.testing.assert_allclose(gradient(op, logits, targets)[:, 0], [0, 1, -1, 0, 0], atol=1e-15)


def test_the_gradient_of_logits_is_p_minus_y():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (50, 7))
    labels = generator.integers(0, 7, 50)
    difference = special.softmax(logits, axis=1) - np.eye(7)[labels]
    sparse = gradient(SoftmaxCrossEntropy(sparse=True), logits, labels)
    dense = gradient(SoftmaxCrossEntropy(), logits, np.eye(7)[labels])
    np.testing.assert_allclose(sparse, difference, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(dense, difference, rtol=1e-12, atol=1e-15)


def test_binary_gradient_of_logits_is_p_minus_y_over_the_outputs():
    x, t = np.array([[0.3, -2.0]]), np.array([[1.0, 0.0]])
    np.testing.assert_allclose(
        gradient(BinaryCrossEntropy(from_logits=True), x, t), (special.expit(x) - t) / 2
    )


def test_sparse_and_one_hot_targets_give_the_same():
    generator = np.random.default_rng(1)
    scores = generator.random((4, 3, 5)) + 0.1
    labels = generator.integers(0, 5, (4, 3))
    rows = np.eye(5)[labels]
    for kind in (SoftmaxCrossEntropy, CategoricalCrossEntropy):
        for smoothing in (0.0, 0.2):
            sparse, dense = kind(True, smoothing), kind(False, smoothing)
            y = sparse.forward(scores, labels)
            np.testing.assert_allclose(y, dense.forward(scores, rows), rtol=1e-12)
            np.testing.assert_allclose(y, sparse.forward(scores, labels[..., np.newaxis]))
            np.testing.assert_allclose(y, sparse.forward(scores, labels.astype(float)))
            np.testing.assert_allclose(
                gradient(sparse, scores, labels), gradient(dense, scores, rows), atol=1e-12
            )


def test_probabilities_and_logits_agree_where_nothing_is_clipped():
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 2, (6, 4))
    labels = generator.integers(0, 4, 6)
    np.testing.assert_allclose(
        CategoricalCrossEntropy(True).forward(special.softmax(logits, axis=1), labels),
        SoftmaxCrossEntropy(True).forward(logits, labels),
        rtol=1e-12,
    )
    t = generator.random((6, 4))
    np.testing.assert_allclose(
        BinaryCrossEntropy().forward(special.expit(logits), t),
        BinaryCrossEntropy(from_logits=True).forward(logits, t),
        rtol=1e-12,
    )


def test_label_smoothing_is_what_its_paper_says():
    logits = np.array([[2.0, -1.0, 0.5]])
    log_p = special.log_softmax(logits, axis=1)[0]
    smooth = SoftmaxCrossEntropy(sparse=True, label_smoothing=0.3).forward(logits, np.array([1]))
    np.testing.assert_allclose(smooth, [-(0.7 * log_p[1] + 0.1 * log_p.sum())])
    p = np.array([[0.8]])
    smooth = BinaryCrossEntropy(label_smoothing=0.3).forward(p, np.array([[1.0]]))
    np.testing.assert_allclose(smooth, [-(0.85 * math.log(0.8) + 0.15 * math.log(0.2))])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certain_and_wrong_probabilities_cost_a_finite_sum(dtype):
    p = np.array([[0.0, 1.0], [1.0, 0.0]], dtype)
    wrong = np.array([0, 1])
    op = CategoricalCrossEntropy(sparse=True)
    np.testing.assert_allclose(op.forward(p, wrong), [-math.log(1e-7)] * 2, rtol=1e-6)
    assert not gradient(op, p, wrong).any()  # clipped: the gate is shut
    yes = np.array([[1.0], [0.0]], dtype)
    costs = BinaryCrossEntropy().forward(np.array([[0.0], [1.0]], dtype), yes)
    np.testing.assert_allclose(costs, [-math.log(1e-7)] * 2, rtol=0.02)


def test_probabilities_are_normalised_first():
    p, t = np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(CategoricalCrossEntropy().forward(p, t), [-math.log(0.75)])


def test_regression_losses_on_paper_sized_numbers():
    prediction, targets = np.array([[1.0, 4.0, -2.0]]), np.array([[1.0, 1.0, 0.0]])
    assert MeanSquaredError().forward(prediction, targets).item() == pytest.approx(13 / 3)
    assert MeanAbsoluteError().forward(prediction, targets).item() == pytest.approx(5 / 3)
    assert Huber().forward(prediction, targets).item() == pytest.approx((2.5 + 1.5) / 3)
    assert gradient(MeanAbsoluteError(), prediction, targets).tolist() == [[0, 1 / 3, -1 / 3]]


@pytest.mark.parametrize("delta", [0.5, 1.0, 3.0])
def test_huber_agrees_with_scipy(delta):
    e = np.linspace(-4, 4, 81)[:, np.newaxis]
    np.testing.assert_allclose(
        Huber(delta).forward(e, np.zeros_like(e)), special.huber(delta, e)[:, 0], atol=1e-15
    )


@pytest.mark.parametrize(
    ("labels", "says"), [([0, 3], "0 to 2"), ([-1, 0], "0 to 2"), ([0.5, 1], "whole")]
)
@pytest.mark.parametrize("kind", [SoftmaxCrossEntropy, CategoricalCrossEntropy])
def test_labels_that_are_no_class_are_refused(kind, labels, says):
    with pytest.raises(DataError, match=says):
        kind(sparse=True).forward(np.full((2, 3), 0.5), np.array(labels))
    with pytest.raises(DataError, match="whole"):
        kind(sparse=True).forward(np.full((1, 3), 0.5), np.array([np.nan]))


@pytest.mark.parametrize(
    "op",
    [MeanSquaredError(), MeanAbsoluteError(), Huber(), BinaryCrossEntropy(), SoftmaxCrossEntropy()],
)
def test_shapes_are_never_spread(op):
    with pytest.raises(ShapeError, match=r"prediction|logits.*\(8, 1\) and targets \(8,\)"):
        op.output_shape((8, 1), (8,))
    assert op.output_shape((None, 4), (None, 4)) == (None,)
    assert op.output_shape((None, 4), (8, 4)) == (None,)


def test_weighted_means():
    x, weights = np.array([1.0, 2.0, 6.0], np.float32), np.array([1, 0, 0.5])
    expected = {"sum_over_batch_size": 4 / 3, "sum": 4.0, "mean_with_sample_weight": 4 / 1.5}
    for reduction, mean in expected.items():
        y = WeightedMean(reduction).forward(x, weights)
        assert y.dtype == np.float32
        assert y.shape == ()
        assert y.item() == pytest.approx(mean)
        assert WeightedMean(reduction).forward(x).item() == (9 if reduction == "sum" else 3)


def test_weights_of_samples_count_for_all_their_values():
    x = np.arange(6.0).reshape(2, 3)
    one_each = WeightedMean().forward(x, np.array([0.5, 2.0]))
    all_given = WeightedMean().forward(x, np.array([[0.5] * 3, [2.0] * 3]))
    assert one_each == all_given == (0.5 * 3 + 2 * 12) / 6


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_the_mean_of_nothing_is_zero(reduction):
    op = WeightedMean(reduction)
    assert op.forward(np.zeros(0)) == 0
    y = op.forward(np.ones(3), np.zeros(3))
    assert y == 0
    assert not op.backward(np.ones(()), y, np.ones(3), np.zeros(3))[0].any()


def test_penalties_on_weights():
    w = np.array([[3.0, -4.0], [0.0, 1.0]], np.float32)
    assert L1L2(l1=0.5).forward(w).item() == 4.0
    assert L1L2(l2=0.5).forward(w).item() == 13.0
    y = L1L2(0.5, 0.25).forward(w)
    assert y.dtype == np.float32
    dw = L1L2(0.5, 0.25).backward(np.float32(2), y, w)[0]
    assert dw.tolist() == [[4.0, -5.0], [0.0, 2.0]]
