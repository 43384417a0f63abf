"""The estimators, where scikit-learn's own checks do not look."""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pellucid as keras
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.random import get_state
from pellucid.sklearn import CNNClassifier, CNNRegressor

X, Y = load_digits(return_X_y=True)
X, X_TEST, Y, Y_TEST = train_test_split(X, Y, test_size=600, random_state=0)
PICTURES = X.reshape(-1, 8, 8)
FEW = slice(0, 200)


def small(input_shape: tuple[int, ...], outputs: int) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.2)]
    return keras.Sequential(
        [keras.Input(input_shape), *layers, keras.layers.Dense(outputs, activation="softmax")]
    )


def linear(input_shape: tuple[int, ...], outputs: int) -> keras.Model:
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs)])


# Samples.


def test_digits_are_read() -> None:
    digits = CNNClassifier(epochs=10, random_state=0).fit(PICTURES, Y)
    assert digits.score(X_TEST.reshape(-1, 8, 8, 1), Y_TEST) > 0.97
    assert digits.input_shape_ == (8, 8, 1)
    assert digits.n_features_in_ == 64
    assert digits.n_iter_ == 10 == len(digits.history_["accuracy"])
    as_rows = digits.predict_proba(X_TEST)
    assert np.array_equal(as_rows, digits.predict_proba(X_TEST.reshape(-1, 8, 8)))


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 2, 3), (1, 20), (5, 3, 2), (28, 28), (64, 9, 3), (7,), (1000,)]
)
def test_the_default_model_fits_every_shape_of_samples(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (40, *shape)).astype(np.float32)
    y = np.where(x.reshape(40, -1)[:, 0] > 5, "much", "little")
    fitted = CNNClassifier(epochs=2, random_state=0).fit(x, y)
    assert set(fitted.predict(x)) <= {"much", "little"}


def test_numbers_of_any_size_are_scaled_by_the_default_model() -> None:
    for scale, offset in ((1, 0), (1e-3, 0), (1e4, 1e6)):
        table = CNNRegressor(epochs=100, random_state=0)
        x, y = make_regression(200, 5, n_targets=2, noise=1, random_state=0)
        assert table.fit(x * scale + offset, y * scale + offset).score(
            x * scale + offset, y * scale + offset
        ) > 0.95  # fmt: skip
    bytes_ = (PICTURES * 15).astype(np.uint8)
    assert CNNClassifier(epochs=5, random_state=0).fit(bytes_, Y).score(bytes_, Y) > 0.95


def test_other_samples_than_those_of_fit_are_refused() -> None:
    digits = CNNClassifier(epochs=1).fit(PICTURES[FEW], Y[FEW])
    for other in (PICTURES[:, :7], PICTURES[:, :4].repeat(2, axis=1)[:, :, :, None].repeat(3, -1)):
        with pytest.raises(ShapeError, match=r"expected samples of shape \(8, 8, 1\)"):
            digits.predict(other)
    with pytest.raises(ValueError, match="X has 63 features, but CNNClassifier is expecting 64"):
        digits.predict(X[:, :63])
    with pytest.raises(ShapeError, match=r"H·W·C = 64"):
        CNNClassifier(image_shape=(8, 9)).fit(X, Y)
    with pytest.raises(ShapeError, match="expected pictures"):
        CNNClassifier().fit(PICTURES[..., None, None], Y)


# In scikit-learn's company.


def test_pipelines_grid_search_and_cross_validation() -> None:
    pipeline = make_pipeline(
        StandardScaler(), CNNClassifier(image_shape=(8, 8), epochs=5, random_state=0)
    )
    assert cross_val_score(pipeline, X, Y, cv=3).min() > 0.9
    grid = {"cnnclassifier__model": [None, small], "cnnclassifier__learning_rate": [0.003, 1e-6]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_params_ == {
        "cnnclassifier__model": None,
        "cnnclassifier__learning_rate": 0.003,
    }
    assert search.score(X_TEST, Y_TEST) > 0.95
    assert np.shape(search.predict(X_TEST)) == (600,)


def test_fits_in_threads_side_by_side_are_what_they_are_alone() -> None:
    from joblib import Parallel, delayed

    def fitted(seed: int) -> Any:
        return CNNClassifier(small, epochs=2, random_state=seed).fit(X[FEW], Y[FEW])

    together = Parallel(n_jobs=3, backend="threading")(delayed(fitted)(n) for n in range(6))
    for seed, one in enumerate(together):
        assert np.array_equal(one.predict_proba(X_TEST), fitted(seed).predict_proba(X_TEST))


def test_copies_predict_the_same_and_clones_are_not_fitted() -> None:
    fitted = CNNClassifier(small, optimizer="sgd", epochs=2, random_state=1).fit(X, Y)
    expected = fitted.predict_proba(X_TEST)
    for same in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(same.predict_proba(X_TEST), expected)
        assert not np.array_equal(same.partial_fit(X, Y).predict_proba(X_TEST), expected)
    assert np.array_equal(fitted.predict_proba(X_TEST), expected)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X_TEST)
    assert np.array_equal(clone(fitted).fit(X, Y).predict_proba(X_TEST), expected)


def test_the_fitted_model_is_a_model_like_any_other(tmp_path: Any) -> None:
    x, y = make_regression(100, 4, random_state=0)
    fitted = CNNRegressor(epochs=3, random_state=0).fit(x, y)
    fitted.model_.save(tmp_path / "model.keras")
    opened = keras.load_model(tmp_path / "model.keras")
    assert np.allclose(opened.predict(x)[:, 0], fitted.predict(x), rtol=1e-6)
    assert [layer.name for layer in fitted.model_.layers] == [
        "normalization", "dense", "dense_1", "dense_2", "rescaling",
    ]  # fmt: skip


# Randomness.


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_random_state_repeats_everything_and_leaves_global_seeds_alone(
    early_stopping: bool,
) -> None:
    estimator = CNNClassifier(small, epochs=4, random_state=3, early_stopping=early_stopping)
    before = get_state(), random.getstate(), np.random.get_state()[1].tolist()
    first, second = (clone(estimator).fit(X[FEW], Y[FEW]).predict_proba(X) for _ in range(2))
    assert (get_state(), random.getstate(), np.random.get_state()[1].tolist()) == before
    assert np.array_equal(first, second)
    other = clone(estimator).set_params(random_state=4).fit(X[FEW], Y[FEW]).predict_proba(X)
    assert not np.array_equal(first, other)
    keras.layers.Dense(3)
    third = clone(estimator).fit(X[FEW], Y[FEW]).predict_proba(X)
    assert np.array_equal(first, third)


# Training.


def test_early_stopping_returns_to_the_best_epoch() -> None:
    stopped = CNNClassifier(
        epochs=60, early_stopping=True, n_iter_no_change=3, learning_rate=0.01, random_state=0
    ).fit(X, Y)
    losses = stopped.history_["val_loss"]
    assert stopped.n_iter_ == len(losses) == int(np.argmin(losses)) + 4 < 60
    best = CNNClassifier(
        epochs=int(np.argmin(losses)) + 1, early_stopping=True, learning_rate=0.01, random_state=0
    ).fit(X, Y)
    assert np.array_equal(best.predict_proba(X_TEST), stopped.predict_proba(X_TEST))


def test_training_goes_on_where_it_stopped() -> None:
    whole = CNNClassifier(small, epochs=4, random_state=0).fit(X, Y)
    warm = CNNClassifier(small, epochs=2, random_state=0, warm_start=True).fit(X, Y).fit(X, Y)
    parts = CNNClassifier(small, random_state=0)
    for _ in range(4):
        parts.partial_fit(X, Y, classes=range(10))
    for one in (warm, parts):
        assert one.history_ == whole.history_
        assert one.n_iter_ == 4
        assert np.array_equal(one.predict_proba(X_TEST), whole.predict_proba(X_TEST))
    with pytest.raises(DataError, match="expected the classes that the model knows"):
        warm.fit(X, Y + 1)
    with pytest.raises(ArgumentError, match="the first call needs all classes"):
        CNNClassifier().partial_fit(X, Y)
    with pytest.raises(ArgumentError, match="expected the classes of the first call"):
        parts.partial_fit(X, Y, classes=range(9))


def test_a_weight_counts_like_as_many_samples() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, 30)
    for estimator, y in ((CNNClassifier(), Y), (CNNRegressor(), X[:, :3] + 0.5)):
        estimator.set_params(batch_size=200, epochs=5, random_state=0)
        weighted = clone(estimator).fit(X[:30], y[:30], sample_weight=weights)
        repeated = clone(estimator).fit(X[:30].repeat(weights, 0), y[:30].repeat(weights, 0))
        assert np.allclose(
            weighted.model_.predict(X_TEST), repeated.model_.predict(X_TEST), rtol=1e-4, atol=1e-6
        )


def test_class_weights_multiply_sample_weights() -> None:
    y = np.where(Y < 5, "low", "high")
    weighted = np.where(y == "low", 3.0, 0.5)
    both = CNNClassifier(small, epochs=2, random_state=0, class_weight={"low": 6.0, "high": 1.0})
    alone = clone(both).set_params(class_weight=None)
    assert np.array_equal(
        both.fit(X, y, sample_weight=np.full(len(y), 0.5)).predict_proba(X),
        alone.fit(X, y, sample_weight=weighted).predict_proba(X),
    )
    balanced = CNNClassifier(small, epochs=2, class_weight="balanced").fit(X, y)
    assert list(balanced.classes_) == ["high", "low"]


def test_one_sigmoid_serves_for_two_classes() -> None:
    def single(input_shape: tuple[int, ...], outputs: int) -> keras.Model:
        assert outputs == 2
        return keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])

    y = np.where(Y % 2, "odd", "even")
    fitted = CNNClassifier(single, epochs=30, random_state=0).fit(X, y)
    assert fitted.predict_proba(X).shape == (len(X), 2)
    assert fitted.score(X_TEST, np.where(Y_TEST % 2, "odd", "even")) > 0.85


def test_several_targets_and_one_in_a_column() -> None:
    x, y = make_regression(200, 6, n_targets=3, random_state=0)
    fitted = CNNRegressor(linear, optimizer="sgd", learning_rate=0.1, epochs=30, random_state=0)
    assert fitted.fit(x, y).score(x, y) > 0.99
    assert fitted.predict(x).shape == (200, 3)
    assert fitted.fit(x, y[:, :1]).predict(x).shape == (200, 1)
    assert fitted.fit(x, y[:, 0]).predict(x).shape == (200,)
    with pytest.warns(DataConversionWarning):
        CNNClassifier(small, epochs=1).fit(X[FEW], Y[FEW][:, None])


@pytest.mark.parametrize("loss", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy"])
def test_losses_get_classes_as_they_read_them(loss: str) -> None:
    chosen = getattr(keras.losses, loss)()
    fitted = CNNClassifier(small, loss=chosen, epochs=2, random_state=0).fit(X, Y)
    plain = CNNClassifier(small, epochs=2, random_state=0).fit(X, Y)
    assert np.allclose(fitted.predict_proba(X), plain.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number"),
        ({"batch_size": 1.5}, "batch_size: expected a whole number"),
        ({"tol": -1}, "tol: expected a number"),
        ({"early_stopping": True, "validation_fraction": 1}, "validation_fraction: expected"),
        ({"model": "mnist"}, "model: expected a function"),
        ({"model": small((64,), 10)}, "model: expected a function"),
        ({"model": lambda *_: None}, "it returned None"),
        ({"model": lambda shape, _: small(shape, 9)}, "expected 10 outputs"),
        ({"model": lambda _, outputs: small((8, 8), outputs)}, "for samples of shape"),
        ({"model": linear}, "expected probabilities"),
        ({"optimizer": "adm"}, "Unknown optimizer"),
    ],
)
def test_misuse_is_refused_in_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNNClassifier(**options).fit(X, Y)


def test_without_scikit_learn_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import pellucid\n"
        "try:\n    pellucid.sklearn\n"
        "except pellucid.errors.MissingPackageError as error:\n    print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "pellucid[sklearn]"' in shown.stdout
