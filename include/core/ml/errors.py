"""What can be wrong with a model; each message says which model, which rule and the numbers."""

from __future__ import annotations

from include.core.errors import MissingInputError, PermanentError


class NoChampionError(MissingInputError):
    """No version of the registered model is champion."""


class DataError(PermanentError, ValueError):
    """The training data can't be used; the same data can't be used on the next try either."""


class RefusedError(PermanentError):
    """A candidate breaks a rule, so the champion stays; training it again on the same data can't help."""


class ArtifactError(PermanentError):
    """A model file is damaged, was exchanged, or holds types that aren't trusted; it was not loaded."""


class ServingError(Exception):
    """The model server doesn't answer, or answers other than the model that it should serve."""


class DriftError(PermanentError):
    """Served predictions differ from what the model was trained on; the message names segment, feature and numbers."""
