"""The datasets of the drift checks, partitioned by day."""

from __future__ import annotations

from include.core.warehouse.dataset import DAILY, Column, Dataset
from include.core.warehouse.history_settings import History

OWN_ALARMS = History(off="the rows are findings, of which model_monitoring sends alarms of its own")

MODEL_DRIFT = Dataset(
    name="model_drift",
    columns=(
        Column("day", "date", doc="UTC day on which the predictions were served"),
        Column("model", "text", doc="Registered model"),
        Column("version", "integer", minimum=1, doc="Version of the model"),
        Column("segment", "text", doc="Segment of the model's rows, or all"),
        Column("feature", "text", doc="Feature compared with the training rows"),
        Column("rows", "bigint", minimum=0, doc="Predictions compared"),
        Column(
            "psi", "double precision", minimum=0, doc="Population stability index, less its expected value by chance"
        ),
        Column(
            "distance", "double precision", minimum=0, maximum=1, doc="Distance of the distribution functions or shares"
        ),
        Column("p_value", "double precision", minimum=0, maximum=1, doc="Adjusted for the number of checks (Holm)"),
        Column("reference", "double precision", nullable=True, doc="Mean of the training rows, if defined"),
        Column("observed", "double precision", nullable=True, doc="Mean of the day, if defined"),
        Column("alarm", "boolean", doc="Whether the limits are exceeded"),
    ),
    key=("day", "model", "version", "segment", "feature"),
    partition="day",
    minimum_rows=0,
    freshness=DAILY,
    history=OWN_ALARMS,
)

MODEL_DAILY = Dataset(
    name="model_daily",
    columns=(
        Column("day", "date", doc="UTC day on which the predictions were served"),
        Column("model", "text", doc="Registered model"),
        Column("version", "integer", minimum=1, doc="Version of the model"),
        Column("segment", "text", doc="Segment of the model's rows, or all"),
        Column("predictions", "bigint", minimum=0, doc="Live predictions served"),
        Column("outcomes", "bigint", minimum=0, doc="Predictions whose outcome is known"),
        Column("accuracy", "double precision", nullable=True, minimum=0, maximum=1, doc="Accuracy on known outcomes"),
        Column("expected", "double precision", minimum=0, maximum=1, doc="Accuracy in cross-validation"),
        Column("alarm", "boolean", doc="Whether the limits are exceeded"),
    ),
    key=("day", "model", "version", "segment"),
    partition="day",
    minimum_rows=0,
    freshness=DAILY,
    history=OWN_ALARMS,
)
