"""What a model's configuration may say: the classes of this library, and their arguments.

Every object that a file names is looked up in a closed list, and every key is compared with the
arguments of that class, before anything is made of it. Module names are compared as text: nothing
is imported because a file says so.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from pellucid._lazy import names_of
from pellucid.errors import LoadError
from pellucid.layers._keras_operations import from_keras, is_keras_operation
from pellucid.layers._layer import Layer
from pellucid.layers._operation import CONFIG, OperationLayer

__all__ = ["Config", "checked_compile_config", "checked_model", "known_layers"]

Config = dict[str, Any]

_ENTRY_KEYS = {
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "compile_config",
    "inbound_nodes",
    "name",
    "shared_object_id",
}
_MODEL_MODULES = {"Functional": "keras.models.functional", "Sequential": "keras.models.sequential"}
_MODEL_KEYS = {
    "name",
    "trainable",
    "dtype",
    "layers",
    "build_input_shape",
    "input_layers",
    "output_layers",
}
_OBJECT_MODULES = {
    "keras.constraints": "pellucid.constraints",
    "keras.initializers": "pellucid.initializers",
    "keras.regularizers": "pellucid.regularizers",
    "keras.optimizers.schedules": "pellucid.optimizers.schedules",
    "keras.optimizers": "pellucid.optimizers._registry",
    "keras.losses": "pellucid.losses._registry",
    "keras.metrics": "pellucid.metrics._registry",
}
"""Where the objects of each of Keras' modules are found here: a closed list."""

_COMPILE_KEYS = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}
_CALL_OPTIONS: dict[str, Callable[[Any], bool]] = {
    "mask": lambda value: value is None,
    "training": lambda value: value is None or isinstance(value, bool),
}

# Options of Keras that have no counterpart here, and the values at which they do nothing. With
# any other value the model would compute something else, so that is an error.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "auto_scale_loss": (True, False),
    "jit_compile": (True, False, "auto", None),
    "run_eagerly": (True, False),
    "steps_per_execution": (1,),
}
# Options that earlier versions of Keras wrote and no version has ever used.
_FORMER = {"RandomRotation": {"value_range"}}
_PLAIN_DTYPES = {"bool", "float16", "float32", "float64", "int32", "int64", "uint8"}
_MAX_INTEGER = 2**53
_MAX_LAYERS = 5000


@functools.cache
def known_layers() -> dict[str, type[Layer]]:
    """Return the layers that a file may name, by their Keras names."""
    from pellucid import layers

    public = ((name, getattr(layers, name)) for name in names_of(layers))
    return {
        name: cls
        for name, cls in public
        if inspect.isclass(cls)
        and issubclass(cls, Layer)
        and cls is not Layer
        and cls.__name__ == name
    }


def checked_model(entry: Any, where: str) -> Config:
    """Return the configuration of a model with nothing in it but what is known here.

    Raises:
        LoadError: it names a class that is not in the closed list, an option that is not known,
            code, or is not of the form that Keras writes.
    """
    return _Checker(where).model(entry)


def checked_compile_config(config: Any, where: str) -> Config:
    """Return the arguments of `compile`, likewise; {} for a model that was never compiled."""
    if not config:
        return {}
    checker = _Checker(where)
    if not isinstance(config, dict):
        raise checker.error("compile_config", "is not an object")
    rest = {key: value for key, value in config.items() if key not in _COMPILE_KEYS}
    checker.without_effect("compile_config", rest)
    return {
        key: checker.value(f"compile_config.{key}", config[key])
        for key in _COMPILE_KEYS & set(config)
    }


class _Checker:
    """Goes through the configuration in one file; its errors say where in the file they are."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.layers = 0
        self.calls = 0

    def error(self, place: str, problem: str) -> LoadError:
        return LoadError(f"{self.where}: {place} {problem}.")

    def model(self, entry: Any) -> Config:
        kind, config = self.entry(entry, "the model")
        if kind not in _MODEL_MODULES or not _is_from(entry, _MODEL_MODULES[kind], "keras"):
            raise self._unknown("the model", entry, sorted(_MODEL_MODULES))
        place = f"model {config.get('name')!r}"
        if unknown := set(config) - _MODEL_KEYS:
            raise self.error(place, f"has unknown options: {', '.join(sorted(unknown))}")
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise self.error(place, "has no list of layers")
        return self._made_of(entry, config | {"layers": [self.layer(layer) for layer in layers]})

    def layer(self, entry: Any) -> Config:
        self.layers += 1
        if self.layers > _MAX_LAYERS:
            raise self.error("the model", f"has more than {_MAX_LAYERS:,} layers")
        kind, config = self.entry(entry, "a layer")
        if is_keras_operation(entry):
            entry = from_keras(entry)
            kind, config = entry["class_name"], entry["config"]
        if kind in _MODEL_MODULES:
            return self.model(entry)
        place = f"layer {config.get('name')!r} ({kind})"
        known = known_layers()
        if kind not in known or not _is_from(entry, "keras.layers", OperationLayer.keras_module):
            raise self._unknown(place, entry, known)
        config = {k: v for k, v in config.items() if k not in _FORMER.get(kind, ())}
        return self._made_of(entry, self.arguments(place, known[kind], config))

    def entry(self, entry: Any, what: str) -> tuple[str, Config]:
        """Return the class name and the arguments in an object as Keras writes it."""
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise self.error(what, "is not an object with a class_name")
        kind, config = entry["class_name"], entry.get("config")
        if kind in {"Lambda", "function", "__lambda__", "__bytes__"}:
            raise self.error(what, f"is a {kind}, that is code; code in a file is never run")
        if not isinstance(config, dict):
            raise self.error(f"{what} {kind!r}", "has no config")
        if unknown := set(entry) - _ENTRY_KEYS:
            raise self.error(f"{what} {kind!r}", f"has unknown keys: {', '.join(sorted(unknown))}")
        if entry.get("registered_name") not in (None, kind):
            raise self.error(
                f"{what} {kind!r}",
                f"is a class of someone's own ({entry['registered_name']!r}); "
                "only classes of this library can be loaded",
            )
        return kind, config

    def arguments(self, place: str, cls: type, config: Config) -> Config:
        """Return the arguments of a class, each checked.

        A class that takes options by keyword refuses those it does not know by itself.
        """
        names = _parameters(cls)
        if names is not None:
            self.without_effect(place, {k: v for k, v in config.items() if k not in names})
        return {
            key: self.value(f"{place}: {key}", value)
            for key, value in config.items()
            if names is None or key in names
        }

    def without_effect(self, place: str, rest: Config) -> None:
        for key, value in rest.items():
            if key not in _WITHOUT_EFFECT:
                raise self.error(place, f"has an unknown option {key!r}")
            if value not in _WITHOUT_EFFECT[key]:
                raise self.error(place, f"uses {key}={value!r}, which is not supported")

    def value(self, place: str, value: Any) -> Any:
        """Return an argument: a plain value, a list of them, or a known object."""
        if isinstance(value, list):
            return [self.value(place, part) for part in value]
        if isinstance(value, int) and abs(value) > _MAX_INTEGER:
            raise self.error(place, "is an absurd number")
        if not isinstance(value, dict):
            return value
        if "class_name" not in value:
            return {key: self.value(place, part) for key, part in value.items()}
        if value["class_name"] in ("__numpy__", "__tensor__"):
            return self._array(place, value)
        if value["class_name"] in ("__slice__", "__ellipsis__"):
            return self._index(place, value)
        kind, config = self.entry(value, place)
        if kind == "DTypePolicy" and _is_from(value, "keras", "keras.dtype_policies"):
            return config.get("name")
        if _is_from(value, "keras.layers"):
            return self.layer(value)
        for module, name in _OBJECT_MODULES.items():
            if _is_from(value, module):
                known = importlib.import_module(name)._REGISTRY
                if kind in known:
                    checked = self.arguments(f"{place} ({kind})", known.find(kind), config)
                    return self._made_of(value, checked)
        raise self._unknown(place, value, ())

    def _array(self, place: str, value: Config) -> Config:
        config = value.get("config")
        if not isinstance(config, dict) or config.get("dtype") not in _PLAIN_DTYPES:
            raise self.error(place, f"is not an array of {', '.join(sorted(_PLAIN_DTYPES))}")
        return {"class_name": "__numpy__", "config": {k: config.get(k) for k in ("value", "dtype")}}

    def _index(self, place: str, value: Config) -> Config:
        """Return a part of an index: a slice, or an ellipsis."""
        config = value.get("config")
        ends = ("start", "stop", "step") if value["class_name"] == "__slice__" else ()
        if not isinstance(config, dict) or set(config) != set(ends):
            raise self.error(place, f"has a {value['class_name']} that is none")
        for end in config.values():
            if end is not None and (type(end) is not int or abs(end) > _MAX_INTEGER):
                raise self.error(place, "has a slice that is not of whole numbers")
        return {"class_name": value["class_name"], "config": config}

    def _made_of(self, entry: Config, checked: Config) -> Config:
        """Return the entry with its arguments checked, and what belongs to a layer in a graph."""
        made = {key: entry.get(key) for key in ("module", "class_name", "registered_name")}
        made["config"] = checked
        if "inbound_nodes" in entry:
            made |= {"name": entry.get("name"), "inbound_nodes": self._nodes(entry)}
        return made

    def _nodes(self, entry: Config) -> list[Any]:
        nodes = entry["inbound_nodes"]
        place = f"layer {entry.get('name')!r}"
        if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
            raise self.error(place, "has inbound_nodes that are not a list of calls")
        self.calls += len(nodes)
        if self.calls > _MAX_LAYERS:
            raise self.error("the model", f"uses layers more than {_MAX_LAYERS:,} times")
        for node in nodes:
            options = node.get("kwargs", {})
            if set(node) - {"args", "kwargs"} or not isinstance(options, dict):
                raise self.error(place, "has a call that is not of args and kwargs")
            if entry["class_name"].startswith("Random"):
                # Keras notes its default, True, and then goes by what the model is doing instead.
                options.pop("training", None)
            for key, value in options.items():
                if not _CALL_OPTIONS.get(key, lambda _: False)(value):
                    raise self.error(place, f"is called with {key}={value!r}, which is unknown")
        return nodes

    def _unknown(self, place: str, entry: Config, known: Iterable[str]) -> LoadError:
        names = ", ".join(known)
        named = f"{entry.get('module')}.{entry['class_name']}"
        known_ones = f"; known are {names}" if names else ""
        return self.error(place, f"is {named}, which is not known here{known_ones}")


def _is_from(entry: Config, *modules: str) -> bool:
    """Return whether an entry says it is from one of the modules, or from inside of one."""
    module = entry.get("module")
    if not isinstance(module, str):
        return False
    # Keras' own code lives in keras.src, and some versions write where inside it a class is.
    public = module.replace("keras.src.", "keras.", 1)
    return public in modules or any(
        module != public and public.startswith(f"{inside}.") for inside in modules
    )


@functools.cache
def _parameters(cls: type) -> frozenset[str] | None:
    """Return the names of a class's arguments; None if it takes any by keyword."""
    if cls is OperationLayer:
        return frozenset(CONFIG)
    parameters = inspect.signature(cls).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters)
