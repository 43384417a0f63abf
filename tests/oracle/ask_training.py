"""Questions about Keras' optimisers, schedules, losses and metrics."""

import keras
import numpy as np


def optimise(arrays, settings):
    """Apply gradients `g0`, `g1` … (each steps × shape) to the weights `w0`, `w1` …

    Settings: the optimiser's serialised form. Returns the weights after each step, and the
    optimiser's variables after the last, with their names.
    """
    optimizer = keras.optimizers.deserialize(settings["optimizer"])
    count = sum(key[0] == "w" for key in arrays)
    weights = [keras.Variable(arrays[f"w{i}"], name=f"v{i}") for i in range(count)]
    optimizer.build(weights)
    history = [[] for _ in weights]
    for step in range(len(arrays["g0"])):
        optimizer.apply([arrays[f"g{i}"][step] for i in range(count)], weights)
        for trace, weight in zip(history, weights, strict=True):
            trace.append(np.asarray(weight.value))
    results = {f"w{i}": np.stack(trace) for i, trace in enumerate(history)}
    results |= {f"s{i}": np.asarray(v.value) for i, v in enumerate(optimizer.variables)}
    return results, {
        "names": [v.name for v in optimizer.variables],
        "config": keras.optimizers.serialize(optimizer),
    }


def schedule(arrays, settings):
    """Return the rates of a serialised schedule at `steps`."""
    rate = keras.optimizers.schedules.deserialize(settings["schedule"])
    return {"rates": np.array([float(rate(int(step))) for step in arrays["steps"]])}, None


def loss(arrays, settings):
    """Return a serialised loss's value."""
    function = keras.losses.deserialize(settings["loss"])
    value = function(arrays["y_true"], arrays["y_pred"], sample_weight=arrays.get("weight"))
    return {"loss": np.asarray(value)}, keras.losses.serialize(function)


def metric(arrays, settings):
    """Return a serialised metric's result after `batches` updates."""
    measure = keras.metrics.deserialize(settings["metric"])
    for i in range(settings["batches"]):
        measure.update_state(
            arrays[f"y_true{i}"], arrays[f"y_pred{i}"], sample_weight=arrays.get(f"weight{i}")
        )
    return {"result": np.asarray(measure.result())}, keras.metrics.serialize(measure)


def resolve(arrays, settings):
    """Return the class and name that a metric's name comes to for targets and predictions."""
    from keras.src.trainers.compile_utils import get_metric

    found = get_metric(settings["name"], arrays["y_true"], arrays["y_pred"])
    return {}, [type(found).__name__, found.name]
