"""JAX by hand: plain functions over a list of arrays, `jit`, and Adam as in the paper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import protocol
import works
from jax import lax


def versions() -> dict[str, str]:
    return {"jax": jax.__version__}


def initial(layers: Any, shape: tuple[int, ...], rng: Any) -> tuple[list[Any], list[Any]]:
    """Return the weights and the moving statistics, one entry for each layer."""
    weights, statistics = [], []
    for given in layers:
        own: Any = {}
        moving: Any = {}
        channels = shape[-1]
        match given:
            case works.Conv(filters, kernel):
                own = {"kernel": glorot(rng, (kernel, kernel, channels, filters))}
                own |= {"bias": np.zeros(filters, "f4")} if given.bias else {}
            case works.Depthwise(kernel):
                own = {"kernel": glorot(rng, (kernel, kernel, 1, channels))}
            case works.Dense(units):
                own = {"kernel": glorot(rng, (channels, units)), "bias": np.zeros(units, "f4")}
            case works.BatchNorm():
                own = {"gamma": np.ones(channels, "f4"), "beta": np.zeros(channels, "f4")}
                moving = {"mean": np.zeros(channels, "f4"), "variance": np.ones(channels, "f4")}
            case works.Residual(body, shortcut):
                both = initial(body, shape, rng), initial(shortcut, shape, rng)
                own, moving = [b[0] for b in both], [b[1] for b in both]
        weights.append(own)
        statistics.append(moving)
        shape = works.output_shape(given, shape)
    return weights, statistics


def glorot(rng: Any, shape: tuple[int, ...]) -> Any:
    limit = np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, shape).astype("f4")


def convolve(x: Any, kernel: Any, given: Any, groups: int = 1) -> Any:
    return lax.conv_general_dilated(
        x, kernel, (given.stride,) * 2, given.padding.upper(),
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
    )  # fmt: skip


def pool(x: Any, given: works.Pool) -> Any:
    if given.kernel == given.stride and given.padding == "valid":  # no slower, and plainer
        n, h, w, c = x.shape
        k = given.kernel
        cut = x[:, : h // k * k, : w // k * k].reshape(n, h // k, k, w // k, k, c)
        return cut.max((2, 4)) if given.kind == "max" else cut.mean((2, 4))
    window, strides = (1, given.kernel, given.kernel, 1), (1, given.stride, given.stride, 1)
    assert given.kind == "max"
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, given.padding.upper())


def forward(layers: Any, weights: Any, statistics: Any, x: Any, key: Any) -> Any:
    """Return the output and the new moving statistics; `key` is None in inference."""
    updated = []
    for number, (given, own, moving) in enumerate(zip(layers, weights, statistics, strict=True)):
        match given:
            case works.Conv():
                x = convolve(x, own["kernel"], given) + own.get("bias", 0)
            case works.Depthwise():
                x = convolve(x, own["kernel"], given, x.shape[-1])
            case works.Dense():
                x = x @ own["kernel"] + own["bias"]
            case works.Pool():
                x = pool(x, given)
            case works.Relu(limit):
                x = jnp.clip(x, 0, limit)
            case works.Flatten():
                x = x.reshape(len(x), -1)
            case works.GlobalAverage():
                x = x.mean((1, 2))
            case works.Softmax():
                x = jax.nn.softmax(x)
            case works.Dropout(rate) if key is not None:
                mask = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - rate, x.shape)
                x = jnp.where(mask, x / (1 - rate), 0)
            case works.BatchNorm():
                now = moving
                if key is not None:
                    now = {"mean": x.mean((0, 1, 2)), "variance": x.var((0, 1, 2))}
                    moving = {name: 0.99 * moving[name] + 0.01 * now[name] for name in now}
                scale = own["gamma"] * lax.rsqrt(now["variance"] + 1e-3)
                x = (x - now["mean"]) * scale + own["beta"]
            case works.Residual(body, shortcut):
                inner, first = forward(body, own[0], moving[0], x, key)
                outer, second = forward(shortcut, own[1], moving[1], x, key)
                x, moving = inner + outer, [first, second]
        updated.append(moving)
    return x, updated


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def train_step(layers: Any, state: Any, x: Any, y: Any, rate: Any) -> Any:
    """Take one step of Adam (Kingma, Ba, 2015); pixels of type uint8 are scaled first."""
    weights, statistics, first, second, count = state
    key = jax.random.fold_in(jax.random.key(0), count)

    def loss(weights: Any) -> Any:
        logits, updated = forward(layers, weights, statistics, scaled(x), key)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return -chosen.mean(), updated

    gradients, statistics = jax.grad(loss, has_aux=True)(weights)
    count += 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    step = rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    weights = jax.tree.map(
        lambda w, m, v: w - step * m / (jnp.sqrt(v) + 1e-7), weights, first, second
    )
    return weights, statistics, first, second, count


@partial(jax.jit, static_argnums=0)
def infer_step(layers: Any, weights: Any, statistics: Any, x: Any) -> Any:
    return forward(layers, weights, statistics, scaled(x), None)[0]


def scaled(x: Any) -> Any:
    return x if x.dtype == "float32" else x.astype("float32") / 255


def start(layers: Any, shape: Any, seed: int = 0) -> Any:
    weights, statistics = jax.tree.map(
        jnp.asarray, initial(layers, shape, np.random.default_rng(seed))
    )
    first, second = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    return weights, statistics, first, second, jnp.zeros((), "int32")


def prepare(layers: Any, shape: Any, mode: str, x: Any, y: Any) -> Any:
    state = start(layers, shape)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state[0]))
    batches = [(jnp.asarray(a), jnp.asarray(b)) for a, b in zip(x, y, strict=True)]

    def train(steps: int) -> int:
        nonlocal state
        for step in range(steps):
            state = train_step(layers, state, *batches[step % len(batches)], 1e-3)
        jax.block_until_ready(state)
        return steps

    def infer(steps: int) -> int:
        for step in range(steps):
            np.asarray(infer_step(layers, *state[:2], batches[step % len(batches)][0]))
        return steps

    return parameters, train if mode == "train" else infer


def learn(
    layers: Any, x: Any, y: Any, x_test: Any, y_test: Any, recipe: dict[str, Any]
) -> Iterator[float]:
    rng = np.random.default_rng(recipe["seed"])
    state = start(layers, x.shape[1:], recipe["seed"])
    batch, epochs = recipe["batch"], recipe["epochs"]
    rates = np.linspace(recipe["rate"], recipe["final_rate"], -(-len(x) // batch) * epochs)
    y = y.astype("int32")
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for place in range(0, len(x), batch):
            chosen = order[place : place + batch]
            state = train_step(layers, state, x[chosen], y[chosen], rates[step])
            step += 1
        parts = [
            infer_step(layers, *state[:2], x_test[i : i + 500]) for i in range(0, len(x_test), 500)
        ]
        yield np.mean(np.argmax(np.concatenate(parts), -1) == y_test)


if __name__ == "__main__":
    protocol.serve(sys.modules[__name__])
