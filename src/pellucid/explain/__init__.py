"""Every number of a network explained: where it came from, forward and backward.

`pellucid.explain(model, x, target)` records a pass and returns a `Trace`; `trace[address]` is the
`Ledger` of one number. The package is itself that function: calling it is calling `explain`.

| module             | what it is about                                                   |
|--------------------|--------------------------------------------------------------------|
| `trace`            | one recorded pass: forward, loss, backward, update                 |
| `address`          | one name for a number: `conv2d.kernel[2,0,0,3].grad`               |
| `ledger`, `terms`  | the account of one number: formula, terms, running sum, total      |
| `verification`     | the number checked: terms, engines, finite differences             |
| `paths`            | how one number reaches another                                     |
| `correlation`      | the gradient of a convolution's input, seen in both ways           |
| `receptive_field`  | which inputs a number can depend on, and which it does             |
| `change`           | what would follow if a number were another one                     |
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pellucid.explain.address import Address, Tensor
from pellucid.explain.ledger import Definition, Factor, Ledger, Term
from pellucid.explain.trace import Trace, explain

__all__ = ["Address", "Definition", "Factor", "Ledger", "Tensor", "Term", "Trace", "explain"]


class _CallablePackage(ModuleType):
    """Importing a package sets it on its parent, where `pellucid.explain` is a function."""

    if not TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Trace:
            return explain(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
