"""Metrics: what is watched during training and reported after it.

A metric is fed batch by batch, `update_state(y_true, y_pred, sample_weight=None)`, and tells its
`result()` over all of them. Targets and predictions of different shapes are refused, never
repeated to fit each other.
"""

from typing import TYPE_CHECKING

from pellucid._lazy import load_on_use

if TYPE_CHECKING:
    from pellucid.losses import binary_crossentropy as binary_crossentropy
    from pellucid.losses import binary_focal_crossentropy as binary_focal_crossentropy
    from pellucid.losses import categorical_crossentropy as categorical_crossentropy
    from pellucid.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
    from pellucid.losses import categorical_hinge as categorical_hinge
    from pellucid.losses import hinge as hinge
    from pellucid.losses import huber as huber
    from pellucid.losses import kl_divergence as kl_divergence
    from pellucid.losses import log_cosh as log_cosh
    from pellucid.losses import mean_absolute_error as mean_absolute_error
    from pellucid.losses import mean_absolute_percentage_error as mean_absolute_percentage_error
    from pellucid.losses import mean_squared_error as mean_squared_error
    from pellucid.losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
    from pellucid.losses import poisson as poisson
    from pellucid.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
    from pellucid.losses import squared_hinge as squared_hinge
    from pellucid.metrics._metric import Mean as Mean
    from pellucid.metrics._metric import MeanMetricWrapper as MeanMetricWrapper
    from pellucid.metrics._metric import Metric as Metric
    from pellucid.metrics._registry import deserialize as deserialize
    from pellucid.metrics._registry import get as get
    from pellucid.metrics._registry import serialize as serialize
    from pellucid.metrics.accuracy import Accuracy as Accuracy
    from pellucid.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
    from pellucid.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
    from pellucid.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
    from pellucid.metrics.accuracy import (
        SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy,
    )
    from pellucid.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
    from pellucid.metrics.accuracy import binary_accuracy as binary_accuracy
    from pellucid.metrics.accuracy import categorical_accuracy as categorical_accuracy
    from pellucid.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
    from pellucid.metrics.accuracy import (
        sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
    )
    from pellucid.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
    from pellucid.metrics.confusion import AUC as AUC
    from pellucid.metrics.confusion import FalseNegatives as FalseNegatives
    from pellucid.metrics.confusion import FalsePositives as FalsePositives
    from pellucid.metrics.confusion import Precision as Precision
    from pellucid.metrics.confusion import Recall as Recall
    from pellucid.metrics.confusion import TrueNegatives as TrueNegatives
    from pellucid.metrics.confusion import TruePositives as TruePositives
    from pellucid.metrics.confusion import confusion_matrix as confusion_matrix
    from pellucid.metrics.of_losses import CategoricalHinge as CategoricalHinge
    from pellucid.metrics.of_losses import CosineSimilarity as CosineSimilarity
    from pellucid.metrics.of_losses import Hinge as Hinge
    from pellucid.metrics.of_losses import KLDivergence as KLDivergence
    from pellucid.metrics.of_losses import LogCoshError as LogCoshError
    from pellucid.metrics.of_losses import (
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
    )
    from pellucid.metrics.of_losses import (
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
    )
    from pellucid.metrics.of_losses import Poisson as Poisson
    from pellucid.metrics.of_losses import SquaredHinge as SquaredHinge
    from pellucid.metrics.overlap import BinaryIoU as BinaryIoU
    from pellucid.metrics.overlap import IoU as IoU
    from pellucid.metrics.overlap import MeanIoU as MeanIoU
    from pellucid.metrics.overlap import OneHotIoU as OneHotIoU
    from pellucid.metrics.overlap import OneHotMeanIoU as OneHotMeanIoU
    from pellucid.metrics.regression import BinaryCrossentropy as BinaryCrossentropy
    from pellucid.metrics.regression import CategoricalCrossentropy as CategoricalCrossentropy
    from pellucid.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
    from pellucid.metrics.regression import MeanSquaredError as MeanSquaredError
    from pellucid.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
    from pellucid.metrics.regression import (
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
    )
    from pellucid.metrics.scores import F1Score as F1Score
    from pellucid.metrics.scores import FBetaScore as FBetaScore
    from pellucid.metrics.scores import R2Score as R2Score

load_on_use(
    __name__,
    {
        "pellucid.losses": """
            binary_crossentropy binary_focal_crossentropy categorical_crossentropy
            categorical_focal_crossentropy categorical_hinge hinge huber kl_divergence log_cosh
            mean_absolute_error mean_absolute_percentage_error mean_squared_error
            mean_squared_logarithmic_error poisson sparse_categorical_crossentropy squared_hinge
        """,
        "pellucid.metrics._metric": "Mean MeanMetricWrapper Metric",
        "pellucid.metrics._registry": "deserialize get serialize",
        "pellucid.metrics.accuracy": """
            Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy
            SparseTopKCategoricalAccuracy TopKCategoricalAccuracy binary_accuracy
            categorical_accuracy sparse_categorical_accuracy sparse_top_k_categorical_accuracy
            top_k_categorical_accuracy
        """,
        "pellucid.metrics.confusion": """
            AUC FalseNegatives FalsePositives Precision Recall TrueNegatives TruePositives
            confusion_matrix
        """,
        "pellucid.metrics.of_losses": """
            CategoricalHinge CosineSimilarity Hinge KLDivergence LogCoshError
            MeanAbsolutePercentageError MeanSquaredLogarithmicError Poisson SquaredHinge
        """,
        "pellucid.metrics.overlap": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU",
        "pellucid.metrics.regression": """
            BinaryCrossentropy CategoricalCrossentropy MeanAbsoluteError MeanSquaredError
            RootMeanSquaredError SparseCategoricalCrossentropy
        """,
        "pellucid.metrics.scores": "F1Score FBetaScore R2Score",
    },
)
