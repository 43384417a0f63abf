import copy
import json
import re

import numpy as np
import pytest

from pellucid import optimizers
from pellucid.errors import (
    ArgumentError,
    NameLookupError,
    NonFiniteError,
    NotBuiltError,
    ShapeError,
    TypeMismatchError,
)
from pellucid.graph import Variable
from pellucid.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Nadam,
    RMSprop,
)
from pellucid.optimizers.schedules import ExponentialDecay

STEPS = 12
SHAPES = [(3, 4), (5,)]


def start(seed=0):
    random = np.random.default_rng(seed)
    weights = [random.standard_normal(s).astype("float32") for s in SHAPES]
    gradients = [random.standard_normal((STEPS, *s)).astype("float32") for s in SHAPES]
    gradients[0][3] = 0.0  # nothing may divide by a length of 0
    return weights, gradients


def variables_of(weights):
    return [Variable(w, "kernel", f"layer{i}/kernel") for i, w in enumerate(weights)]


# The rules again, in double precision and in the words of their papers: from what is remembered
# (a dict, empty at first), the gradient, the rate and the step (1 at first) to the change.


def sgd(seen, g, rate, step):
    return -rate * g


def momentum(seen, g, rate, step):
    seen["m"] = 0.9 * seen.get("m", 0.0) - rate * g
    return seen["m"]


def nesterov(seen, g, rate, step):
    seen["m"] = 0.9 * seen.get("m", 0.0) - rate * g
    return 0.9 * seen["m"] - rate * g


def adam(seen, g, rate, step, amsgrad=False):
    m = seen["m"] = 0.9 * seen.get("m", 0.0) + 0.1 * g
    v = seen["v"] = 0.999 * seen.get("v", 0.0) + 0.001 * g**2
    if amsgrad:
        v = seen["top"] = np.maximum(seen.get("top", 0.0), v)
    corrected = m / (1 - 0.9**step)
    size = np.sqrt(v / (1 - 0.999**step))
    # Keras adds epsilon to the root before it is corrected
    return -rate * corrected / (size + 1e-7 / np.sqrt(1 - 0.999**step))


def amsgrad(seen, g, rate, step):
    return adam(seen, g, rate, step, amsgrad=True)


def rmsprop(seen, g, rate, step):
    seen["v"] = 0.9 * seen.get("v", 0.0) + 0.1 * g**2
    return -rate * g / np.sqrt(seen["v"] + 1e-7)


def centered(seen, g, rate, step):
    seen["v"] = 0.9 * seen.get("v", 0.0) + 0.1 * g**2
    seen["a"] = 0.9 * seen.get("a", 0.0) + 0.1 * g
    step_now = rate * g / np.sqrt(seen["v"] - seen["a"] ** 2 + 1e-7)
    seen["m"] = 0.5 * seen.get("m", 0.0) + step_now
    return -seen["m"]


def adagrad(seen, g, rate, step):
    seen["a"] = seen.get("a", 0.1) + g**2
    return -rate * g / np.sqrt(seen["a"] + 1e-7)


def adadelta(seen, g, rate, step):
    seen["a"] = 0.95 * seen.get("a", 0.0) + 0.05 * g**2
    change = -np.sqrt(seen.get("s", 0.0) + 1e-7) / np.sqrt(seen["a"] + 1e-7) * g
    seen["s"] = 0.95 * seen.get("s", 0.0) + 0.05 * change**2
    return rate * change


def adamax(seen, g, rate, step):
    m = seen["m"] = 0.9 * seen.get("m", 0.0) + 0.1 * g
    u = seen["u"] = np.maximum(0.999 * seen.get("u", 0.0), abs(g))
    return -rate / (1 - 0.9**step) * m / (u + 1e-7)


def nadam(seen, g, rate, step):
    u = [0.9 * (1 - 0.5 * 0.96**t) for t in range(1, step + 2)]
    m = seen["m"] = 0.9 * seen.get("m", 0.0) + 0.1 * g
    v = seen["v"] = 0.999 * seen.get("v", 0.0) + 0.001 * g**2
    mean = u[-1] * m / (1 - np.prod(u)) + (1 - u[-2]) * g / (1 - np.prod(u[:-1]))
    return -rate * mean / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)


def lion(seen, g, rate, step):
    m = seen.get("m", 0.0)
    seen["m"] = 0.99 * m + 0.01 * g
    return -rate * np.sign(0.9 * m + 0.1 * g)


def averaged(seen, g, rate, step):
    """The running mean takes the weight's place at every third step, both less the first weight."""
    before = seen.get("now", 0.0)
    now = before - rate * g
    keep = 0.8 if step > 1 else 0.0
    seen["mean"] = keep * seen.get("mean", 0.0) + (1 - keep) * now
    seen["now"] = now if step % 3 else seen["mean"]
    return seen["now"] - before


def by_norm(gradients):
    return [g if np.linalg.norm(g) <= 1 else g / np.linalg.norm(g) for g in gradients]


def by_value(gradients):
    return [np.clip(g, -0.5, 0.5) for g in gradients]


def by_global_norm(gradients):
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g / norm if norm > 1 else g for g in gradients]


FAMILY = {
    "sgd": (SGD(0.1), sgd, 0.1, None),
    "momentum": (SGD(0.1, momentum=0.9), momentum, 0.1, None),
    "nesterov": (SGD(0.1, momentum=0.9, nesterov=True), nesterov, 0.1, None),
    "adam": (Adam(0.01), adam, 0.01, None),
    "amsgrad": (Adam(0.01, amsgrad=True), amsgrad, 0.01, None),
    "rmsprop": (RMSprop(0.01), rmsprop, 0.01, None),
    "centered": (RMSprop(0.01, momentum=0.5, centered=True), centered, 0.01, None),
    "adagrad": (Adagrad(0.1), adagrad, 0.1, None),
    "adadelta": (Adadelta(1.0), adadelta, 1.0, None),
    "adamax": (Adamax(0.01), adamax, 0.01, None),
    "nadam": (Nadam(0.01), nadam, 0.01, None),
    "lion": (Lion(0.01, weight_decay=0.1), lion, 0.01, None),
    "averaged": (
        SGD(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
        averaged,
        0.1,
        None,
    ),
    "clipnorm": (SGD(0.1, momentum=0.9, clipnorm=1.0), momentum, 0.1, by_norm),
    "clipvalue": (SGD(0.1, clipvalue=0.5), sgd, 0.1, by_value),
    "global_clipnorm": (Adam(0.01, global_clipnorm=1.0), adam, 0.01, by_global_norm),
    "decay": (AdamW(0.01, weight_decay=0.1), adam, 0.01, None),
    "decay_and_clip": (SGD(0.1, weight_decay=0.1, clipnorm=1.0), sgd, 0.1, by_norm),
    "schedule": (SGD(ExponentialDecay(0.1, 5, 0.5)), sgd, lambda t: 0.1 * 0.5 ** (t / 5), None),
}


def fresh(name):
    return optimizers.deserialize(optimizers.serialize(FAMILY[name][0]))


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("chunk", [1 << 15, 5], ids=["whole", "in_parts"])
def test_follows_the_formula(name, chunk, monkeypatch):
    monkeypatch.setattr("pellucid.optimizers._optimizer._CHUNK", chunk)
    optimizer = fresh(name)
    _, rule, rate, clip = FAMILY[name]
    weights, gradients = start()
    variables = variables_of(weights)
    expected = [w.astype("float64") for w in weights]
    seen = [{} for _ in weights]
    for step in range(STEPS):
        now = [g[step].astype("float64") for g in gradients]
        lr = rate(step) if callable(rate) else rate
        for i, g in enumerate(clip(now) if clip else now):
            expected[i] -= (optimizer.weight_decay or 0.0) * lr * expected[i]
            expected[i] += rule(seen[i], g, lr, step + 1)
        kept = [g[step].copy() for g in gradients]
        optimizer.apply([g[step] for g in gradients], variables)
        for g, before in zip(gradients, kept, strict=True):
            assert np.array_equal(g[step], before), "the caller's gradients were changed"
        for variable, want in zip(variables, expected, strict=True):
            assert variable.value.dtype == np.float32
            np.testing.assert_allclose(variable.value, want, rtol=2e-5, atol=2e-6)
    assert optimizer.iterations == STEPS


@pytest.mark.parametrize("name", FAMILY)
def test_follows_keras(name, keras_oracle):
    optimizer = fresh(name)
    weights, gradients = start(1)
    arrays = {f"w{i}": w for i, w in enumerate(weights)}
    arrays |= {f"g{i}": g for i, g in enumerate(gradients)}
    written = optimizers.serialize(optimizer)
    theirs, told = keras_oracle.ask("ask_training.optimise", arrays, optimizer=written)
    assert json.loads(json.dumps(written)) == told["config"]
    variables = [Variable(w, f"v{i}") for i, w in enumerate(weights)]
    for step in range(STEPS):
        optimizer.apply([g[step] for g in gradients], variables)
        for i, variable in enumerate(variables):
            np.testing.assert_allclose(
                variable.value, theirs[f"w{i}"][step], rtol=1e-5, atol=1e-6, err_msg=f"step {step}"
            )
    # Keras numbers a variable without a name of its own by how many there were in the process.
    names = [re.sub(r"^variable_\d+$", "variable", name) for name in told["names"]]
    assert [n for n, _ in optimizer.variables] == names
    for i, (_, array) in enumerate(optimizer.variables):
        assert array.dtype == theirs[f"s{i}"].dtype
        np.testing.assert_allclose(array, theirs[f"s{i}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FAMILY)
def test_goes_on_from_a_saved_state_to_the_bit(name):
    weights, gradients = start(2)
    through, halved = variables_of(weights), variables_of(weights)
    first, second, third = fresh(name), fresh(name), fresh(name)
    for step in range(STEPS):
        now = [g[step] for g in gradients]
        first.apply(now, through)
        (second if step < 5 else third).apply(now, halved)
        if step == 4:
            third.build(halved)
            third.set_variables([array.copy() for _, array in second.variables])
    for one, two in zip(through, halved, strict=True):
        assert np.array_equal(one.value, two.value)


def test_the_state_has_keras_names_and_order():
    variables = [Variable(np.zeros(2), "kernel", "d/kernel"), Variable(np.zeros(1), "b", "d/bias")]
    optimizer = RMSprop(momentum=0.9, centered=True)
    optimizer.build(variables)
    assert [name for name, _ in optimizer.variables] == [
        "iteration",
        "learning_rate",
        "d_kernel_velocity",
        "d_bias_velocity",
        "d_kernel_momentum",
        "d_bias_momentum",
        "d_kernel_average_gradient",
        "d_bias_average_gradient",
    ]


def test_what_does_not_decay():
    kernel, bias, kept = (Variable([1.0], name, name) for name in ("kernel", "bias", "kept"))
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[kept], var_names=["bias", "gamma"])
    optimizer.apply([np.zeros(1, "f4")] * 3, [kernel, bias, kept])
    assert [v.value[0] for v in (kernel, bias, kept)] == [0.5, 1.0, 1.0]
    with pytest.raises(ArgumentError, match="before the first step"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_running_means_take_the_place_of_the_weights_in_the_end():
    weight = Variable([0.0])
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(3):
        optimizer.apply([-np.ones(1, "f4")], [weight])
    assert weight.value[0] == 3
    optimizer.finalize_variable_values([weight])
    assert weight.value[0] == 2.25  # ((1 + 2) / 2 + 3) / 2


def test_a_gradient_that_is_none_leaves_its_variable_alone():
    one, two = Variable([1.0]), Variable([1.0])
    assert SGD(1.0).apply_gradients([(None, one), (np.ones(1, "f4"), two)]) == 1
    assert (one.value[0], two.value[0]) == (1.0, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    weights, gradients = start()
    variables = variables_of(weights)
    optimizer = Adam()
    optimizer.apply([g[0] for g in gradients], variables)
    before = [v.value.copy() for v in variables], [a.copy() for _, a in optimizer.variables]
    gradients[1][1][2] = bad
    with pytest.raises(NonFiniteError, match=r"layer1/kernel is (nan|inf) at \[2\] in step 2"):
        optimizer.apply([g[1] for g in gradients], variables)
    after = [v.value for v in variables], [a for _, a in optimizer.variables]
    for old, new in zip(before[0] + before[1], after[0] + after[1], strict=True):
        assert np.array_equal(old, new)


def test_large_finite_gradients_are_not_mistaken_for_infinite_ones():
    variable = Variable([0.0])
    SGD(1e-30).apply([np.array([1e30], "f4")], [variable])
    assert variable.value[0] == pytest.approx(-1.0)


def test_the_learning_rate():
    optimizer = SGD(0.1)
    assert optimizer.learning_rate == np.float32(0.1)
    optimizer.learning_rate = 0.05
    assert optimizer.get_config()["learning_rate"] == float(np.float32(0.05))
    with pytest.raises(TypeMismatchError, match="cannot be set"):
        SGD(ExponentialDecay(0.1, 5, 0.5)).learning_rate = 0.1
    for wrong in (-1.0, np.nan, "fast", "0.1", None):
        with pytest.raises(ArgumentError, match="learning_rate"):
            SGD(wrong)


def test_found_by_name():
    for name, cls in [("adam", Adam), ("Adam", Adam), ("SGD", SGD), ("rmsprop", RMSprop)]:
        assert type(optimizers.get(name)) is cls
    assert type(optimizers.get("AdamW")) is type(optimizers.get("adamw")) is AdamW
    made = Adam(0.5)
    assert optimizers.get(made) is made
    with pytest.raises(NameLookupError, match="Did you mean 'adam'"):
        optimizers.get("adan")
    with pytest.raises(TypeMismatchError, match="optimizer"):
        optimizers.get(None)


def test_misuse_is_refused():
    variable, other = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    g = np.ones(2, "f4")
    with pytest.raises(ArgumentError, match=r"clipnorm=1.0 and clipvalue=2.0"):
        SGD(clipnorm=1.0, clipvalue=2.0)
    with pytest.raises(ArgumentError, match="ema_momentum from 0 to 1"):
        Adam(use_ema=True, ema_momentum=1.5)
    with pytest.raises(ArgumentError, match="ema_overwrite_frequency"):
        Adam(use_ema=True, ema_overwrite_frequency=0)
    with pytest.raises(ArgumentError, match="gradient_accumulation_steps=2 is not offered"):
        Adam(gradient_accumulation_steps=2)
    with pytest.raises(ArgumentError, match="no option 'decay'"):
        Adam(decay=0.1)
    with pytest.raises(ArgumentError, match="momentum"):
        SGD(momentum=1.5)
    with pytest.raises(ArgumentError, match="beta_1"):
        Adam(beta_1=1.0)
    with pytest.raises(ArgumentError, match="epsilon"):
        Adam(epsilon="small")
    with pytest.raises(ArgumentError, match="clipnorm"):
        SGD(clipnorm=-1.0)
    with pytest.raises(ArgumentError, match="rho"):
        RMSprop(rho=-0.1)
    with pytest.raises(ArgumentError, match="beta_1 above 0"):
        Lion(beta_1=0)
    with pytest.raises(ArgumentError, match="weight_decay"):
        AdamW(weight_decay=None)
    with pytest.raises(NotBuiltError):
        SGD().apply([g])
    optimizer = SGD(momentum=0.9)
    with pytest.raises(ShapeError, match=r"\(2,\), received \(1, 2\)"):
        optimizer.apply([g[None]], [variable])
    with pytest.raises(ArgumentError, match="not among the variables"):
        optimizer.apply([g], [other])
    with pytest.raises(ArgumentError, match="2 gradients for 1"):
        optimizer.apply([g, g], [variable])
    with pytest.raises(ArgumentError, match="no gradient"):
        optimizer.apply([None], [variable])
    with pytest.raises(ShapeError, match="expected 3 arrays"):
        optimizer.set_variables([0, 0.1])
    with pytest.raises(ShapeError, match="momentum of shape"):
        optimizer.set_variables([0, 0.1, np.zeros(3)])
    with pytest.raises(ShapeError, match=r"call build\(\) first"):
        SGD(momentum=0.9).set_variables([0, 0.1, np.zeros(3)])


def test_slots_begin_with_a_cache_line_after_a_copy_too() -> None:
    variable = Variable(np.ones((3, 5), "float32"))
    optimizer = Adam()
    optimizer.build([variable])
    optimizer.apply([np.ones((3, 5), "float32")], [variable])
    copied_variable, copied = copy.deepcopy((variable, optimizer))
    for made, of in ((optimizer, variable), (copied, copied_variable)):
        slots = made.slots_of(of)
        assert all(array.ctypes.data % 64 == 0 for array in slots.values())
        for name, array in optimizer.slots_of(variable).items():
            np.testing.assert_array_equal(slots[name], array)
    shallow = copy.copy(optimizer).slots_of(variable)
    assert all(shallow[name] is array for name, array in optimizer.slots_of(variable).items())
