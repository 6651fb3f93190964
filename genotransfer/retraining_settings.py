"""Settings of retraining: where new cohorts land, and what is done with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genotransfer.settings import Settings, Size

OpenShare = Annotated[float, Field(gt=0, lt=1)]


class Retraining(Settings):
    """How a study is run again as people of the target arrive."""

    cohorts: str = Field(
        "",
        description="folder or gs:// prefix; each cohort is a folder there, complete when _SUCCESS is in it",
    )
    mode: Literal["full", "fine-tune"] = Field(
        "full", description="fine-tune: move the champion towards the target's people, and train nothing else"
    )
    final_share: OpenShare = Field(0.3, description="of the new people: FD, which nothing learns from")
    vd_share: OpenShare = Field(0.1, description="of the other people: VD")
    ed_share: OpenShare = Field(0.2, description="of the other people: ED")
    least_people: Size = Field(50, description="fewer new people than this wait for more")
    claim_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="a retraining that has not ended after so long is taken to be dead"
    )
