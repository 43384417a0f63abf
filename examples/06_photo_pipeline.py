# %% [markdown]
# # From a photo to a decision
#
# A photo goes through the smallest network that deserves the name: it becomes grey, small, and a
# matrix of numbers from 0 to 1; a fixed kernel looks for vertical edges; ReLU drops what is
# negative; max pooling keeps the strongest; two neurons vote; softmax makes their votes
# probabilities; the loss says how wrong they are; the gradient says which way is better.
#
# First the picture, step by step. Any photo will do: put your own in place of tree.jpg.

# %%
from pathlib import Path

import numpy as np

from pellucid.data import ImagePreprocessing, read_image
from pellucid.explain import explain
from pellucid.explain.kernels import get_kernel
from pellucid.explain.narration import narrate
from pellucid.explain.narration.pipelines import pipeline_story
from pellucid.explain.pipeline import make_pipeline

photo = Path(__file__).parent / "tree.jpg"
colour = np.asarray(read_image(photo, "rgb"))
grey = np.asarray(read_image(photo, "grayscale"))
picture = ImagePreprocessing((28, 28), "grayscale", scale=1 / 255)(photo)
print("the photo  ", colour.shape, colour.dtype)
print("in grey    ", grey.shape, grey.dtype)
print("28 × 28    ", picture.shape, picture.dtype, f"from {picture.min():.3f}")
print(np.round(picture[:5, :5, 0], 4))

# %% [markdown]
# ## The network, and all it does with this picture
#
# It is an ordinary model. The story below is told from a trace of it: every number in it is one
# that the network computed.

# %%
kernel = get_kernel("1 0 -1; 1 0 -1; 1 0 -1")
model = make_pipeline(kernel)
trace = explain(model, picture, target=1)
shapes = {t.name: t.shape for t in trace.addresses() if t.kind == "result" and t.shape}
print(pipeline_story(model, picture, kernel, target=1, steps=1, origin="tree.jpg is a photo."))

# %% [markdown]
# ## Ask about any number
#
# Every number has an address. This one is a pixel of what the kernel found.

# %%
made = trace.array("conv2d.pre_activation")[:, :, 0]
row, column = np.unravel_index(made.argmax(), made.shape)
ledger = trace[f"conv2d.pre_activation[{row},{column},0]"]
print(narrate(ledger))
