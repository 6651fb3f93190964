"""What all groups of a study's settings are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: unknown keys, wrong types and infinite numbers are errors, values never change."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )
