# %% [markdown]
# # Training, one step after another
#
# The kernel stays as it is; only the dense layer learns, by plain stochastic gradient descent:
#
#     W := W − α · ∂L/∂W        b := b − α · ∂L/∂b
#
# with the learning rate α = 0.1. There is one picture, and its class is 1. Ten steps.

# %%
from pathlib import Path

import numpy as np

from pellucid.data import ImagePreprocessing
from pellucid.explain.kernels import get_kernel
from pellucid.explain.narration import Story
from pellucid.explain.narration.pipelines import steps_table
from pellucid.explain.pipeline import make_pipeline, train

photo = Path(__file__).parent / "tree.jpg"
picture = ImagePreprocessing((28, 28), "grayscale", scale=1 / 255)(photo)
model = make_pipeline(get_kernel("1 0 -1; 1 0 -1; 1 0 -1"), learning_rate=0.1)
model.summary()

# %% [markdown]
# The convolution's 9 weights are not trained; the dense layer's 169 · 2 + 2 = 340 are.

# %%
taken = list(train(model, picture, target=1, steps=10))
steps = [step for _, step in taken]
print(Story("", [steps_table(steps, target=1)]))

# %% [markdown]
# ## The gradient is p − y
#
# Softmax and cross-entropy together have the simplest gradient there is: the probability that a
# class got, less the one that it should have got, which is 1 for the right class and 0 for the
# others. Look at step 0, and see that the two pushes are equal and opposite.

# %%
first_trace, first = taken[0]
y = np.array([0.0, 1.0])
difference = np.array(first.probabilities) - y
print("p      ", first.probabilities)
print("y      ", y)
print("p − y  ", difference)
print("∂L/∂z  ", first.gradient)

# %% [markdown]
# ## One weight, followed through one step
#
# A weight's gradient is its input times its logit's gradient. We take the largest input. Its weight
# towards the right class grows, the one towards the wrong class shrinks by as much.

# %%
inputs = first_trace.array("flatten.output")
strongest = int(inputs.argmax())
right, wrong = f"dense.kernel[{strongest},1]", f"dense.kernel[{strongest},0]"
for weight in (right, wrong):
    print(first_trace[f"{weight}.grad"].formula_with_numbers)
    print(first_trace[f"{weight}.updated"].formula_with_numbers)

# %% [markdown]
# ## Did the step do what it said?
#
# The second step's trace begins with the weights that the first one promised.

# %%
promised = first_trace.value(f"{right}.updated")
found = taken[1][0].value(right)
print(f"promised {promised:.7f}, found {found:.7f}")

# %% [markdown]
# The loss falls steeply at first and slowly later: the surer the network is, the smaller p − y,
# and the smaller the step. It never gets to 0, since no probability ever gets to 1.
