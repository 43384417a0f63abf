"""CNNClassifier and CNNRegressor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from pellucid import optimizers
from pellucid.callbacks import EarlyStopping
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.layers._names import fresh_names
from pellucid.models import Model
from pellucid.ops._operation import Array
from pellucid.optimizers import Optimizer
from pellucid.optimizers.schedules import LearningRateSchedule
from pellucid.random import seeded
from pellucid.sklearn import _networks
from pellucid.sklearn._networks import Scale
from pellucid.utils import to_categorical

__all__ = ["CNNClassifier", "CNNRegressor"]

Shape = tuple[int, ...]
Build = Callable[[Shape, int], Model]

_PREDICTED_AT_ONCE = 256


class _CNN(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: samples of any shape, training, early stopping."""

    def __init__(
        self,
        model: Build | None = None,
        *,
        image_shape: Shape | None = None,
        optimizer: str | Optimizer | Mapping[str, Any] = "adam",
        learning_rate: float | LearningRateSchedule | None = None,
        loss: Any = None,
        batch_size: int = 32,
        epochs: int = 20,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: Any = 0,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # What the two do differently.

    def _targets(
        self, y: Array, weights: Array | None, new: bool, classes: Any
    ) -> tuple[Array, Array | None]:
        """Return targets as the model learns them, and weights; if `new`, learn their kind."""
        raise NotImplementedError  # each has its own

    def _objective(self, predictions: Array) -> tuple[Any, list[str]]:
        """Return loss and metrics for a model that makes such predictions before training."""
        raise NotImplementedError  # each has its own

    # Fitting.

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model; with `warm_start`, train the last one further.

        Args:
            X: Samples: pictures (N, H, W) or (N, H, W, C), or rows (N, F).
            y: Targets.
            sample_weight: How much each sample counts, (N,).

        Returns:
            The estimator itself.

        Raises:
            ValueError: The data does not fit, or an argument of the constructor is not what it
                should be.
        """
        return self._fit(X, y, sample_weight, new=not (self.warm_start and self._is_fitted()))

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        new: bool,
        partial: bool = False,
        classes: Any = None,
    ) -> Self:
        self._check_arguments()
        X, y = self._validated(X, y, reset=new)
        weights = self._weights(sample_weight, X)
        y, weights = self._targets(y, weights, new, classes)
        if weights is not None:
            X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
            weights = weights / weights.mean()
        if new:
            self.input_shape_ = self._shape_of(X)
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        X = X.reshape(len(X), *self.input_shape_)
        with seeded(self._seed), fresh_names():
            if new:
                self.model_ = self._new_model(X, y, weights)
                self.history_: dict[str, list[float]] = {}
            self._train(X, y, weights, partial)
        self.n_iter_ = len(self.history_["loss"])
        return self

    def _train(self, X: Array, y: Array, weights: Array | None, partial: bool) -> None:
        callbacks, validation = [], None
        parts = self._split(y) if self.early_stopping and not partial else None
        if is_classifier(self):
            ((loss, _),) = self.model_.output_losses()
            if loss.target_shape(self.model_.output_shape) == (None, self.n_outputs_):
                y = to_categorical(y, self.n_outputs_)
        if parts is not None:
            train, held_out = parts
            validation = tuple(None if a is None else a[held_out] for a in (X, y, weights))
            X, y, weights = X[train], y[train], None if weights is None else weights[train]
            callbacks.append(
                EarlyStopping(
                    "val_loss",
                    min_delta=self.tol,
                    patience=self.n_iter_no_change,
                    restore_best_weights=True,
                )
            )
        done = len(self.history_.get("loss", ()))
        history = self.model_.fit(
            X,
            y,
            sample_weight=weights,
            batch_size=self.batch_size,
            epochs=done + (1 if partial else self.epochs),
            initial_epoch=done,
            shuffle=self.shuffle,
            validation_data=validation,
            callbacks=callbacks,
            verbose=self.verbose,
        ).history
        for name, values in history.items():
            self.history_.setdefault(name, []).extend(values)

    def _split(self, y: Array) -> list[Array]:
        rows = np.arange(len(y))
        classes = y if is_classifier(self) else None
        parts: list[Array] = train_test_split(
            rows, test_size=self.validation_fraction, random_state=self._seed, stratify=classes
        )
        return parts

    def _new_model(self, X: Array, y: Array, weights: Array | None) -> Model:
        if self.model is not None:
            model = self.model(self.input_shape_, self.n_outputs_)
        else:
            targets = None if is_classifier(self) else Scale.of(y, weights)
            model = _networks.build(
                self.input_shape_, self.n_outputs_, Scale.of(X, weights), targets
            )
        if not isinstance(model, Model) or model.compiled:
            raise ArgumentError(
                "model: expected a function (input_shape, outputs) that returns a model which is "
                f"not compiled, as the estimator does that; it returned {model!r}."
            )
        if not model.built:
            model.build((None, *self.input_shape_))
        if model.input_shape != (None, *self.input_shape_):
            raise ShapeError(
                f"model: expected a model for samples of shape {self.input_shape_}, received one "
                f"for {model.input_shape}."
            )
        loss, metrics = self._objective(model.predict(X[:_PREDICTED_AT_ONCE]))
        model.compile(self._new_optimizer(), self.loss or loss, metrics=metrics)
        return model

    def _new_optimizer(self) -> Optimizer:
        """Return an optimiser that no other fit has used."""
        given = optimizers.get(self.optimizer)
        config = given.get_config()
        if self.learning_rate is not None:
            config["learning_rate"] = self.learning_rate
        return type(given).from_config(config)

    def _check_arguments(self) -> None:
        for name in ("batch_size", "epochs", "n_iter_no_change"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ArgumentError(
                    f"{name}: expected a whole number of at least 1, received {value!r}."
                )
        if not isinstance(self.tol, Real) or not 0 <= self.tol < math.inf:
            raise ArgumentError(f"tol: expected a number of at least 0, received {self.tol!r}.")
        share = self.validation_fraction
        if self.early_stopping and not (isinstance(share, Real) and 0 < share < 1):
            raise ArgumentError(
                f"validation_fraction: expected a number between 0 and 1, received {share!r}."
            )
        if self.model is not None and (isinstance(self.model, Model) or not callable(self.model)):
            raise ArgumentError(
                f"model: expected a function (input_shape, outputs) that returns a new model, "
                f"as every fit needs one of its own, or None; received {self.model!r}."
            )

    # Samples.

    def _validated(self, X: Any, *targets: Any, reset: bool) -> Any:
        """Check X, and y beside it, as scikit-learn does; pictures as well as tables."""
        pictures = (X if hasattr(X, "ndim") else np.asarray(X)).ndim > 2
        checked = validate_data(
            self,
            X,
            *targets,
            reset=reset,
            dtype=[np.float32, np.uint8],
            allow_nd=pictures,
            ensure_2d=not pictures,
            **({"multi_output": True, "y_numeric": self._numeric} if targets else {}),
        )
        samples = checked[0] if targets else checked
        if pictures and reset:
            self.n_features_in_ = math.prod(samples.shape[1:])
        elif not reset and pictures:
            known = self.input_shape_
            if samples.shape[1:] not in (known, known[:-1] if known[-1] == 1 else known):
                raise ShapeError(
                    f"X: expected samples of shape {known}, as in fit, received "
                    f"{samples.shape[1:]}."
                )
        return checked

    def _shape_of(self, X: Array) -> Shape:
        """Return the shape of a sample as the model reads it: (F,) or (H, W, C)."""
        given = X.shape[1:]
        if self.image_shape is None:
            if len(given) > 3:
                raise ShapeError(
                    f"X: expected pictures (N, H, W) or (N, H, W, C), or rows (N, F), received an "
                    f"array of shape {X.shape}."
                )
            return (*given, 1) if len(given) == 2 else given
        shape = tuple(int(size) for size in self.image_shape)
        whole = (*shape, 1) if len(shape) == 2 else shape
        fits = math.prod(given) == math.prod(whole)
        if len(whole) != 3 or not fits or (len(given) > 1 and given not in (shape, whole)):
            raise ShapeError(
                f"image_shape={self.image_shape!r} does not fit samples of shape {given}: expected "
                f"(H, W) or (H, W, C) with H·W·C = {math.prod(given)}."
            )
        return whole

    def _weights(self, sample_weight: Any, X: Array) -> Array | None:
        """Return what each sample counts, or None if all count the same."""
        if sample_weight is None:
            return None
        weights: Array = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        if not weights.any():
            raise DataError("sample_weight: every weight is zero; nothing is left to learn from.")
        return weights

    def _predicted(self, X: Any) -> Array:
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        samples = X.reshape(len(X), *self.input_shape_)
        predicted: Array = self.model_.predict(samples, batch_size=_PREDICTED_AT_ONCE)
        return predicted.astype(np.float64)

    def _is_fitted(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class CNNClassifier(ClassifierMixin, _CNN):  # type: ignore[misc]  # scikit-learn has no types
    """A network that tells classes apart, as a scikit-learn classifier.

    Args:
        model: A function (input_shape, outputs) that returns a new model, which the estimator
            compiles. Its outputs are probabilities: `Dense(outputs, activation="softmax")`; for
            two classes also `Dense(1, activation="sigmoid")`. None for a small CNN for pictures or
            a small MLP for rows, sized and scaled by the data.
        image_shape: (H, W) or (H, W, C): rows of so many numbers are pictures. This is for
            pipelines whose steps pass tables on.
        optimizer: An optimiser, by name or as an instance, of which each fit uses a copy.
        learning_rate: A number or a schedule; None for the optimiser's own.
        loss: A loss or its name; None for the cross-entropy.
        batch_size: How many samples make one step.
        epochs: How often every sample is seen, at most.
        shuffle: Whether every epoch sees the samples in a new order.
        class_weight: {class: weight}, or "balanced" for n / (classes · n of the class). It is
            multiplied with `sample_weight`.
        early_stopping: Whether to hold samples out, to stop when the loss on them has stopped
            getting better, and to return to the weights of the best epoch.
        validation_fraction: The share of the samples that is held out, of each class alike.
        n_iter_no_change: How many epochs without improvement are put up with.
        tol: A change of the loss by no more than this is no improvement.
        warm_start: Whether `fit` goes on with the last model, instead of beginning a new one.
        random_state: Decides initial weights, order, dropout and what is held out. A whole number
            makes fits repeatable; neither Pellucid's, NumPy's nor Python's global seed is touched.
        verbose: 0 for silence, 1 for a progress bar, 2 for one line an epoch.

    Attributes:
        classes_: The class labels, in the order of `predict_proba`.
        model_: The fitted Pellucid model.
        history_: The loss and accuracy of every epoch, as lists by name.
        n_iter_: How many epochs were made.
        n_outputs_: The number of classes; for `CNNRegressor` the number of targets.
        n_features_in_: The numbers in a sample.
        feature_names_in_: The names of the columns, where X had them.
        input_shape_: The shape of a sample as the model reads it.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import train_test_split
        >>> X, y = load_digits(return_X_y=True)
        >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0)
        >>> digits = CNNClassifier(image_shape=(8, 8), epochs=10, random_state=0).fit(X, y)
        >>> digits.score(X_test, y_test) > 0.95
        True
    """

    _numeric = False

    def __init__(
        self,
        model: Build | None = None,
        *,
        image_shape: Shape | None = None,
        optimizer: str | Optimizer | Mapping[str, Any] = "adam",
        learning_rate: float | LearningRateSchedule | None = None,
        loss: Any = None,
        batch_size: int = 32,
        epochs: int = 20,
        shuffle: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: Any = 0,
    ) -> None:
        super().__init__(
            model,
            image_shape=image_shape,
            optimizer=optimizer,
            learning_rate=learning_rate,
            loss=loss,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on some of the data; the first call begins a new model.

        Nothing is held out for early stopping.

        Args:
            X: Samples, as in `fit`.
            y: Their classes.
            classes: All the classes that will ever come; needed in the first call.
            sample_weight: How much each sample counts, (N,).

        Returns:
            The estimator itself.

        Raises:
            ValueError: as `fit`; or `classes` is missing, or not those of the first call.
        """
        new = not self._is_fitted()
        if new and classes is None:
            raise ArgumentError("partial_fit: the first call needs all classes: classes=[…].")
        if (
            not new
            and classes is not None
            and not np.array_equal(np.unique(classes), self.classes_)
        ):
            raise ArgumentError(
                f"partial_fit: expected the classes of the first call, {self.classes_}, or None; "
                f"received {classes!r}."
            )
        return self._fit(X, y, sample_weight, new=new, partial=True, classes=classes)

    def predict(self, X: Any) -> Array:
        """Return the likeliest class of each sample, (N,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        chosen: Array = self.classes_[likeliest]
        return chosen

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class for each sample, (N, classes)."""
        return self._of_all_classes(self._predicted(X))

    def _of_all_classes(self, probabilities: Array) -> Array:
        if probabilities.shape[1] == 1 < len(self.classes_):
            return np.concatenate([1 - probabilities, probabilities], axis=1)
        return probabilities

    def _targets(
        self, y: Array, weights: Array | None, new: bool, classes: Any
    ) -> tuple[Array, Array | None]:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if new:
            self.classes_ = np.unique(y if classes is None else classes)
            self.n_outputs_ = len(self.classes_)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise DataError(
                f"y: expected the classes that the model knows, {self.classes_}; received "
                f"{unknown} besides."
            )
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, y)
            weights = by_class if weights is None else weights * by_class
        return np.searchsorted(self.classes_, y), weights

    def _objective(self, predictions: Array) -> tuple[Any, list[str]]:
        shape, count = np.shape(predictions)[1:], self.n_outputs_
        single = shape == (1,) and count == 2
        if shape != (count,) and not single:
            raise ShapeError(
                f"model: expected {count} outputs, one for each class, received {shape}."
            )
        probabilities = self._of_all_classes(predictions)
        certain = probabilities.sum(axis=1)
        if (probabilities < 0).any() or not np.allclose(certain, 1, atol=1e-3):
            raise ArgumentError(
                "model: expected probabilities as outputs: the last layer needs "
                "activation='softmax' (or 'sigmoid', for a single output)."
            )
        return "binary_crossentropy" if single else "sparse_categorical_crossentropy", ["accuracy"]


class CNNRegressor(RegressorMixin, _CNN):  # type: ignore[misc]  # scikit-learn has no types
    """A network that predicts numbers, as a scikit-learn regressor.

    The arguments and attributes are those of `CNNClassifier`, but for the classes. The outputs of
    a `model` of one's own are as many as there are targets: `Dense(outputs)`. The default model
    scales inputs and targets by itself; the default loss is the mean squared error.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> CNNRegressor(epochs=50, early_stopping=True, random_state=0).fit(X, y).score(X, y) > 0.4
        True
    """

    _numeric = True

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on some of the data; the first call begins a new model.

        Nothing is held out for early stopping.

        Args:
            X: Samples, as in `fit`.
            y: Their targets.
            sample_weight: How much each sample counts, (N,).

        Returns:
            The estimator itself.

        Raises:
            ValueError: as `fit`.
        """
        return self._fit(X, y, sample_weight, new=not self._is_fitted(), partial=True)

    def predict(self, X: Any) -> Array:
        """Return a number for each sample, (N,), or for each of its targets, (N, targets)."""
        predicted = self._predicted(X)
        return predicted[:, 0] if self._flat else predicted

    def _targets(
        self,
        y: Array,
        weights: Array | None,
        new: bool,
        classes: Any,  # noqa: ARG002  # only classifiers have them
    ) -> tuple[Array, Array | None]:
        targets = y.reshape(len(y), -1)
        if new:
            self._flat = y.ndim == 1
            self.n_outputs_ = targets.shape[1]
        return targets, weights

    def _objective(self, predictions: Array) -> tuple[Any, list[str]]:
        if np.shape(predictions)[1:] != (self.n_outputs_,):
            raise ShapeError(
                f"model: expected {self.n_outputs_} outputs, one for each target, received "
                f"{np.shape(predictions)[1:]}."
            )
        return "mean_squared_error", []

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
