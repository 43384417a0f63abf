"""Models by name, and models from a file: what `pellucid train --model` takes.

| name           | what it is                                                          | at least |
|----------------|---------------------------------------------------------------------|----------|
| `mnist`        | two convolutions, two poolings, two dense layers; the default        | 10 × 10  |
| `mnist-deep`   | three convolutions, two poolings, two dense layers                   | 18 × 18  |
| `lenet5`       | LeNet-5, with the average pooling and the tanh of 1998               | 12 × 12  |
| `simple-cifar` | six convolutions in three blocks, batch normalisation and dropout    | 8 × 8    |
| `resnet8`      | a residual network of three stages                                   | 4 × 4    |
| `mlp`          | dense layers only: for tables, and to compare a CNN with             | any      |

Each is a function of the input's shape, the number of outputs and the task. Classification ends
in a softmax, regression in plain numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pellucid.architectures import networks
from pellucid.architectures._definition import model_from_file
from pellucid.architectures._head import TASKS
from pellucid.errors import ArgumentError, unknown_name
from pellucid.layers import Layer
from pellucid.models import Model

__all__ = ["NAMES", "TASKS", "build", "model_from_file"]

_FUNCTIONS = {
    "mnist": networks.mnist,
    "mnist-deep": networks.mnist_deep,
    "lenet5": networks.lenet5,
    "simple-cifar": networks.simple_cifar,
    "resnet8": networks.resnet8,
    "mlp": networks.mlp,
}

NAMES = tuple(_FUNCTIONS)


def build(
    name: str,
    input_shape: Sequence[int],
    outputs: int,
    task: str = "classification",
    augment: Sequence[Layer] = (),
) -> Model:
    """Return a new model of a named architecture, or of a `.json` or `.py` file.

    Args:
        name: One of `NAMES`, or the path of a definition (see `model_from_file`). A `.py` file is
            executed.
        input_shape: The shape of one sample: (H, W, C), or (features,) for a table.
        outputs: How many numbers come out: one for each class, or for each quantity to predict.
        task: "classification" or "regression".
        augment: Layers that change pictures at random in training, to begin the model with.

    Raises:
        NameLookupError: There is no such architecture.
        ArgumentError: An argument is impossible, or the definition is.
        ShapeError: The samples do not fit the architecture.

    Example:
        >>> build("mnist", (28, 28, 1), 10).count_params()
        225034
    """
    shape = tuple(int(side) for side in input_shape)
    if not shape or min(shape) < 1:
        raise ArgumentError(f"Expected the shape of one sample, received {input_shape!r}.")
    if outputs < 1:
        raise ArgumentError(f"Expected at least 1 output, received {outputs}.")
    if task not in TASKS:
        raise ArgumentError(f"Expected task as 'classification' or 'regression', got {task!r}.")
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](shape, outputs, task, augment)
    if Path(name).suffix.lower() in (".json", ".py"):
        return model_from_file(name, shape, outputs, task, augment)
    raise unknown_name("architecture", name, NAMES)
