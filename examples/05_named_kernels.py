# %% [markdown]
# # Kernels with names
#
# Before kernels were learned they were invented. Each of these does one thing to a picture, and
# a trained network often finds something much like them by itself.

# %%
from pathlib import Path

import numpy as np

from pellucid.explain.filtering import as_picture, filter_picture, read_picture
from pellucid.explain.kernels import KERNELS
from pellucid.explain.narration import Matrix, Story

picture = read_picture(str(Path(__file__).parent / "tree.jpg"), grayscale=True)
print(f"{picture.shape[0]} × {picture.shape[1]} pixels, from {picture.min()} to {picture.max()}")

# %% [markdown]
# ## A window of the picture, and ten answers
#
# We look at a place on the left side of the tree's trunk, where light sky turns into dark wood.

# %%
row, column = 124, 86
window = picture[row - 1 : row + 2, column - 3 : column + 4, 0] / 255
print(Story("", [Matrix.of(window, "brightness, the sky on the left and the trunk on the right")]))

# %%
filtered = {name: filter_picture(picture, k, padding="same") for name, k in KERNELS.items()}
for name, values in filtered.items():
    print(f"{name:16} {values[row, column, 0]:+.3f}   {KERNELS[name].description}")

# %% [markdown]
# Vertical edge: strongly negative, because it is *darker* to the right. Horizontal edge: next to
# nothing, because above and below look the same.
#
# ## Two families
#
# The weights of a blur add up to 1: an even area stays as light as it was. The weights of an edge
# detector add up to 0: an even area becomes 0, and only change is left, with a sign. To draw such
# an answer we show 0 as middle grey.

# %%
for name, kernel in KERNELS.items():
    family = "edges" if kernel.is_difference else "keeps the brightness"
    print(f"{name:16} weights add up to {kernel.total:4.1f}: {family}")

# %% [markdown]
# ## What blurring takes, sharpening gives
#
# The mean difference between neighbours tells how much detail there is.


# %%
def detail(values):
    return float(np.abs(np.diff(values[2:-2, 2:-2, 0], axis=1)).mean())


details = {
    name: detail(filtered[name]) for name in ("gaussian-blur", "blur", "identity", "sharpen")
}
for name, value in sorted(details.items(), key=lambda item: item[1]):
    print(f"{name:14} {value:.4f}")

# %% [markdown]
# To see the pictures, run for example
#
#     pellucid convolve examples/tree.jpg --kernel vertical-edge
#     pellucid convolve examples/tree.jpg --kernel sharpen
#
# which is what the last line does, without the file.

# %%
shown = as_picture(filtered["vertical-edge"], signed=True)
print(shown.explanation)
