"""The specification of the Titanic model."""

from __future__ import annotations

from include.core.ml.spec import CardText, ModelSpec, Thresholds, Watched
from include.domains.titanic import settings
from include.domains.titanic.features import derive, segment
from include.domains.titanic.models import BASELINES, MODELS, TRUSTED_TYPES
from include.domains.titanic.passengers import DTYPES, LABEL, Passenger


def thresholds() -> Thresholds:
    """Return what the settings require."""
    return Thresholds(float(settings.TITANIC_ACCURACY.read()), float(settings.TITANIC_SEGMENT_ACCURACY.read()))


TITANIC = ModelSpec(
    name="titanic",
    row=Passenger,
    dtypes=DTYPES,
    rows_name="passengers",
    title="Name",
    label=LABEL,
    positive="survived",
    positive_text="survive",
    derive=derive,
    segment=segment,
    segments_text="sex and class",
    estimators=MODELS,
    baselines=tuple(BASELINES),
    reference="article_recipe",
    trusted_types=TRUSTED_TYPES,
    watched=Watched(
        categories=("Sex", "Pclass", "Title", "Embarked", "Deck"),
        numbers=("Age", "LogFare", "FamilySize"),
        nullable=("Age",),
        ranged=("Age", "Fare"),
    ),
    card=CardText(
        owner="data-science",
        threshold_reason="Both kinds of error count the same, and the calibration below shows that probabilities hold.",
        model="One scikit-learn pipeline from the raw passenger to the probability of survival.",
        intended_use=(
            "To show how a model is trained, evaluated, deployed and monitored. It describes who survived one ship in"
            " 1912; it says\nnothing about anybody else."
        ),
        data=(
            "All statistics (medians, rare categories, scales) are learned within the training folds."
            " Relatives' labels\naren't used."
        ),
        limits=(
            "A gap of a few points between segments is in the data, not in the model alone: third-class women lived or"
            " died almost\nevenly. On a list of other passengers, expect less: the best public results on unseen"
            " passengers are 0.78 to 0.84."
        ),
    ),
    thresholds=thresholds,
    segments=tuple(f"{sex}-{passenger_class}" for sex in ("female", "male") for passenger_class in (1, 2, 3)),
)
