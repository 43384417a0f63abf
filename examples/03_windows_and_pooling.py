# %% [markdown]
# # Windows of any shape, and two ways of pooling
#
# Nothing about a convolution needs squares. We begin with a square all the same: a 5×5 picture
# and a kernel whose rows are (1, 0, −1). It subtracts the right neighbour from the left one, so
# it answers where the picture gets *darker* to the right.

# %%
import numpy as np

from pellucid.explain.narration import convolution_story
from pellucid.ops.average_pool2d import AveragePool2D
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.max_pool2d import MaxPool2D

image = np.array(
    [
        [1.0, 2.0, 3.0, 0.0, 1.0],
        [4.0, 5.0, 6.0, 1.0, 2.0],
        [7.0, 8.0, 9.0, 2.0, 3.0],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [6.0, 7.0, 8.0, 5.0, 6.0],
    ]
)
kernel = np.array([[1.0, 0.0, -1.0]] * 3)
print(convolution_story(image, kernel, most=3))

# %%
convolved = Conv2D().forward(image[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
activated = np.maximum(0, convolved)
print("ReLU keeps what is positive:")
print(activated)

# %% [markdown]
# ## Max pooling
#
# Pooling slides a window as well, but multiplies nothing. Max pooling passes on the largest number
# of each window: the feature is there, never mind exactly where. A classic example, with a window
# of 2×2 that moves by 2:


# %%
def pool(picture, op):
    return op.forward(np.asarray(picture, float)[None, :, :, None])[0, :, :, 0]


sixteen = [[1, 3, 2, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]
largest = pool(sixteen, MaxPool2D((2, 2), (2, 2)))
print(largest)

# %% [markdown]
# ## Average pooling
#
# The mean of each window instead: gentler, and every pixel has its say.

# %%
means = pool(sixteen, AveragePool2D((2, 2), (2, 2)))
print(means)

# %% [markdown]
# ## What does not fit is left out
#
# Our 3×3 result has room for one 2×2 window only; its third row and column are not looked at.
# With padding 'same' the window may hang over the edge, and then there are four. Padding never
# wins a maximum, and is not counted in a mean.

# %%
valid = pool(activated, MaxPool2D((2, 2), (2, 2)))
same = pool(activated, MaxPool2D((2, 2), (2, 2), "same"))
same_mean = pool(activated, AveragePool2D((2, 2), (2, 2), "same"))
print(valid, same, same_mean, sep="\n\n")

# %% [markdown]
# ## Oblong pictures, oblong windows, overlapping windows
#
# A picture of 4 rows and 7 columns; a window of 2 rows and 3 columns that moves down by 2 and right
# by 1. There are ⌊(4 − 2) / 2⌋ + 1 = 2 rows and ⌊(7 − 3) / 1⌋ + 1 = 5 columns of answers.

# %%
oblong = np.arange(28).reshape(4, 7) % 10
pooled_oblong = pool(oblong, MaxPool2D((2, 3), (2, 1)))
print(oblong)
print(pooled_oblong)
