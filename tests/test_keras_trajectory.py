"""Ten training steps follow Keras', weight by weight."""

import numpy as np
import pytest

import pellucid
from oracle import models, trajectories


@pytest.fixture(scope="module")
def vectors():
    with np.load(trajectories.VECTORS) as file:
        return dict(file)


@pytest.mark.parametrize("optimizer", trajectories.OPTIMIZERS)
def test_ten_steps_follow_keras(vectors, optimizer):
    model = models.classifier(pellucid)
    count = len(model.weights)
    model.set_weights([vectors[f"start_{i}"] for i in range(count)])
    model.compile(models.optimizer(pellucid, optimizer), "sparse_categorical_crossentropy")
    for step in range(trajectories.STEPS):
        model.train_on_batch(vectors[f"x{step}_0"], vectors[f"y{step}_0"])
        for i, weight in enumerate(model.weights):
            np.testing.assert_allclose(
                weight.numpy(),
                vectors[f"{optimizer}/w{step}_{i}"],
                rtol=0,
                atol=1e-4,
                err_msg=f"{weight.path} after step {step + 1}",
            )


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_shared_running_statistics_follow_keras(keras_oracle, engine):
    pellucid.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = models.normalized_again(pellucid)
    arrays = {f"start_{i}": weight for i, weight in enumerate(model.get_weights())}
    for step in range(3):
        arrays[f"x{step}_0"] = rng.normal(1, 1, (5, 4, 4, 2)).astype("float32")
        arrays[f"x{step}_1"] = rng.normal(-2, 3, (5, 4, 4, 2)).astype("float32")
        arrays[f"y{step}_0"] = rng.integers(0, 3, 5)
    loss = "sparse_categorical_crossentropy"
    expected, _ = keras_oracle.ask(
        "ask_models.train",
        arrays,
        model="normalized_again",
        optimizer="sgd",
        loss=loss,
        steps=3,
    )
    model.compile(models.optimizer(pellucid, "sgd"), loss, engine=engine)
    for step in range(3):
        model.train_on_batch([arrays[f"x{step}_{i}"] for i in range(2)], arrays[f"y{step}_0"])
        for i, weight in enumerate(model.weights):
            np.testing.assert_allclose(
                weight.numpy(), expected[f"w{step}_{i}"], rtol=0, atol=1e-5, err_msg=weight.path
            )


def test_the_frozen_steps_are_what_keras_takes(keras_oracle, vectors):
    for name, value in trajectories.given().items():
        np.testing.assert_array_equal(vectors[name], value)
    for name, value in trajectories.taken(keras_oracle, vectors).items():
        np.testing.assert_allclose(vectors[name], value, rtol=0, atol=1e-5, err_msg=name)
