"""Data sets under Keras' names: `mnist`, `fashion_mnist` and `cifar10`, each with `load_data()`."""

from pellucid.datasets import cifar10, fashion_mnist, mnist

__all__ = ["cifar10", "fashion_mnist", "mnist"]
