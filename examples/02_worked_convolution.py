# %% [markdown]
# # Convolution, product by product
#
# A 5×5 picture that gets lighter by 10 from pixel to pixel, and the kernel that looks for
# horizontal edges: it takes what lies above away from what lies below. The kernel is
# Prewitt's; Sobel's counts the middle column twice.
#
# Each of the nine positions is worked out below, and every one comes to 300. That is no
# accident: two rows further down, each pixel is 100 lighter, and there are three of them.

# %%
import numpy as np

from pellucid.explain.kernels import get_kernel
from pellucid.explain.narration import convolution_story
from pellucid.ops.conv2d import Conv2D

image = np.arange(10.0, 251.0, 10.0).reshape(5, 5)
kernel = get_kernel("horizontal-edge").values
print(convolution_story(image, kernel))

# %% [markdown]
# ## The same through the library
#
# A convolution of the library takes a batch of pictures with channels, (N, H, W, C), and kernels
# of shape (KH, KW, C, filters). One picture, one channel, one filter: three axes of length 1.


# %%
def convolve(picture, weights):
    x, w = picture[None, :, :, None], weights[:, :, None, None]
    return Conv2D().forward(x, w)[0, :, :, 0]


tens = convolve(image, kernel)
print(tens)

# %% [markdown]
# ## Smaller steps, smaller answers
#
# With the numbers 1 to 25 a step is a tenth as large, and so is every answer: 30. The kernel
# does not ask how light the picture is, only how fast it gets lighter. Add 1000 to every pixel
# and nothing changes, since the weights add up to 0.

# %%
ones = convolve(np.arange(1.0, 26.0).reshape(5, 5), kernel)
lighter = convolve(np.arange(1.0, 26.0).reshape(5, 5) + 1000, kernel)
print(ones)
print("The same after adding 1000:", np.array_equal(ones, lighter))
