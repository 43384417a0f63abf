"""Makes tests/vectors/keras2_*: models that Keras 2 saved after some steps of training.

    python -m venv keras2
    keras2/bin/pip install tensorflow-cpu==2.18.1 tf-keras==2.18.0
    keras2/bin/python tests/oracle/keras2_models.py

Beside each lies an .npz file: `x<step>_<i>`, `y<step>_<i>` the batches, `p<i>` the predictions for
batch 0, `w<i>` the weights, `w<step>_<i>` the weights after more steps on the same batches.
"""

from pathlib import Path

import numpy as np

STEPS = 2
FOLDER = Path(__file__).parent.parent / "vectors"

SHAPES = {
    "sequential": ([(8, 8, 2)], [3]),
    "graph": ([(6, 6, 2), (6, 6, 2)], [3, (6, 6, 1)]),
    "plain": ([(6, 6, 1)], [2]),
}
"""The shapes of inputs and outputs."""


def sequential(k):
    L = k.layers
    model = k.Sequential(
        [
            L.Conv2D(
                3,
                3,
                activation="relu",
                input_shape=(8, 8, 2),
                kernel_initializer="he_normal",
                kernel_regularizer=k.regularizers.l2(1e-3),
            ),
            L.BatchNormalization(momentum=0.9),
            L.MaxPooling2D(),
            L.SeparableConv2D(4, 2, padding="same", use_bias=False),
            L.LeakyReLU(alpha=0.2),
            L.ReLU(max_value=6.0),
            L.Dropout(0.0),
            L.Flatten(),
            L.Dense(3, activation="softmax", name="scores"),
        ],
        name="small",
    )
    rate = k.optimizers.schedules.ExponentialDecay(0.02, 3, 0.5)
    model.compile(k.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def graph(k):
    """Branches, shared layers, and models in models: called twice, and frozen."""
    L = k.layers
    left, right = k.Input((6, 6, 2), name="left"), k.Input((6, 6, 2), name="right")
    shared = L.Conv2D(2, 3, padding="same", activation="relu", name="shared")
    a, b = shared(left), shared(shared(right))
    start = k.Input((6, 6, 2), name="start")
    inside = L.Conv2D(2, 3, padding="same", name="in")(start)
    block = k.Model(start, L.Add()([start, inside]), name="block")
    once = k.Sequential([L.BatchNormalization(name="norm"), L.Conv2D(2, 1)], name="once")
    frozen = k.Sequential([L.Conv2D(3, 1, name="one"), L.BatchNormalization()], name="pool")
    long = L.ZeroPadding2D(((1, 0), (0, 1)))(L.Conv2D(2, 2, name="A")(a))
    joined = L.Concatenate(name="joined")([long, block(a), block(b), once(a)])
    pooled = L.GlobalAveragePooling2D()(frozen(joined))
    frozen.trainable = False
    maps = L.Conv2D(1, 1, activation=L.PReLU(shared_axes=[1, 2]), name="maps")(joined)
    model = k.Model([left, right], [L.Dense(3, name="classes")(pooled), maps], name="twins")
    model.compile(k.optimizers.legacy.SGD(learning_rate=0.05, decay=0.1), ["mse", "mae"])
    return model


def plain(k):
    """A classifier with the optimiser that Keras 2 had before 2.11."""
    L = k.layers
    image = k.Input((6, 6, 1))
    x = L.Activation("swish")(L.Conv2D(2, 3)(image))
    x = L.DepthwiseConv2D(2, depth_multiplier=2, activation="elu")(x)
    x = L.Conv2DTranspose(2, (2, 3), strides=2, padding="same")(x)
    x = L.LayerNormalization()(x)
    model = k.Model(image, L.Dense(2)(L.Flatten()(x)))
    model.compile(
        k.optimizers.legacy.RMSprop(learning_rate=0.01, momentum=0.5),
        k.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[k.metrics.CategoricalAccuracy(), k.metrics.TopKCategoricalAccuracy(k=1)],
    )
    return model


def operations(k):
    """Arithmetic on tensors, which Keras 2 writes down as TFOpLambda layers."""
    image = k.Input((6, 6, 1), name="image")
    return k.Model(image, k.layers.Flatten()(image * 2.0 + 1.0), name="operations")


def batches(name):
    """Return the batches for a model."""
    rng = np.random.default_rng(7)
    arrays = {}
    for step in range(STEPS):
        for kind, shapes in zip("xy", SHAPES[name], strict=True):
            for i, shape in enumerate(shapes):
                size = shape if isinstance(shape, tuple) else (shape,)
                array = rng.normal(size=(4, *size))
                if kind == "y" and name != "graph":
                    array = np.eye(shape)[rng.integers(0, shape, 4)]
                arrays[f"{kind}{step}_{i}"] = array.astype("float32")
    return arrays


def listed(arrays, prefix):
    found = [arrays[key] for key in sorted(arrays) if key.startswith(prefix)]
    return found[0] if len(found) == 1 else found


def train(model, arrays):
    results = {}
    for step in range(STEPS):
        model.train_on_batch(listed(arrays, f"x{step}_"), listed(arrays, f"y{step}_"))
        results |= {f"w{step}_{i}": w for i, w in enumerate(model.get_weights())}
    return results


def main(k):
    for name, make in {"sequential": sequential, "graph": graph, "plain": plain}.items():
        k.backend.clear_session()
        k.utils.set_random_seed(1)
        model = make(k)
        rng = np.random.default_rng(0)
        model.set_weights([w + 0.1 * rng.uniform(size=w.shape) for w in model.get_weights()])
        arrays = batches(name)
        train(model, arrays)
        model.save(FOLDER / f"keras2_{name}.h5", save_format="h5")
        if name != "plain":
            model.save(FOLDER / f"keras2_{name}.keras")
        predicted = model.predict(listed(arrays, "x0_"), verbose=0)
        predicted = predicted if isinstance(predicted, list) else [predicted]
        arrays |= {f"p{i}": p for i, p in enumerate(predicted)}
        arrays |= {f"w{i}": w for i, w in enumerate(model.get_weights())}
        if name == "graph":
            model.save_weights(FOLDER / "keras2_graph_weights.h5", save_format="h5")
        np.savez_compressed(FOLDER / f"keras2_{name}.npz", **arrays, **train(model, arrays))
    operations(k).save(FOLDER / "keras2_operations.h5", save_format="h5")


if __name__ == "__main__":
    import tf_keras

    main(tf_keras)
