"""Makes tests/vectors/torch_*.safetensors: small networks of PyTorch's, with what they answer.

    python tests/oracle/torch_models.py      (with torch 2.13 and safetensors 0.8)

Each file holds a state dict as `safetensors.torch.save_file` writes it. Beside it lies an .npz
file: `x`, pictures channels last, and `y`, what PyTorch makes of them.
"""

from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

FOLDER = Path(__file__).parent.parent / "vectors"


class Plain(nn.Module):
    """Convolutions, flattened maps, dense layers; its names do not say the order."""

    shape = (8, 10, 3)

    def __init__(self):
        super().__init__()
        self.fc2 = nn.Linear(7, 4)
        self.fc1 = nn.Linear(6 * 4 * 5, 7)
        self.norm = nn.BatchNorm1d(6 * 4 * 5)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, (3, 1), padding=(1, 0), bias=False)
        self.slope = nn.PReLU(6)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.max_pool2d(self.slope(self.conv2(x)), 2)
        return self.fc2(torch.tanh(self.fc1(self.norm(x.flatten(1)))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Residual(nn.Module):
    """A small ResNet with torchvision's names."""

    shape = (9, 9, 3)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(*(Block(4, 4, 1) for _ in range(2)))
        self.layer2 = nn.Sequential(Block(4, 6, 2), Block(6, 6, 1))
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def depthwise():
    """Depthwise, grouped and transposed convolutions, layers by number as in `features.11`."""
    layers = [nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4)]
    for _ in range(3):
        layers += [nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4), nn.ReLU6()]
    layers += [nn.Conv2d(4, 8, 3, groups=2), nn.GroupNorm(2, 8), nn.Hardswish()]
    layers += [nn.ConvTranspose2d(8, 3, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(3, 3, dtype=torch.float32))
    network.shape = (7, 8, 2)
    return network


def main():
    for name, make in {"plain": Plain, "residual": Residual, "depthwise": depthwise}.items():
        torch.manual_seed(0)
        network = make()
        for entry, tensor in network.state_dict().items():
            if entry.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif tensor.ndim == 1 and tensor.is_floating_point():
                tensor.normal_(0.2, 0.5)
        x = np.random.default_rng(3).normal(size=(2, *network.shape)).astype("float32")
        with torch.no_grad():
            y = network.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
        safetensors.torch.save_file(network.state_dict(), FOLDER / f"torch_{name}.safetensors")
        np.savez_compressed(FOLDER / f"torch_{name}.npz", x=x, y=y)


if __name__ == "__main__":
    main()
