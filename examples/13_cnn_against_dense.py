# %% [markdown]
# # A CNN against a dense network
#
# Why convolutions at all? A dense network can learn digits, too. We train both on the same
# pictures and compare three things: how many parameters they have, how often they are right, and
# what happens if the digits are moved a little.

# %%
import numpy as np

import pellucid as keras

(x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
x, y = x[:4000, ..., None].astype("float32") / 255, y[:4000]
x_test, y_test = x_test[:1000, ..., None].astype("float32") / 255, y_test[:1000]


def dense():
    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def convolutional():
    return keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


# %% [markdown]
# ## Parameters
#
# The dense layer has a weight for every pixel and every neuron: 784 · 64 + 64 = 50,240 in the
# first layer alone. The convolution uses the same nine weights everywhere: 8 · 9 + 8 = 80.

# %%
networks = {}
for name, build in (("dense", dense), ("convolutional", convolutional)):
    keras.utils.set_random_seed(0)
    networks[name] = build()
parameters = {name: model.count_params() for name, model in networks.items()}
for name, count in parameters.items():
    print(f"{name:14} {count:7,} parameters")

# %% [markdown]
# ## Accuracy

# %%
accuracy = {}
for name, model in networks.items():
    keras.utils.set_random_seed(0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=5, batch_size=64, verbose=0)
    accuracy[name] = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{name:14} {accuracy[name]:.1%} right on 1,000 new digits")

# %% [markdown]
# ## Shifted digits
#
# Now each test digit is moved to the right by 1, 2 and 3 pixels. A person does not notice. To the
# dense network every pixel is an input of its own, and all of them are suddenly other ones. The
# kernel finds its features wherever they are, and pooling forgives the last pixel or two.

# %%
shifted = {name: [] for name in networks}
for distance in (1, 2, 3):
    moved = np.roll(x_test, distance, axis=2)
    moved[:, :, :distance] = 0
    for name, model in networks.items():
        shifted[name].append(model.evaluate(moved, y_test, verbose=0)[1])
print("shifted by           1 pixel  2 pixels  3 pixels")
for name, values in shifted.items():
    print(f"{name:14}        " + "    ".join(f"{value:.1%}" for value in values))

# %% [markdown]
# The convolutional network has fewer parameters, is right more often, and bears shifts better. It
# is not immune to them: its last layer is dense, and knows places. To be safe against shifts,
# train with shifted pictures (augmentation).
