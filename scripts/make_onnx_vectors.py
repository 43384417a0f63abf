"""Networks of PyTorch and Keras as their exporters write them to ONNX, with what they predict.

    python scripts/make_onnx_vectors.py FOLDER [--full]

writes `tests/vectors/onnx`: small variants of the graphs, a `.npz` beside each with an input (in
the file's own layout) and the outputs. With `--full` the networks have their full width. It needs
PyTorch, Keras 3, onnx and onnxscript, none of which the tests need.
"""

import argparse
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from torch import nn


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and projection (Sandler et al., MobileNetV2, CVPR 2018)."""

    def __init__(self, before, after, stride, expansion):
        super().__init__()
        hidden = before * expansion
        parts = []
        if expansion != 1:
            parts += [nn.Conv2d(before, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()]
        parts += [
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, after, 1, bias=False),
            nn.BatchNorm2d(after),
        ]
        self.branch = nn.Sequential(*parts)
        self.residual = stride == 1 and before == after

    def forward(self, x):
        return x + self.branch(x) if self.residual else self.branch(x)


def mobilenet_v2(width, classes):
    def wide(channels):
        return max(8, int(channels * width + 4) // 8 * 8)

    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    stages += [(6, 160, 3, 2), (6, 320, 1, 1)]
    channels = wide(32)
    parts = [nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU6()]
    for expansion, filters, repeats, stride in stages:
        for i in range(repeats if width >= 0.5 else 1):
            parts.append(InvertedResidual(channels, wide(filters), 1 if i else stride, expansion))
            channels = wide(filters)
    last = max(wide(1280), 16) if width >= 0.5 else 32
    parts += [nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(last, classes)]
    return nn.Sequential(nn.Sequential(*parts), *head)


class Bottleneck(nn.Module):
    """Three convolutions and a shortcut (He et al., Deep Residual Learning, CVPR 2016)."""

    def __init__(self, before, width, stride):
        super().__init__()
        after = 4 * width
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or before != after:
            shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet50(nn.Module):
    def __init__(self, width, classes, repeats):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before, stages = width, []
        for stage, count in enumerate(repeats):
            narrow = width * 2**stage
            blocks = []
            for i in range(count):
                blocks.append(Bottleneck(before, narrow, 2 if stage and not i else 1))
                before = 4 * narrow
            stages.append(nn.Sequential(*blocks))
        self.layers = nn.Sequential(*stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.layers(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Assortment(nn.Module):
    """What exporters write beside plain layers: shuffles, gates, slices, shapes worked out."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 12, 3), nn.SiLU())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 12, 1), nn.Hardsigmoid())
        self.norm = nn.GroupNorm(3, 12)
        self.up = nn.ConvTranspose2d(12, 6, 3, 2, 1, 1)
        self.prelu = nn.PReLU(6)
        self.layer_norm = nn.LayerNorm(6)
        self.fc = nn.Linear(6 * 8 * 8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = self.norm(x * self.gate(x))
        n, c, h, w = x.shape
        x = x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)  # a channel shuffle
        x = torch.cat(x.chunk(2, dim=1)[::-1], dim=1)
        x = self.prelu(self.up(x)) + 0.5
        x = self.layer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
        x = nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True)[:, :, :8, :8]
        return self.fc(x.flatten(1)).softmax(dim=-1)


def lively(module, generator):
    """Give normalisations statistics and scales of their own, as training does."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            nn.init.uniform_(part.weight, 0.7, 1.3, generator=generator)
            nn.init.normal_(part.bias, 0, 0.1, generator=generator)
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.1, generator=generator)
            nn.init.uniform_(part.running_var, 0.6, 1.6, generator=generator)
    return module.eval()


def export_torch(folder, name, module, size, *, dynamo, fixed=False):
    generator = torch.Generator().manual_seed(7)
    lively(module, generator)
    x = torch.randn(2 if not fixed else 1, 3, size, size, generator=generator)
    options = {"dynamo": dynamo, "input_names": ["image"], "output_names": ["scores"]}
    if dynamo:
        options["external_data"] = False
        if not fixed:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        # Otherwise this exporter multiplies the normalisations into the convolutions.
        options |= {"training": torch.onnx.TrainingMode.PRESERVE}
    if not dynamo and not fixed:
        options["dynamic_axes"] = {"image": {0: "batch"}, "scores": {0: "batch"}}
    torch.onnx.export(module, (x,), str(folder / f"{name}.onnx"), **options)
    with torch.no_grad():
        np.savez_compressed(folder / f"{name}.npz", image=x.numpy(), scores=module(x).numpy())


def lively_keras(model, rng):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.get_weights()[0].shape
            layer.set_weights(
                [
                    rng.uniform(0.7, 1.3, shape),
                    rng.normal(0, 0.1, shape),
                    rng.normal(0, 0.1, shape),
                    rng.uniform(0.6, 1.6, shape),
                ]
            )


def export_keras(folder, name, model):
    rng = np.random.default_rng(7)
    lively_keras(model, rng)
    x = rng.standard_normal((2, *model.input_shape[1:])).astype("float32")
    scores = np.asarray(model.predict(x, verbose=0))
    model.export(str(folder / f"{name}.onnx"), format="onnx", verbose=False)
    np.savez_compressed(folder / f"{name}.npz", image=x, scores=scores)


def keras_small():
    layers = keras.layers
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    y = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(y)
    y = layers.Concatenate()([layers.MaxPooling2D()(x), layers.Activation("swish")(y)])
    y = layers.Add()([layers.Conv2D(12, 1)(y), layers.AveragePooling2D(2)(layers.Conv2D(12, 1)(x))])
    y = layers.Dropout(0.2)(layers.Flatten()(y))
    return keras.Model(image, layers.Dense(4, activation="softmax")(y))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true", help="the networks at their full width")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    keras.utils.set_random_seed(7)
    if arguments.full:
        export_torch(folder, "mobilenet_v2", mobilenet_v2(1.0, 1000), 224, dynamo=True)
        export_torch(folder, "resnet50", ResNet50(64, 1000, (3, 4, 6, 3)), 224, dynamo=True)
        for name, network in (
            ("keras_mobilenet_v2", keras.applications.MobileNetV2),
            ("keras_resnet50", keras.applications.ResNet50),
        ):
            export_keras(folder, name, network(weights=None, input_shape=(224, 224, 3)))
        return
    export_torch(folder, "mobilenet_v2", mobilenet_v2(0.1, 10), 32, dynamo=True)
    export_torch(folder, "resnet50", ResNet50(4, 10, (2, 1, 1, 1)), 32, dynamo=True)
    export_torch(folder, "resnet50_torchscript", ResNet50(4, 10, (1, 1, 1, 1)), 32, dynamo=False)
    export_torch(folder, "assortment", Assortment(), 15, dynamo=True)
    export_torch(folder, "assortment_fixed", Assortment(), 15, dynamo=False, fixed=True)
    export_keras(folder, "keras_small", keras_small())


if __name__ == "__main__":
    main()
