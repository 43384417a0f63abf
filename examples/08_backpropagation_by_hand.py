# %% [markdown]
# # Backpropagation by hand
#
# Which weight is to blame for the loss, and how much? Backpropagation answers for all of them at
# once, going backward through the network: each layer gets the gradient of its output, and hands
# back the gradient of its input. Here the network is small enough to check every number with a
# pencil: a picture of 4×4, a kernel of 3×3, ReLU, one window of max pooling, two neurons.

# %%
import numpy as np

import pellucid as keras
from pellucid.explain import explain
from pellucid.explain.narration import narrate

picture = np.array(
    [
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
    ]
)
model = keras.Sequential(
    [
        keras.layers.Input((4, 4, 1)),
        keras.layers.Conv2D(1, 3, activation="relu", use_bias=False, name="conv2d"),
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(2, activation="softmax", name="dense"),
    ]
)
model.get_layer("conv2d").set_weights([np.array([[-1, 0, 1]] * 3)[:, :, None, None]])
model.get_layer("dense").set_weights([np.array([[0.5, -0.5]]), np.zeros(2)])
model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
trace = explain(model, picture, target=1)

# %% [markdown]
# ## Forward
#
# Four windows, four sums; three of them are positive; the largest, 3, wins the pooling. The
# logits are 3 · 0.5 = 1.5 and 3 · (−0.5) = −1.5: the network is quite sure of class 0.

# %%
print(trace.array("conv2d.pre_activation")[:, :, 0])
print(trace.array("pool.output")[:, :, 0])
print("logits       ", trace.array("dense.pre_activation"))
print("probabilities", trace.array("dense.output").round(4))
print(f"loss          {trace.loss:.4f}, since the right class is 1")

# %% [markdown]
# ## Backward, first step: softmax and cross-entropy
#
# ∂L/∂z = p − y. Class 0 got 0.9526 too much, class 1 as much too little.

# %%
print(trace.array("dense.pre_activation.grad").round(4))

# %% [markdown]
# ## Second step: the dense layer
#
# Its input fed both logits, so both hand their share back: each logit's gradient times the weight
# on the way.

# %%
print(trace["flatten.output[0].grad"].formula)
print(trace["flatten.output[0].grad"].formula_with_numbers)

# %% [markdown]
# ## Third step: max pooling
#
# Only the winner made a difference, so the winner gets all of the gradient and the others get
# nothing. (Among equals the first wins.)

# %%
print(trace.array("conv2d.output.grad")[:, :, 0].round(4))

# %% [markdown]
# ## Fourth step: ReLU
#
# A gate. Where the number was positive it went through, and so does the gradient; where it was
# negative the gate is shut, and nothing comes back.

# %%
print(trace.array("conv2d.pre_activation.grad")[:, :, 0].round(4))

# %% [markdown]
# ## Fifth step: the convolution's weights
#
# A weight was used at every position of the window. Its gradient adds up, over all positions,
# the gradient there times the pixel it met there. That is again a convolution: of the picture
# with the gradient.

# %%
print(narrate(trace["conv2d.kernel[1,2,0,0].grad"]))
print(trace.array("conv2d.kernel.grad")[:, :, 0, 0].round(4))

# %% [markdown]
# ## And the picture?
#
# A pixel has a gradient too: every output that read it hands its share back. Nothing changes the
# picture, but in a deeper network this is what the layer before it would get.
#
# One can see it in two ways: each output cell *scatters* its gradient over the pixels that it
# read; or each pixel collects it, and that is again a convolution, with the kernel turned by 180°.

# %%
print(trace.array("input.grad")[:, :, 0].round(4))
pixel = trace["input[1,2,0].grad"]
print(narrate(pixel))
scattered, correlated = pixel.scatter().total, pixel.correlation().total

# %% [markdown]
# ## Is it true?
#
# A gradient promises what a small change does. So make one: add a little to a weight, run the
# network again, and see how the loss changes.

# %%
weight = "conv2d.kernel[1,2,0,0]"
step = 1e-3
promised = trace.value(f"{weight}.grad") * step
changed = model.get_layer("conv2d").get_weights()[0]
changed[1, 2, 0, 0] += step
model.get_layer("conv2d").set_weights([changed])
actual = explain(model, picture, target=1, dtype="float64").loss - trace.loss
print(f"promised {promised:+.6f}, found {actual:+.6f}")

# %% [markdown]
# `verify` does the same more carefully, in double precision, and puts the terms together again.

# %%
verification = trace[f"{weight}.grad"].verify(finite_difference=True)
print(verification)
