"""All analyses by name, in the order in which they are listed and reported."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from helio.analyse import (
    charges,
    density,
    dielectric,
    diffusion,
    embedding,
    energies,
    glycosidic,
    hydrogen_bonds,
    infrared,
    membrane,
    ramachandran,
    rdf,
    rmsd,
    secondary_structure,
    spectrum,
    structure_factor,
    viscosity,
)
from helio.analyse.analysis import Analysis, kind_of
from helio.analyse.frames import Frames
from helio.analyse.observable import Observable
from helio.errors import HelioError

_MODULES = (
    energies,
    density,
    rdf,
    structure_factor,
    diffusion,
    viscosity,
    dielectric,
    spectrum,
    infrared,
    rmsd,
    hydrogen_bonds,
    secondary_structure,
    ramachandran,
    glycosidic,
    membrane,
    embedding,
    charges,
)
CATALOGUE: dict[str, Analysis] = {module.ANALYSIS.name: module.ANALYSIS for module in _MODULES}


def find(name: str) -> Analysis:
    """The analysis of this name; `HelioError` with all names if there is none."""
    if name not in CATALOGUE:
        raise HelioError(f"there is no analysis {name!r}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def fitting(frames: Frames) -> list[Analysis]:
    """The analyses that fit what the frames hold."""
    return [analysis for analysis in CATALOGUE.values() if analysis.fits(frames)]


def analyse(name: str, frames: Frames | Sequence[Frames], **options: Any) -> Observable:
    """Run the analysis of this name; its options are keyword arguments of its function.

    Several runs at once are for analyses that take them together.

    Raises:
        HelioError: there is no such analysis or no such option, or the frames do not fit.
    """
    analysis = find(name)
    known = analysis.options()
    for option in options:
        if option not in known:
            told = ", ".join(known) or "none"
            raise HelioError(f"the analysis {name} has no option {option!r}; its options: {told}")
    return analysis.function(frames, **options)


def parsed_options(name: str, words: list[str]) -> dict[str, Any]:
    """Options given as OPTION=VALUE, turned into the types that the analysis declares.

    Raises:
        HelioError: a word is not of that form, or a value not of its option's type. Unknown options pass; `analyse`
            tells of them.
    """
    known, options = find(name).options(), {}
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise HelioError(f"options of an analysis are given as OPTION=VALUE, not {word!r}")
        options[key] = _value(key, text.strip(), known[key]) if key in known else text
    return options


def _value(key: str, text: str, parameter: inspect.Parameter) -> Any:
    try:
        value = None if text.lower() == "none" else text
        return TypeAdapter(parameter.annotation).validate_python(value)
    except ValidationError:
        raise HelioError(f"the option {key} is {kind_of(parameter)}, not {text!r}") from None
