"""Programs of operations: tracing, running, the chain rule, what is drawn and what is let go."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import pellucid
from pellucid.errors import ShapeError
from pellucid.graph import Tracer, Variable
from pellucid.graph import reference as engine
from pellucid.ops.activation import Activation
from pellucid.ops.add import Add
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.dense import Dense
from pellucid.ops.dropout import Dropout
from pellucid.ops.flatten import Flatten
from pellucid.ops.multiply import Multiply
from pellucid.ops.weighted_mean import WeightedMean


def branched(training: bool = True) -> tuple:
    """x → conv → tanh → (itself + itself·tanh) → flatten → dense → mean: reads values twice."""
    rng = np.random.default_rng(0)
    kernel = Variable(rng.standard_normal((2, 2, 1, 3)), "kernel", "conv/kernel", dtype="float64")
    matrix = Variable(rng.standard_normal((12, 2)), "kernel", "dense/kernel", dtype="float64")
    g = Tracer(training)
    x = g.input((None, 3, 3, 1))
    with g.scope("conv"):
        z = g.apply(Conv2D(), x, g.weight(kernel), None, role="pre_activation")
        a = g.apply(Activation("tanh"), z)
    with g.scope("gate"):
        b = g.apply(Add(), a, g.apply(Multiply(), a, z))
    with g.scope("dense"):
        y = g.apply(Dense(), g.apply(Flatten(), b), g.weight(matrix), None)
        y = g.apply(Multiply(), y, g.apply(Dense(), g.apply(Flatten(), a), g.weight(matrix), None))
    loss = g.apply(WeightedMean(), y, None, role="loss")
    return g, x, loss, [kernel, matrix]


def test_gradients_follow_the_chain_rule_through_branches_and_shared_weights() -> None:
    g, x, loss, variables = branched()
    program = g.program([x], [loss])
    data = np.random.default_rng(1).standard_normal((4, 3, 3, 1))
    values = engine.forward(program, [data], keep=True)
    weights = [g.weight(variable) for variable in variables]
    found = engine.gradients(program, values, [x, *weights])

    def numeric(array: np.ndarray) -> np.ndarray:
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            high, low = kept + 1e-6, kept - 1e-6
            array[index] = high
            up = engine.forward(program, [data])[loss]
            array[index] = low
            down = engine.forward(program, [data])[loss]
            array[index] = kept
            gradient[index] = (up - down) / (high - low)
        return gradient

    for value, array in [(x, data), *((g.weight(v), v.value) for v in variables)]:
        np.testing.assert_allclose(found[value], numeric(array), rtol=1e-6, atol=1e-8)


def test_a_value_without_influence_has_a_zero_gradient() -> None:
    g = Tracer()
    x, other = g.input((None, 2)), g.input((None, 2))
    loss = g.apply(WeightedMean(), g.apply(Activation("tanh"), x), None)
    program = g.program([x, other], [loss])
    ones = np.ones((3, 2))
    values = engine.forward(program, [ones, ones], keep=True)
    assert not engine.gradients(program, values, [other])[other].any()


def test_only_what_the_outputs_need_is_kept_in_a_program() -> None:
    g = Tracer()
    x = g.input((None, 4))
    used = g.apply(Activation("relu"), x)
    g.apply(Activation("tanh"), x)
    assert [node.output for node in g.program([x], [used]).nodes] == [used]


def test_values_are_let_go_after_their_last_use() -> None:
    g, x, loss, _ = branched()
    program = g.program([x], [loss])
    values = engine.forward(program, [np.zeros((1, 3, 3, 1))])
    assert set(values) == {loss}


def test_names_tell_layer_and_role_and_number_repeats() -> None:
    g, _, _, _ = branched()
    names = [node.output.name for node in g.nodes]
    assert names[:2] == ["conv.pre_activation", "conv.output"]
    assert names[-2:] == ["dense.output#5", "loss"]
    assert len(set(names)) == len(names)


def test_random_values_depend_on_seed_key_and_place_alone() -> None:
    def sampled(names: list[str], step: int) -> list[np.ndarray]:
        g = Tracer(training=True)
        x = g.input((None, 5))
        outputs = []
        for name in names:
            with g.scope(name):
                mask = g.random((None, 5), lambda rng, n: rng.random((n, 5)))
                outputs.append(g.apply(Dropout(0.5), x, mask))
        return list(engine.draw(g.program([x], outputs), 3, ("step", step)).values())

    pellucid.utils.set_random_seed(5)
    first, second = sampled(["a", "b"], 7)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(sampled(["c"], 7)[0], first)
    assert not np.array_equal(sampled(["a"], 8)[0], first)
    pellucid.utils.set_random_seed(6)
    assert not np.array_equal(sampled(["a"], 7)[0], first)


def test_a_variable_keeps_its_array_and_its_shape() -> None:
    variable = Variable(np.zeros((2, 3)), "kernel", "dense/kernel")
    array = variable.value
    variable.assign(np.ones((2, 3)))
    assert array is variable.value
    assert array.sum() == 6
    variable.value = np.asfortranarray(np.full((2, 3), 2.0))
    assert array is variable.value
    assert array.sum() == 12
    with pytest.raises(ShapeError, match="dense/kernel"):
        variable.assign(np.ones((3, 2)))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (200, 90)])
def test_arrays_of_variables_begin_with_a_cache_line_after_copies_too(
    shape: tuple[int, ...],
) -> None:
    given = np.arange(np.prod(shape, dtype=int), dtype="float32").reshape(shape)
    variable = Variable(given)
    for made in (variable, copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
        assert made.address % 64 == 0
        np.testing.assert_array_equal(made.value, given)
        assert made.value.shape == shape
        assert made.value.flags.writeable


def test_large_arrays_that_are_made_one_after_the_other_begin_at_other_places_of_a_page() -> None:
    made = [Variable(np.zeros((160, 128), "float32")) for _ in range(8)]
    assert len({variable.address % 4096 for variable in made}) == len(made)


def test_who_has_a_part_of_a_variables_array_shares_it() -> None:
    variable = Variable(np.zeros((2, 3)))
    assert not variable.shared
    for take in (lambda array: array, lambda array: array[0], lambda array: array.T[1:]):
        held = take(variable.value)
        assert variable.shared
        del held
        assert not variable.shared
