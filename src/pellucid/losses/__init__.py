"""Losses: the one number that training makes smaller.

A loss compares each sample's prediction with its target; the mean over all, each counted by its
sample weight if there is one, is what the gradients belong to.

| loss                            | target              | for each sample                     |
|---------------------------------|---------------------|-------------------------------------|
| `CategoricalCrossentropy`       | one-hot (N, …, C)   | −Σ_c y_c · log p_c                  |
| `SparseCategoricalCrossentropy` | class number (N, …) | −log p[y]                           |
| `BinaryCrossentropy`            | 0 or 1, as p        | mean of −y·log p − (1−y)·log(1−p)   |
| `CategoricalFocalCrossentropy`  | one-hot (N, …, C)   | −Σ_c α·(1−p_c)^γ·y_c·log p_c        |
| `BinaryFocalCrossentropy`       | 0 or 1, as p        | mean of |y−p|^γ · cross-entropy     |
| `KLDivergence`                  | probabilities, as p | Σ_c y_c·log(y_c / p_c)              |
| `Poisson`                       | counts, as p        | mean of p − y·log p                 |
| `MeanSquaredError`              | as p                | mean of (y − p)²                    |
| `MeanAbsoluteError`             | as p                | mean of |y − p|                     |
| `MeanAbsolutePercentageError`   | as p                | mean of 100·|y − p| / |y|           |
| `MeanSquaredLogarithmicError`   | as p                | mean of log²((1 + y) / (1 + p))     |
| `Huber`                         | as p                | mean of (y−p)²/2, straight beyond δ |
| `LogCosh`                       | as p                | mean of log cosh(p − y)             |
| `CosineSimilarity`              | as p                | −cosine of the angle                |
| `Hinge`, `SquaredHinge`         | −1 or 1, as p       | mean of max(1 − y·p, 0), squared    |
| `CategoricalHinge`              | one-hot (N, …, C)   | max(1 + wrong − right score, 0)     |

"mean" is over the last axis. A loss states itself as operations (`build`), like a layer. Where the
prediction comes straight from a softmax or sigmoid, cross-entropy is computed from what went into
that, in one stable step, and log 0 cannot occur. Probabilities from elsewhere are kept 10⁻⁷ away
from 0 and 1, as in Keras.

Targets are never repeated to fit predictions. (N,) and (N, 1) are taken for each other; all else
that differs is refused before the first step, as are labels out of range and targets with NaN.

To define a loss of one's own, derive from `Loss` and state `per_sample`.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.losses._loss import Loss as Loss
    from pellucid.losses._registry import deserialize as deserialize
    from pellucid.losses._registry import get as get
    from pellucid.losses._registry import serialize as serialize
    from pellucid.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
    from pellucid.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
    from pellucid.losses.crossentropy import (
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
    )
    from pellucid.losses.crossentropy import binary_crossentropy as binary_crossentropy
    from pellucid.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
    from pellucid.losses.crossentropy import (
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from pellucid.losses.divergence import KLDivergence as KLDivergence
    from pellucid.losses.divergence import Poisson as Poisson
    from pellucid.losses.divergence import kl_divergence as kl_divergence
    from pellucid.losses.divergence import poisson as poisson
    from pellucid.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
    from pellucid.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
    from pellucid.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
    from pellucid.losses.focal import (
        categorical_focal_crossentropy as categorical_focal_crossentropy,
    )
    from pellucid.losses.margin import CategoricalHinge as CategoricalHinge
    from pellucid.losses.margin import Hinge as Hinge
    from pellucid.losses.margin import SquaredHinge as SquaredHinge
    from pellucid.losses.margin import categorical_hinge as categorical_hinge
    from pellucid.losses.margin import hinge as hinge
    from pellucid.losses.margin import squared_hinge as squared_hinge
    from pellucid.losses.regression import CosineSimilarity as CosineSimilarity
    from pellucid.losses.regression import Huber as Huber
    from pellucid.losses.regression import LogCosh as LogCosh
    from pellucid.losses.regression import MeanAbsoluteError as MeanAbsoluteError
    from pellucid.losses.regression import (
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
    )
    from pellucid.losses.regression import MeanSquaredError as MeanSquaredError
    from pellucid.losses.regression import (
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
    )
    from pellucid.losses.regression import cosine_similarity as cosine_similarity
    from pellucid.losses.regression import huber as huber
    from pellucid.losses.regression import log_cosh as log_cosh
    from pellucid.losses.regression import mean_absolute_error as mean_absolute_error
    from pellucid.losses.regression import (
        mean_absolute_percentage_error as mean_absolute_percentage_error,
    )
    from pellucid.losses.regression import mean_squared_error as mean_squared_error
    from pellucid.losses.regression import (
        mean_squared_logarithmic_error as mean_squared_logarithmic_error,
    )

load_on_use(
    __name__,
    {
        "pellucid.losses._loss": "Loss",
        "pellucid.losses._registry": "deserialize get serialize",
        "pellucid.losses.crossentropy": """
            BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy
            binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy
        """,
        "pellucid.losses.divergence": "KLDivergence Poisson kl_divergence poisson",
        "pellucid.losses.focal": """
            BinaryFocalCrossentropy CategoricalFocalCrossentropy binary_focal_crossentropy
            categorical_focal_crossentropy
        """,
        "pellucid.losses.margin": """
            CategoricalHinge Hinge SquaredHinge categorical_hinge hinge squared_hinge
        """,
        "pellucid.losses.regression": """
            CosineSimilarity Huber LogCosh MeanAbsoluteError MeanAbsolutePercentageError
            MeanSquaredError MeanSquaredLogarithmicError cosine_similarity huber log_cosh
            mean_absolute_error mean_absolute_percentage_error mean_squared_error
            mean_squared_logarithmic_error
        """,
    },
)
