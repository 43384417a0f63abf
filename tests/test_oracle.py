import numpy as np
import pytest


def test_answers_with_arrays(keras_oracle):
    x = np.array([[-1.0, 2.0]], "float32")
    results, _ = keras_oracle.ask("ask_ops.call", {"x0": x}, name="relu")
    np.testing.assert_array_equal(results["y0"], [[0.0, 2.0]])


def test_reports_errors_and_goes_on(keras_oracle):
    with pytest.raises(RuntimeError, match="no_such_operation"):
        keras_oracle.ask("ask_ops.call", name="no_such_operation")
    keras_oracle.ask("ask_ops.call", {"x0": np.ones(2)}, name="sum")
