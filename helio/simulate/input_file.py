"""The settings file of a molecular dynamics run."""

from __future__ import annotations

from pydantic import Field

from helio.settings.settings_file import SettingsFile
from helio.simulate.settings import SECTIONS, MDSettings

_RESTRAINT_EXAMPLES = """\
# For example:
# restraints:
#   - {kind: position, atoms: heavy, stiffness: 1.0}
#   - {kind: distance, first: [0], second: [5], length: 3.0, stiffness: 2.0}
#   - {kind: sphere, atoms: all, radius: 12.0, stiffness: 0.5}
"""


class MDInput(MDSettings):
    """What a settings file may hold; paths are relative to the file."""

    structure: str = Field(description="structure file of any format that ASE reads", examples=["molecule.xyz"])
    out: str = Field("run", description="run folder to make")
    frame: int | str | None = Field(
        None,
        description="structure of the file, from 1, or all; by default the first of pdb, mol2 and sdf, else the last",
    )
    altloc: str | None = Field(None, description="alternate location to take, a letter or largest")


SETTINGS_FILE = SettingsFile(
    MDInput,
    command="helio md",
    template_command="helio template md",
    needs="structure: FILE",
    top=("structure", "out", "frame", "altloc"),
    paths=("structure",),
    paths_or_names=("model", "bias"),
    sections=SECTIONS,
    notes={"restraints": _RESTRAINT_EXAMPLES},
)
