# %% [markdown]
# # A network on paper
#
# Everything that a convolutional network does can be done with a pencil, if the picture is small
# enough. Here the picture has nine pixels and the kernel four weights. We convolve, cut off what
# is negative, take the maximum, and let one neuron decide.

# %%
import numpy as np

from pellucid.explain.narration import convolution_story
from pellucid.ops.activation import Activation
from pellucid.ops.conv2d import Conv2D
from pellucid.ops.dense import Dense
from pellucid.ops.max_pool2d import MaxPool2D

image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
kernel = np.array([[1.0, 0.0], [0.0, -1.0]])
print(convolution_story(image, kernel))

# %% [markdown]
# ## Why the same number four times?
#
# The kernel takes a pixel and subtracts the one that lies below it and to the right. In this
# picture every step down adds 3 and every step to the right adds 1, so the difference is −4
# wherever we look. A kernel measures *change*, and here the change is the same everywhere.
#
# ## ReLU: only what is positive goes on
#
# ReLU(x) = max(0, x). A network needs some such bend: without it, two layers in a row would be
# no more than one. All our four numbers are negative, so nothing passes.

# %%
output = Conv2D().forward(image[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
activated = Activation("relu").forward(output)
print(activated)

# %% [markdown]
# ## Max pooling: the largest of each window
#
# One window covers all four numbers. With nothing but zeros in it, its maximum is 0.

# %%
pooled = MaxPool2D((2, 2), (2, 2)).forward(activated[None, :, :, None])
print(pooled[0, :, :, 0])

# %% [markdown]
# ## A dense layer: every input times its own weight, and a bias
#
# y = x · W + b. All inputs are 0, so the weights have no say, and the answer is the bias: 0.1.
# A neuron whose inputs are all shut off learns nothing about them either; you will meet this
# again, going backward, as the gate that is shut.

# %%
weights = np.array([[0.5], [-0.2], [0.1], [0.4]])
bias = np.array([0.1])
answer = Dense().forward(activated.reshape(1, 4), weights, bias)[0, 0]
print(f"y = {answer}")

# %% [markdown]
# ## Try it
#
# Turn the signs of the kernel round, [[−1, 0], [0, 1]]. Now every output is +4, ReLU lets it
# through, and the answer is 4 · (0.5 − 0.2 + 0.1 + 0.4) + 0.1 = 3.3. In a real network nobody
# chooses the signs: training does, as lesson 9 shows.

# %%
turned = Conv2D().forward(image[None, :, :, None], -kernel[:, :, None, None])
passed = Activation("relu").forward(turned).reshape(1, 4)
other_answer = Dense().forward(passed, weights, bias)[0, 0]
print(f"y = {other_answer:.1f}")
