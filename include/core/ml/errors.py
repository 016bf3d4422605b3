"""Exceptions for models; each message names the model, the rule and the numbers."""

from __future__ import annotations

import traceback
from pathlib import Path

from include.core.errors import MissingInputError, PermanentError


class NoChampionError(MissingInputError):
    """No version of the registered model is champion."""


class SpecError(PermanentError):
    """There is no such model, or the module with its specification can't be imported."""


class DataError(PermanentError, ValueError):
    """The training data is invalid."""


class RefusedError(PermanentError):
    """A candidate breaks a rule and the champion stays; retraining on the same data can't help."""


class ArtifactError(PermanentError):
    """A model file is corrupt, was replaced, or contains types that aren't trusted; it was not loaded."""


class UnrecordedError(ArtifactError):
    """No checksum was recorded for a model file; the message says how to record it."""


class ServingError(Exception):
    """The model server doesn't respond, or doesn't serve the expected model."""


class AnswerError(Exception):
    """The served model has no valid answer; the message names the version and contains nothing of the request."""


class BusyError(Exception):
    """Too many requests wait for their prediction."""


class DriftError(PermanentError):
    """Served predictions differ from what the model was trained on; the message names segment, feature and numbers."""


class AcknowledgementError(PermanentError, ValueError):
    """A run was told to acknowledge an alarm that isn't raised."""


class SandboxError(PermanentError):
    """A model could not be loaded, fitted or queried in a process of its own; the message says why."""


def failure(error: Exception) -> str:
    """Return what failed in a model and where, without the error's message, which may contain a row."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"the model failed: {type(error).__name__} in {place.name}, {Path(place.filename).name}:{place.lineno}"
