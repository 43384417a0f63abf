"""Questions about whole models, answered in the Keras environment."""

import keras
import models
import numpy as np


def _listed(arrays, prefix):
    found = [arrays[f"{prefix}{i}"] for i in range(sum(key.startswith(prefix) for key in arrays))]
    return found[0] if len(found) == 1 else found


def _numbered(prefix, values):
    values = values if isinstance(values, (list, tuple)) else [values]
    return {f"{prefix}{i}": np.asarray(value) for i, value in enumerate(values)}


def _train(model, arrays, steps):
    """Take steps on the batches x0_<step> …, and return the weights after each."""
    results = {}
    for step in range(steps):
        model.train_on_batch(_listed(arrays, f"x{step}_"), _listed(arrays, f"y{step}_"))
        results |= _numbered(f"w{step}_", model.get_weights())
    return results


def train(arrays, settings):
    """Train a model of `models.py` from weights w<i>; its weights after every step."""
    model = getattr(models, settings["model"])(keras)
    model.set_weights(_listed(arrays, "start_"))
    model.compile(models.optimizer(keras, settings["optimizer"]), settings["loss"])
    return _train(model, arrays, settings["steps"]), None


def save(arrays, settings):
    """Save a model of `models.py` after some steps; its predictions, and its further steps."""
    keras.utils.set_random_seed(settings.get("seed", 0))
    model = getattr(models, settings["model"])(keras)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.1 * rng.uniform(size=w.shape) for w in model.get_weights()])
    if settings.get("optimizer"):
        model.compile(
            models.optimizer(keras, settings["optimizer"]),
            settings["loss"],
            metrics=settings.get("metrics"),
        )
        _train(model, arrays, settings["steps"])
    if settings.get("weights_only"):
        model.save_weights(settings["path"])
    else:
        model.save(settings["path"])
    results = _numbered("p", model.predict(_listed(arrays, "x0_"), verbose=0))
    results |= _numbered("w", model.get_weights())
    if settings.get("optimizer"):
        results |= _train(model, arrays, settings["steps"])
    return results, [layer.name for layer in model.layers]


def load(arrays, settings):
    """Load a file that Pellucid saved; its predictions, weights, and its further steps."""
    if "into" in settings:
        model = getattr(models, settings["into"])(keras)
        model.load_weights(settings["path"])
    else:
        model = keras.models.load_model(settings["path"])
    results = _numbered("p", model.predict(_listed(arrays, "x0_"), verbose=0))
    results |= _numbered("w", model.get_weights())
    if getattr(model, "optimizer", None) is not None:
        results |= _numbered("o", [np.asarray(v) for v in model.optimizer.variables])
        results |= _train(model, arrays, settings["steps"])
    return results, [layer.name for layer in model.layers]
