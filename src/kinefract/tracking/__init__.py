"""MLflow: runs while they train, studies to compare, and both logged later where it could not be reached."""

from kinefract.tracking.export import PHASES, RunExport, log_study, prepare, study_files
from kinefract.tracking.store import shown_uri, store_uri

__all__ = ["PHASES", "RunExport", "log_study", "prepare", "shown_uri", "store_uri", "study_files"]
