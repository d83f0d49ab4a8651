"""What all tests of reports share: studies made up once, and no MLflow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from madeup import MadeUp, make_up

from kinefract import report, tracking


@pytest.fixture(autouse=True)
def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep MLflow, which takes seconds and has its own tests, out of building a report."""
    monkeypatch.setattr(tracking, "log_study", lambda *_: None)


@pytest.fixture(scope="module")
def unlogged() -> Iterator[None]:
    """The same for fixtures of a module, which are set up before it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_study", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    """A study of two variants, one benchmark and three seeds, built. Not to be changed by a test."""
    made = make_up(
        tmp_path_factory.mktemp("little"), [{"motions": [0.44, 0.50, 0.48]}, {"motions": [0.61, 0.59, 0.65]}]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_study", lambda *_: None)
        report.build(made.spec_path)
    return made


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a built study with one seed and no previews. Not to be changed by a test."""
    root = tmp_path_factory.mktemp("single")
    made = make_up(root, [{"motions": [0.4]}, {"motions": [0.6]}], previews=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "log_study", lambda *_: None)
        report.build(made.spec_path)
    return made.spec_path.parent


@pytest.fixture
def folder(little: MadeUp) -> Path:
    """The folder of the little study's report."""
    return little.spec_path.parent
