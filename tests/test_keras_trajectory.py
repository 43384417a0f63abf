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


def test_the_frozen_steps_are_what_keras_takes(keras_oracle, vectors):
    for name, value in trajectories.given().items():
        np.testing.assert_array_equal(vectors[name], value)
    for name, value in trajectories.taken(keras_oracle, vectors).items():
        np.testing.assert_allclose(vectors[name], value, rtol=0, atol=1e-5, err_msg=name)
