"""What random networks have found: the engines disagreed about each of these once."""

from __future__ import annotations

import pytest

from conformance.drawn import Drawn, require_close

pytest.importorskip("llvmlite")

FOUND = {
    "the gradient of an input that is reshaped at once was not kept": """\
row = keras.Input((4,))
image = layers.Reshape((1, 1, -1))(row)
normal = layers.BatchNormalization()
once = normal(image)
model = keras.Model(row, layers.Concatenate()([once, normal(once)]))
""",
    "softmax took rows with zeros around them for one run of rows": """\
image = keras.Input((5, 6, 4))
scaled = layers.Rescaling(1.1)(image)
share = layers.Softmax()(scaled)
read = [layers.Conv2D(3, 3, padding="same")(x) for x in (scaled, share)]
model = keras.Model(image, read)
""",
    "softmax between a convolution with padding and one without was refused": """\
image = keras.Input((5, 6, 4))
share = layers.Softmax()(layers.Conv2D(5, 1)(image))
model = keras.Model(image, [layers.Conv2D(3, 3, padding="same")(share), share])
""",
}


@pytest.mark.parametrize("name", FOUND)
def test_engines_agree(name: str) -> None:
    network = Drawn(FOUND[name], seed=0)
    expected, compiled = network.outputs()
    require_close(compiled, expected, "the compiled output", network.told, 1e-5)
    expected, compiled = network.gradients()
    require_close(compiled, expected, "the compiled gradient", network.told, 1e-4, 1e-6)
