# %% [markdown]
# # Learning the kernel, too
#
# So far a person chose the kernel. Now the network finds it: filters are learned from end to end,
# by the same rule as all other weights. The task: does a picture show an upright or a level bar? It
# has noise in it, and the bar may be anywhere.

# %%
import numpy as np

import pellucid as keras
from pellucid.explain.kernels import KERNELS, Kernel
from pellucid.explain.pipeline import make_pipeline

keras.utils.set_random_seed(4)
random = np.random.default_rng(4)


def bars(count):
    pictures = random.normal(0, 0.3, (count, 12, 12, 1)).astype("float32")
    labels = random.integers(0, 2, count)
    for picture, level in zip(pictures, labels, strict=True):
        across, along = random.integers(2, 10), random.integers(0, 6)
        if level:
            picture[across, along : along + 6] += 1
        else:
            picture[along : along + 6, across] += 1
    return pictures, labels


x, y = bars(600)
x_test, y_test = bars(300)

# %% [markdown]
# ## Three networks that differ in one line
#
# The first has a kernel that has nothing to do with the task, and may not change it. The second
# has the same kernel to begin with, and may. The third has a kernel that a person chose.


# %%
def accuracy(kernel, learn_kernel):
    model = make_pipeline(kernel, (12, 12), learning_rate=0.3, learn_kernel=learn_kernel)
    model.compile(
        keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x, y, epochs=15, batch_size=32, verbose=0)
    return model, model.evaluate(x_test, y_test, verbose=0)[1]


start = Kernel("random", np.random.default_rng(0).normal(0, 0.3, (3, 3)), "nothing in particular")
_, fixed = accuracy(start, learn_kernel=False)
learner, learned = accuracy(start, learn_kernel=True)
_, chosen = accuracy(KERNELS["sobel-x"], learn_kernel=False)
print(f"random kernel, fixed:   {fixed:.1%} right")
print(f"random kernel, learned: {learned:.1%} right")
print(f"chosen kernel, fixed:   {chosen:.1%} right")

# %% [markdown]
# ## What it has become
#
# A kernel that tells upright from level compares columns with columns, or rows with rows.

# %%
kernel = learner.get_layer("conv2d").get_weights()[0][:, :, 0, 0]
print("before:")
print(start.values.round(2))
print("after:")
print(kernel.round(2))
moved = float(np.abs(kernel - start.values).max())
