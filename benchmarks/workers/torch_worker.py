"""PyTorch: channels_last, fused Adam; eager, or with BENCH_COMPILE=1 through torch.compile."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import protocol
import torch
import works
from torch import nn
from torch.nn.functional import cross_entropy

COMPILE = os.environ.get("BENCH_COMPILE") == "1"
LAST = torch.channels_last
torch.set_num_threads(protocol.THREADS)


def versions() -> dict[str, str]:
    return {"torch": torch.__version__}


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Any) -> Any:
        return self.body(x) + self.shortcut(x)


class Flatten(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1).flatten(1)  # in channels_last this moves nothing


class GlobalAverage(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


def margin(given: Any) -> int:
    """Return the padding on each side: where TensorFlow's is uneven, this is as much work."""
    return (given.kernel - 1) // 2 if given.padding == "same" else 0


def module(given: Any, shape: tuple[int, ...]) -> nn.Module:
    channels = shape[-1]
    match given:
        case works.Conv(filters, kernel, stride, _, bias):
            return nn.Conv2d(channels, filters, kernel, stride, margin(given), bias=bias)
        case works.Depthwise(kernel, stride):
            return nn.Conv2d(
                channels, channels, kernel, stride, margin(given), groups=channels, bias=False
            )
        case works.Pool("max", kernel, stride):
            return nn.MaxPool2d(kernel, stride, margin(given))
        case works.Pool("average", kernel, stride):
            return nn.AvgPool2d(kernel, stride, margin(given))
        case works.Relu(limit):
            return nn.ReLU(inplace=True) if limit is None else nn.ReLU6(inplace=True)
        case works.Dense(units):
            return nn.Linear(channels, units)
        case works.Dropout(rate):
            return nn.Dropout(rate)
        case works.BatchNorm():
            return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
        case works.Residual(body, shortcut):
            return Residual(chain(body, shape), chain(shortcut, shape))
        case works.Softmax():
            return nn.Softmax(-1)
        case works.Flatten():
            return Flatten()
        case works.GlobalAverage():
            return GlobalAverage()
    raise ValueError(given)


def chain(layers: tuple[Any, ...], shape: tuple[int, ...]) -> nn.Sequential:
    modules = []
    for given in layers:
        modules.append(module(given, shape))
        shape = works.output_shape(given, shape)
    return nn.Sequential(*modules)


def pictures(x: Any) -> Any:
    """Return (…, H, W, C) as the view that PyTorch calls channels_last (…, C, H, W)."""
    return torch.from_numpy(x).movedim(-1, -3)


def adam(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=rate, eps=1e-7, fused=True)


def prepare(layers: Any, shape: Any, mode: str, x: Any, y: Any) -> Any:
    torch.manual_seed(0)
    model = chain(layers, shape).to(memory_format=LAST)
    parameters = sum(p.numel() for p in model.parameters())
    batches = [part.contiguous(memory_format=LAST) for part in pictures(x)]
    targets = torch.from_numpy(y).long()
    model.train(mode == "train")
    call: Any = model
    if COMPILE:
        import torch._inductor.config as inductor

        inductor.freezing = mode != "train"
        call = torch.compile(model, dynamic=False)

    if mode != "train":

        def infer(steps: int) -> int:
            with torch.inference_mode() if not COMPILE else torch.no_grad():
                for step in range(steps):
                    call(batches[step % len(batches)]).numpy()
            return steps

        return parameters, infer

    optimizer = adam(model, 1e-3)

    def train(steps: int) -> int:
        for step in range(steps):
            optimizer.zero_grad(set_to_none=True)
            place = step % len(batches)
            loss = cross_entropy(call(batches[place]), targets[place])
            loss.backward()
            optimizer.step()
        loss.item()
        return steps

    return parameters, train


def learn(
    layers: Any, x: Any, y: Any, x_test: Any, y_test: Any, recipe: dict[str, Any]
) -> Iterator[float]:
    torch.manual_seed(recipe["seed"])
    model = chain(layers, x.shape[1:]).to(memory_format=LAST)
    call = torch.compile(model) if COMPILE else model
    optimizer = adam(model, recipe["rate"])
    x, x_test, y = torch.from_numpy(x), torch.from_numpy(x_test), torch.from_numpy(y).long()
    steps = -(-len(x) // recipe["batch"]) * recipe["epochs"]
    end = recipe["final_rate"] / recipe["rate"]
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end, steps)

    def scaled(chosen: Any) -> Any:
        return chosen.movedim(-1, -3).float().div_(255)

    for _ in range(recipe["epochs"]):
        model.train()
        for chosen in torch.randperm(len(x)).split(recipe["batch"]):
            optimizer.zero_grad(set_to_none=True)
            cross_entropy(call(scaled(x[chosen])), y[chosen]).backward()
            optimizer.step()
            decay.step()
        model.eval()
        with torch.no_grad():
            found = torch.cat([model(scaled(part)).argmax(-1) for part in x_test.split(500)])
        yield (found.numpy() == y_test).mean()


if __name__ == "__main__":
    protocol.serve(sys.modules[__name__])
