# %% [markdown]
# # Batch normalisation and dropout
#
# Two layers that behave differently in training and afterwards.
#
# ## Batch normalisation
#
# In training, every channel of a batch is brought to mean 0 and spread 1, and then scaled by a
# learned γ and shifted by a learned β:
#
#     y = γ · (x − mean) / √(variance + ε) + β
#
# so that the next layer always gets numbers of the same size. One sample alone has no mean worth
# the name, so running averages are kept, and used from then on in prediction.

# %%
import numpy as np

import pellucid as keras
from pellucid.explain import explain
from pellucid.explain.narration import narrate

keras.utils.set_random_seed(5)
random = np.random.default_rng(5)
layer = keras.layers.BatchNormalization(momentum=0.9)
batch = random.normal([5, -2, 0], [2, 0.5, 10], (64, 3)).astype("float32")
normalised = layer(batch, training=True)
print("before: mean", batch.mean(axis=0).round(3), "spread", batch.std(axis=0).round(3))
print("after:  mean", normalised.mean(axis=0).round(3), "spread", normalised.std(axis=0).round(3))

# %% [markdown]
# ## Dropout
#
# In training, each number is dropped (set to 0) with probability `rate`; the others are divided by
# 1 − rate, so that their sum stays the same on average. A network cannot rely on any single
# feature, and learns several. In prediction nothing is dropped.

# %%
dropout = keras.layers.Dropout(0.25, seed=1)
ones = np.ones((100, 100), "float32")
dropped = dropout(ones, training=True)
kept = dropout(ones, training=False)
print("in training:  ", np.unique(dropped.round(4)), f"mean {dropped.mean():.3f}")
print(f"               {(dropped == 0).mean():.1%} dropped")
print("in prediction:", np.unique(kept))

# %% [markdown]
# ## What they are good for
#
# A small training set is learned by heart: the loss in training goes to 0 while that on new data
# grows (overfitting). We compare on 500 handwritten digits.

# %%
(x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
x, y = x[:500, ..., None].astype("float32") / 255, y[:500]
x_test, y_test = x_test[:1000, ..., None].astype("float32") / 255, y_test[:1000]


def network(with_both):
    keras.utils.set_random_seed(6)
    blocks = [keras.layers.Input((28, 28, 1)), keras.layers.Conv2D(8, 3, use_bias=not with_both)]
    if with_both:
        blocks.append(keras.layers.BatchNormalization(momentum=0.9))
    blocks += [keras.layers.ReLU(), keras.layers.MaxPooling2D(2), keras.layers.Flatten()]
    if with_both:
        blocks.append(keras.layers.Dropout(0.5))
    return keras.Sequential([*blocks, keras.layers.Dense(10, activation="softmax")])


def train(with_both):
    model = network(with_both)
    model.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(x, y, epochs=10, batch_size=32, validation_data=(x_test, y_test), verbose=0)
    return model, history.history


plain, plain_history = train(with_both=False)
both, both_history = train(with_both=True)
for name, history in (("without", plain_history), ("with", both_history)):
    print(
        f"{name:8} loss in training {history['loss'][-1]:.3f}, on new digits "
        f"{history['val_loss'][-1]:.3f}; {history['val_accuracy'][-1]:.1%} right"
    )

# %% [markdown]
# ## A number explained in both modes
#
# A trace shows what a layer did, number by number. Here is a number of the batch normalisation in
# prediction: the stored mean and variance are used.

# %%
trace = explain(both, x_test[0], target=int(y_test[0]))
name = next(t.name for t in trace.addresses() if t.operation == "batch_normalization")
ledger = trace[f"{name}[10,10,0]"]
print(narrate(ledger))
