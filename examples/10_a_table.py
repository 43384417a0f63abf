# %% [markdown]
# # A table: where a dense network is the tool
#
# Customer records, sensor values, measurements: rows of a table. Their columns have no
# neighbours: whether weight stands before or after length means nothing. A convolution lives on
# neighbourhoods, so here it has nothing to offer, and a plain dense network (an MLP, or ANN)
# is the right choice.
#
# The table is fruit.csv: 360 invented apples, pears and lemons, four measures and a colour.

# %%
from pathlib import Path

import numpy as np

import pellucid as keras
from pellucid.data import load

keras.utils.set_random_seed(1)
table = load(Path(__file__).parent / "fruit.csv", target="kind", validation=0.25, seed=1)
x, y = table.training.arrays
x_test, y_test = table.validation.arrays
print("classes ", table.class_names)
print("training", x.shape, "validation", x_test.shape)
print("first row", x[0].round(2))

# %% [markdown]
# Each number was brought to mean 0 and spread 1, so that grams do not count more than
# millimetres; the colour became one column for each colour, 1 where it applies.
#
# ## A dense network


# %%
def train(model, inputs, test):
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(inputs, y, epochs=30, batch_size=32, verbose=0)
    return model.evaluate(test, y_test, verbose=0)[1]


def dense():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Input((x.shape[1],)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


network = dense()
accuracy = train(network, x, x_test)
print(f"dense network: {accuracy:.1%} right, {network.count_params()} parameters")

# %% [markdown]
# ## Why not a CNN?
#
# Let us try: a row as a picture of one line, and a kernel that sees two columns at a time. Which
# columns are neighbours is chance, so we do it for several orders of the columns. The dense network
# sees all columns at once; for it an order is as good as another. For the CNN each order is
# another task, with a smaller network seeing less.


# %%
def convolutional():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Input((1, x.shape[1], 1)),
            keras.layers.Conv2D(4, (1, 2), activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


results = {"dense": [], "convolutional": []}
for seed in range(4):
    order = np.random.default_rng(seed).permutation(x.shape[1])
    results["dense"].append(train(dense(), x[:, order], x_test[:, order]))
    rows = x[:, None, order, None], x_test[:, None, order, None]
    results["convolutional"].append(train(convolutional(), *rows))
for name, found in results.items():
    print(f"{name:14}", "  ".join(f"{value:.1%}" for value in found))

# %% [markdown]
# Use a CNN where neighbours belong together: pictures, sound, series. Use a dense network where
# they do not.
