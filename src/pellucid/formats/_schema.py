"""What a model's configuration may say: the classes of this library, and their arguments.

Every object that a file names is looked up in a closed list, and every key is compared with the
arguments of that class, before anything is made of it. Module names are compared as text: nothing
is imported because a file says so.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from pellucid.errors import LoadError
from pellucid.layers._layer import Layer, LayerOptions
from pellucid.models import Model, Sequential

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
_MODEL_KEYS = {"layers", "build_input_shape", "input_layers", "output_layers"}
_COMPILE_KEYS = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}
_CALL_OPTIONS: dict[str, Callable[[Any], bool]] = {
    "mask": lambda value: value is None,
    "training": lambda value: value is None or isinstance(value, bool),
}

# Options of Keras that have no counterpart here, and the values at which they do nothing. With
# any other value the model would compute something else, so that is an error.
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "activity_regularizer": (None,),
    "alpha_constraint": (None,),
    "auto_scale_loss": (True, False),
    "autocast": (True,),
    "beta_constraint": (None,),
    "bias_constraint": (None,),
    "data_format": ("channels_last", None),
    "depthwise_constraint": (None,),
    "ema_momentum": (0.99,),
    "ema_overwrite_frequency": (None,),
    "gamma_constraint": (None,),
    "gradient_accumulation_steps": (None,),
    "ignore_class": (None,),
    "input_axes": (None,),
    "jit_compile": (True, False, "auto", None),
    "kernel_constraint": (None,),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "loss_scale_factor": (None,),
    "noise_shape": (None,),
    "optional": (False,),
    "output_axes": (None,),
    "pointwise_constraint": (None,),
    "quantization_config": (None,),
    "ragged": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "rms_scaling": (False,),
    "run_eagerly": (True, False),
    "sparse": (False,),
    "steps_per_execution": (1,),
    "synchronized": (False,),
    "use_ema": (False,),
}
_PLAIN_DTYPES = {"float16", "float32", "float64", "int32", "int64", "uint8"}
_MAX_INTEGER = 2**53


def known_layers() -> dict[str, type[Layer]]:
    """Return the layers that a file may name, by their Keras names."""
    from pellucid import layers

    public = ((name, getattr(layers, name)) for name in layers.__all__)
    return {
        name: cls
        for name, cls in public
        if inspect.isclass(cls) and issubclass(cls, Layer) and cls is not Layer
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

    def error(self, place: str, problem: str) -> LoadError:
        return LoadError(f"{self.where}: {place} {problem}.")

    def model(self, entry: Any) -> Config:
        kind, config = self.entry(entry, "the model")
        if kind not in _MODEL_MODULES or not self._is_module(entry, _MODEL_MODULES[kind], "keras"):
            raise self._unknown("the model", entry, sorted(_MODEL_MODULES))
        place = f"model {config.get('name')!r}"
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise self.error(place, "has no list of layers")
        rest = {key: value for key, value in config.items() if key not in _MODEL_KEYS}
        structure = {key: config[key] for key in _MODEL_KEYS & set(config)}
        cls = Sequential if kind == "Sequential" else Model
        checked = self.arguments(place, cls, rest)
        checked |= structure | {"layers": [self.layer(layer) for layer in layers]}
        return self._made_of(entry, checked)

    def layer(self, entry: Any) -> Config:
        kind, config = self.entry(entry, "a layer")
        if kind in _MODEL_MODULES:
            return self.model(entry)
        place = f"layer {config.get('name')!r} ({kind})"
        known = known_layers()
        if kind not in known or not self._is_module(entry, "keras.layers"):
            raise self._unknown(place, entry, known)
        return self._made_of(entry, self.arguments(place, known[kind], config))

    def entry(self, entry: Any, what: str) -> tuple[str, Config]:
        """Return the class name and the arguments in an object as Keras writes it."""
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise self.error(what, "is not an object with a class_name")
        kind, config = entry["class_name"], entry.get("config")
        if kind in {"Lambda", "function"}:
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
        """Return the arguments of a class, each checked."""
        names = _parameters(cls)
        self.without_effect(place, {k: v for k, v in config.items() if k not in names})
        return {k: self.value(f"{place}: {k}", v) for k, v in config.items() if k in names}

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
        kind, config = self.entry(value, place)
        if kind == "DTypePolicy" and self._is_module(value, "keras", "keras.dtype_policies"):
            return config.get("name")
        if self._is_module(value, "keras.layers"):
            return self.layer(value)
        for module, name in _OBJECT_MODULES.items():
            if self._is_module(value, module):
                known = importlib.import_module(name)._REGISTRY.classes
                if kind in known:
                    checked = self.arguments(f"{place} ({kind})", known[kind], config)
                    return self._made_of(value, checked)
        raise self._unknown(place, value, ())

    def _array(self, place: str, value: Config) -> Config:
        config = value.get("config")
        if not isinstance(config, dict) or config.get("dtype") not in _PLAIN_DTYPES:
            raise self.error(place, f"is not an array of {', '.join(sorted(_PLAIN_DTYPES))}")
        return {"class_name": "__numpy__", "config": {k: config.get(k) for k in ("value", "dtype")}}

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
        for node in nodes:
            options = node.get("kwargs", {})
            if set(node) - {"args", "kwargs"} or not isinstance(options, dict):
                raise self.error(place, "has a call that is not of args and kwargs")
            for key, value in options.items():
                if not _CALL_OPTIONS.get(key, lambda _: False)(value):
                    raise self.error(place, f"is called with {key}={value!r}, which is unknown")
        return nodes

    @staticmethod
    def _is_module(entry: Config, *modules: str) -> bool:
        """Return whether an entry says it is from one of the modules, or from inside of one."""
        module = entry.get("module")
        if not isinstance(module, str):
            return False
        # Keras' own code lives in keras.src; older versions write that name.
        public = module.replace("keras.src.", "keras.", 1)
        return public in modules or any(
            public.startswith(f"{inside}.") and module != public for inside in modules
        )

    def _unknown(self, place: str, entry: Config, known: Any) -> LoadError:
        names = f"; known are {', '.join(known)}" if known else ""
        named = f"{entry.get('module')}.{entry['class_name']}"
        return self.error(place, f"is {named}, which is not known here{names}")


_OBJECT_MODULES = {
    "keras.initializers": "pellucid.initializers",
    "keras.regularizers": "pellucid.regularizers",
    "keras.optimizers.schedules": "pellucid.schedules",
    "keras.optimizers": "pellucid.optimizers",
    "keras.losses": "pellucid.losses",
    "keras.metrics": "pellucid.metrics",
}
"""Where the objects of each of Keras' modules are found here: a closed list."""


@functools.cache
def _parameters(cls: type) -> frozenset[str]:
    names = {
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    if issubclass(cls, Layer):
        names |= set(LayerOptions.__annotations__)
    return frozenset(names)
