import csv

import numpy as np
import pytest

import pellucid as keras
from pellucid import callbacks
from pellucid.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from pellucid.errors import ArgumentError, NonFiniteError, NotBuiltError, TypeMismatchError
from pellucid.metrics import BinaryAccuracy, MeanAbsoluteError
from pellucid.optimizers import SGD
from pellucid.random import get_state, set_random_seed


class Stub:
    """What callbacks touch of a model, with one weight, which is the epoch."""

    def __init__(self):
        self.optimizer = SGD(0.1)
        self.metrics = [BinaryAccuracy("accuracy"), MeanAbsoluteError("mae")]
        self.stop_training = False
        self.built = True
        self.weight = 0.0
        self.saved = []

    def get_weights(self):
        return [np.array(self.weight)]

    def set_weights(self, weights):
        self.weight = float(weights[0])

    def save(self, path):
        self.saved.append(str(path))

    save_weights = save


def run(callback, logs, model=None):
    """Call the hooks of training whose epochs have these logs; return what the model became."""
    model = model or Stub()
    calls = CallbackList([callback], add_history=True, model=model, epochs=len(logs))
    calls.on_train_begin()
    for epoch, of_epoch in enumerate(logs):
        calls.on_epoch_begin(epoch)
        model.weight = float(epoch)
        calls.on_epoch_end(epoch, dict(of_epoch))
        if model.stop_training:
            break
    calls.on_train_end()
    return model


def losses(*values):
    return [{"val_loss": value} for value in values]


# The list, and the simplest.


def test_every_hook_is_called_in_order():
    called = []

    def recorder(name):
        def hook(self, *args, **kwargs):
            called.append(name)

        return hook

    hooks = [name for name in dir(Callback) if name.startswith("on_") and "_batch_" in name]
    hooks += [
        f"on_{what}_{when}"
        for what in ("train", "epoch", "test", "predict")
        for when in ("begin", "end")
    ]
    own = [name for name in hooks if name not in ("on_batch_begin", "on_batch_end")]
    cls = type("Recorder", (Callback,), {name: recorder(name) for name in own})
    calls = CallbackList([cls(), cls()])
    for name in own:
        getattr(calls, name)(*([0] if "epoch" in name or "batch" in name else []))
    assert called == [name for name in own for _ in range(2)]


def test_keras_older_names_of_the_batch_hooks_work():
    seen = []

    class Older(Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            seen.append(("end", batch))

    calls = CallbackList(Older())
    calls.on_train_batch_begin(3)
    calls.on_train_batch_end(3, {"loss": 1.0})
    assert seen == [("begin", 3), ("end", 3)]


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeMismatchError, match="parentheses"):
        CallbackList([History])
    with pytest.raises(TypeMismatchError, match="received 3"):
        CallbackList([3])


def test_history():
    model = run(Callback(), [{"loss": 2.0}, {"loss": 1.0, "val_loss": 3.0}])
    assert model.history.history == {"loss": [2.0, 1.0], "val_loss": [3.0]}
    assert model.history.epoch == [0, 1]


def test_lambda_callback():
    seen = []
    run(LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs))), losses(1, 2))
    assert seen == [(0, {"val_loss": 1}), (1, {"val_loss": 2})]
    with pytest.raises(ArgumentError, match="no hook 'on_epoch'"):
        LambdaCallback(on_epoch=print)


# Stopping.


@pytest.mark.parametrize(
    ("options", "values", "last"),
    [
        ({}, (3, 2, 2, 1), 2),
        ({"patience": 2}, (3, 4, 5, 6), 2),
        ({"patience": 2}, (3, 4, 2, 4, 4, 1), 4),
        ({"patience": 1, "min_delta": 0.5}, (3, 2.8, 2.0), 1),
        ({"patience": 2, "baseline": 1.0}, (3, 2, 2.5, 0.5), 2),
        ({"patience": 1, "start_from_epoch": 2}, (1, 2, 3, 4), 3),
        ({"patience": 1}, (3, np.nan, 2), 1),
        ({"patience": 5}, (3, 2, 1), 2),
        ({"patience": 1, "monitor": "accuracy"}, (1, 2, 3, 2), 3),
        ({"patience": 1, "monitor": "val_accuracy"}, (1, 2, 1), 2),
        ({"patience": 1, "monitor": "dense_mae"}, (3, 2, 4), 2),
        ({"patience": 1, "monitor": "other", "mode": "max"}, (1, 2, 1), 2),
    ],
)
def test_early_stopping_stops_where_keras_would(options, values, last):
    stop = EarlyStopping(**options)
    model = run(stop, [{stop.monitor: value} for value in values])
    assert model.history.epoch[-1] == last


@pytest.mark.parametrize("values", [(3, 1, 2, 4, 5), (3, 1, 2)])
def test_the_best_weights_are_restored_however_training_ends(values, capsys):
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model = run(stop, losses(*values))
    assert model.weight == stop.best_epoch == 1
    assert "best epoch: 2" in capsys.readouterr().out


def test_a_number_that_is_not_there_is_told():
    with pytest.warns(UserWarning, match="'val_loss'.*loss.*Is there validation data"):
        run(EarlyStopping(), [{"loss": 1.0}])
    with pytest.raises(ArgumentError, match="Give mode"):
        run(EarlyStopping("speed"), [{"speed": 1.0}, {"speed": 2.0}])
    with pytest.raises(ArgumentError, match="'auto'"):
        EarlyStopping(mode="up")


def test_terminate_on_nan(capsys):
    model = Stub()
    calls = CallbackList(TerminateOnNaN(), model=model)
    assert calls.handles_non_finite
    calls.on_train_batch_end(0, {"loss": 1.0})
    assert not model.stop_training
    calls.on_train_batch_end(1, {"loss": np.inf})
    assert model.stop_training
    assert "Batch 1" in capsys.readouterr().out
    with pytest.raises(NonFiniteError):
        TerminateOnNaN(raise_error=True).on_train_batch_end(0, {"loss": np.nan})
    assert not CallbackList([Callback()]).handles_non_finite


# The learning rate.


def test_reduce_lr_on_plateau():
    reduce = ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.03)
    model = run(reduce, losses(1, 1, 1, 1, 1, 1, 1, 0.5))
    rates = model.history.history["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03])


def test_reduce_lr_on_plateau_cools_down():
    reduce = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2, verbose=1)
    rates = run(reduce, losses(*[1] * 7)).history.history["learning_rate"]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125])
    with pytest.raises(ArgumentError, match="factor"):
        ReduceLROnPlateau(factor=1.0)


@pytest.mark.parametrize("schedule", [lambda _, lr: lr / 2, lambda epoch: 0.1 / 2 ** (epoch + 1)])
def test_learning_rate_scheduler(schedule, capsys):
    model = run(LearningRateScheduler(schedule, verbose=1), losses(1, 1))
    assert model.history.history["learning_rate"] == pytest.approx([0.05, 0.025])
    assert "0.025" in capsys.readouterr().out


def test_errors_inside_a_schedule_are_not_hidden():
    def broken(epoch, lr):
        return epoch + "1"

    with pytest.raises(TypeError, match="unsupported operand"):
        run(LearningRateScheduler(broken), losses(1))
    with pytest.raises(TypeMismatchError, match="return a number"):
        run(LearningRateScheduler(lambda _: None), losses(1))


# Files.


def read(path, separator=","):
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_csv_logger(tmp_path):
    path = tmp_path / "new" / "log.csv"
    run(CSVLogger(path, separator=";"), [{"loss": 2.0, "val_loss": 3.0}, {"loss": 1.0}])
    assert read(path, ";") == [
        ["epoch", "loss", "val_loss"],
        ["0", "2.0", "3.0"],
        ["1", "1.0", "NA"],
    ]
    run(CSVLogger(path, separator=";", append=True), [{"val_loss": 4.0, "loss": 0.5, "mae": 1.0}])
    assert read(path, ";")[-1] == ["0", "0.5", "4.0"]
    run(CSVLogger(path), [{"loss": 2.0}])
    assert read(path) == [["epoch", "loss", "val_loss"], ["0", "2.0", "NA"]]
    (tmp_path / "empty.csv").touch()
    run(CSVLogger(tmp_path / "empty.csv", append=True), [{"loss": 2.0}])
    assert len(read(tmp_path / "empty.csv")) == 2


def test_csv_logger_has_written_every_epoch_before_the_next(tmp_path):
    path = tmp_path / "log.csv"
    seen = []
    logger = CSVLogger(path)
    watch = LambdaCallback(on_epoch_begin=lambda *_: seen.append(len(read(path))))
    calls = CallbackList([logger, watch])
    calls.on_train_begin()
    for epoch in range(3):
        calls.on_epoch_begin(epoch)
        calls.on_epoch_end(epoch, {"loss": 1.0})
    assert seen == [0, 2, 3]


def test_model_checkpoint_names_and_chooses(tmp_path):
    form = str(tmp_path / "sub" / "{epoch:02d}-{val_loss:.2f}.keras")
    every = run(ModelCheckpoint(form), losses(3, 1, 2))
    assert [p[-13:] for p in every.saved] == ["01-3.00.keras", "02-1.00.keras", "03-2.00.keras"]
    best = run(ModelCheckpoint(form, save_best_only=True), losses(3, np.nan, 1, 2))
    assert [p[-13:] for p in best.saved] == ["01-3.00.keras", "03-1.00.keras"]
    none = run(
        ModelCheckpoint(form, save_best_only=True, initial_value_threshold=0.5), losses(3, 1)
    )
    assert none.saved == []
    assert (tmp_path / "sub").is_dir()


def test_model_checkpoint_every_so_many_batches(tmp_path):
    model = Stub()
    saver = ModelCheckpoint(
        str(tmp_path / "{epoch}-{batch}.weights.h5"), save_weights_only=True, save_freq=3
    )
    calls = CallbackList(saver, model=model)
    for epoch in range(2):
        calls.on_epoch_begin(epoch)
        for batch in range(4):
            calls.on_train_batch_end(batch, {"loss": 1.0})
        calls.on_epoch_end(epoch, {"loss": 1.0})
    assert [p.rsplit("/", 1)[-1] for p in model.saved] == ["1-3.weights.h5", "2-2.weights.h5"]


def test_model_checkpoint_misuse(tmp_path):
    with pytest.raises(ArgumentError, match=r"\.keras"):
        ModelCheckpoint("model.h5")
    with pytest.raises(ArgumentError, match=r"\.weights\.h5"):
        ModelCheckpoint("model.keras", save_weights_only=True)
    for wrong in ("batch", 0, True, 1.5):
        with pytest.raises(ArgumentError, match="save_freq"):
            ModelCheckpoint("model.keras", save_freq=wrong)
    with pytest.raises(ArgumentError, match=r"val_acc.*known are epoch, val_loss"):
        run(ModelCheckpoint(str(tmp_path / "{val_acc}.keras")), losses(1))
    with pytest.warns(UserWarning, match="cannot be told"):
        run(ModelCheckpoint(str(tmp_path / "m.keras"), save_best_only=True), [{"loss": 1.0}])


# With a real model.


def task():
    random = np.random.default_rng(0)
    x = random.random((80, 5), "float32")
    return x, (x.sum(1) > 2.5).astype("int32")


def network():
    keras.utils.clear_session()  # dropout's numbers depend on its layer's name
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.4),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


class Interrupt(Callback):
    def __init__(self, epoch, batch):
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("save_freq", "interrupted", "resumed"),
    [("epoch", (2, 3), (2, 0)), (3, (2, 4), (2, 2)), (4, (1, 1), (1, 0)), (5, (2, 0), (2, 0))],
)
def test_training_that_was_interrupted_goes_on_to_the_bit(
    tmp_path, save_freq, interrupted, resumed
):
    x, y = task()
    options = {"epochs": 4, "batch_size": 10, "verbose": 0}
    set_random_seed(3)
    through = network()
    through.fit(x, y, **options)

    set_random_seed(3)
    first = network()
    backup = BackupAndRestore(tmp_path / "backup", save_freq=save_freq)
    with pytest.raises(KeyboardInterrupt):
        first.fit(x, y, callbacks=[backup, Interrupt(*interrupted)], **options)
    assert len(list((tmp_path / "backup").iterdir())) == 1

    set_random_seed(3)
    second = network()
    began = []
    watch = LambdaCallback(
        on_epoch_begin=lambda epoch, _: began.append([epoch]),
        on_train_batch_begin=lambda batch, _: began[-1].append(batch),
    )
    backup = BackupAndRestore(tmp_path / "backup", save_freq=save_freq)
    second.fit(x, y, callbacks=[backup, watch], **options)
    assert tuple(began[0][:2]) == resumed
    for one, two in zip(through.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(one, two)
    assert second.optimizer.iterations == 32
    assert not (tmp_path / "backup").exists()


def test_a_backup_holds_the_state_of_randomness(tmp_path):
    x, y = task()
    set_random_seed(3)
    model = network()
    model.fit(
        x, y, epochs=1, verbose=0, callbacks=BackupAndRestore(tmp_path, delete_checkpoint=False)
    )
    state = get_state()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "mine.weights.h5").touch()
    set_random_seed(4)
    network().fit(x, y, epochs=2, verbose=0, callbacks=BackupAndRestore(tmp_path))
    assert get_state() == state
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.weights.h5", "notes.txt"]


def test_backup_misuse(tmp_path):
    with pytest.raises(ArgumentError, match="folder"):
        BackupAndRestore("")
    model = Stub()
    model.built = False
    with pytest.raises(NotBuiltError):
        run(BackupAndRestore(tmp_path), losses(1), model)


def test_callbacks_of_a_real_training(tmp_path):
    x, y = task()
    set_random_seed(0)
    model = network()
    stop = EarlyStopping(patience=3, restore_best_weights=True)
    path = tmp_path / "best.keras"
    history = model.fit(
        x, y, epochs=12, validation_split=0.25, verbose=0,
        callbacks=[
            stop,
            ModelCheckpoint(path, save_best_only=True),
            ReduceLROnPlateau(patience=1, monitor="val_accuracy"),
            CSVLogger(tmp_path / "log.csv"),
            TerminateOnNaN(),
        ],
    )  # fmt: skip
    assert stop.best == min(history.history["val_loss"])
    best = model.evaluate(x[60:], y[60:], verbose=0)[0]
    assert best == pytest.approx(stop.best, rel=1e-5)
    saved = keras.load_model(path)
    for one, two in zip(saved.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(one, two)
    rows = read(tmp_path / "log.csv")
    assert len(rows) == len(history.epoch) + 1
    assert rows[0] == ["epoch", "accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"]


def test_every_public_name_is_there():
    assert all(hasattr(callbacks, name) for name in callbacks.__all__)
