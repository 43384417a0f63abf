"""Pellucid's models as scikit-learn estimators: pipelines, grid search, cross-validation.

    pip install "pellucid[sklearn]"

`CNNClassifier` and `CNNRegressor` take pictures, (N, H, W) or (N, H, W, C), and tables, (N, F).
"""

from __future__ import annotations

from pellucid.errors import MissingPackageError

try:
    import sklearn  # noqa: F401  # only to learn whether it is there
except ImportError as error:
    raise MissingPackageError(
        "pellucid.sklearn needs scikit-learn, which is not installed: "
        'pip install "pellucid[sklearn]"'
    ) from error

from pellucid.sklearn._estimators import CNNClassifier, CNNRegressor

__all__ = ["CNNClassifier", "CNNRegressor"]
