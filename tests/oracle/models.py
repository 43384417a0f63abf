"""Models that Keras and Pellucid both build: `k` is one of the two libraries."""

import numpy as np


def sequential(k):
    L = k.layers
    return k.Sequential(
        [
            k.Input((12, 12, 2)),
            L.Rescaling(0.5, offset=0.1),
            L.Conv2D(4, 3, activation="relu", kernel_initializer="he_normal"),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.SeparableConv2D(6, 3, padding="same", use_bias=False),
            L.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="elu"),
            L.Conv2DTranspose(3, (2, 3), strides=2, padding="same", name="up"),
            L.LayerNormalization(),
            L.Dropout(0.0),
            L.Flatten(),
            L.Dense(7, activation="tanh", kernel_regularizer=k.regularizers.L2(1e-3)),
            L.Dense(3, activation="softmax", name="scores"),
        ],
        name="small",
    )


def every_layer(k):
    L = k.layers
    inputs = k.Input((9, 16, 3), name="image")
    x = inputs
    for layer in (
        L.RandomFlip(),
        L.RandomTranslation(0.1, 0.2),
        L.RandomRotation(0.1),
        L.RandomZoom(0.1),
        L.RandomContrast(0.1),
        L.Rescaling(1 / 2),
        L.ZeroPadding2D(((1, 2), (3, 0))),
        L.Conv2D(6, (3, 2), strides=(1, 2), padding="same", dilation_rate=1, groups=3),
        L.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.05),
        L.UpSampling2D((2, 1)),
        L.Cropping2D(((1, 0), (2, 1))),
        L.AveragePooling2D((3, 2), strides=1, padding="same"),
        L.BatchNormalization(momentum=0.9, scale=False),
        L.DepthwiseConv2D(3, dilation_rate=2),
        L.LeakyReLU(negative_slope=0.25),
        L.UpSampling2D(2, interpolation="bilinear"),
        L.SeparableConv2D(4, 3, strides=2, depth_multiplier=2, padding="same"),
        L.ELU(alpha=0.7),
        L.Conv2DTranspose(5, 3, strides=2, output_padding=1),
        L.LayerNormalization(epsilon=1e-4),
        L.Activation("silu"),
        L.MaxPooling2D(2, padding="same"),
        L.Dropout(0.3, seed=1),
    ):
        x = layer(x)
    a = L.Conv2D(4, 1, activation="gelu")(x)
    b = L.Conv2D(4, 1, activation="hard_sigmoid", use_bias=False)(x)
    x = L.Concatenate()(
        [
            L.Add()([a, b, a]),
            L.Subtract()([a, b]),
            L.Multiply()([a, b]),
            L.Maximum()([b, a]),
            L.Average()([a, b]),
        ]
    )
    y = L.Concatenate(axis=-1)([L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)])
    y = L.Reshape((4, 10))(y)
    y = L.Softmax()(y)
    y = L.Flatten()(y)
    return k.Model(inputs, L.Dense(3)(y), name="all")


def nested(k):
    """Shared layers, models in models, several inputs and outputs, branches of unequal length."""
    L = k.layers
    left, right = k.Input((8, 8, 2), name="left"), k.Input((8, 8, 2), name="right")
    shared = L.Conv2D(2, 3, padding="same", activation="relu", name="shared")
    a, b = shared(left), shared(shared(right))
    start = k.Input((8, 8, 2), name="start")
    block = k.Model(
        start, L.Add()([start, L.Conv2D(2, 3, padding="same", name="inside")(start)]), name="block"
    )
    pool = k.Sequential([L.MaxPooling2D(), L.Conv2D(3, 1, name="one"), L.Flatten()], name="pool")
    long = L.Conv2D(2, 1, name="B")(L.Conv2D(2, 1, name="A")(a))
    joined = L.Concatenate(name="joined")([long, block(a), block(b), L.Conv2D(2, 1, name="C")(b)])
    head = k.Input((8, 8, 8), name="features")
    kernel = L.Conv2D(1, 1, name="map")
    maps = k.Model(head, kernel(head), name="maps")
    first = L.Dense(3, name="classes")(L.Concatenate()([pool(a), pool(b)]))
    return k.Model([left, right], [first, maps(joined)], name="twins")


def functions(k):
    """Arithmetic and functions between layers: what Keras writes down as operations."""
    L, ops = k.layers, k.ops
    image = k.Input((6, 6, 2), name="image")
    a, b = L.Conv2D(4, 3, name="A")(image), L.Conv2D(4, 3, name="B")(image)
    scale = np.linspace(-1, 2, 4, dtype="float32")
    x = (a + b) * scale - 0.5 * a / (b**2 + 1.0) + (2 - abs(-a))
    x = ops.relu(x) + ops.leaky_relu(a, negative_slope=0.1) * ops.gelu(b) + ops.softmax(a, axis=1)
    x = ops.concatenate([x, ops.transpose(x, (0, 2, 1, 3))], axis=-1)
    left, right = ops.split(x, 2, axis=-1)
    x = ops.stack([left, ops.sqrt(ops.square(right) + 1)], axis=1)
    x = ops.where(x > 0.1, x, ops.clip(x, -0.5, 0.5)) + ops.maximum(x, 0.2)
    x = ops.tanh(L.Conv2D(5, 2, name="C")(ops.reshape(x, (-1, 4, 4, 8))) / 8)
    x = x[:, 1:, ::-1] + x[:, :-1, ..., :] + x[:, -1:, None, 0]
    x = ops.squeeze(ops.expand_dims(x, 1), axis=1)
    parts = [
        ops.mean(x, axis=(1, 2)),
        ops.max(x, axis=[1, 2]) - ops.min(x, axis=(1, 2), keepdims=False),
        ops.logsumexp(x, axis=(1, 2)),
        ops.sum(ops.take(x, [0, 2, 2], axis=2), axis=(1, 2)),
        ops.exp(ops.log(ops.sigmoid(x[:, 0, 0]))),
        ops.matmul(x[:, 0], np.full((5, 2), 0.5, "float32"))[:, 1] @ np.ones((2, 5), "float32"),
        ops.cast(ops.argmax(x[:, 0], axis=1), "float32"),
        ops.layer_normalization(ops.sin(x[:, 1, 1]), axis=-1),
    ]
    y = ops.concatenate(parts, axis=1)
    return k.Model(image, L.Dense(3)(y), name="functions")


def normalized_again(k):
    """One batch normalisation for two inputs and for what it made itself."""
    L = k.layers
    left, right = k.Input((4, 4, 2), name="left"), k.Input((4, 4, 2), name="right")
    encoder = k.Sequential(
        [
            k.Input((4, 4, 2)),
            L.Conv2D(2, 3, padding="same", name="map"),
            L.BatchNormalization(momentum=0.7, name="normal"),
        ],
        name="encoder",
    )
    joined = L.Concatenate()([encoder(encoder(left)), encoder(right)])
    scores = L.Dense(3, activation="softmax", name="scores")(L.Flatten()(joined))
    return k.Model([left, right], scores, name="again")


def classifier(k):
    """The model of the frozen trajectory."""
    L = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 1)),
            L.Conv2D(4, 3, padding="same", activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.Conv2D(3, 3, use_bias=False),
            L.Activation("relu"),
            L.Dropout(0.0),
            L.Flatten(),
            L.Dense(5, activation="softmax"),
        ],
        name="classifier",
    )


def constrained(k):
    """Every constraint, on every kind of weight that may have one."""
    L, C = k.layers, k.constraints
    return k.Sequential(
        [
            k.Input((8, 8, 2)),
            L.Conv2D(4, 3, kernel_constraint=C.MaxNorm(1.0, [0, 1, 2]), bias_constraint="non_neg"),
            L.BatchNormalization(
                gamma_constraint=C.MinMaxNorm(0.5, 1.5, 0.5), beta_constraint="non_neg"
            ),
            L.DepthwiseConv2D(2, depthwise_constraint=C.UnitNorm([0, 1])),
            L.PReLU(alpha_constraint=C.NonNeg()),
            L.SeparableConv2D(
                3, 2, depthwise_constraint="unit_norm", pointwise_constraint="max_norm"
            ),
            L.Flatten(),
            L.LayerNormalization(gamma_constraint="non_neg"),
            L.Dense(3, "softmax", kernel_constraint=C.MaxNorm(0.5)),
        ],
        name="constrained",
    )


def random_graph(k, seed):
    """A random graph of layers of one shape, shared and nested ones among them."""
    L = k.layers
    rng = np.random.default_rng(seed)

    def block(depth):
        tensors = [k.Input((4, 4, 2)) for _ in range(rng.integers(1, 3))]
        inputs = list(tensors)
        layers = []
        for _ in range(rng.integers(4, 9)):
            kind = rng.choice(["new", "again", "join", "model"], p=[0.4, 0.2, 0.3, 0.1])
            picked = [tensors[i] for i in rng.integers(0, len(tensors), 3)]
            if kind == "join":
                tensors.append(rng.choice([L.Add, L.Maximum, L.Average])()(picked))
                continue
            if kind == "model" and depth < 2:
                layers.append(block(depth + 1))
            elif kind == "new" or not layers:
                layers.append(L.Conv2D(2, 1))
            layer = layers[rng.integers(len(layers))] if kind == "again" else layers[-1]
            many = len(layer.inputs) if isinstance(layer, k.Model) else 1
            made = layer(picked[0] if many == 1 else picked[:many])
            tensors += made if isinstance(made, list) else [made]
        outputs = [tensors[-1]] + [tensors[i] for i in rng.integers(0, len(tensors), 1)]
        return k.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)

    return block(0)


def optimizer(k, name):
    O = k.optimizers  # noqa: E741
    return {
        "sgd": lambda: O.SGD(0.05, momentum=0.9),
        "nesterov": lambda: O.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
        "adam": lambda: O.Adam(0.01),
        "amsgrad": lambda: O.Adam(0.01, amsgrad=True, clipnorm=1.0),
        "adamw": lambda: O.AdamW(0.01, weight_decay=0.01),
        "rmsprop": lambda: O.RMSprop(0.005),
        "centered": lambda: O.RMSprop(0.005, momentum=0.5, centered=True),
        "nadam": lambda: O.Nadam(0.01),
        "adagrad": lambda: O.Adagrad(0.05),
        "averaged": lambda: O.SGD(
            0.1, momentum=0.5, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4
        ),
        "scheduled": lambda: O.Adam(O.schedules.ExponentialDecay(0.02, 3, 0.5)),
        "warmup": lambda: O.SGD(
            O.schedules.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=3)
        ),
    }[name]()
