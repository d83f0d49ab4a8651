"""MLflow: runs while they train, studies to compare, and both logged later where it could not be reached."""

from kinefract.tracking.store import shown_uri, store_uri
from kinefract.tracking.tracker import (
    FIRST_BATCH,
    LARGEST_ARTIFACT,
    PHASES,
    Tracker,
    log_study,
    prepare,
    study_files,
)

__all__ = [
    "FIRST_BATCH",
    "LARGEST_ARTIFACT",
    "PHASES",
    "Tracker",
    "log_study",
    "prepare",
    "shown_uri",
    "store_uri",
    "study_files",
]
