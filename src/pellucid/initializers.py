"""How weights begin.

An initialiser is called with a shape and returns a float32 array. Most draw from a distribution
whose width is fitted to the layer: with fan_in inputs to each unit and fan_out units fed by each
input, a variance of 1 / n keeps signals, forward and backward, from growing or fading:

| name              | variance              | source                                  |
|-------------------|-----------------------|-----------------------------------------|
| glorot (Xavier)   | 2 / (fan_in+fan_out)  | Glorot, Bengio, AISTATS 2010            |
| he                | 2 / fan_in            | He, Zhang, Ren, Sun, ICCV 2015          |
| lecun             | 1 / fan_in            | LeCun, Bottou, Orr, Müller, 1998        |

For a kernel of shape (KH, KW, I, O), fan_in is KH·KW·I and fan_out KH·KW·O; a matrix (I, O) has I
and O. Axes are read by position, as Keras does, so a depthwise kernel (KH, KW, C, M) has KH·KW·C
and KH·KW·M, and a transposed one (KH, KW, O, I) KH·KW·O and KH·KW·I.

With `seed`, every call gives the same numbers. Without, each call takes the next generator of the
global seed (`pellucid.utils.set_random_seed`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pellucid._registry import Config, Registry
from pellucid.errors import ArgumentError, ShapeError, TypeMismatchError
from pellucid.random import next_generator, seeded_generator

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "deserialize",
    "get",
    "serialize",
]

Array = npt.NDArray[Any]
DType = npt.DTypeLike | None
_TRUNCATED_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal distribution cut off at ±2."""


class Initializer:
    """The base of all initialisers: a subclass defines `__call__(shape, dtype)`."""

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return an array of that shape; `dtype` is float32 unless given."""
        raise NotImplementedError  # every subclass has its own

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {}

    @classmethod
    def from_config(cls, config: Config) -> Initializer:
        """Make an initialiser from its arguments."""
        return cls(**config)

    def clone(self) -> Initializer:
        """Return another initialiser with the same arguments."""
        return self.from_config(self.get_config())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if v is not None)
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return zeros of that shape."""
        return np.zeros(shape, dtype or np.float32)


class Ones(Initializer):
    """All 1."""

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return ones of that shape."""
        return np.ones(shape, dtype or np.float32)


class Constant(Initializer):
    """One number everywhere, or the numbers of an array.

    Args:
        value: A number, or an array that has the weight's shape or can be repeated to fill it.
    """

    def __init__(self, value: npt.ArrayLike | Mapping[str, Any] = 0.0) -> None:
        if isinstance(value, Mapping):
            value = _written_array(value)
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeMismatchError(f"Constant: expected numbers, received {value!r}.")
        self.value: float | Array = float(array) if array.ndim == 0 else array.copy()

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return an array of that shape; ShapeError if the value cannot fill it."""
        try:
            filled = np.broadcast_to(np.asarray(self.value), tuple(shape))
        except ValueError:
            raise ShapeError(
                f"Constant: an array of shape {np.shape(self.value)} cannot fill a weight of "
                f"shape {tuple(shape)}."
            ) from None
        return filled.astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return the value; an array in the form in which Keras writes one."""
        if isinstance(self.value, float):
            return {"value": self.value}
        written = {"value": self.value.tolist(), "dtype": self.value.dtype.name}
        return {"value": {"class_name": "__numpy__", "config": written}}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return the matrix; ShapeError unless the shape has two axes."""
        if len(shape) != 2:
            raise ShapeError(f"Identity: expected a matrix (rows, columns), received {shape}.")
        return (self.gain * np.eye(shape[0], shape[1])).astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return `gain`, unless it is 1, which Keras leaves out."""
        return {} if self.gain == 1.0 else {"gain": self.gain}


class _Random(Initializer):
    """An initialiser that draws.

    Attributes:
        seed: Whole number for the same numbers at each call; None for new ones.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise TypeMismatchError(
                f"{type(self).__name__}: expected seed to be a whole number or None, "
                f"received {seed!r}."
            )
        self.seed = None if seed is None else int(seed)

    def _generator(self) -> np.random.Generator:
        return next_generator() if self.seed is None else seeded_generator(self.seed)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {"seed": self.seed}


class RandomNormal(_Random):
    """Normal: mean `mean`, standard deviation `stddev`."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return normal numbers."""
        drawn = self._generator().standard_normal(tuple(shape))
        return (self.mean + self.stddev * drawn).astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal with what lies beyond two standard deviations drawn again.

    `stddev` is the standard deviation before the cut; after it, 0.88 of that remains.
    """

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return truncated normal numbers."""
        drawn = _truncated_normal(self._generator(), shape)
        return (self.mean + self.stddev * drawn).astype(dtype or np.float32)


class RandomUniform(_Random):
    """Uniform from `minval` to `maxval`."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return uniform numbers."""
        drawn = self._generator().uniform(self.minval, self.maxval, tuple(shape))
        return drawn.astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(_Random):
    """A random orthogonal matrix, times `gain`.

    A kernel (…, O) is made as a matrix of all its other axes by O: its columns (or its rows, if
    there are fewer of them) are perpendicular and of length `gain`.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", ICLR 2014.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return the matrix in the kernel's shape; ShapeError if it has fewer than two axes."""
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal: expected at least two axes, received shape {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # without this, not every q is equally likely
        if rows < columns:
            q = q.T
        return (self.gain * q).reshape(tuple(shape)).astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {**super().get_config(), "gain": self.gain}


Mode = Literal["fan_in", "fan_out", "fan_avg"]


class VarianceScaling(_Random):
    """A distribution of mean 0 whose variance is `scale` / n, with n told by the layer's size.

    Args:
        scale: The numerator.
        mode: n is 'fan_in', 'fan_out', or 'fan_avg', the mean of both.
        distribution: 'truncated_normal' (its deviation corrected for the cut),
            'untruncated_normal', or 'uniform' on ±√(3 · scale / n).
        seed: Whole number for the same numbers at each call; None for new ones.
        input_axes: The axes counted as inputs, if the shape does not say it in the usual way.
        output_axes: The axes counted as outputs; both or neither are given.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        name = type(self).__name__
        if scale <= 0:
            raise ArgumentError(f"{name}: scale must be positive, received {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ArgumentError(
                f"{name}: mode must be 'fan_in', 'fan_out' or 'fan_avg', received {mode!r}."
            )
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ArgumentError(
                f"{name}: distribution must be 'truncated_normal', 'untruncated_normal' or "
                f"'uniform', received {distribution!r}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Sequence[int], dtype: DType = None) -> Array:
        """Return numbers of that variance."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1.0, n))
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * deviation
            drawn = generator.uniform(-limit, limit, tuple(shape))
        elif self.distribution == "untruncated_normal":
            drawn = deviation * generator.standard_normal(tuple(shape))
        else:
            drawn = deviation / _TRUNCATED_STDDEV * _truncated_normal(generator, shape)
        return drawn.astype(dtype or np.float32)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Fitted(VarianceScaling):
    """A variance scaling with a name of its own."""

    _arguments: ClassVar[tuple[float, Mode, str]]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._arguments, seed, input_axes, output_axes)

    def get_config(self) -> Config:
        """Return the arguments that make this initialiser again."""
        return {
            "seed": self.seed,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class GlorotUniform(_Fitted):
    """Uniform on ±√(6 / (fan_in + fan_out)): the default of convolution and dense layers."""

    _arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Fitted):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    _arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Fitted):
    """Uniform on ±√(6 / fan_in), for layers followed by ReLU."""

    _arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Fitted):
    """Truncated normal of variance 2 / fan_in, for layers followed by ReLU."""

    _arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Fitted):
    """Uniform on ±√(3 / fan_in)."""

    _arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Fitted):
    """Truncated normal of variance 1 / fan_in, for layers followed by SELU."""

    _arguments = (1.0, "fan_in", "truncated_normal")


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight, as Keras counts them.

    Example:
        >>> compute_fans((3, 3, 16, 32)), compute_fans((128, 10)), compute_fans((7,))
        ((144, 288), (128, 10), (7, 7))
    """
    if input_axes is not None and output_axes is not None:
        fans = [math.prod(shape[axis] for axis in axes) for axes in (input_axes, output_axes)]
        return fans[0], fans[1]
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _truncated_normal(generator: np.random.Generator, shape: Sequence[int]) -> Array:
    """Standard normal numbers, those beyond ±2 drawn again until none is left."""
    drawn = generator.standard_normal(tuple(shape))
    while (beyond := np.abs(drawn) > 2).any():
        drawn[beyond] = generator.standard_normal(int(beyond.sum()))
    return drawn


def _written_array(written: Mapping[str, Any]) -> Array:
    """Read an array in the form in which a model file holds it; its type may only be a number's."""
    inner = written.get("config")
    if written.get("class_name") not in ("__numpy__", "__tensor__") or not isinstance(
        inner, Mapping
    ):
        raise ArgumentError(f"Constant: expected a number or an array, received {written!r}.")
    array, name = np.array(inner.get("value")), inner.get("dtype", "float32")
    if array.dtype.kind not in "biuf" or not re.fullmatch(
        "bool|u?int[0-9]+|float[0-9]+", str(name)
    ):
        raise ArgumentError(f"Constant: expected an array of numbers, received one of {name!r}.")
    return array.astype(name)


_REGISTRY: Registry[Initializer] = Registry(
    "initializer",
    "keras.initializers",
    Initializer,
    {name for name in __all__ if name[0].isupper()} - {"Initializer"},
    {
        "IdentityInitializer": "Identity",
        "OrthogonalInitializer": "Orthogonal",
        "normal": "RandomNormal",
        "one": "Ones",
        "uniform": "RandomUniform",
        "zero": "Zeros",
    },
)

Function = Callable[..., Array]


def get(identifier: object) -> Initializer | Function | None:
    """Return the initialiser meant by a name, a configuration, an array, a class or a function.

    Args:
        identifier: "he_normal", {"class_name": …, "config": …}, an initialiser or its class, an
            array (the weight itself), a function of (shape, dtype), or None, which stays None.

    Raises:
        NameLookupError: no initialiser has that name.
        TypeMismatchError: it is none of these.
    """
    if identifier is None:
        return None
    if isinstance(identifier, (np.ndarray, np.generic)):
        return Constant(identifier)
    known = isinstance(identifier, (Initializer, type))
    if callable(identifier) and not known:
        return identifier
    return _REGISTRY.get(identifier)


serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize


def __getattr__(name: str) -> type[Initializer]:
    """Return a class by another of its names in Keras: `glorot_uniform`, `zeros`, `normal`."""
    if name in _REGISTRY:
        return _REGISTRY.find(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
