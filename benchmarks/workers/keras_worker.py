"""Keras 3, on the backend that KERAS_BACKEND names; and, with BENCH_KERAS=pellucid, Pellucid."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import protocol
import works

NAME = os.environ["BENCH_KERAS"]
BACKEND = os.environ.get("KERAS_BACKEND", "")
if NAME == "pellucid":
    import pellucid as keras
else:
    import keras
if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(protocol.THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(protocol.THREADS)
if BACKEND == "jax":
    import jax


def versions() -> dict[str, str]:
    backends = {"tensorflow": "tensorflow_cpu", "jax": "jax"}
    found = {BACKEND: version(backends[BACKEND])} if BACKEND else {}
    return {NAME: keras.__version__} | found


def layer(given: Any, x: Any) -> Any:
    make = keras.layers
    match given:
        case works.Conv(filters, kernel, stride, padding, bias):
            return make.Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=bias)(x)
        case works.Depthwise(kernel, stride, padding):
            return make.DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False)(x)
        case works.Pool(kind, kernel, stride, padding):
            pool = make.MaxPooling2D if kind == "max" else make.AveragePooling2D
            return pool(kernel, strides=stride, padding=padding)(x)
        case works.Relu(limit):
            return make.ReLU(max_value=limit)(x)
        case works.Dense(units):
            return make.Dense(units)(x)
        case works.Dropout(rate):
            return make.Dropout(rate)(x)
        case works.BatchNorm():
            return make.BatchNormalization()(x)
        case works.GlobalAverage():
            return make.GlobalAveragePooling2D()(x)
        case works.Flatten():
            return make.Flatten()(x)
        case works.Softmax():
            return make.Softmax()(x)
        case works.Residual(body, shortcut):
            return make.Add()([chain(body, x), chain(shortcut, x)])


def chain(layers: tuple[Any, ...], x: Any) -> Any:
    for given in layers:
        x = layer(given, x)
    return x


def compiled(model: Any, rate: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate=rate), loss, metrics=[])
    return model


def inference(model: Any, mode: str) -> Any:
    """Return the fastest function from one batch to its probabilities."""
    if BACKEND == "tensorflow":
        # XLA halves the time of one sample, and doubles that of a batch.
        call = tf.function(lambda x: model(x, training=False), jit_compile=mode == "latency")
        return lambda x: call(x).numpy()
    if BACKEND == "jax":
        weights = [[v.value for v in model.trainable_variables],
                   [v.value for v in model.non_trainable_variables]]  # fmt: skip
        call = jax.jit(lambda t, n, x: model.stateless_call(t, n, x, training=False)[0])
        return lambda x: np.asarray(call(*weights, x))
    return model.predict_on_batch


def prepare(layers: Any, shape: Any, mode: str, x: Any, y: Any) -> Any:
    keras.utils.set_random_seed(0)  # what is zero in training, and left out, depends on it
    image = keras.Input(shape)
    model = keras.Model(image, chain(layers, image))
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    pool, batch = x.shape[:2]
    if mode != "train":
        call = inference(model, mode)
        batches = [tf.constant(part) for part in x] if BACKEND == "tensorflow" else list(x)

        def infer(steps: int) -> int:
            for step in range(steps):
                call(batches[step % pool])
            return steps

        return parameters, infer

    compiled(model, 1e-3)
    x, y = x.reshape(-1, *shape), y.reshape(-1)

    def train(steps: int) -> int:
        epochs, samples = max(1, round(steps / pool)), min(steps, pool) * batch
        model.fit(
            x[:samples], y[:samples], batch_size=batch, epochs=epochs, shuffle=False, verbose=0
        )
        return epochs * samples // batch

    return parameters, train


def learn(
    layers: Any, x: Any, y: Any, x_test: Any, y_test: Any, recipe: dict[str, Any]
) -> Iterator[float]:
    keras.utils.set_random_seed(recipe["seed"])
    image = keras.Input(x.shape[1:])
    model = keras.Model(image, chain(layers, keras.layers.Rescaling(1 / 255)(image)))
    steps = -(-len(x) // recipe["batch"]) * recipe["epochs"]
    decay = keras.optimizers.schedules.PolynomialDecay(recipe["rate"], steps, recipe["final_rate"])
    compiled(model, decay)
    for epoch in range(recipe["epochs"]):
        model.fit(
            x, y, batch_size=recipe["batch"], initial_epoch=epoch, epochs=epoch + 1, verbose=0
        )
        logits = model.predict(x_test, batch_size=500, verbose=0)
        yield np.mean(np.argmax(logits, -1) == y_test)


if __name__ == "__main__":
    protocol.serve(sys.modules[__name__])
