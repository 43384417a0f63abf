import json
import math

import numpy as np
import pytest

from pellucid import initializers
from pellucid.errors import ArgumentError, NameLookupError, ShapeError, TypeMismatchError
from pellucid.random import set_random_seed

KERNEL = (3, 3, 32, 48)  # fans 288 and 432
MATRIX = (300, 200)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("he", lambda fan_in, _: 2 / fan_in),
        ("lecun", lambda fan_in, _: 1 / fan_in),
    ],
)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize(("shape", "fans"), [(KERNEL, (288, 432)), (MATRIX, (300, 200))])
def test_the_fitted_ones_have_the_variance_of_their_paper(name, kind, variance, shape, fans):
    initializer = initializers.get(f"{name}_{kind}")
    drawn = type(initializer)(seed=3)(shape)
    deviation = math.sqrt(variance(*fans))
    n = math.prod(shape)
    assert drawn.shape == shape
    assert drawn.dtype == np.float32
    assert abs(drawn.mean()) < 4 * deviation / math.sqrt(n)
    assert drawn.std() == pytest.approx(deviation, rel=0.02)
    reach = math.sqrt(3) if kind == "uniform" else 2 / 0.87962566103423978
    assert np.abs(drawn).max() <= reach * deviation * (1 + 1e-6)
    assert np.abs(drawn).max() > 0.98 * reach * deviation


def test_the_truncated_normal_has_the_cut_distribution():
    from scipy import stats

    drawn = initializers.TruncatedNormal(mean=1.0, stddev=0.5, seed=1)((20000,))
    law = stats.truncnorm(-2, 2, loc=1.0, scale=0.5)
    assert stats.kstest(drawn, law.cdf).pvalue > 0.01
    assert drawn.std() == pytest.approx(0.5 * 0.87962566103423978, rel=0.02)


def test_the_plain_distributions():
    from scipy import stats

    normal = initializers.RandomNormal(mean=-1.0, stddev=2.0, seed=1)((20000,))
    assert stats.kstest(normal, stats.norm(-1, 2).cdf).pvalue > 0.01
    uniform = initializers.RandomUniform(minval=2.0, maxval=5.0, seed=1)((20000,))
    assert stats.kstest(uniform, stats.uniform(2, 3).cdf).pvalue > 0.01
    scaled = initializers.VarianceScaling(4.0, "fan_out", "untruncated_normal", seed=1)((50, 400))
    assert stats.kstest(scaled.ravel(), stats.norm(0, 0.1).cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (3, 3, 2, 8)])
def test_orthogonal_columns_or_rows_are_perpendicular(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1)(shape).reshape(-1, shape[-1])
    small = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(small, 4.0 * np.eye(len(small)), atol=1e-5)


def test_fans_of_other_axes():
    fans = initializers.compute_fans((2, 3, 4, 5), input_axes=(0, 1), output_axes=(2, 3))
    assert fans == (6, 20)
    assert initializers.compute_fans(()) == (1, 1)


def test_constants():
    assert initializers.Zeros()((2, 2)).tolist() == [[0, 0], [0, 0]]
    assert initializers.Ones()((2,)).tolist() == [1, 1]
    assert initializers.Constant(2.5)((2,)).tolist() == [2.5, 2.5]
    assert initializers.Identity(gain=3.0)((2, 3)).tolist() == [[3, 0, 0], [0, 3, 0]]
    weight = np.arange(6.0).reshape(2, 3)
    made = initializers.get(weight)((2, 3))
    assert np.array_equal(made, weight)
    weight[0, 0] = 7
    assert made[0, 0] == 0


def test_a_seed_repeats_and_none_goes_on():
    seeded = initializers.GlorotUniform(seed=4)
    assert np.array_equal(seeded((3, 4)), seeded((3, 4)))
    set_random_seed(1)
    free = initializers.GlorotUniform()
    first, second = free((3, 4)), free((3, 4))
    assert not np.array_equal(first, second)
    set_random_seed(1)
    assert np.array_equal(initializers.get("glorot_uniform")((3, 4)), first)


@pytest.mark.parametrize("name", sorted(initializers.__all__))
def test_every_one_survives_being_written_down(name):
    cls = getattr(initializers, name)
    if not isinstance(cls, type) or cls is initializers.Initializer:
        return
    made = cls(seed=9) if "seed" in cls().get_config() else cls()
    written = json.loads(json.dumps(initializers.serialize(made)))
    assert written["module"] == "keras.initializers"
    again = initializers.deserialize(written)
    assert type(again) is cls
    assert np.array_equal(again((4, 4)), made((4, 4)))
    assert np.array_equal(made.clone()((4, 4)), made((4, 4)))


def test_an_array_survives_being_written_down():
    made = initializers.Constant(np.arange(4.0).reshape(2, 2))
    written = json.loads(json.dumps(initializers.serialize(made)))
    assert written["config"]["value"]["class_name"] == "__numpy__"
    assert np.array_equal(initializers.deserialize(written)((2, 2)), made((2, 2)))


def test_get_takes_what_keras_takes():
    assert initializers.get(None) is None
    made = initializers.HeNormal()
    assert initializers.get(made) is made
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    assert isinstance(initializers.get("HeNormal"), initializers.HeNormal)
    assert isinstance(initializers.get("lecun_uniform"), initializers.LecunUniform)
    config = {"class_name": "random_normal", "config": {"stddev": 0.1}}
    assert initializers.get(config).stddev == 0.1

    def function(shape, dtype=None):
        return np.ones(shape)

    assert initializers.get(function) is function


def test_keras_other_names_are_there():
    assert initializers.glorot_uniform is initializers.GlorotUniform
    assert initializers.zeros is initializers.Zeros
    with pytest.raises(AttributeError, match="glorot"):
        initializers.glorot  # noqa: B018  the look-up is what is tested


@pytest.mark.parametrize(
    "value",
    [
        {"class_name": "os.system", "config": {"value": [1.0], "dtype": "float32"}},
        {"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "U1000000000"}},
        {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "U1000000000"}},
        {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "object"}},
        {"class_name": "__numpy__", "config": {"value": [[1.0], [1.0, 2.0]]}},
        {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float7"}},
        {"class_name": "__numpy__"},
    ],
)
def test_hostile_arrays_are_refused(value):
    with pytest.raises(ArgumentError, match="Constant"):
        initializers.deserialize({"class_name": "Constant", "config": {"value": value}})


def test_misuse_is_refused_with_advice():
    with pytest.raises(NameLookupError, match="Did you mean 'GlorotUniform'"):
        initializers.get("GlorotUnifrom")
    with pytest.raises(TypeMismatchError, match="initializer"):
        initializers.get(3)
    with pytest.raises(ShapeError, match=r"\(2,\) cannot fill .* \(2, 3\)"):
        initializers.Constant([1.0, 2.0])((2, 3))
    with pytest.raises(ShapeError, match="at least two axes"):
        initializers.Orthogonal()((3,))
    with pytest.raises(ShapeError, match="matrix"):
        initializers.Identity()((3, 3, 3))
    with pytest.raises(ArgumentError, match="mode"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ArgumentError, match="distribution"):
        initializers.VarianceScaling(distribution="gamma")
    with pytest.raises(ArgumentError, match="scale"):
        initializers.VarianceScaling(scale=0.0)
    with pytest.raises(TypeMismatchError, match="seed"):
        initializers.HeNormal(seed="seven")
    with pytest.raises(TypeMismatchError, match="numbers"):
        initializers.Constant("zero")
    with pytest.raises(ArgumentError, match="does not fit"):
        initializers.get({"class_name": "Zeros", "config": {"value": 1}})
    with pytest.raises(ArgumentError, match="class_name"):
        initializers.get({"config": {}})
