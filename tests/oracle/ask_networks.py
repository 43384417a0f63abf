"""Questions about random networks, which come as code, answered in the Keras environment."""

import jax
import keras
import numpy as np


def _zeros(self, shape, dtype=None):
    """Start a weight at 0: it gets its numbers later, and JAX takes long to draw others."""
    return np.zeros(shape, "float32")


for initializer in (keras.initializers.GlorotUniform, keras.initializers.Zeros):
    initializer.__call__ = _zeros


def gradients(arrays, settings):
    """Pull a cotangent of each output of some networks back to their weights and inputs.

    The networks are made by code. The weights of network n are `<n>w<i>`, its inputs `<n>x<i>`, the
    cotangents `<n>c<i>`; the gradients, of the trainable weights and then the inputs, `<n>d<i>`.
    """
    networks = [_network(arrays, n, one) for n, one in enumerate(settings["networks"])]

    @jax.jit
    def pulled(given):
        return [
            jax.vjp(outputs, *at)[1](cotangents)
            for (outputs, _, _), (at, cotangents) in zip(networks, given, strict=True)
        ]

    found = pulled([(at, cotangents) for _, at, cotangents in networks])
    return {
        f"{n}d{i}": np.asarray(gradient)
        for n, (of_weights, of_inputs) in enumerate(found)
        for i, gradient in enumerate([*of_weights, *of_inputs])
    }, None


def _network(arrays, n, settings):
    """Return network n as a function of its weights and inputs; these; and the cotangents."""
    keras.utils.clear_session(free_memory=False)
    names = {"keras": keras, "layers": keras.layers}
    exec(settings["code"], names)
    model = names["model"]
    model.set_weights(_listed(arrays, f"{n}w"))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):  # a Normalization uses its weights only then
            layer.finalize_state()
    fixed = [v.value for v in model.non_trainable_variables]

    def outputs(weights, inputs):
        given = inputs[0] if len(inputs) == 1 else inputs
        made, _ = model.stateless_call(weights, fixed, given, training=settings["training"])
        return list(made) if isinstance(made, (list, tuple)) else [made]

    at = [v.value for v in model.trainable_variables], _listed(arrays, f"{n}x")
    return outputs, at, _listed(arrays, f"{n}c")


def _listed(arrays, prefix):
    count = sum(key.startswith(prefix) for key in arrays)
    return [arrays[f"{prefix}{i}"] for i in range(count)]
