"""Every kernel against its operation in double precision, forward and backward, in all widths."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pellucid.graph import Tracer, Value, Variable, reference
from pellucid.ops._operation import Case
from pellucid.ops._registry import operations
from pellucid.ops.group_normalization import GroupNormalization
from pellucid.ops.layer_normalization import LayerNormalization
from pellucid.ops.mean_squared_error import MeanSquaredError
from pellucid.ops.weighted_mean import WeightedMean

pytest.importorskip("llvmlite")
from pellucid.compiler.compiled import Compiled
from pellucid.compiler.kernels import find_kernel
from pellucid.compiler.plan import Plan
from pellucid.compiler.target import host

WEIGHTS = {"kernel", "bias", "gamma", "beta", "alpha", "moving_mean", "moving_variance"}
WIDTHS = [16, 8, 4]


def target(lanes: int):
    try:
        return host(lanes)
    except ValueError:
        pytest.skip(f"this processor has no vectors of {lanes} floats")


def compare(name: str, found: np.ndarray, expected: np.ndarray, terms: float) -> None:
    """Differences are relative to the largest number, which float32 sums of `terms` terms allow."""
    scale = np.abs(expected).max() + 1e-30
    worst = np.abs(found - expected).max() / scale
    assert worst < 1e-6 * max(4.0, np.sqrt(terms)), f"{name}: {worst:.1e} of the largest number"


def check(graph, arrays, lanes: int, *, uses_kernel: bool = True, batch: int | None = None) -> Plan:
    """Compare a program of `graph(g, x, variables)` with the reference, in double precision.

    `arrays` are (name, array): those named as weights become variables, the first is the input.
    """
    g = Tracer(True)
    inputs, values, variables = [], [], []
    for name, array in arrays:
        if array is None:
            values.append(None)
        elif name in WEIGHTS:
            variable = Variable(array, name, name, trainable=not name.startswith("moving"))
            variables.append(variable)
            values.append(g.weight(variable))
        else:
            values.append(g.input((None, *array.shape[1:]), name))
            inputs.append((values[-1], array))
    y = graph(g, *values)
    rng = np.random.default_rng(5)
    n = len(inputs[0][1])
    feeds = [array for _, array in inputs]
    if len(y.shape) > 1:
        t = g.input(y.shape, "goal", "target")
        losses = g.apply(MeanSquaredError(), y, t)
        feeds.append(rng.standard_normal((n, *y.shape[1:])))
        inputs.append((t, feeds[-1]))
    else:
        losses = y
    loss = g.apply(WeightedMean(), losses, None)
    program = g.program([v for v, _ in inputs], [loss, y])
    trained = [v for v in variables if v.trainable]
    smooth = [
        v for v, a in inputs if v.kind == "input" and a.dtype.kind == "f" and reaches(program, v)
    ]
    compiled = Compiled(program, trained, wanted=smooth, target=target(lanes))
    if uses_kernel:
        assert compiled.builder.groups[0].kernels is not None, compiled.builder.groups[0].reason
    plan = Plan(compiled, n)
    fed = plan.feed([a.astype("f4") if a.dtype.kind == "f" else a for a in feeds])
    results, finite = plan.train(fed)
    assert finite
    given = [a.astype("f4").astype("f8") if a.dtype.kind == "f" else a for a in feeds]
    weights = {v: v.variable.value.astype("f8") for v in values if v is not None and v.variable}
    exact = reference.forward(program, given, weights, keep=True)
    wanted = [*smooth, *(v for v in weights if v.variable in trained)]
    gradients = reference.gradients(program, exact, wanted)
    compare("y", results()[1], exact[y], 16)
    for value in smooth:
        compare(f"d {value.name}", plan.gradient(value), gradients[value], 64)
    by_variable = {id(v.variable): gradients[v] for v in weights if v in gradients}
    for variable, found in zip(trained, plan.gradients(), strict=True):
        compare(f"d {variable.name}", found, by_variable[id(variable)], 64)
    return plan


def reaches(program, value: Value) -> bool:
    """Whether the value is an input that has a gradient."""
    return any(
        v is value and name not in node.op.constant
        for node in program.nodes
        for name, v in zip(node.input_names, node.inputs, strict=True)
    )


def has_kernel(case: Case) -> bool:
    """Whether the operation works on a batch, and is compiled as the case has it."""
    arrays = case.inputs(np.random.default_rng(0))
    names = case.op.input_names(len(arrays))
    pairs = [(n, a) for n, a in zip(names, arrays, strict=True) if a is not None]
    batches = {len(a) if a.ndim else 0 for n, a in pairs if n not in WEIGHTS}
    shapes = [None if a is None else a.shape for a in arrays]
    if len(batches) != 1 or 0 in batches or case.op.output_shape(*shapes) == ():
        return False
    g = Tracer(True)
    given = [
        None
        if a is None
        else g.weight(Variable(a, n))
        if n in WEIGHTS
        else g.input((None, *a.shape[1:]))
        for n, a in zip(names, arrays, strict=True)
    ]
    g.apply(case.op, *given)
    return find_kernel(g.nodes[-1])[0] is not None


CASES = [
    (f"{name}-{k}", case)
    for name, kind in operations().items()
    for k, case in enumerate(kind.cases())
    if (len(case.shapes[0] or ()) >= 2 or name.endswith("entropy")) and has_kernel(case)
]


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize(("name", "case"), CASES, ids=[name for name, _ in CASES])
def test_operation(name: str, case: Case, lanes: int) -> None:
    arrays = case.inputs(np.random.default_rng(0))
    names = case.op.input_names(len(arrays))
    check(lambda g, *v: g.apply(case.op, *v), list(zip(names, arrays, strict=True)), lanes)


def conv_case(size, channels, filters, window, *, batch=3, seed=0, **options):
    """A convolution's arrays, and what applies it."""
    from pellucid.ops.conv2d import Conv2D

    rng = np.random.default_rng(seed)
    groups = options.get("groups", 1)
    kernel = (*window, channels // groups, filters)
    arrays = [
        ("x", rng.standard_normal((batch, *size, channels))),
        ("kernel", rng.standard_normal(kernel) / np.sqrt(np.prod(kernel[:3]))),
        ("bias", rng.standard_normal(filters)),
    ]
    return Conv2D(**options), arrays


SHAPES = [
    ((8, 9), 32, 64, (3, 3), {}),
    ((7, 7), 33, 17, (3, 3), {"padding": "same"}),
    ((12, 11), 3, 40, (5, 5), {"strides": (2, 2), "padding": "same"}),
    ((14, 14), 1, 32, (3, 3), {}),
    ((5, 6), 64, 80, (1, 1), {}),
    ((9, 9), 16, 24, (3, 3), {"dilation_rate": (2, 2), "padding": "same"}),
    ((13, 12), 2, 5, (11, 11), {"padding": "same"}),
    ((6, 6), 12, 18, (3, 3), {"groups": 3, "padding": "same"}),
    ((9, 8), 20, 33, (4, 2), {"strides": (3, 2), "padding": ((2, 1), (0, 3))}),
]


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize(
    ("function", "pool"),
    [*product(("relu", "tanh"), (None, "max", "average")), ("linear", "average")],
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_convolution_with_what_follows(shape, function, pool, lanes) -> None:
    from pellucid.ops.activation import Activation
    from pellucid.ops.average_pool2d import AveragePool2D
    from pellucid.ops.max_pool2d import MaxPool2D

    size, channels, filters, window, options = shape
    op, arrays = conv_case(size, channels, filters, window, **options)

    def graph(g: Tracer, x: Value, kernel: Value, bias: Value) -> Value:
        y = g.apply(Activation(function), g.apply(op, x, kernel, bias))
        if pool == "max":
            y = g.apply(MaxPool2D((2, 2), (2, 2)), y)
        elif pool:
            y = g.apply(AveragePool2D((2, 2), (2, 2)), y)
        return y

    check(graph, arrays, lanes)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("panel", [1000, 20_000])
@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[2], SHAPES[-1]], ids=str)
def test_large_weights_lie_by_block_and_their_sums_are_cut(shape, panel, lanes, monkeypatch):
    from pellucid.compiler.kernels import _sweep

    monkeypatch.setattr(_sweep, "PANEL", panel)
    monkeypatch.setattr(_sweep, "SMALL_WEIGHTS", 1000)
    size, channels, filters, window, options = shape
    op, arrays = conv_case(size, channels, filters, window, **options)
    check(lambda g, x, kernel, bias: g.apply(op, x, kernel, bias), arrays, lanes)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("channels", [3, 32])
def test_stored_statistics_are_folded_into_the_convolution(channels, pool, lanes) -> None:
    from pellucid.ops.activation import Activation
    from pellucid.ops.batch_normalization import BatchNormalization
    from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
    from pellucid.ops.max_pool2d import MaxPool2D

    rng = np.random.default_rng(2)
    op, arrays = conv_case((9, 10), channels, 40, (3, 3), padding="same")
    g = Tracer(False)
    x = g.input((None, 9, 10, channels))
    variables = [g.weight(Variable(a, n)) for n, a in arrays[1:]]
    y = g.apply(op, x, *variables)

    def normalise(y: Value) -> Value:
        c = y.shape[-1]
        numbers = [rng.standard_normal(c) for _ in range(3)] + [rng.uniform(0.5, 2, c)]
        return g.apply(BatchNormalization(), y, *(g.weight(Variable(a)) for a in numbers))

    y = g.apply(Activation("relu"), normalise(y))
    if pool:
        y = g.apply(MaxPool2D((2, 2), (2, 2)), y)
    window = g.weight(Variable(rng.standard_normal((3, 3, 40, 1))))
    z = normalise(g.apply(DepthwiseConv2D(), y, window, None))
    program = g.program([x], [y, z])
    compiled = Compiled(program, target=target(lanes))
    assert len([group for group in compiled.builder.groups if group.norm]) == 2
    given = arrays[0][1].astype("f4")
    found = Plan(compiled, len(given)).forward([given])
    weights = {
        v: v.variable.value.astype("f8")
        for n in program.nodes
        for v in n.inputs
        if v and v.variable
    }
    exact = reference.forward(program, [given.astype("f8")], weights)
    compare("y", found[0], exact[y], 64)
    compare("z", found[1], exact[z], 64)


def test_gelu_is_as_exact_as_single_precision_allows() -> None:
    from scipy.special import ndtr

    from pellucid.ops.activation import Activation

    x = np.concatenate([np.linspace(-12, 12, 40001), [-1e4, -40.0, 0.0, 1e-30, 40.0, 1e4]])
    g = Tracer(False)
    value = g.input((None, 1))
    program = g.program([value], [g.apply(Activation("gelu"), value)])
    given = x.astype("f4")[:, None]
    (found,) = Plan(Compiled(program), len(given)).forward([given])
    exact = given.astype("f8") * ndtr(given.astype("f8"))
    seen = np.abs(exact) > 1e-30
    assert np.abs(found / np.where(seen, exact, 1) - 1)[seen].max() < 2e-6
    near = np.abs(given) < 3
    assert np.abs(found / np.where(seen, exact, 1) - 1)[seen & near].max() < 4e-7


@pytest.mark.parametrize("function", ["gelu", "silu", "mish", "hard_silu"])
def test_any_activation_is_taken_along_in_inference(function) -> None:
    from pellucid.ops.activation import Activation

    op, arrays = conv_case((9, 10), 3, 20, (3, 3), padding="same")
    g = Tracer(False)
    x = g.input((None, 9, 10, 3))
    y = g.apply(op, x, *(g.weight(Variable(a, n)) for n, a in arrays[1:]))
    program = g.program([x], [g.apply(Activation(function), y)])
    compiled = Compiled(program)
    assert len(compiled.builder.groups) == 1
    given = arrays[0][1].astype("f4")
    (found,) = Plan(compiled, len(given)).forward([given])
    (exact,) = reference.forward(program, [given]).values()
    compare("y", found, exact, 64)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("add", (18,)),
        ("add", ()),
        ("multiply", (1, 1, 1, 18)),
        ("multiply", (4, 1, 1)),
        ("divide", (5, 18)),
        ("divide", (4, 5, 1)),
        ("subtract", (18,)),
        ("maximum", (4, 1, 1)),
    ],
)
def test_weights_are_spread_over_images(name, shape, lanes) -> None:
    rng = np.random.default_rng(3)
    arrays = [("x", rng.uniform(0.5, 2, (3, 4, 5, 18))), ("gamma", rng.uniform(0.5, 2, shape))]
    op = operations()[name]()
    check(lambda g, x, gamma: g.apply(op, x, gamma), arrays, lanes)
    check(lambda g, x, gamma: g.apply(op, gamma, x), arrays, lanes)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("shape", [(3, 1, 1, 18), (3, 4, 5, 1), (3, 1, 5, 1)], ids=str)
def test_gates_are_spread_over_images(shape, lanes) -> None:
    from pellucid.ops.conv2d import Conv2D
    from pellucid.ops.multiply import Multiply

    rng = np.random.default_rng(3)
    arrays = [
        ("x", rng.standard_normal((3, 4, 5, 18))),
        ("gate", rng.standard_normal(shape)),
        ("kernel", rng.standard_normal((3, 3, 18, 2)) / 9),
    ]

    def graph(g: Tracer, x: Value, gate: Value, kernel: Value) -> Value:
        squared = g.apply(Multiply(), x, x, x)
        return g.apply(Conv2D(padding="same"), g.apply(Multiply(), squared, gate), kernel, None)

    check(graph, arrays, lanes)


NORMALISATIONS = [
    LayerNormalization(epsilon=1e-5),
    LayerNormalization((2, 3)),
    LayerNormalization((1, 2, 3)),
    GroupNormalization(2),
    GroupNormalization(-1, epsilon=1e-5),
    GroupNormalization(1),
]


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("op", NORMALISATIONS, ids=str)
def test_normalisation_between_convolutions(op, lanes) -> None:
    from pellucid.ops.conv2d import Conv2D

    rng = np.random.default_rng(3)
    own = (72,)
    if isinstance(op, LayerNormalization):
        own = (5, 4, 72)[(op.axis[0] if isinstance(op.axis, tuple) else 3) - 1 :]
    arrays = [
        ("x", rng.standard_normal((3, 5, 4, 72)) + 0.5),
        ("gamma", rng.uniform(0.5, 2, own)),
        ("beta", rng.standard_normal(own)),
        ("kernel", rng.standard_normal((3, 3, 72, 2)) / 9),
    ]

    def graph(g: Tracer, x: Value, gamma: Value, beta: Value, kernel: Value) -> Value:
        first = g.apply(Conv2D(padding="same", groups=36), x, kernel_of(g), None)
        return g.apply(Conv2D(padding="same"), g.apply(op, first, gamma, beta), kernel, None)

    def kernel_of(g: Tracer) -> Value:
        fixed = np.random.default_rng(4).standard_normal((3, 3, 2, 72)) / 4
        return g.weight(Variable(fixed, "fixed", "fixed", trainable=False))

    check(graph, arrays, lanes)


def image_cases():
    """Operations on images with more channels than a vector has."""
    from pellucid.ops.conv2d_transpose import Conv2DTranspose
    from pellucid.ops.dense import Dense
    from pellucid.ops.depth_to_space import DepthToSpace
    from pellucid.ops.depthwise_conv2d import DepthwiseConv2D
    from pellucid.ops.elementwise import Elementwise
    from pellucid.ops.local_response_normalization import LocalResponseNormalization
    from pellucid.ops.prelu import PReLU
    from pellucid.ops.resize import Resize
    from pellucid.ops.slice import Slice
    from pellucid.ops.space_to_depth import SpaceToDepth
    from pellucid.ops.transpose import Transpose

    yield Conv2DTranspose((2, 2), "same"), (4, 5, 40), [(3, 3, 36, 40), (36,)]
    yield Conv2DTranspose((2, 1), ((1, 0), (0, 2)), (1, 0), groups=2), (4, 5, 40), [(3, 4, 9, 40)]
    yield Dense(), (4, 5, 40), [(40, 36), (36,)]
    yield DepthwiseConv2D((1, 2), "same"), (4, 5, 40), [(3, 3, 40, 2), (80,)]
    yield DepthwiseConv2D(), (4, 5, 21), [(3, 3, 21, 4), (84,)]
    yield DepthwiseConv2D(), (4, 5, 21), [(2, 2, 21, 3), None]
    yield Resize(None, (2.0, 2.0), "bilinear"), (5, 4, 20), []
    yield Resize((7, 3), None, "bicubic"), (5, 4, 20), []
    yield DepthToSpace(2), (3, 2, 4 * 18), []
    yield DepthToSpace(2, "CRD"), (3, 2, 4 * 18), []
    yield SpaceToDepth(2), (4, 6, 18), []
    yield PReLU(), (4, 5, 18), [(1, 1, 18)]
    yield LocalResponseNormalization(5, 0.5), (4, 5, 37), []
    yield Elementwise("erf"), (4, 5, 18), []
    yield Transpose((0, 2, 1, 3)), (4, 5, 18), []
    yield Transpose((0, 3, 1, 2)), (4, 5, 18), []
    yield Slice((None, 1, None, 2), (None, None, None, 40), (1, 2, -1, 1)), (4, 5, 42), []


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize(("op", "image", "weights"), list(image_cases()), ids=str)
def test_images_between_convolutions(op, image, weights, lanes) -> None:
    from pellucid.ops.activation import Activation
    from pellucid.ops.conv2d import Conv2D

    rng = np.random.default_rng(6)
    names = ["alpha"] if op.name == "prelu" else ["kernel", "bias"]
    arrays = [("x", rng.standard_normal((2, *image)))]
    arrays += [
        (name, None if shape is None else rng.standard_normal(shape))
        for name, shape in zip(names, weights, strict=False)
    ]
    same = np.eye(image[2])[None, None]

    def graph(g: Tracer, x: Value, *given: Value) -> Value:
        first = g.apply(Conv2D(), x, g.weight(Variable(same, "same", trainable=False)), None)
        y = g.apply(op, first, *given, *(None,) * (len(op.inputs) - 1 - len(given)))
        fixed = np.random.default_rng(4).standard_normal((3, 3, y.shape[3], 2)) / 9
        last = g.weight(Variable(fixed, "last", trainable=False))
        return g.apply(Conv2D(padding="same"), g.apply(Activation("relu"), y), last, None)

    check(graph, arrays, lanes)


def test_kernels_of_one_kind_keep_their_numbers_apart() -> None:
    from pellucid.ops.average import Average
    from pellucid.ops.dropout import Dropout
    from pellucid.ops.rescaling import Rescaling

    rng = np.random.default_rng(7)
    x = rng.standard_normal((3, 20))

    def graph(g: Tracer, x: Value, mask: Value) -> Value:
        y = g.apply(Dropout(0.5), g.apply(Dropout(0.25), x, mask), mask)
        y = g.apply(Rescaling((2.0,) * 20), g.apply(Rescaling((3.0,) * 20, 1.0), y))
        return g.apply(Average(), g.apply(Average(), y, y), y, y)

    check(graph, [("x", x), ("mask", (x > 0).astype(float))], 16)
