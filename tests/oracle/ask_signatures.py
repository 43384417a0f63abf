"""Questions about the arguments of Keras' functions, answered in the Keras environment."""

import importlib
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


def of_operations(arrays, settings):
    """Return, for each (module, class) of Keras, the names its call and its constructor take."""

    def names(function):
        return [n for n in inspect.signature(function).parameters if n not in ("self", "name")]

    found = {}
    for name, (module, class_name) in settings["classes"].items():
        cls = getattr(importlib.import_module(module), class_name)
        found[name] = names(cls.call), names(cls.__init__)
    return {}, found
