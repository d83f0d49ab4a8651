"""What MLflow's page of a study shows first: columns and axes for what the study varies and measures.

MLflow keeps views that users share as tags of the experiment, and an address names one by its key.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "kinefract"
TAG = f"mlflow.sharedViewState.{KEY}"
CHART, SECTION = "kinefract-varied", "kinefract-study"


def show(
    client: "MlflowClient", experiment: str, settings: Sequence[str] = (), numbers: Sequence[str] = ()
) -> None:
    """Have an experiment show these settings and numbers; without any, keep what it shows.

    Args:
        client: The client of the store.
        experiment: The id of the experiment.
        settings: Names of parameters.
        numbers: Names of metrics.
    """
    held = client.get_experiment(experiment).tags.get(TAG)
    wanted = json.dumps(_state(settings, numbers), separators=(",", ":"))
    if held is None or ((settings or numbers) and held != wanted):
        client.set_experiment_tag(experiment, TAG, wanted)


def _state(settings: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    """Return the state of MLflow's page; it adds a bar chart for each other metric itself."""
    chart = {
        "type": "PARALLEL",
        "uuid": CHART,
        "metricSectionId": SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 10,
        "selectedParams": list(settings),
        "selectedMetrics": list(numbers),
        "showAllRuns": True,
    }
    section = {
        "uuid": SECTION,
        "name": "What the study varies",
        "display": True,
        "columns": 1,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }
    columns = [f"params.`{name}`" for name in settings] + [f"metrics.`{name}`" for name in numbers]
    state = {
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "selectedColumns": columns,
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,  # the section stays before those that MLflow adds
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }
    if len(columns) > 1:  # axes
        state |= {"compareRunCharts": [chart], "compareRunSections": [section]}
    return state
