"""The smallest network that is one: a kernel of choice, ReLU, max pooling, two neurons, softmax.

The kernel is fixed; only the dense layer learns. It is an ordinary model, and all that is told of
it is read off its traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import ArgumentError
from pellucid.explain.kernels import Kernel
from pellucid.explain.trace import Trace, explain

if TYPE_CHECKING:
    from pellucid.models import Model

__all__ = ["SIZE", "Step", "make_pipeline", "train"]

Array = np.ndarray[Any, Any]

SIZE = (28, 28)
"""The height and width that a picture is brought to."""


@dataclass(frozen=True)
class Step:
    """One step of training, as the network was before it.

    Attributes:
        logits: The dense layer's numbers, one for each class.
        probabilities: What softmax makes of them.
        loss: −ln of the probability of the right class.
        gradient: ∂loss/∂logits, which is p − y.
        predicted: The class with the largest probability.
    """

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    loss: float
    gradient: tuple[float, ...]
    predicted: int


def make_pipeline(
    kernel: Kernel,
    size: tuple[int, int] = SIZE,
    classes: int = 2,
    learning_rate: float = 0.1,
    seed: int = 42,
    *,
    learn_kernel: bool = False,
) -> Model:
    """Return the model: conv2d (the kernel given, no bias, ReLU), pooling, flatten, dense, softmax.

    Args:
        kernel: The convolution's only filter.
        size: The picture's height and width.
        classes: How many neurons the dense layer has.
        learning_rate: How far plain SGD goes against the gradient.
        seed: What the dense layer's first weights are drawn from: a normal distribution with
            standard deviation 0.01, as small as makes a neutral beginning.
        learn_kernel: Whether training may change the kernel as well.

    Raises:
        ShapeError: The kernel does not fit into the picture.
        ArgumentError: There are fewer than two classes.

    Example:
        >>> from pellucid.explain.kernels import KERNELS
        >>> make_pipeline(KERNELS["sharpen"]).output_shape
        (None, 2)
    """
    from pellucid import Sequential, initializers, layers, optimizers

    if classes < 2:
        raise ArgumentError(f"Softmax needs two classes or more, received {classes}.")
    model = Sequential(
        [
            layers.Input((*size, 1)),
            layers.Conv2D(1, kernel.values.shape, activation="relu", use_bias=False, name="conv2d"),
            layers.MaxPooling2D(2, name="max_pooling2d"),
            layers.Flatten(name="flatten"),
            layers.Dense(
                classes,
                activation="softmax",
                kernel_initializer=initializers.RandomNormal(stddev=0.01, seed=seed),
                name="dense",
            ),
        ],
        name="pipeline",
    )
    model.get_layer("conv2d").set_weights([kernel.values[:, :, None, None]])
    model.get_layer("conv2d").trainable = learn_kernel
    model.compile(optimizers.SGD(learning_rate), "sparse_categorical_crossentropy")
    return model


def train(model: Model, picture: Array, target: int, steps: int) -> Iterator[tuple[Trace, Step]]:
    """Train on one picture; yield each step's trace and its numbers before it is taken.

    Args:
        model: What `make_pipeline` made.
        picture: The picture, (H, W) or (H, W, 1), from 0 to 1.
        target: The right class.
        steps: How many steps to take.
    """
    sample = np.asarray(picture, np.float32).reshape(1, *model.input_shape[1:])
    label = np.array([target])
    for _ in range(steps):
        trace = explain(model, sample, target=label)
        yield trace, _step(trace)
        model.train_on_batch(sample, label)


def _step(trace: Trace) -> Step:
    def row(address: str) -> tuple[float, ...]:
        return tuple(map(float, trace.array(address)))

    probabilities = row("dense.output")
    return Step(
        row("dense.pre_activation"),
        probabilities,
        float(trace.value("loss")),
        row("dense.pre_activation.grad"),
        int(np.argmax(probabilities)),
    )
