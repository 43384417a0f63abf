"""Random networks against ONNX Runtime, forward, and against Keras on JAX, backward.

Each is run by both engines. An output may differ from ONNX Runtime's by 1e-5 of the largest of its
numbers, and by what ONNX Runtime itself differs from double precision (never more than 1e-4). A
gradient may differ from Keras' by 1e-4 of the largest of its own, as sums over a batch and an image
cancel, and by 1e-6 of the largest of all gradients, as they may cancel to nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pellucid as keras
from conformance.drawn import Arrays, Drawn, require_close
from conformance.random_networks import layers_of, random_network
from pellucid import layers
from pellucid.formats.onnx.export import to_onnx

onnxruntime = pytest.importorskip("onnxruntime")

NETWORKS = range(500)
WITH_GRADIENTS = range(0, 400, 2)
"""Those with an even number are of what Keras has alone."""
PER_QUESTION = range(0, 10, 2)


def drawn(seed: int) -> Drawn:
    keras.utils.clear_session()
    return Drawn(random_network(seed, keras_only=seed % 2 == 0), seed)


def test_the_networks_use_every_layer() -> None:
    public = {getattr(layers, name) for name in layers.__all__ if name[0].isupper()}
    classes = {cls.__name__ for cls in public if isinstance(cls, type)}
    used: set[str] = set()
    for seed in NETWORKS:
        keras.utils.clear_session()
        used |= layers_of(random_network(seed, keras_only=seed % 2 == 0))
    assert used == classes - {"Layer", "InputLayer", "OperationLayer"}


@pytest.mark.parametrize("seed", NETWORKS)
def test_forward_as_onnx_runtime(seed: int) -> None:
    network = drawn(seed)
    expected = run_onnxruntime(to_onnx(network.model), network.inputs)
    exact = network.exact()
    require_close(expected, exact, "ONNX Runtime's output", network.told, 1e-4)
    rounding = [float(np.abs(a - b).max()) for a, b in zip(expected, exact, strict=True)]
    for found, whose in zip(network.outputs(), ("reference's", "compiled"), strict=True):
        told = network.told
        require_close(found, expected, f"the {whose} output", told, 1e-5, rounding=rounding)


@pytest.mark.parametrize("first", WITH_GRADIENTS[:: len(PER_QUESTION)])
def test_gradients_as_keras(first: int, keras_oracle: Any) -> None:
    networks = [drawn(first + more) for more in PER_QUESTION]
    for network, expected in zip(networks, asked(keras_oracle, networks), strict=True):
        by_reference, compiled = network.gradients()
        told = network.told
        require_close(by_reference, expected, "the reference's gradient", told, 1e-4, 1e-6)
        require_close(compiled, expected, "the compiled gradient", told, 1e-4, 1e-6)


def run_onnxruntime(proto: Any, inputs: Arrays) -> Arrays:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(zip((i.name for i in proto.graph.input), inputs, strict=True)))


def asked(oracle: Any, networks: list[Drawn]) -> list[Arrays]:
    """Ask for the gradients of several networks: JAX compiles one program faster than many."""
    arrays, settings = {}, []
    for n, network in enumerate(networks):
        cotangents = [c / network.batch for c in network.cotangents]
        parts = {"w": network.model.get_weights(), "x": network.inputs, "c": cotangents}
        arrays |= {f"{n}{key}{i}": a for key, part in parts.items() for i, a in enumerate(part)}
        settings.append({"code": network.code, "training": network.training})
    found, _ = oracle.ask("ask_networks.gradients", arrays, networks=settings)
    return [
        [found[f"{n}d{i}"] for i in range(sum(key.startswith(f"{n}d") for key in found))]
        for n in range(len(networks))
    ]
