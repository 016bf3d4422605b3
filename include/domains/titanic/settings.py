"""Files and environment keys of the Titanic model: data, thresholds and SageMaker."""

from __future__ import annotations

from pathlib import Path

from include.core.settings import EnvironmentKey, ModelFiles
from include.core.storage import url_of

TRAININGS = ModelFiles("titanic")
TITANIC_PASSENGERS = EnvironmentKey(
    "SPELLBOOK_TITANIC_PASSENGERS",
    url_of(Path(__file__).parents[2] / "data" / "titanic" / "train.csv"),
    "URL of the labelled passenger list that titanic_ml_pipeline trains on.",
)
TITANIC_REPEATS = EnvironmentKey(
    "SPELLBOOK_TITANIC_REPEATS", "10", "Default number of repeats of ten-fold cross-validation.", embedded="1"
)
TITANIC_ACCURACY = EnvironmentKey(
    "SPELLBOOK_TITANIC_ACCURACY", "0.8", "A candidate's mean accuracy in cross-validation must be higher."
)
TITANIC_SEGMENT_ACCURACY = EnvironmentKey(
    "SPELLBOOK_TITANIC_SEGMENT_ACCURACY", "0.55", "A candidate's accuracy in each sex and class must not be lower."
)
TITANIC_APPROVAL_HOURS = EnvironmentKey(
    "SPELLBOOK_TITANIC_APPROVAL_HOURS", "24", "Timeout for the approval of a deployment, in hours."
)
SAGEMAKER_BUCKET = EnvironmentKey("SPELLBOOK_SAGEMAKER_BUCKET", "spellbook-models", "S3 bucket for model.tar.gz.")
SAGEMAKER_ROLE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_ROLE",
    "arn:aws:iam::123456789012:role/spellbook-sagemaker",
    "Role that SageMaker assumes to read the bucket and the image.",
)
SAGEMAKER_IMAGE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_IMAGE",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/mlflow-pyfunc:3.17.2",
    "Image that serves an MLflow model folder, made by `mlflow sagemaker build-and-push-container`.",
)
SAGEMAKER_INSTANCE = EnvironmentKey("SPELLBOOK_SAGEMAKER_INSTANCE", "ml.t2.medium", "Instance type of an endpoint.")
SAGEMAKER_COMPARE = EnvironmentKey(
    "SPELLBOOK_SAGEMAKER_COMPARE",
    "true",
    "true: an endpoint's predictions must be correct; false: it must only respond (AWS simulators without containers).",
    embedded="false",
)
