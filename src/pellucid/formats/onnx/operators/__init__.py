"""What each operator of ONNX becomes: one file for each family, one table for all."""

from pellucid.formats.onnx.operators import (
    activation,
    arithmetic,
    constants,
    convolution,
    image,
    matrix,
    normalization,
    pooling,
    reduction,
    shaping,
)
from pellucid.formats.onnx.operators._table import HANDLERS

__all__ = [
    "HANDLERS",
    "activation",
    "arithmetic",
    "constants",
    "convolution",
    "image",
    "matrix",
    "normalization",
    "pooling",
    "reduction",
    "shaping",
]
