# %% [markdown]
# # Three kinds of answers
#
# What a network answers is decided by its last layer, and by the loss that goes with it.
#
# | question           | last layer            | loss                      |
# |--------------------|-----------------------|---------------------------|
# | which of many?     | n neurons, softmax    | categorical cross-entropy |
# | yes or no?         | one neuron, sigmoid   | binary cross-entropy      |
# | how much?          | one neuron, linear    | mean squared error        |
#
# The same pictures, small discs on a dark ground, are asked all three.

# %%
import numpy as np

import pellucid as keras

random = np.random.default_rng(2)
SIDE = 16


def discs(count):
    down, across = np.mgrid[0:SIDE, 0:SIDE]
    radius = random.uniform(2, 6, count)
    row, column = random.uniform(5, 11, (2, count))
    distance = np.hypot(down - row[:, None, None], across - column[:, None, None])
    pictures = np.clip(radius[:, None, None] - distance, 0, 1)
    return pictures[..., None].astype("float32"), radius.astype("float32")


x, radius = discs(600)
x_test, radius_test = discs(200)


def network(last):
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.layers.Input((SIDE, SIDE, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
            last,
        ]
    )


# %% [markdown]
# ## Which of many? Softmax
#
# Small, middle or large. Softmax makes three scores three probabilities that add up to 1: the
# classes exclude each other.

# %%
sizes = np.digitize(radius, (3.3, 4.6))
sizes_test = np.digitize(radius_test, (3.3, 4.6))
model = network(keras.layers.Dense(3, activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, sizes, epochs=25, verbose=0)
softmax_accuracy = model.evaluate(x_test, sizes_test, verbose=0)[1]
probabilities = model.predict(x_test[:3])
print(probabilities.round(3), "sums", probabilities.sum(axis=1))
print(f"{softmax_accuracy:.1%} right")

# %% [markdown]
# ## Yes or no? Sigmoid
#
# Is the disc large? One number is enough: sigmoid(z) = 1 / (1 + e^(−z)) lies between 0 and 1 and is
# the probability of yes; that of no is the rest. From 0.5 on the answer counts as yes. It is
# softmax with two classes, one of whose scores is fixed at 0.

# %%
large, large_test = (radius > 4).astype("float32"), (radius_test > 4).astype("float32")
model = network(keras.layers.Dense(1, activation="sigmoid"))
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, large, epochs=25, verbose=0)
sigmoid_accuracy = model.evaluate(x_test, large_test, verbose=0)[1]
yes = model.predict(x_test[:5])[:, 0]
for probability, true in zip(yes, radius_test, strict=False):
    print(f"radius {true:.2f}: large with probability {probability:.3f}")
print(f"{sigmoid_accuracy:.1%} right")

# %% [markdown]
# ## How much? Linear
#
# The radius itself. No activation: the neuron may say any number. The squared error punishes an
# error of 2 four times as much as an error of 1. The mean absolute error is easier to read: so
# many pixels off.

# %%
model = network(keras.layers.Dense(1))
model.compile("adam", "mean_squared_error", metrics=["mean_absolute_error"])
model.fit(x, radius, epochs=25, verbose=0)
squared, absolute = model.evaluate(x_test, radius_test, verbose=0)
print(f"mean squared error {squared:.3f}, mean absolute error {absolute:.3f} pixels")
for guess, true in zip(model.predict(x_test[:5])[:, 0], radius_test, strict=False):
    print(f"true {true:.2f}, said {guess:.2f}")
spread = float(np.abs(radius_test - radius.mean()).mean())
print(f"Always saying the mean would be {spread:.3f} pixels off.")
