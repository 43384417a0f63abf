"""compile, fit, evaluate, predict: what they compute, what they refuse, what they repeat."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pellucid as keras
from pellucid import layers
from pellucid.compiler.runtime import Team
from pellucid.errors import (
    ArgumentError,
    DataError,
    NameLookupError,
    NonFiniteError,
    NotBuiltError,
    ShapeError,
)
from pellucid.explain import explain
from pellucid.models import _feeding as feeding
from pellucid.models._steps import Step


@pytest.fixture(autouse=True)
def _fresh() -> None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def blobs(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of 6×6 whose bright quarter is their class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = rng.random((n, 6, 6, 1), "f4") * 0.3
    for image, label in zip(x, y, strict=True):
        row, column = divmod(int(label), 2)
        image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3] += 0.7
    return x, y


def classifier(**options: Any) -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    compiled: dict[str, Any] = {
        "optimizer": keras.optimizers.Adam(0.02),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }
    model.compile(**(compiled | options))
    return model


def weights_after(fit: Any, **options: Any) -> list[np.ndarray]:
    keras.utils.set_random_seed(1)
    model = classifier(**options)
    fit(model)
    return model.get_weights()


def assert_same(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_learns_and_reports_what_it_learned() -> None:
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, epochs=8, validation_data=blobs(40, seed=1), verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 8 for values in history.history.values())
    assert history.history["val_accuracy"][-1] > 0.95
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    assert model.evaluate(*blobs(40, seed=1), verbose=0, return_dict=True) == {
        "loss": pytest.approx(history.history["val_loss"][-1]),
        "accuracy": history.history["val_accuracy"][-1],
    }
    assert model.history is history


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y = blobs()
    once = weights_after(lambda m: m.fit(x, y, epochs=2, verbose=0))
    assert_same(once, weights_after(lambda m: m.fit(x, y, epochs=2, verbose=0)))
    keras.utils.set_random_seed(2)
    other = classifier()
    assert not np.array_equal(other.get_weights()[0], once[0])


def test_training_in_two_parts_is_training_in_one() -> None:
    x, y = blobs()

    def parts(model: Any) -> None:
        model.fit(x, y, epochs=1, verbose=0)
        model.fit(x, y, initial_epoch=1, epochs=3, verbose=0)

    assert_same(weights_after(parts), weights_after(lambda m: m.fit(x, y, epochs=3, verbose=0)))


def test_bytes_train_as_their_values_do() -> None:
    x, y = blobs()
    pixels = (x * 255).astype("uint8")
    assert_same(
        weights_after(lambda m: m.fit(pixels, y, verbose=0)),
        weights_after(lambda m: m.fit(pixels.astype("float32"), y, verbose=0)),
    )


def test_one_step_of_sgd_is_the_formula() -> None:
    """W := W − α ∂L/∂W with ∂L/∂logits = (p − y)/N, on a dense layer."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 3)).astype("f4"), np.array([0, 1, 1, 0, 1])
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    w, b = (array.astype("f8") for array in model.get_weights())
    logits = x @ w + b
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(-np.log(p[np.arange(5), y]).mean(), rel=1e-6)
    p[np.arange(5), y] -= 1
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * x.T @ p / 5, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[1], b - 0.1 * p.mean(0), rtol=1e-5)


def test_sample_weights_count_samples_and_class_weights_classes() -> None:
    x, y = blobs(40)
    plain = classifier(optimizer=keras.optimizers.SGD(0.1))
    start = plain.get_weights()
    twice = np.concatenate([x, x[y == 2]]), np.concatenate([y, y[y == 2]])
    plain.train_on_batch(*twice)
    # Keras divides by the number of samples, not by the sum of their weights.
    scale = len(twice[1]) / len(y)
    by_sample = classifier(optimizer=keras.optimizers.SGD(0.1 / scale))
    by_sample.set_weights(start)
    by_sample.train_on_batch(x, y, sample_weight=np.where(y == 2, 2.0, 1.0))
    by_class = classifier(optimizer=keras.optimizers.SGD(0.1 / scale))
    by_class.set_weights(start)
    by_class.train_on_batch(x, y, class_weight={2: 2.0})
    for a, b, c in zip(
        plain.get_weights(), by_sample.get_weights(), by_class.get_weights(), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(b, c)


def test_penalties_count_in_loss_and_gradient() -> None:
    x = np.ones((2, 3), "f4")
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5))]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    w, _ = model.get_weights()
    y = model.predict(x, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0.5 * (w**2).sum(), rel=1e-5)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * (2 * 0.5 * w), rtol=1e-5)


def test_frozen_layers_stay_and_frozen_batch_normalisation_infers() -> None:
    x, y = blobs(20)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(2, 3, trainable=False),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True, True, True, True, True]
    model.layers[1].trainable = False
    model.compile("sgd", loss)
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False] * 6 + [True, True]


class PerClass(keras.metrics.Metric):
    """How often each class was predicted, of all samples: a metric of one's own."""

    def reset_state(self) -> None:
        self.counts = np.zeros(4)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.counts += np.bincount(y_pred.argmax(-1), minlength=4)

    def result(self) -> Any:
        return self.counts / self.counts.sum()


class Largest(PerClass):
    """The same of the most frequent class alone, which fails where there are no samples."""

    def result(self) -> Any:
        return int(self.counts.max()) / int(self.counts.sum())


@pytest.mark.parametrize(
    "metric",
    [
        keras.metrics.F1Score(),
        keras.metrics.F1Score,
        keras.metrics.R2Score(class_aggregation=None),
        keras.metrics.Precision(thresholds=[0.2, 0.8]),
        keras.metrics.TruePositives(thresholds=[0.2, 0.8]),
        PerClass(),
    ],
)
@pytest.mark.parametrize("work", ["fit", "train_on_batch", "evaluate"])
def test_metrics_of_several_numbers_are_refused_before_the_first_step(
    metric: Any, work: str
) -> None:
    x, y = blobs(8)
    model = classifier()
    model.compile(
        "sgd", "categorical_crossentropy", metrics=["accuracy"], weighted_metrics=[metric]
    )
    before = model.get_weights()
    with pytest.raises(ArgumentError, match="several numbers"):
        getattr(model, work)(x, np.eye(4)[y])
    assert model.optimizer.iterations == 0
    assert_same(before, model.get_weights())


def test_a_metric_without_a_result_of_no_samples_is_no_reason_to_refuse() -> None:
    x, y = blobs(8)
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[Largest()])
    assert 0.25 <= model.fit(x, y, verbose=0).history["largest"][0] <= 1


@pytest.mark.parametrize("engine", ["reference", "auto"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_shared_batch_normalisation_moves_its_statistics_at_each_use(
    engine: str, axis: int
) -> None:
    shared = layers.BatchNormalization(axis=axis, momentum=0.75, name="shared")
    inputs = keras.Input((3, 3, 3))
    outputs = layers.Flatten()(shared(shared(inputs) * 2.0 + 1.0))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", engine=engine)
    x = np.random.default_rng(0).normal(5, 3, (4, 3, 3, 3)).astype("float32")
    y = np.zeros((4, 27), "float32")
    told = explain(model, x, y, training=True)
    model.train_on_batch(x, y)
    others = tuple({0, 1, 2, 3} - {axis % 4})
    # What is normalised has mean 0, variance v / (v + ε); doubled and raised by 1, 1 and 4 of it.
    mean, variance = x.mean(others), x.var(others)
    means = 0.75 * (0.25 * mean) + 0.25
    variances = 0.75 * (0.75 + 0.25 * variance) + 0.25 * 4 * variance / (variance + 0.001)
    np.testing.assert_allclose(shared.moving_mean, means, rtol=1e-5)
    np.testing.assert_allclose(shared.moving_variance, variances, rtol=1e-5)
    for name in ("shared.moving_mean", "shared.moving_variance"):
        account = told[f"{name}[1].updated"]
        assert account.verify().passed
        assert account.value == pytest.approx(shared.get_weights()[2 + ("var" in name)][1])


def test_dropout_drops_in_training_only() -> None:
    model = keras.Sequential([keras.Input((1000,)), layers.Dropout(0.3)])
    ones = np.ones((2, 1000), "f4")
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)
    dropped = model(ones, training=True)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs((dropped == 0).mean() - 0.3) < 0.05


def test_several_outputs_have_their_own_losses_weights_and_metrics() -> None:
    image = keras.Input((3,), name="image")
    kind = layers.Dense(2, activation="softmax", name="kind")(image)
    size = layers.Dense(1, name="size")(image)
    model = keras.Model(image, [kind, size])
    model.compile(
        "sgd",
        loss={"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"size": 0.25},
        metrics={"kind": ["accuracy"]},
    )
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 3), "f4"), {"kind": rng.integers(0, 2, 8), "size": rng.random((8, 1))}
    logs = model.evaluate(x, y, return_dict=True, verbose=0)
    assert list(logs) == ["loss", "kind_loss", "size_loss", "kind_accuracy"]
    assert logs["loss"] == pytest.approx(logs["kind_loss"] + 0.25 * logs["size_loss"], rel=1e-5)
    history = model.fit(x, [y["kind"], y["size"]], verbose=0)
    assert history.history["loss"][0] == pytest.approx(logs["loss"], rel=1e-5)


def test_generators_and_sequences_of_batches() -> None:
    x, y = blobs(64)

    def endless() -> Any:
        while True:
            for start in range(0, 64, 16):
                yield x[start : start + 16], y[start : start + 16]

    history = classifier().fit(endless(), steps_per_epoch=4, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3

    arrays = weights_after(lambda m: m.fit(x, y, batch_size=16, shuffle=False, verbose=0))
    generated = weights_after(lambda m: m.fit(endless(), steps_per_epoch=4, verbose=0))
    assert_same(arrays, generated)


def test_validation_split_takes_the_last_samples_before_shuffling() -> None:
    x, y = blobs(50)
    y[40:] = 0
    model = classifier()
    model.fit(x, y, validation_split=0.2, verbose=0)
    expected = model.evaluate(x[40:], y[40:], verbose=0)
    assert model.history.history["val_loss"][-1] == pytest.approx(expected[0])


def test_ragged_and_single_batches() -> None:
    x, y = blobs(33)
    model = classifier()
    model.fit(x, y, batch_size=32, verbose=0)
    one_by_one = np.concatenate([model.predict(x[i : i + 1], verbose=0) for i in range(33)])
    np.testing.assert_allclose(model.predict(x, batch_size=7, verbose=0), one_by_one, atol=1e-6)
    loss, _ = model.evaluate(x, y, batch_size=8, verbose=0)
    assert loss == pytest.approx(-np.log(one_by_one[np.arange(33), y]).mean(), rel=1e-4)


# What is refused, and what it leaves behind.


def test_a_non_finite_step_leaves_the_weights_and_says_where() -> None:
    x, y = blobs(64)
    model = classifier(optimizer=keras.optimizers.SGD(1e36))
    before: list[np.ndarray] = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            before[:] = self.model.get_weights()

    with pytest.raises(
        NonFiniteError, match=r"epoch 1, batch [2-9].*layer|gradient|loss"
    ) as caught:
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[Watch()])
    assert "weights are those before this step" in str(caught.value)
    assert_same(before, model.get_weights())
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_terminate_on_nan_ends_training_quietly() -> None:
    x, y = blobs(64)
    model = classifier(optimizer=keras.optimizers.SGD(1e36))
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert model.stop_training
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, y: (x, y + 1), DataError, r"0 to 3|from 0"),
        (lambda x, y: (x, y - 1), DataError, r"-1"),
        (lambda x, y: (x, y[:-1]), (ShapeError, DataError), "20.*19|19.*20"),
        (lambda x, y: (x[:, :5], y), ShapeError, r"\(None, 6, 6, 1\)"),
        (lambda x, y: (x.astype("U3"), y), DataError, "numbers"),
        (
            lambda x, y: (np.where(x == x[3, 2, 2, 0], np.nan, x), y),
            DataError,
            r"x\[3, 2, 2, 0\] is nan",
        ),
        (lambda x, y: (x, np.eye(4)[y]), (ShapeError, DataError), "categorical_crossentropy"),
        (lambda x, _: (x, None), DataError, "targets"),
        (lambda x, y: (x[:0], y[:0]), DataError, "no |empty|0 samples"),
    ],
)
def test_bad_data_is_refused_before_the_first_step(change: Any, error: Any, message: str) -> None:
    x, y = blobs(20)
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        model.fit(*change(x, y), verbose=0)
    assert_same(before, model.get_weights())
    assert model.optimizer.iterations == 0


def test_a_list_of_pictures_is_not_taken_apart() -> None:
    x, y = blobs(6)  # as many pictures as a picture has rows
    model = classifier()
    with pytest.raises(ArgumentError, match=r"one array .*np\.stack"):
        model.fit(list(x), y, verbose=0)
    with pytest.raises(ArgumentError, match=r"np\.stack"):
        model.predict(list(x))
    with pytest.raises(DataError, match=r"12 arrays.*np\.stack"):
        model.fit([*x, *x], np.tile(y, 2), verbose=0)


def test_class_weights_are_for_one_output() -> None:
    x, y = blobs(20)
    image = keras.Input((6, 6, 1))
    flat = layers.Flatten()(image)
    model = keras.Model(image, [layers.Dense(4)(flat), layers.Dense(1)(flat)])
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="one output"):
        model.fit(x, [np.eye(4)[y], y], class_weight={0: 2.0}, verbose=0)


def test_regression_targets_never_broadcast() -> None:
    x = np.random.default_rng(0).random((6, 2), "f4")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    y = np.arange(6.0)
    flat = model.evaluate(x, y, verbose=0)
    assert flat == pytest.approx(model.evaluate(x, y[:, None], verbose=0))
    assert flat == pytest.approx(((model.predict(x, verbose=0)[:, 0] - y) ** 2).mean(), rel=1e-5)
    with pytest.raises((ShapeError, DataError)):
        model.evaluate(x, np.zeros((6, 2)), verbose=0)


def test_compile_and_fit_arguments_that_cannot_be() -> None:
    x, y = blobs(20)
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(4)])
    with pytest.raises(NotBuiltError, match="compile"):
        model.fit(x, y)
    with pytest.raises(NameLookupError, match="adam"):
        model.compile("adaam", "mse")
    with pytest.raises(NameLookupError, match="mean_squared_error"):
        model.compile("adam", "mean_squared_eror")
    model.compile("adam", "mse")
    with pytest.raises(ArgumentError, match="validation_split"):
        model.fit(x, np.eye(4)[y], validation_split=1.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": -1}, "epochs"),
        ({"validation_freq": 0}, "validation_freq"),
        ({"class_weight": [1, 2, 3, 4]}, "class_weight"),
    ],
)
def test_numbers_of_fit_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    x, y = blobs(20)
    with pytest.raises(ArgumentError, match=message):
        classifier().fit(x, y, verbose=0, **arguments)


def test_an_unknown_metric_is_found_before_the_first_step() -> None:
    x, y = blobs(20)
    model = classifier()
    with pytest.raises(NameLookupError, match="acuracy"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["acuracy"])
    model = keras.Sequential([layers.Flatten(), layers.Dense(4)])  # built by its data
    model.compile("sgd", "mse", metrics=["accuracy", "acuracy"])
    with pytest.raises(NameLookupError, match="acuracy"):
        model.fit(x, np.eye(4)[y], verbose=0)
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_weights_thawed_after_compile_need_a_new_optimiser(engine: str) -> None:
    x, y = blobs(20)
    model = classifier()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", engine=engine)
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = True
    before = model.get_weights()
    with pytest.raises(ArgumentError, match=r"conv2d/kernel.*compile again"):
        model.fit(x, y, verbose=0)
    assert_same(before, model.get_weights())
    model.compile("adam", "sparse_categorical_crossentropy", engine=engine)
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_on_as_the_model_itself(copied: Any) -> None:
    x, y = blobs(40)
    model = classifier()
    model.add(layers.Dropout(0.1))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=2, verbose=0)
    model(x[:2], training=True)
    other = copied(model)
    for each in (model, other):
        keras.utils.set_random_seed(5)
        each.fit(x, y, epochs=2, verbose=0)
    assert other.optimizer.iterations == model.optimizer.iterations == 8
    assert_same(model.get_weights(), other.get_weights())


def test_dicts_of_inputs_and_outputs_go_by_their_keys() -> None:
    x, y = blobs(20)
    image, size = keras.Input((6, 6, 1), name="i"), keras.Input((1,), name="s")
    flat = layers.Concatenate()([layers.Flatten()(image), size])
    outputs = {"digit": layers.Dense(4)(flat), "area": layers.Dense(1)(flat)}
    model = keras.Model({"image": image, "size": size}, outputs)
    model.compile("sgd", {"digit": "mse", "area": "mse"}, metrics={"area": ["mae"]})
    data = {"image": x, "size": np.ones(20)}
    history = model.fit(data, {"digit": np.eye(4)[y], "area": np.ones(20)}, verbose=0).history
    assert list(history) == ["loss", "digit_loss", "area_loss", "area_mae"]
    assert {name: part.shape for name, part in model.predict(data).items()} == {
        "digit": (20, 4),
        "area": (20, 1),
    }


def test_callbacks_are_called_in_keras_order() -> None:
    calls: list[str] = []

    class Spy(keras.callbacks.Callback):
        pass

    for hook in dir(keras.callbacks.Callback):
        if hook.startswith("on_") and "predict" not in hook:
            setattr(Spy, hook, lambda *_, hook=hook, **__: calls.append(hook))
    x, y = blobs(20)
    classifier().fit(x, y, batch_size=20, validation_data=(x, y), verbose=0, callbacks=[Spy()])
    assert [c for c in calls if c != "on_batch_begin" and c != "on_batch_end"] == [
        "on_train_begin",
        "on_epoch_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_test_begin",
        "on_test_batch_begin",
        "on_test_batch_end",
        "on_test_end",
        "on_epoch_end",
        "on_train_end",
    ]


class Numbered(int):
    """A number that stands for a prepared batch of a megabyte."""

    nbytes = 2**20


@pytest.mark.parametrize(
    ("most", "laters"), [(1, [0, 1, 1, 1]), (2, [0, 1, 2, 1]), (9, [0, 1, 2, 3])]
)
def test_what_goes_wrong_ahead_is_told_when_it_is_its_turn(most: int, laters: list[int]) -> None:
    def prepare(number: int, later: int) -> Any:
        found.append(later)
        if number == 3:
            raise ValueError("three")
        return Numbered(number)

    done, found, met = [], [], []
    ready = feeding.Ahead(iter(range(5)), prepare, lambda: done.append(len(met)), most)

    def walk() -> None:
        for number in ready:
            met.append(number)
            ready.fetch()

    with pytest.raises(ValueError, match="three"):
        walk()
    assert met == [0, 1, 2]
    assert done == [0, 1, 2, 3]  # before the first step, and during each
    assert found == laters


@pytest.mark.parametrize(("size", "groups"), [(1, [1, 8, 8, 3]), (2**20, [1, 4, 4, 4, 4, 3])])
def test_batches_are_prepared_several_at_a_time_while_they_are_small(
    size: int, groups: list[int]
) -> None:
    class Prepared(int):
        nbytes = size

    def prepare(number: int, _: int) -> Any:
        prepared.append(number)
        return Prepared(number)

    prepared: list[int] = []
    ready = feeding.Ahead(iter(range(20)), prepare, lambda: None)
    met = [(number, len(prepared)) for number in ready]
    counts = np.repeat(np.cumsum(groups), groups)
    assert met == [*zip(range(20), counts, strict=True)]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_goes_wrong_beside_preparing_is_told_at_once(error: type[BaseException]) -> None:
    def also() -> None:
        if len(met) == 3:
            raise error

    met: list[int] = []
    ready = feeding.Ahead(iter(range(9)), lambda number, _: Numbered(number), also)

    def walk() -> None:
        for number in ready:
            met.append(number)
            ready.fetch()

    with pytest.raises(error):
        walk()
    assert met == [0, 1, 2]


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_steps_are_recorded_the_same_whether_at_once_or_during_the_next(engine: str) -> None:
    x, y = blobs(53)

    class Watching(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            assert len(self.model._unrecorded) == 0

    seen = []
    for callbacks in ([], [Watching()]):
        keras.utils.set_random_seed(3)
        model = classifier(engine=engine, metrics=["accuracy", "sparse_categorical_crossentropy"])
        history = model.fit(x, y, batch_size=8, epochs=3, callbacks=callbacks, verbose=0).history
        seen.append((history, [w.copy() for w in model.get_weights()]))
    assert seen[0][0] == seen[1][0]
    assert all((a == b).all() for a, b in zip(seen[0][1], seen[1][1], strict=True))


CHANGES = {
    "the count of steps": lambda model, batch: setattr(model.optimizer, "iterations", batch // 2),
    "the seed": lambda _, batch: keras.utils.set_random_seed(batch // 2),
    "the rate": lambda model, batch: setattr(model.layers[1], "rate", 0.1 * (batch + 1)),
    "nothing": lambda *_: None,
}


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("change", CHANGES)
def test_masks_depend_on_what_callbacks_changed_before_the_step(change, hook, engine) -> None:
    x, y = blobs(48)

    def trained(by: str) -> list[np.ndarray]:
        def changed(batch: int, logs: Any = None) -> None:
            CHANGES[change](model, batch)

        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(4)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, engine=engine)
        if by != "single steps":
            told = [keras.callbacks.LambdaCallback(**{hook: changed})] if by == "fit" else []
            model.fit(x, y, batch_size=8, shuffle=False, callbacks=told, verbose=0)
        else:
            for batch in range(6):
                if hook == "on_train_batch_begin":
                    changed(batch)
                rows = slice(8 * batch, 8 * batch + 8)
                model.train_on_batch(x[rows], y[rows])
                if hook == "on_train_batch_end":
                    changed(batch)
        return model.get_weights()

    expected = trained("single steps")
    for a, b in zip(trained("fit"), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (trained("fit alone")[0] == expected[0]).all() == (change == "nothing")


@pytest.mark.parametrize("call", [4, 5])
@pytest.mark.parametrize(
    ("owner", "method"),
    [(Team, "run"), (feeding.Ahead, "fetch"), (Step, "prepare")],
    ids=["after it ran", "while it ran", "preparing the next"],
)
def test_after_an_interrupt_all_is_of_one_step(owner, method, call, monkeypatch) -> None:
    """Weights, slots, moving statistics and the count of steps, wherever Ctrl-C comes."""
    x, y = blobs(80)
    monkeypatch.setenv("PELLUCID_THREADS", "2")
    original, calls = getattr(owner, method), []

    def interrupted(*given: Any, **options: Any) -> Any:
        result = original(*given, **options)
        calls.append(method)
        if len(calls) == call:
            raise KeyboardInterrupt
        return result

    def trained(batches: int) -> None:
        model.fit(x[: 8 * batches], y[: 8 * batches], batch_size=8, shuffle=False, verbose=0)

    def fresh() -> keras.Sequential:
        keras.utils.set_random_seed(3)
        parts = [layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Flatten()]
        model = keras.Sequential([keras.Input((6, 6, 1)), *parts, layers.Dense(4)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def all_of(model: keras.Sequential) -> list[np.ndarray]:
        return [*model.get_weights(), *(value for _, value in model.optimizer.variables)]

    model = fresh()
    monkeypatch.setattr(owner, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(10)
    monkeypatch.setattr(owner, method, original)
    found, taken = all_of(model), model.optimizer.iterations
    assert 0 < taken < 10
    model = fresh()
    trained(taken)
    for a, b in zip(found, all_of(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_metric_may_run_a_model_of_its_own() -> None:
    x, y = blobs(48)
    other = classifier()
    expected = other.predict(x[:8], verbose=0)
    seen = []

    def score(y_true: Any, y_pred: Any) -> Any:
        seen.append(other.predict_on_batch(x[:8]))
        return np.zeros(len(y_true))

    classifier(metrics=[score]).fit(x, y, batch_size=8, verbose=0)
    assert len(seen) == 6
    for found in seen:
        np.testing.assert_array_equal(found, expected)


def test_a_metrics_error_ends_training_at_the_next_step() -> None:
    x, y = blobs(80)

    def broken(y_true: Any, y_pred: Any) -> Any:
        recorded.append(1)
        if len(recorded) == 3:
            raise ValueError("third")
        return np.zeros(len(y_true))

    recorded: list[int] = []
    model = classifier(metrics=[broken])
    with pytest.raises(ValueError, match="third"):
        model.fit(x, y, batch_size=8, verbose=0)
    assert model.optimizer.iterations <= 4


def test_what_a_metric_objects_to_is_raised_and_no_thread_is_left_in_a_step() -> None:
    x, y = blobs(64)

    def choosy(y_true: Any, y_pred: Any) -> Any:
        if len(y_true) == 64 - 3 * 20:
            raise ValueError("too few")
        return np.zeros(len(y_true))

    model = classifier(metrics=[choosy])
    with pytest.raises(ValueError, match="too few"):
        model.fit(x, y, batch_size=20, epochs=2, verbose=0)
    assert np.isfinite(model.predict(x, verbose=0)).all()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=20, verbose=0)
