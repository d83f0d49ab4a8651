"""Logging to MLflow: runs during training, studies for comparison, and a sync of what was not logged."""

from kinefract.tracking.addresses import address_of, begun
from kinefract.tracking.check import differences
from kinefract.tracking.database import shown_uri, store_uri
from kinefract.tracking.export import PHASES, RunExport, log_study, prepare, study_files

__all__ = [
    "PHASES",
    "RunExport",
    "address_of",
    "begun",
    "differences",
    "log_study",
    "prepare",
    "shown_uri",
    "store_uri",
    "study_files",
]
