"""The base of the models of a source's YAML."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """Rejects unknown fields and values of a different type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
