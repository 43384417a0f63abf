"""What every operation promises, tried on every operation there is."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pellucid.ops._registry import operations
from pellucid.testing import check_op

OPERATIONS = operations()
CASES = [
    pytest.param(case, id=f"{name}-{i}")
    for name, operation in OPERATIONS.items()
    for i, case in enumerate(operation.cases())
]
INVALID = [
    pytest.param(invalid, id=f"{name}-{i}")
    for name, operation in OPERATIONS.items()
    for i, invalid in enumerate(operation.invalid_cases())
]


@pytest.mark.parametrize("case", CASES)
def test_keeps_its_promises(case):
    check_op(case.op, case.inputs(np.random.default_rng(7)), seed=7)


@pytest.mark.parametrize("case", CASES)
def test_case_has_the_shapes_that_it_declares(case):
    inputs = case.inputs(np.random.default_rng(7))
    assert tuple(None if x is None else x.shape for x in inputs) == case.shapes


@pytest.mark.parametrize("case", CASES)
def test_counts_multiply_adds(case):
    count = case.op.multiply_adds(*case.shapes)
    assert isinstance(count, int)
    assert count >= 0


@pytest.mark.parametrize("invalid", INVALID)
def test_refuses(invalid):
    with pytest.raises(invalid.error) as caught:
        invalid.call()
    assert invalid.message in str(caught.value)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_is_documented_and_tried(operation):
    module = inspect.getmodule(operation)
    assert module is not None
    assert module.__name__ == f"pellucid.ops.{operation.name}"
    documentation = module.__doc__ or ""
    assert "=" in documentation, "the module's docstring has no formula"
    assert "Source: " in documentation, "the module's docstring has no source"
    assert operation.__doc__, "the class has no docstring"
    assert list(operation.cases()), "there are no cases"
    assert list(operation.invalid_cases()), "there are no invalid cases"
    assert operation.optional | operation.constant <= set(operation.inputs)
