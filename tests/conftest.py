from __future__ import annotations

from collections.abc import Iterator

import pytest

from oracle.environment import Oracle, OracleUnavailableError, make_environment

# Its modules run in another environment, and cannot be imported in this one.
collect_ignore = ["oracle"]


@pytest.fixture(scope="session")
def keras_oracle() -> Iterator[Oracle]:
    """Keras in a process of its own, installed on first use; skips where it cannot be."""
    try:
        python = make_environment()
    except OracleUnavailableError as error:
        pytest.skip(f"Keras could not be installed to compare with: {error}")
    oracle = Oracle(python)
    yield oracle
    oracle.close()
