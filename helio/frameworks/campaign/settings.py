"""What a user can choose for a campaign."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from helio.settings.checking import Settings

STAGES = ("assemble", "relax", "check", "screen")


class CampaignSettings(Settings):
    """All that decides what comes out; how many workers there are does not."""

    samples: str | None = Field(None, description="store of sampled frameworks to take candidates from")
    model: str | None = Field(None, description="model file to sample candidates from")
    known: str | None = Field(None, description="store of known frameworks: what is in it is not new")
    count: PositiveInt = Field(100, description="number of candidates")
    seed: int = Field(0, ge=0, description="of sampling and assembly")
    spread: float = Field(0.5, ge=0, le=1, description="of latents around those trained on: 1 is a normal spread")
    drawn_sites: bool = Field(False, description="places are the diffusion's alone; by default at known nets")
    batch: PositiveInt = Field(50, description="candidates that are sampled at once")
    largest_gap: PositiveFloat = Field(0.5, description="in A: connections must meet better than this, on average")
    relaxation: str = Field("uff", description="uff, uff4mof, none, or a force field of Helio (so3lr, helio-s, a file)")
    relaxation_steps: PositiveInt = Field(1000, description="of each minimisation")
    metal: bool = Field(True, description="a framework without metal is not valid")
    dimensions: Literal[2, 3] = Field(3, description="that a valid framework goes on in: 2 lets layers pass")
    smallest_pore: PositiveFloat = Field(2.4, description="in A, pore limiting diameter of a valid framework")
    screen: int = Field(0, ge=0, description="how many valid, new and unique candidates are screened by GCMC")
    rank_by: str = Field("surface_area", description="figure by which those are chosen that are screened, the largest")
    charges: Literal["eqeq", "none"] = Field("eqeq", description="of frameworks and gases in GCMC")
    nitrogen: bool = Field(True, description="screen nitrogen, too; without it there is no selectivity")
    cycles: PositiveInt = Field(2000, description="of GCMC that are averaged over")
    equilibration: PositiveInt = Field(1000, description="cycles of GCMC before")
    limit_s: PositiveFloat = Field(3600.0, description="seconds after which a stage of a candidate is given up")

    @model_validator(mode="after")
    def _consistent(self) -> CampaignSettings:
        if (self.samples is None) == (self.model is None):
            raise ValueError("candidates come either from a store of samples or from a model: give one of the two")
        return self
