"""The datasets of the drift checks, partitioned by day."""

from __future__ import annotations

from include.core.warehouse.dataset import DAILY, Column, Dataset
from include.core.warehouse.history_settings import History

OWN_ALARMS = History(off="the rows are findings, which have alarms of their own")

MODEL_DRIFT = Dataset(
    name="model_drift",
    columns=(
        Column("day", "date", doc="UTC day on which the predictions were served"),
        Column("model", "text", doc="Registered model"),
        Column("version", "integer", minimum=1, doc="Version of the model"),
        Column("segment", "text", doc="Segment of the model's rows, or all"),
        Column("feature", "text", doc="Number, prediction, rate, or share of a level, such as Embarked=Q"),
        Column("rows", "bigint", minimum=0, doc="Predictions with a value"),
        Column("psi", "double precision", nullable=True, doc="Population stability index, in rows of earlier releases"),
        Column(
            "distance",
            "double precision",
            nullable=True,
            minimum=0,
            doc="Wasserstein distance of the day's distribution, in standard deviations; of large segments' numbers",
        ),
        Column(
            "p_value",
            "double precision",
            nullable=True,
            minimum=0,
            maximum=1,
            doc="Kolmogorov-Smirnov test of the day's distribution, adjusted for the number of tests (Holm)",
        ),
        Column("reference", "double precision", nullable=True, doc="Mean of the baseline"),
        Column("observed", "double precision", nullable=True, doc="Mean of the day"),
        Column("sd", "double precision", nullable=True, minimum=0, doc="Standard deviation in the day"),
        Column("shift", "double precision", nullable=True, doc="Shift over the last days, in standard deviations"),
        Column("strength", "double precision", nullable=True, minimum=0, doc="Evidence of it; an alarm is due from 1"),
        Column("since", "date", nullable=True, doc="First day of the shift"),
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
        Column(
            "expected",
            "double precision",
            nullable=True,
            minimum=0,
            maximum=1,
            doc="Accuracy in cross-validation; NULL if the registry no longer has the version",
        ),
        Column(
            "estimated",
            "double precision",
            nullable=True,
            minimum=0,
            maximum=1,
            doc="Accuracy estimated without outcomes (CBPE)",
        ),
        Column("alarm", "boolean", doc="Whether the limits are exceeded"),
    ),
    key=("day", "model", "version", "segment"),
    partition="day",
    minimum_rows=0,
    freshness=DAILY,
    history=OWN_ALARMS,
)
