"""The tables that the drift checks leave behind, a day at a time."""

from __future__ import annotations

from include.core.warehouse.dataset import DAILY, Column, Dataset

MODEL_DRIFT = Dataset(
    name="model_drift",
    columns=(
        Column("date", "date", doc="UTC day on which the predictions were served"),
        Column("model", "text", doc="Registered model"),
        Column("version", "integer", minimum=1, doc="Its version"),
        Column("segment", "text", doc="Segment of the model's rows, or all"),
        Column("feature", "text", doc="What was compared with the training rows"),
        Column("rows", "bigint", minimum=0, doc="Predictions compared"),
        Column("psi", "double precision", minimum=0, doc="Population stability index, less what chance gives"),
        Column("distance", "double precision", minimum=0, maximum=1, doc="Of the distribution functions or shares"),
        Column("p_value", "double precision", minimum=0, maximum=1, doc="Adjusted for the number of checks (Holm)"),
        Column("reference", "double precision", nullable=True, doc="Mean of the training rows, where there is one"),
        Column("observed", "double precision", nullable=True, doc="Mean of the day, where there is one"),
        Column("alarm", "boolean", doc="Whether somebody should look"),
    ),
    key=("date", "model", "version", "segment", "feature"),
    partition="date",
    minimum_rows=0,
    freshness=DAILY,
)

MODEL_DAILY = Dataset(
    name="model_daily",
    columns=(
        Column("date", "date", doc="UTC day on which the predictions were served"),
        Column("model", "text", doc="Registered model"),
        Column("version", "integer", minimum=1, doc="Its version"),
        Column("segment", "text", doc="Segment of the model's rows, or all"),
        Column("predictions", "bigint", minimum=0, doc="Live predictions served"),
        Column("outcomes", "bigint", minimum=0, doc="Of them, those whose outcome is known"),
        Column("accuracy", "double precision", nullable=True, minimum=0, maximum=1, doc="Share of right ones of these"),
        Column("expected", "double precision", minimum=0, maximum=1, doc="Accuracy in cross-validation"),
        Column("alarm", "boolean", doc="Whether somebody should look"),
    ),
    key=("date", "model", "version", "segment"),
    partition="date",
    minimum_rows=0,
    freshness=DAILY,
)
