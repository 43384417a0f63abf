# %% [markdown]
# # Stride and padding
#
# A window needs room. On a picture of 6×6, a kernel of 3×3 has 4×4 places to stop at: the output
# is smaller than the picture. Two numbers change that.
#
# **Stride** is how far the window moves. **Padding** is a frame of zeros around the picture. Along
# each axis
#
#     output = ⌊(size + padding before + padding after − kernel) / stride⌋ + 1

# %%
import numpy as np

import pellucid as keras
from pellucid.explain.narration import convolution_story
from pellucid.ops.conv2d import Conv2D

image = np.arange(36.0).reshape(6, 6)
kernel = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


def convolve(**options):
    return Conv2D(**options).forward(image[None, ..., None], kernel[..., None, None])[0, ..., 0]


shapes = {
    (stride, padding): convolve(strides=(stride, stride), padding=padding).shape
    for padding in ("valid", "same")
    for stride in (1, 2, 3)
}
for (stride, padding), shape in shapes.items():
    print(f"stride {stride}, padding {padding:5}: {shape[0]} × {shape[1]}")

# %% [markdown]
# ## 'same': the picture keeps its size
#
# With stride 1, 'same' adds just as much as keeps the size: one zero on each side for a 3×3
# kernel. With a larger stride, the output is the size divided by the stride, rounded up.
#
# Our kernel, the Laplacian, compares a pixel with its four neighbours. On an even slope that
# comes to 0. At the edge the neighbours are the frame's zeros, and the kernel sees an edge where
# the picture merely ends. That is the price of padding.

# %%
same = convolve(padding="same")
print(same)

# %% [markdown]
# ## A stride of two
#
# The window lands on every other pixel. What it would have found in between is never computed:
# a quarter of the work, and a quarter of the numbers.
#
# When the padding is odd, TensorFlow and Keras put the larger half *after* the picture: here
# nothing above and on the left, and one zero below and on the right.

# %%
print(convolution_story(image, kernel, (2, 2), "same", positions=[(0, 0), (2, 2)]))

# %% [markdown]
# ## In a model
#
# The layer says the same with the same words. A stride of 2 is an alternative to pooling; both
# halve the height and the width.

# %%
model = keras.Sequential(
    [
        keras.layers.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, padding="same", name="keeps_28"),
        keras.layers.Conv2D(8, 3, strides=2, padding="same", name="halves_to_14"),
        keras.layers.Conv2D(8, 3, name="loses_2"),
        keras.layers.MaxPooling2D(2, name="halves_to_6"),
    ]
)
sizes = [layer.output.shape[1:3] for layer in model.layers]
model.summary()
