"""The models that are measured, described once, and what each costs in arithmetic and memory.

Every worker translates these layers into its framework's own, so that all run the same model.
Models end in logits: training has the softmax in its loss, inference has `Softmax` appended.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod


@dataclass(frozen=True)
class Conv:
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: str = "valid"
    bias: bool = True


@dataclass(frozen=True)
class Depthwise:  # 'same' padding, no bias
    kernel: int = 3
    stride: int = 1
    padding: str = "same"


@dataclass(frozen=True)
class Pool:
    kind: str = "max"  # or "average"
    kernel: int = 2
    stride: int = 2
    padding: str = "valid"


@dataclass(frozen=True)
class Relu:
    limit: float | None = None


@dataclass(frozen=True)
class Dense:
    units: int


@dataclass(frozen=True)
class Dropout:
    rate: float


@dataclass(frozen=True)
class BatchNorm: ...


@dataclass(frozen=True)
class GlobalAverage: ...


@dataclass(frozen=True)
class Flatten: ...


@dataclass(frozen=True)
class Softmax: ...


@dataclass(frozen=True)
class Residual:
    """body(x) + shortcut(x)."""

    body: tuple[object, ...]
    shortcut: tuple[object, ...] = ()


@dataclass(frozen=True)
class Work:
    name: str
    shape: tuple[int, int, int]
    classes: int
    layers: tuple[object, ...]
    batches: dict[str, int]  # mode → batch size


def output_shape(layer: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape (H, W, C) or (units,) that a layer makes of one sample."""
    if isinstance(layer, Conv | Depthwise | Pool):
        lost = layer.kernel - 1 if layer.padding == "valid" else 0
        height, width = (ceil((side - lost) / layer.stride) for side in shape[:2])
        return height, width, layer.filters if isinstance(layer, Conv) else shape[2]
    if isinstance(layer, Flatten):
        return (prod(shape),)
    if isinstance(layer, GlobalAverage):
        return shape[2:]
    if isinstance(layer, Dense):
        return (layer.units,)
    if isinstance(layer, Residual):
        return output_shapes(layer.body, shape)
    return shape


def output_shapes(layers: tuple[object, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    for layer in layers:
        shape = output_shape(layer, shape)
    return shape


def costs(layers: tuple[object, ...], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (trainable parameters, multiply-adds for one sample) of each layer that has any."""
    found = []
    for layer in layers:
        after = output_shape(layer, shape)
        if isinstance(layer, Conv):
            weights = layer.kernel**2 * shape[2] * layer.filters
            found.append((weights + layer.bias * layer.filters, weights * prod(after[:2])))
        elif isinstance(layer, Depthwise):
            weights = layer.kernel**2 * shape[2]
            found.append((weights, weights * prod(after[:2])))
        elif isinstance(layer, Dense):
            weights = shape[0] * layer.units
            found.append((weights + layer.units, weights))
        elif isinstance(layer, BatchNorm):
            found.append((2 * shape[-1], 0))
        elif isinstance(layer, Residual):
            found += costs(layer.body, shape) + costs(layer.shortcut, shape)
        shape = after
    return found


def parameters(work: Work) -> int:
    return sum(count for count, _ in costs(work.layers, work.shape))


def floor(work: Work, mode: str) -> tuple[int, int]:
    """Return (floating-point operations, bytes) that one step cannot do without.

    Operations: 2 for each multiply-add of convolutions and dense layers in their dense form;
    training does them three times, but for the first layer's data gradient, which nobody needs.
    Bytes: the batch once; in inference each weight read once; in training weight and both of
    Adam's moments read and written once. Activations count nothing: they may stay in the cache.
    """
    batch, found = work.batches[mode], costs(work.layers, work.shape)
    products = sum(adds for _, adds in found)
    read = 4 * batch * prod(work.shape)
    if mode == "train":
        return 2 * batch * (3 * products - found[0][1]), read + 24 * parameters(work)
    return 2 * batch * products, read + 4 * parameters(work)


def _normalized(filters: int, kernel: int = 3, stride: int = 1) -> tuple[object, ...]:
    return Conv(filters, kernel, stride, "same", bias=False), BatchNorm()


def _classifier(*units: int) -> tuple[object, ...]:
    hidden = tuple(layer for count in units[:-1] for layer in (Dense(count), Relu()))
    return (Flatten(), *hidden, Dense(units[-1]))


def _vgg() -> tuple[object, ...]:
    layers: list[object] = []
    for filters in (64, 128, 256):
        layers += [*_normalized(filters), Relu(), *_normalized(filters), Relu()]
        layers += [Pool(), Dropout(0.25)]
    return (*layers, Flatten(), Dense(256), Relu(), Dropout(0.5), Dense(10))


def _resnet(stages: tuple[tuple[int, int], ...], before: int) -> tuple[object, ...]:
    """Basic blocks: (filters, blocks) for each stage; all but the first stage halve the picture."""
    layers: list[object] = []
    for number, (filters, blocks) in enumerate(stages):
        for block in range(blocks):
            stride = 2 if number and not block else 1
            body = (*_normalized(filters, 3, stride), Relu(), *_normalized(filters))
            same = stride == 1 and before == filters
            layers += [Residual(body, () if same else _normalized(filters, 1, stride)), Relu()]
            before = filters
    return tuple(layers)


def _mobilenet() -> tuple[object, ...]:
    """MobileNetV2's inverted residuals: (expansion, filters, repeats, stride) for each stage."""
    layers: list[object] = [*_normalized(32, 3, 2), Relu(6)]
    before = 32
    for expansion, filters, repeats, first_stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            expanded = (*_normalized(before * expansion, 1), Relu(6)) if expansion > 1 else ()
            body = (*expanded, Depthwise(3, stride), BatchNorm(), Relu(6), *_normalized(filters, 1))
            layers += [Residual(body)] if stride == 1 and before == filters else body
            before = filters
    return (*layers, *_normalized(1280, 1), Relu(6), GlobalAverage(), Dense(1000))


_CONV32, _CONV64 = (Conv(32), Relu(), Pool()), (Conv(64), Relu(), Pool())
_SAME = tuple(
    layer
    for filters in (32, 64)
    for layer in (Conv(filters, padding="same"), Relu(), Pool("average"))
)
_LENET5 = (Conv(6, 5), Relu(), Pool(), Conv(16, 5), Relu(), Pool(), *_classifier(120, 84, 10))
_RESNET8 = (*_normalized(16), Relu(), *_resnet(((16, 1), (32, 1), (64, 1)), 16))
_STAGES18 = ((64, 2), (128, 2), (256, 2), (512, 2))
_STEM18 = (*_normalized(64, 7, 2), Relu(), Pool("max", 3, 2, "same"))


def _small(name: str, shape: tuple[int, int, int], batch: int, *layers: object) -> Work:
    return Work(name, shape, 10, layers, {"train": batch, "infer": 256, "latency": 1})


def _large(name: str, *layers: object) -> Work:
    return Work(name, (224, 224, 3), 1000, layers, {"infer": 8, "latency": 1})


WORKS = {
    work.name: work
    for work in (
        _small("headline", (28, 28, 1), 64, *_CONV32, *_CONV64, *_classifier(128, 10)),
        _small("deep", (28, 28, 1), 64, *_CONV32, *_CONV64, Conv(64), Relu(), *_classifier(64, 10)),
        _small("lenet5", (28, 28, 1), 64, *_LENET5),
        _small("same", (28, 28, 1), 64, *_SAME, *_classifier(128, 10)),
        _small("cifar", (32, 32, 3), 128, *_vgg()),
        _small("resnet8", (32, 32, 3), 128, *_RESNET8, GlobalAverage(), Dense(10)),
        _small("mlp", (28, 28, 1), 128, *_classifier(512, 512, 10)),
        _large("mobilenet", *_mobilenet()),
        _large("resnet18", *_STEM18, *_resnet(_STAGES18, 64), GlobalAverage(), Dense(1000)),
    )
}
