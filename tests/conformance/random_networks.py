"""Random networks, as code: every layer, any geometry, branches, merges, shared and nested layers.

A network is a text of Python that builds `model` with the names `keras` and `layers`: Pellucid's,
or Keras' own. So the code that a failing test prints is the network, wherever it is pasted.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

import pellucid
from layer_cases import CASES
from pellucid import layers
from pellucid.layers._symbolic import KerasTensor
from pellucid.ops._activations import FUNCTIONS

__all__ = ["build", "layers_of", "random_network"]

Shape = tuple[int, ...]


def build(code: str, keras: Any) -> Any:
    """Return the model that a network's code makes with a library of Keras' kind."""
    names = {"keras": keras, "layers": keras.layers}
    exec(code, names)
    return names["model"]


class Network:
    """A network being drawn.

    Attributes:
        lines: Its code so far.
        shapes: The shape of each of its tensors, without the batch, by name.
        unread: The tensors that nothing reads yet.
    """

    def __init__(self, seed: int, keras_only: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.keras_only = keras_only
        self.lines: list[str] = []
        self.shapes: dict[str, Shape] = {}
        self.unread: list[str] = []
        self._names = {"keras": pellucid, "layers": layers}
        self._count = 0

    # Drawing.

    def pick(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def often(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def number(self, low: float, high: float) -> float:
        return round(float(self.rng.uniform(low, high)), 2)

    # Writing.

    def name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def define(self, name: str, value: str) -> str:
        """Write `name = value`, and run it to see the shape that comes of it."""
        line = f"{name} = {value}"
        exec(line, self._names)
        self.lines.append(line)
        made = self._names[name]
        if isinstance(made, KerasTensor):
            self.shapes[name] = made.shape[1:]
            self.unread.append(name)
        return name

    def apply(self, layer: str, *tensors: str) -> str:
        """Write a use of a layer (its name, or the call that makes it) on tensors."""
        layer = layer if layer.isidentifier() else f"layers.{layer}"
        given = tensors[0] if len(tensors) == 1 else f"[{', '.join(tensors)}]"
        made = self.define(self.name("x"), f"{layer}({given})")
        self.unread = [name for name in self.unread if name not in tensors]
        return made

    def input(self, shape: Shape) -> str:
        return self.define(
            self.name("image" if len(shape) == 3 else "row"), f"keras.Input({shape})"
        )

    # Growing.

    def step(self, x: str, depth: int) -> str:
        """Let something read x; return what it made."""
        shape = self.shapes[x]
        way = self.pick(*["layer"] * 6, "merge", "merge", "shared", "nested" if depth else "layer")
        if way == "merge":
            return self.merge(x)
        if way == "nested":
            return self.nested(x, depth)
        kinds = IMAGE if len(shape) == 3 else ROW if len(shape) == 1 else ANY
        layer = None
        while layer is None:
            layer = self.pick(*kinds)(self, shape)
        if way == "layer":
            return self.apply(layer, x)
        shared = self.define(self.name("shared"), f"layers.{layer}")
        made = self.apply(shared, x)
        twins = [t for t, s in self.shapes.items() if s == shape and t != x]
        if twins and self.often(0.8):
            return self.merge(made, self.apply(shared, self.pick(*twins)))
        return made

    def merge(self, x: str, other: str | None = None) -> str:
        """Merge x with a tensor that fits, there already or made for it."""
        shape = self.shapes[x]
        if self.often(0.3) or len(shape) == 2:
            fits = [t for t, s in self.shapes.items() if s[:-1] == shape[:-1] and t != x]
            others = [other] if other else fits and [self.pick(*fits)]
            return self.apply("Concatenate()", x, *(others or [x]))
        if other is None and len(shape) == 3 and self.often(0.3):
            gate = self.apply(f"Global{self.pick('Max', 'Average')}Pooling2D()", x)
            return self.apply(self.pick("Multiply()", "Add()", "Subtract()"), x, gate)
        same = [t for t, s in self.shapes.items() if s == shape and t != x]
        if other is None and (not same or self.often(0.3)):
            twin = f"Conv2D({shape[2]}, 1)" if len(shape) == 3 else f"Dense({shape[0]})"
            other = self.apply(twin, x)
        others = [other or self.pick(*same)]
        merge = self.pick("Add", "Multiply", "Maximum", "Minimum", "Average", "Subtract")
        if same and merge != "Subtract" and self.often(0.3):
            others.append(self.pick(*same))
        return self.apply(f"{merge}()", x, *others)

    def nested(self, x: str, depth: int) -> str:
        """Write a model that is used as a layer, perhaps twice."""
        outside, waiting = dict(self.shapes), list(self.unread)
        self.shapes, self.unread = {}, []
        start = made = self.input(outside[x])
        for _ in range(self.size(1, 3)):
            made = self.step(made, depth - 1)
        ends = self.shapes[made]
        self.shapes, self.unread = outside, waiting
        block = self.define(self.name("block"), f"keras.Model({start}, {made})")
        y = self.apply(block, x)
        return self.merge(y, self.apply(block, y)) if ends == self.shapes[x] else y

    def finish(self, inputs: list[str]) -> str:
        """Make outputs of what nothing reads; return the whole code."""
        outputs = [t for t in self.unread if t not in inputs] or self.unread
        if len(outputs) > 3 or self.often(0.5):
            rows = [t if len(self.shapes[t]) == 1 else self.apply(self.row(t), t) for t in outputs]
            row = rows[0] if len(rows) == 1 else self.apply("Concatenate()", *rows)
            activation = self.pick("softmax", "sigmoid", None)
            outputs = [self.apply(f"Dense({self.size(1, 9)}, activation={activation!r})", row)]
        given = ", ".join(inputs) if len(inputs) == 1 else f"[{', '.join(inputs)}]"
        wanted = ", ".join(outputs) if len(outputs) == 1 else f"[{', '.join(outputs)}]"
        self.lines.append(f"model = keras.Model({given}, {wanted})")
        return "\n".join(self.lines)

    def row(self, tensor: str) -> str:
        """Return a layer that makes one row of a tensor of each sample."""
        pool = f"Global{self.pick('Max', 'Average')}Pooling2D()"
        return pool if len(self.shapes[tensor]) == 3 and self.often(0.5) else "Flatten()"


Rule = Callable[[Network, Shape], str | None]
"""Draws a layer's call for a tensor of that shape; None where it cannot be."""


def _activation(n: Network) -> str:
    name = n.pick(None, None, "relu", "relu", "tanh", "gelu", *ACTIVATIONS)
    return "" if name is None else f", activation={name!r}"


def _windows(n: Network, shape: Shape, least: int = 1, dilations: bool = False) -> str | None:
    """Draw kernel_size, strides, padding and dilation_rate that fit into an image."""
    kernel = [n.size(least, 4), n.size(least, 4)]
    padding = n.pick("valid", "same")
    strides, dilation = [1, 1], [1, 1]
    if dilations and n.often(0.25):
        dilation = [n.size(1, 3), n.size(1, 3)]
    elif n.often(0.5):
        strides = [n.size(1, 3), n.size(1, 3)]
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "valid" and any(e > s for e, s in zip(extents, shape, strict=False)):
        return None
    if padding == "same" and not n.keras_only and n.often(0.3):
        sides = tuple((n.size(0, e - 1), n.size(0, e - 1)) for e in extents)
        if all(s + sum(p) >= e for s, p, e in zip(shape, sides, extents, strict=False)):
            padding = sides
    text = f"{tuple(kernel)}, strides={tuple(strides)}, padding={padding!r}"
    return text + (f", dilation_rate={tuple(dilation)}" if dilations else "")


def _conv2d(n: Network, shape: Shape) -> str | None:
    windows = _windows(n, shape, dilations=True)
    groups = n.pick(1, 1, *(g for g in range(1, shape[2] + 1) if shape[2] % g == 0))
    filters = groups * n.size(1, max(1, 8 // groups))
    bias = n.pick("", ", use_bias=False")
    return windows and f"Conv2D({filters}, {windows}, groups={groups}{bias}{_activation(n)})"


def _pointwise(n: Network, shape: Shape) -> str:
    return f"Conv2D({n.size(1, 17)}, 1{_activation(n)})"


def _depthwise(n: Network, shape: Shape) -> str | None:
    windows = _windows(n, shape, dilations=True)
    return windows and (
        f"DepthwiseConv2D({_even(windows)}, depth_multiplier={n.size(1, 2)}{_activation(n)})"
    )


def _separable(n: Network, shape: Shape) -> str | None:
    windows = _windows(n, shape)
    return windows and (
        f"SeparableConv2D({n.size(1, 6)}, {_even(windows)}, "
        f"depth_multiplier={n.size(1, 2)}{_activation(n)})"
    )


def _even(windows: str) -> str:
    """The same stride both ways, as Keras demands of depthwise convolutions."""
    call: Any = ast.parse(f"f({windows})").body[0]
    for keyword in call.value.keywords:
        if keyword.arg == "strides":
            keyword.value.elts[1] = keyword.value.elts[0]
    return ast.unparse(call)[2:-1]


def _transposed(n: Network, shape: Shape) -> str | None:
    if max(shape[:2]) > 6:
        return None
    kernel, strides = (n.size(1, 4), n.size(1, 4)), (n.size(1, 3), n.size(1, 3))
    more = tuple(n.size(0, min(s, k) - 1) for s, k in zip(strides, kernel, strict=True))
    given = f", output_padding={more}" if n.often(0.3) and min(shape[:2]) > 1 else ""
    padding = n.pick("valid", "same")
    return (
        f"Conv2DTranspose({n.size(1, 6)}, {kernel}, strides={strides}, padding={padding!r}{given}"
        f"{_activation(n)})"
    )


def _pooling(n: Network, shape: Shape) -> str | None:
    windows = _windows(n, shape)
    return windows and f"{n.pick('Max', 'Average')}Pooling2D({windows})"


def _dense(n: Network, shape: Shape) -> str:
    return f"Dense({n.size(1, 20)}{_activation(n)})"


def _act(n: Network, shape: Shape) -> str:
    slope = n.number(0, 0.5)
    return n.pick(
        f"Activation({n.pick(*ACTIVATIONS)!r})",
        "ReLU()",
        f"ReLU(max_value={n.number(1, 6)}, negative_slope={slope}, threshold={n.number(0, 1)})",
        f"LeakyReLU(negative_slope={slope})",
        f"ELU(alpha={n.number(0.3, 1.5)})",
        f"Softmax(axis={n.pick(-1, *range(1, len(shape) + 1))})",
        "PReLU()",
        f"PReLU(shared_axes={sorted({n.size(1, len(shape)) for _ in shape})})",
    )


def _norm(n: Network, shape: Shape) -> str:
    rank = len(shape)
    axes = list(range(n.size(1, rank), rank + 1)) if n.often(0.7) else [n.size(1, rank)]
    options = f"epsilon={n.pick(1e-3, 1e-2)}{n.pick('', '', ', center=False', ', scale=False')}"
    axis = n.pick(-1, -1, n.size(1, rank))
    return n.pick(
        f"BatchNormalization(axis={axis}, {options})",
        f"LayerNormalization(axis={n.pick(-1, axes)}, {options})",
    )


def _rescale(n: Network, shape: Shape) -> str:
    factors = [n.number(0.3, 1.5) for _ in range(shape[-1])]
    return f"Rescaling({n.pick(n.number(0.3, 1.5), factors)}, offset={n.number(-1, 1)})"


def _reshape(n: Network, shape: Shape) -> str | None:
    if len(shape) == 1:
        sides = [s for s in range(1, 5) if shape[0] % (s * s) == 0]
        side = n.pick(*sides)
        return f"Reshape(({side}, {side}, -1))"
    order = n.rng.permutation(len(shape))
    dims = tuple(int(i) + 1 for i in order)
    return n.pick(f"Permute({dims})", f"Reshape({tuple(shape[i] for i in order)})")


def _resize(n: Network, shape: Shape) -> str | None:
    sides = tuple((n.size(0, 2), n.size(0, 2)) for _ in "yx")
    small = any(size <= sum(pair) for size, pair in zip(shape, sides, strict=False))
    how = n.pick("nearest", "bilinear")
    grow = (
        f"ZeroPadding2D({sides})",
        f"UpSampling2D({(n.size(1, 3), n.size(1, 3))}, interpolation={how!r})",
    )
    shrink = None if small else f"Cropping2D({sides})"
    return n.pick(*grow, shrink) if max(shape[:2]) < 8 else shrink


def _pool_all(n: Network, shape: Shape) -> str:
    return f"Global{n.pick('Max', 'Average')}Pooling2D(keepdims={n.pick(True, False)})"


def _idle(n: Network, shape: Shape) -> str:
    """What does something in training alone."""
    anywhere = ("Identity()", f"Dropout({n.number(0.1, 0.5)})")
    return n.pick(*anywhere, *RANDOM_IMAGES) if len(shape) == 3 else n.pick(*anywhere)


RANDOM_IMAGES = (
    *("SpatialDropout2D(0.2)", "RandomFlip()", "RandomTranslation(0.1, 0.2)"),
    *("RandomRotation(0.1)", "RandomZoom(0.1)", "RandomContrast(0.2)"),
)

ACTIVATIONS = [
    *sorted({*FUNCTIONS} - {"threshold", "exponential"}),  # one needs arguments, one explodes
    *("softmax", "log_softmax"),
]

ANY: list[Rule] = [_act, _act, _norm, _norm, _rescale, _dense, _idle, _reshape]
ROW: list[Rule] = [*ANY, _dense, _dense]
IMAGE: list[Rule] = [
    *ANY,
    *[_conv2d] * 8,
    *[_pointwise, _depthwise, _depthwise, _separable, _transposed, _transposed],
    *[_pooling, _pooling, _pooling, _resize, _resize, _resize, _pool_all],
]

DRAWN = {
    *("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense", "Activation"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
    *("ReLU", "LeakyReLU", "ELU", "Softmax", "PReLU", "BatchNormalization", "LayerNormalization"),
    *("Rescaling", "Reshape", "Permute", "Flatten", "ZeroPadding2D", "Cropping2D", "UpSampling2D"),
    *("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate"),
    *("Identity", "Dropout", "SpatialDropout2D", "RandomFlip", "RandomTranslation"),
    *("RandomRotation", "RandomZoom", "RandomContrast"),
}
OTHERS = [case for case in CASES if case.kind not in DRAWN and len(case.shapes) == 1]
"""Layers that nothing above draws: these stand at the beginning, as `layer_cases.py` has them."""


def random_network(seed: int, keras_only: bool) -> str:
    """Return the code of a random network.

    Args:
        seed: Which one.
        keras_only: Whether to use only what Keras has: not padding side by side.
    """
    n = Network(seed, keras_only)
    if OTHERS and n.often(0.2):
        case = n.pick(*OTHERS)
        given = ", ".join(f"{key}={value!r}" for key, value in case.arguments.items())
        inputs = [n.input(case.shapes[0][1:])]
        x = n.apply(f"{case.kind}({given})", inputs[0])
    else:
        x = n.input((n.size(3, 10), n.size(3, 10), n.pick(1, 2, 3, 4, 6)))
        inputs = [x]
    if n.often(0.2):
        second = n.shapes[x] if n.often(0.5) else (n.size(1, 9),)
        inputs.append(n.input(second))
        x = n.step(inputs[-1], 1)
        x = n.step(inputs[0], 1)
    for _ in range(n.size(2, 6)):
        if n.often(0.2):
            x = n.pick(*n.shapes)
        x = n.step(x, 1)
    return n.finish(inputs)


def layers_of(code: str) -> set[str]:
    """Return the names of the layers that a network's code uses."""
    return {
        node.func.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "layers"
    }
