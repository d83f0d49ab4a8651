"""What every test of tracking starts from."""

from collections.abc import Iterator

import pytest

from kinefract.tracking import store


@pytest.fixture(autouse=True)
def default_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No store but the project's, and failures of one test forgotten by the next."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_PORT", raising=False)
    yield
    store._given_up.clear()
