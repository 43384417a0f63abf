"""Weights of PyTorch's: the same answers as there; what fits in two ways is never guessed."""

import struct

import numpy as np
import pytest

import pellucid
from oracle.saved_models import FOLDER
from pellucid import layers
from pellucid.errors import ArgumentError, LoadError, NameLookupError
from pellucid.formats._safetensors import read_safetensors, write_safetensors


def plain():
    return pellucid.Sequential(
        [
            pellucid.Input((8, 10, 3)),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
            layers.Conv2D(6, (3, 1), padding="same", use_bias=False, name="second"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Dropout(0.5),
            layers.Dense(7, activation="tanh"),
            layers.Dense(4),
        ]
    )


def residual():
    def norm(x, name):
        return layers.BatchNormalization(epsilon=1e-5, name=name)(x)

    def block(x, filters, stride, name):
        shortcut = x
        if stride > 1:
            shortcut = layers.Conv2D(filters, 1, stride, use_bias=False, name=f"{name}_down")(x)
            shortcut = norm(shortcut, f"{name}_downnorm")
        x = layers.ZeroPadding2D()(x)
        x = layers.Conv2D(filters, 3, stride, use_bias=False, name=f"{name}_1")(x)
        x = layers.ReLU()(norm(x, f"{name}_norm1"))
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_2")(x)
        return layers.ReLU()(layers.Add()([norm(x, f"{name}_norm2"), shortcut]))

    image = pellucid.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(norm(x, "stem_norm"))
    for i, (filters, stride) in enumerate([(4, 1), (4, 1), (6, 2), (6, 1)]):
        x = block(x, filters, stride, f"block{i}")
    x = layers.GlobalAveragePooling2D()(x)
    return pellucid.Model(image, layers.Dense(5, name="scores")(x))


def depthwise():
    model = pellucid.Sequential([pellucid.Input((7, 8, 2)), layers.Conv2D(4, 1)])
    model.add(layers.BatchNormalization(epsilon=1e-5))
    for _ in range(3):
        model.add(layers.DepthwiseConv2D(3, padding="same"))
        model.add(layers.BatchNormalization(epsilon=1e-5))
        model.add(layers.ReLU(max_value=6.0))
    model.add(layers.Conv2D(8, 3, groups=2))
    model.add(layers.GroupNormalization(groups=2, epsilon=1e-5))
    model.add(layers.Activation("hard_silu"))
    model.add(layers.Conv2DTranspose(3, 2, strides=2))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3))
    return model


DOWN = {"bn1": "stem_norm", "layer2.0.downsample.1": "block2_downnorm"}
CASES = {"plain": (plain, None), "residual": (residual, DOWN), "depthwise": (depthwise, None)}


def answers(name):
    with np.load(FOLDER / f"torch_{name}.npz") as file:
        return file["x"], file["y"]


def check_answers(model, name):
    x, y = answers(name)
    np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_answers_as_in_pytorch(name):
    make, mapping = CASES[name]
    model = make()
    table = pellucid.load_weights(model, FOLDER / f"torch_{name}.safetensors", mapping=mapping)
    check_answers(model, name)
    assert sorted(row.weight for row in table) == sorted(v.path for v in model.weights)
    assert all("num_batches_tracked" in name for name in table.ignored)


def test_the_table_says_what_went_where():
    model = plain()
    table = pellucid.load_weights(model, FOLDER / "torch_plain.safetensors")
    rows = {row.entry: row for row in table}
    assert rows["conv1.weight"].weight == "first/kernel"
    assert rows["conv1.weight"].shape == (3, 3, 3, 6)
    assert rows["fc1.weight"].change == "channels last, transposed"
    assert rows["norm.running_var"].change == "channels last"
    assert rows["fc2.bias"].change == ""
    text = str(table)
    assert text.splitlines()[0].split("  ")[0] == "in the file"
    assert text.splitlines()[-1] == "ignored: norm.num_batches_tracked"


# What fits in more than one way, or in none.


def entries(name="residual"):
    tensors, _ = read_safetensors((FOLDER / f"torch_{name}.safetensors").read_bytes(), name)
    return {key: tensor.array for key, tensor in tensors.items()}


def saved(tmp_path, arrays, name="m.safetensors"):
    path = tmp_path / name
    if name.endswith(".npz"):
        np.savez(path, **arrays)
    else:
        path.write_bytes(write_safetensors(arrays, {}))
    return path


def test_branches_that_could_be_swapped_are_asked_about():
    model = residual()
    before = model.get_weights()
    with pytest.raises(LoadError, match="in an order that cannot be told") as caught:
        model.load_weights(FOLDER / "torch_residual.safetensors")
    lines = str(caught.value).splitlines()
    names = "layer2.0.bn1, layer2.0.bn2, layer2.0.downsample.1, layer2.1.bn1, layer2.1.bn2"
    at = lines.index(f"    in the file: {names}")
    assert lines[at + 1].startswith("    in the model: ")
    assert "block2_downnorm" in lines[at + 1]
    assert lines[-1].startswith("Say which is which: load_weights(…, mapping={'bn1'")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_two_branches_are_asked_about_although_their_names_are_in_order(tmp_path):
    image = pellucid.Input((4, 4, 2))
    a, b = (layers.Conv2D(2, 1, name=name)(image) for name in "ab")
    model = pellucid.Model(image, layers.Add()([a, b]))
    arrays = {"conv1.weight": np.ones((2, 2, 1, 1), "f4"), "conv1.bias": np.ones(2, "f4")}
    arrays |= {key.replace("1", "2"): 2 * value for key, value in arrays.items()}
    path = saved(tmp_path, arrays)
    with pytest.raises(LoadError, match="cannot be told"):
        model.load_weights(path)
    model.load_weights(path, mapping={"conv1": "b"})
    assert model.get_layer("a").bias.value.tolist() == [2, 2]


def test_an_npz_file_keeps_the_order_of_definition(tmp_path):
    """Names do not say the order of `begin` and `again`; a state dict saved as NPZ does."""
    model = pellucid.Sequential(
        [pellucid.Input((4, 4, 2)), layers.Conv2D(2, 1), layers.Conv2D(2, 1)]
    )
    arrays = {}
    for number, name in enumerate(["begin", "again"]):
        arrays[f"{name}.weight"] = np.full((2, 2, 1, 1), number, "f4")
        arrays[f"{name}.bias"] = np.full(2, number, "f4")
    model.load_weights(saved(tmp_path, arrays, "m.npz"))
    assert [layer.bias.value[0] for layer in model.layers] == [0, 1]
    with pytest.raises(LoadError, match="cannot be told"):
        model.load_weights(saved(tmp_path, arrays))


def test_everything_missing_and_superfluous_is_listed(tmp_path):
    arrays = entries("plain")
    arrays["head.weight"] = arrays.pop("fc2.weight")[:2]
    with pytest.raises(LoadError) as caught:
        plain().load_weights(saved(tmp_path, arrays))
    text = str(caught.value)
    for part in ("head.weight (2, 7)", "fc2.bias (4,)", "/kernel (4, 7)", "/bias (4,)"):
        assert part in text, part
    model = plain()
    before = model.layers[-1].get_weights()
    with pytest.warns(UserWarning, match=r"left as it was:(.|\n)*head\.weight"):
        model.load_weights(saved(tmp_path, arrays), skip_mismatch=True)
    for old, new in zip(before, model.layers[-1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_mapping_by_entry_and_leaving_out(tmp_path):
    arrays = entries("plain")
    arrays["other.slope"] = arrays.pop("slope.weight")
    arrays["extra.weight"] = np.ones(3, "f4")
    path = saved(tmp_path, arrays)
    model = plain()
    alpha = next(v.path for v in model.weights if v.name == "alpha")
    table = pellucid.load_weights(model, path, mapping={"other.slope": alpha, "extra": None})
    check_answers(model, "plain")
    assert "extra.weight" in table.ignored


@pytest.mark.parametrize(
    ("mapping", "error", "match"),
    [
        (
            {"convv1": "first"},
            NameLookupError,
            "Unknown module or entry of the file 'convv1'.*conv1",
        ),
        (
            {"conv1": "frist"},
            NameLookupError,
            "Unknown layer or weight of the model 'frist'.*first",
        ),
        ({"conv1": "second"}, ArgumentError, "'conv1' has bias, weight, but 'second' needs weight"),
        ({"conv2": "p_re_lu"}, NameLookupError, "p_re_lu"),
        ({"conv1.weight": "second/kernel"}, ArgumentError, r"needs \(6, 6, 3, 1\) in PyTorch"),
    ],
)
def test_a_mapping_that_cannot_be(mapping, error, match):
    pellucid.utils.clear_session()
    model = plain()
    model.layers[2].name = "slope"
    with pytest.raises(error, match=match):
        model.load_weights(FOLDER / "torch_plain.safetensors", mapping=mapping)


def test_flattened_maps_that_are_joined_are_refused(tmp_path):
    image = pellucid.Input((4, 4, 2))
    flat = layers.Concatenate()([layers.Flatten()(image), layers.Flatten()(image)])
    model = pellucid.Model(image, layers.Dense(2)(flat))
    with pytest.raises(LoadError, match="reads flattened maps through concatenate"):
        model.load_weights(saved(tmp_path, {"fc.weight": np.ones((2, 64), "f4")}))


def test_channels_put_first_before_flattening_stay_first(tmp_path):
    model = pellucid.Sequential(
        [
            pellucid.Input((2, 3, 4)),
            layers.Permute((3, 1, 2)),
            layers.Flatten(),
            layers.Dense(1, use_bias=False),
        ]
    )
    kernel = np.arange(24, dtype="f4").reshape(1, 24)
    model.load_weights(saved(tmp_path, {"weight": kernel}))
    np.testing.assert_array_equal(model.get_weights()[0], kernel.T)


# Types, and the files themselves.


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_other_floats_are_converted_and_that_is_said(tmp_path, kind):
    model = plain()
    path = saved(tmp_path, {k: v.astype(kind) for k, v in entries("plain").items() if v.ndim})
    table = pellucid.load_weights(model, path)
    assert all(row.change.endswith(f"{kind} → float32") for row in table)
    x, y = answers("plain")
    np.testing.assert_allclose(model.predict(x, verbose=0), y, atol=5e-3)


def bfloat16_file(array):
    """The upper halves of float32, as PyTorch keeps them."""
    data = (array.view("<u4") >> 16).astype("<u2").tobytes()
    shape = list(array.shape)
    text = (
        f'{{"fc.weight": {{"dtype": "BF16", "shape": {shape}, "data_offsets": [0, {len(data)}]}}}}'
    )
    return struct.pack("<Q", len(text)) + text.encode() + data


def test_bfloat16_is_read_exactly(tmp_path):
    model = pellucid.Sequential([pellucid.Input((3,)), layers.Dense(2, use_bias=False)])
    values = np.array([[1.0, -2.5, 0.0], [3.0, 2.0**-130, -np.inf]], "<f4")
    (tmp_path / "m.safetensors").write_bytes(bfloat16_file(values))
    with pytest.warns(UserWarning, match="1 of the 6 numbers"):
        table = pellucid.load_weights(model, tmp_path / "m.safetensors")
    assert table[0].change == "transposed, bfloat16 → float32"
    np.testing.assert_array_equal(model.get_weights()[0], values.T)


def test_whole_numbers_are_no_weights(tmp_path):
    model = pellucid.Sequential([pellucid.Input((3,)), layers.Dense(2, use_bias=False)])
    with pytest.raises(LoadError, match=r"'fc.weight' holds int64 numbers; .* needs floats"):
        model.load_weights(saved(tmp_path, {"fc.weight": np.ones((2, 3), "i8")}))


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".weights.h5"])
def test_what_is_saved_here_comes_back_in_a_model_with_other_names(tmp_path, ending):
    model, again = residual(), depthwise()
    model.save_weights(tmp_path / f"a{ending}")
    pellucid.utils.clear_session()
    again = residual()
    again.layers[1].name = "another"
    again.load_weights(tmp_path / f"a{ending}")
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(LoadError):
        depthwise().load_weights(tmp_path / f"a{ending}")
    with pytest.raises(ArgumentError, match="there already"):
        model.save_weights(tmp_path / f"a{ending}", overwrite=False)


def test_our_files_are_what_the_safetensors_package_reads_and_writes(tmp_path):
    from safetensors import numpy as package

    model = residual()
    model.save_weights(tmp_path / "a.safetensors")
    read = package.load_file(tmp_path / "a.safetensors")
    assert {"conv2d/kernel", "batch_normalization_1/gamma"} <= set(read)
    package.save_file(read, tmp_path / "b.safetensors")
    other = residual()
    other.load_weights(tmp_path / "b.safetensors")
    for old, new in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
