"""The code of a network that is logged to MLflow, which names the action of each video.

MLflow keeps a copy of this file in the model and runs it when it loads the model, so no pickle is written or
read: the weights come from safetensors, through the kinefract that is installed.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from kinefract.evaluation import predict

VIDEO, RUN = "video", "run"  # the column of the input; the model's folder with the files of the run
SHOWN = 5  # classes of each video


class Network(PythonModel):
    """A fine-tuned network as a model of MLflow: paths of videos in, actions and probabilities out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the network from the model's files."""
        self._network = predict.load(context.artifacts[RUN])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: Any = None
    ) -> pd.DataFrame:
        """Name the action of each video.

        Args:
            context: Not used.
            model_input: A table with the column ``video``: paths of video files that this machine can read,
                absolute or relative to the folder in which it works.
            params: Not used.

        Returns:
            A row for each video: ``action``, the most probable class, its ``probability`` (0 to 1), and the
            five most probable ``classes`` with their ``probabilities``, the best first.
        """
        found = predict.predict_videos(self._network, list(model_input[VIDEO]), SHOWN)
        return pd.DataFrame(
            {
                "action": [guesses[0][0] for guesses in found],
                "probability": [guesses[0][1] for guesses in found],
                "classes": [[name for name, _ in guesses] for guesses in found],
                "probabilities": [[probability for _, probability in guesses] for guesses in found],
            }
        )


mlflow.models.set_model(Network())
