"""Questions about the arguments of Keras' functions, answered in the Keras environment."""

import inspect

import keras


def of_ops(arrays, settings):
    """Return, for each of `names` that `keras.ops` has, its parameters as (name, default)."""
    return {}, {
        name: [
            (parameter.name, repr(parameter.default))
            for parameter in inspect.signature(getattr(keras.ops, name)).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        for name in settings["names"]
        if hasattr(keras.ops, name)
    }
