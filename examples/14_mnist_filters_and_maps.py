# %% [markdown]
# # Handwritten digits, filters and feature maps
#
# The first 10,000 pictures of MNIST, five epochs, batches of 64, Adam; validated on the first
# 2,000 test pictures. Everything is spelled as in Keras: change the imports, and the same lines run
# there. (To try with fewer pictures, set the environment variable PELLUCID_LESSON_SAMPLES.)

# %%
import os

import numpy as np

import pellucid as keras
from pellucid import layers, models

samples = int(os.environ.get("PELLUCID_LESSON_SAMPLES", "10000"))
epochs = 5 if samples == 10_000 else 2

(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()
X_train = X_train[:samples].reshape(-1, 28, 28, 1) / 255.0
X_test = X_test[:2000].reshape(-1, 28, 28, 1) / 255.0
y_train, y_test = y_train[:samples], y_test[:2000]

# %% [markdown]
# ## A deeper model
#
# First a model with three convolutions, built, compiled and summarised, as one often meets it.
# Its feature maps go from 26×26 down to 3×3.

# %%
deeper = models.Sequential(
    [
        layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
deeper.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
deeper.summary()

# %% [markdown]
# ## The model that we train

# %%
keras.utils.set_random_seed(0)
model = models.Sequential(
    [
        layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    X_train,
    y_train,
    epochs=epochs,
    batch_size=64,
    validation_data=(X_test, y_test),
    verbose=2,
)
accuracy = history.history["val_accuracy"][-1]
print(f"{accuracy:.1%} of the 2,000 are right")

# %% [markdown]
# ## What it has learned: 32 filters
#
# Each filter is nine numbers. Drawn as a grid of 4×8, positive weights in one colour and negative
# ones in another, some are edges of one direction or another, some are spots; many have no name.

# %%
conv_layer = model.layers[0]
filters, biases = conv_layer.get_weights()
print("filters", filters.shape, "biases", biases.shape)
print("the first filter:")
print(filters[:, :, 0, 0].round(3))

# %% [markdown]
# ## What it sees: 32 feature maps
#
# A model that ends at an inner layer shows what that layer makes of a picture. Each of the 32 maps
# is the picture as one filter sees it.

# %%
image = X_test[5].reshape(1, 28, 28, 1)
layer_output_model = models.Model(inputs=model.input, outputs=conv_layer.output)
feature_maps = layer_output_model.predict(image)
print("feature maps", feature_maps.shape)
strongest = int(feature_maps[0].mean(axis=(0, 1)).argmax())
print(f"filter {strongest} answers most; a digit, and what it makes of it:")
for source in (image[0, ::2, ::2, 0], feature_maps[0, ::2, ::2, strongest]):
    shades = " ░▒▓█"
    scale = float(np.max(source)) or 1.0
    for row in source:
        print("   ", "".join(2 * shades[int(4 * value / scale)] for value in row))
    print()

# %% [markdown]
# With matplotlib installed (`pip install 'pellucid[plot]'`), these lines draw both grids:
#
#     keras.plots.save(keras.plots.plot_filters(model), "filters.png")
#     keras.plots.save(keras.plots.plot_feature_maps(model, image[0]), "feature_maps.png")
