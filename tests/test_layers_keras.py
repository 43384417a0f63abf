"""Layers against Keras: configurations as it writes and reads them, and the numbers they make.

`vectors/keras_layer_configs.json` holds what Keras 3 writes for every layer of `layer_cases`;
`python tests/test_layers_keras.py` asks Keras again and writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from layer_cases import CASES, RANDOM, LayerCase
from pellucid import layers, utils
from pellucid.graph import reference as engine

VECTORS = Path(__file__).parent / "vectors" / "keras_layer_configs.json"
INPUT = LayerCase("InputLayer", {"batch_shape": [None, 28, 28, 1]}, ())
PLAIN = [case for case in CASES if case.kind not in RANDOM]


@pytest.fixture(scope="module")
def written():
    return dict(json.loads(VECTORS.read_text()))


@pytest.fixture(autouse=True)
def fresh_names():
    utils.clear_session()
    utils.set_random_seed(0)


def plain(value):
    """Without what Keras adds for itself when a layer was built or an object met twice."""
    if isinstance(value, dict):
        dropped = {"build_config", "shared_object_id"}
        return {k: plain(v) for k, v in value.items() if k not in dropped}
    return [plain(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", [*CASES, INPUT], ids=str)
def test_writes_what_keras_writes(case, written):
    assert json.loads(json.dumps(layers.serialize(case.make()))) == plain(written[str(case)])


@pytest.mark.parametrize("case", [*CASES, INPUT], ids=str)
def test_reads_what_keras_writes(case, written):
    layer = layers.deserialize(written[str(case)])
    assert type(layer).__name__ == case.kind
    assert layers.serialize(layer) == layers.serialize(case.make(name=layer.name))


def test_vectors_are_what_keras_writes(keras_oracle, written):
    assert ask_for_configs(keras_oracle) == written


def ask_for_configs(oracle):
    cases = [*CASES, INPUT]
    _, configs = oracle.ask(
        "ask_layer_objects.configs", layers=[[case.kind, case.arguments] for case in cases]
    )
    return {str(case): plain(config) for case, config in zip(cases, configs, strict=True)}


def modes(case):
    """Training is another matter than inference for batch normalisation alone."""
    return [False, True] if case.kind == "BatchNormalization" else [False]


@pytest.mark.parametrize(
    ("case", "training"),
    [pytest.param(c, t, id=f"{c}-{t}") for c in PLAIN for t in modes(c)],
)
def test_gives_what_keras_gives(keras_oracle, case, training):
    generator = np.random.default_rng(1)
    inputs = [generator.standard_normal(s).astype(np.float32) for s in case.shapes]
    layer = case.make()
    merges = len(inputs) > 1
    layer(inputs if merges else inputs[0])
    layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    arrays = {f"x{i}": x for i, x in enumerate(inputs)}
    arrays |= {f"w{i}": w for i, w in enumerate(layer.get_weights())}

    expected, names = keras_oracle.ask(
        "ask_layer_objects.call",
        arrays,
        config=layers.serialize(layer),
        merges=merges,
        training=training,
    )
    assert [weight.name for weight in layer.weights] == names
    program, _ = layer._traced([(None, *s[1:]) for s in case.shapes], training)
    values = engine.forward(program, inputs, keep=True)
    np.testing.assert_allclose(
        values[program.outputs[0]], expected["y"], rtol=1e-5, atol=2e-6, strict=True
    )
    for variable, new in engine.state_updates(program, values):
        variable.assign(new)
    for i, weight in enumerate(layer.get_weights()):
        np.testing.assert_allclose(weight, expected[f"w{i}"], rtol=1e-5, atol=1e-6)


class Drawn:
    """A generator whose numbers are known beforehand."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def uniform(self, low, high, size):
        return self.numbers.pop(0).reshape(size)

    def random(self, size, dtype):
        return self.numbers.pop(0).reshape(size)


# No pixel comes from exactly half-way between two: which one is nearest then is a matter of taste.
SHARES = np.array([-0.3, 0.0, 0.11, 0.52])
OTHERS = np.array([0.21, -0.45, 0.0, 0.31])
FILLS = [
    {"fill_mode": mode, "interpolation": between, "fill_value": 0.25}
    for mode in ("reflect", "wrap", "nearest", "constant")
    for between in ("bilinear", "nearest")
]
AUGMENTATIONS = [
    *(
        (kind, arguments | fill, drawn)
        for kind, arguments, drawn in [
            (
                "RandomTranslation",
                {"height_factor": 1.0, "width_factor": 1.0},
                {"rows": SHARES, "columns": OTHERS},
            ),
            (
                "RandomZoom",
                {"height_factor": 0.9, "width_factor": 0.9},
                {"rows": SHARES, "columns": OTHERS},
            ),
            ("RandomRotation", {"factor": 1.0}, {"angles": SHARES}),
        ]
        for fill in FILLS
    ),
    *(
        ("RandomFlip", {"mode": mode}, {"flips": SHARES + 0.2})
        for mode in ("horizontal", "vertical", "horizontal_and_vertical")
    ),
    ("RandomContrast", {"factor": 0.5, "value_range": (0, 1)}, {"factors": SHARES + 1}),
    ("RandomContrast", {"factor": 0.5, "value_range": (-0.5, 0.5)}, {"factors": SHARES + 1}),
    ("RandomBrightness", {"factor": 1.0, "value_range": (0, 1)}, {"deltas": SHARES}),
    ("RandomBrightness", {"factor": 1.0, "value_range": (-0.5, 1.5)}, {"deltas": SHARES}),
]


@pytest.mark.parametrize(("kind", "arguments", "drawn"), AUGMENTATIONS)
def test_random_layers_do_what_keras_does_with_the_same_numbers(
    keras_oracle, kind, arguments, drawn
):
    x = np.random.default_rng(2).uniform(-0.3, 1.2, (4, 9, 6, 2)).astype(np.float32)
    expected, _ = keras_oracle.ask(
        "ask_layer_objects.augment", {"x": x, **drawn}, kind=kind, arguments=arguments
    )
    layer = getattr(layers, kind)(**arguments)
    program, _ = layer._traced([(None, 9, 6, 2)], training=True)
    (value,) = program.random_values
    sampled = value.sample(Drawn(*drawn.values()), len(x))
    values = engine.forward(program, [x], {value: sampled})
    np.testing.assert_allclose(values[program.outputs[0]], expected["y"], atol=2e-5)


if __name__ == "__main__":
    from oracle.environment import Oracle, make_environment

    asked = Oracle(make_environment())
    VECTORS.write_text(json.dumps(ask_for_configs(asked), indent=1) + "\n")
    asked.close()
