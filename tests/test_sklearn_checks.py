"""scikit-learn's own checks of estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from pellucid.sklearn import CNNClassifier, CNNRegressor

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "weights and repetitions give the same but for the rounding of float32, 1e-6; the check "
        "asks for 1e-7. test_a_weight_counts_like_as_many_samples asks for what there is."
    )
}


@parametrize_with_checks(
    [CNNClassifier(), CNNRegressor()], expected_failed_checks=lambda _: EXPECTED_FAILURES
)
def test_what_scikit_learn_asks_of_an_estimator(estimator: Any, check: Callable[..., None]) -> None:
    check(estimator)
