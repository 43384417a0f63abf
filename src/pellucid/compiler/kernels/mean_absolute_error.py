"""The mean of absolute differences; see `_mean_loss.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.compiler.kernels._mean_loss import mean_backward, mean_forward

if TYPE_CHECKING:
    from pellucid.compiler.lowering import Builder, Group

__all__ = ["backward", "forward"]


def forward(b: Builder, group: Group) -> None:
    """Add the job of the forward pass."""
    mean_forward(b, group, lambda f, x, t: f.intrinsic("fabs", x - t))


def backward(b: Builder, group: Group) -> None:
    """Add the job of the backward pass: the sign, 0 where there is no difference."""
    mean_backward(
        b,
        group,
        lambda f, x, t: f.select(x > t, f.splat(1.0), f.select(x < t, f.splat(-1.0), f.zero())),
    )
