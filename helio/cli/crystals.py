"""Lattice energies for `helio eval --crystals`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from helio.errors import HelioError


def evaluate_crystals_of(
    data: Path,
    *,
    model: str,
    level: str | None,
    relaxed: str,
    reference_key: str | None,
    selection: slice,
    long_range_cutoff: float | None,
    electrostatics: str,
    dispersion_tail: str,
    precision: str,
    skip_unusable: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Print a table; return the settings and the results as plain values.

    Raises:
        HelioError: an unknown choice, or a crystal that cannot be evaluated.
    """
    from rich.console import Console

    from helio.evaluate.lattice_energies import REFERENCE_KEY, Relaxed, evaluate_crystals
    from helio.files.structure_reading import read_all
    from helio.long_range import check_long_range
    from helio.report import evaluation as report

    if relaxed not in get_args(Relaxed):
        raise HelioError(f"--relax must be {', '.join(get_args(Relaxed))}, not {relaxed!r}")
    check_long_range(electrostatics, dispersion_tail, fully_periodic=True)
    crystals = [reading.atoms for reading in read_all(data)[selection]]
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.interfaces.ase import HelioCalculator

    # Molecules are without a cutoff: by the self-term where the crystal is; with the shift only where asked for.
    single = "shifted" if electrostatics == "shifted" else "wolf"
    shared: dict[str, Any] = {"level": level, "precision": precision}
    bulk = HelioCalculator(
        model,
        **shared,
        long_range_cutoff=long_range_cutoff,
        electrostatics=electrostatics,  # pyright: ignore[reportArgumentType]
        dispersion_tail=dispersion_tail,  # pyright: ignore[reportArgumentType]
    )
    molecules = HelioCalculator(model, **shared, electrostatics=single)
    console = Console()
    cutoff = bulk.force_field.cutoff_for((True, True, True))
    console.print(
        f"{data} against {model}: crystals with {electrostatics} electrostatics, long-range cutoff {cutoff:g} A, "
        f"dispersion tail {dispersion_tail}; molecules over all pairs; {precision}",
        soft_wrap=True,
    )
    if electrostatics == "shifted":
        console.print(
            "Warning: electrostatics that is shifted at the cutoff is another potential within each molecule than that "
            "over all pairs: these lattice energies are too small by 2 to 14 kcal/mol. Use --electrostatics wolf.",
            soft_wrap=True,
        )
    result = evaluate_crystals(
        crystals,
        bulk,
        molecules,
        relaxed=relaxed,  # pyright: ignore[reportArgumentType]
        reference_key=reference_key or REFERENCE_KEY,
        skip_unusable=skip_unusable,
    )
    console.print(report.crystal_table(result))
    for note in report.crystal_notes(result):
        console.print(note, soft_wrap=True, markup=False)
    settings = {
        "data": str(data),
        "model": model,
        "electrostatics": electrostatics,
        "long_range_cutoff": cutoff,
        "dispersion_tail": dispersion_tail,
        "precision": precision,
        "relaxed": relaxed,
    }
    return settings, result.to_dict()
