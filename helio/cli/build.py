"""`helio build`: systems to start simulations from."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helio.cli.paths import check_inputs
from helio.errors import HelioError, counted, excerpt

if TYPE_CHECKING:
    from ase import Atoms

    from helio.simulate.minimise import Relaxation

app = typer.Typer(no_args_is_help=True, help="Build water boxes, peptides, solvated proteins, liquids and bilayers.")

_Out = Annotated[Path, typer.Option("--out", "-o", help="File to write: .extxyz, .pdb, .gro or .xyz.")]
_Seed = Annotated[int, typer.Option(help="Of all random numbers; the same seed gives the same system.", min=0)]
_Relax = Annotated[
    bool, typer.Option("--relax/--no-relax", help="Relax until no force exceeds 0.5 eV/A, or --relax-steps are done.")
]
_RelaxSteps = Annotated[int, typer.Option(help="At most this many steps of relaxation.", min=0)]
_Model = Annotated[str, typer.Option(help="Model that relaxes: name or file.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")]
_Ph = Annotated[float, typer.Option(help="Decides which residues are charged.")]


class _CounterIons(StrEnum):
    CHLORIDE = "chloride"
    ANY = "any"
    NONE = "none"


class _ExistingWater(StrEnum):
    KEEP = "keep"
    DROP = "drop"
    ONLY = "only"


class _Shape(StrEnum):
    CUBE = "cube"
    BOX = "box"


@app.command(epilog="Example: helio build water --molecules 512 --out water.extxyz")
def water(
    out: _Out,
    molecules: Annotated[int, typer.Option(help="Number of water molecules.")] = 512,
    density: Annotated[float, typer.Option(help="In g/cm3.")] = 0.997,
    seed: _Seed = 0,
    relax: _Relax = True,
    relax_steps: _RelaxSteps = 300,
    model: _Model = "so3lr",
    overwrite: _Overwrite = False,
) -> None:
    """Build a cube of water at a density."""

    def make() -> Atoms:
        from helio.build import water_box

        return water_box(molecules, density=density, seed=seed)

    _build(make, out, overwrite, model if relax else None, relax_steps)


@app.command(epilog="Example: helio build solvate protein.pdb --padding 10 --out solvated.pdb")
def solvate(
    protein: Annotated[Path, typer.Argument(help="PDB or mmCIF file.")],
    out: _Out,
    padding: Annotated[float, typer.Option(help="Least distance from the solute to the box's faces, in A.")] = 10.0,
    ph: _Ph = 7.0,
    charge: Annotated[
        int | None, typer.Option(help="Of the solute; by default counted from its residues and their hydrogens.")
    ] = None,
    counter_ions: Annotated[
        _CounterIons,
        typer.Option(
            help="chloride: for positive solutes; any: also ammonium for negative ones; none: keep the charge."
        ),
    ] = _CounterIons.CHLORIDE,
    shape: Annotated[_Shape, typer.Option(help="cube: room to turn; box: only as it lies.")] = _Shape.CUBE,
    drop: Annotated[str, typer.Option(help="Names of residues to leave out, such as ZN,NA.")] = "",
    ligand: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SMILES|FILE",
            help="Bonds, hydrogens and charge of residues of this name, from a SMILES or an .sdf, .mol or .mol2 file; "
            "once for each name.",
        ),
    ] = None,
    replace_residues: Annotated[
        str, typer.Option(help="Modified residues to replace by the standard ones, such as MSE,PTR: another chemistry.")
    ] = "",
    altloc: Annotated[
        str | None, typer.Option(help="Alternate locations to take; by default those of the largest occupancy.")
    ] = None,
    frame: Annotated[int, typer.Option(help="Number of the model in the file, from 0.")] = 0,
    existing_water: Annotated[
        _ExistingWater | None,
        typer.Option(
            help="Water of the file: keep it with the solute, drop it, or only: add none, the cell is that of the "
            "file. Default: keep, but a file full of water is refused."
        ),
    ] = None,
    seed: _Seed = 0,
    relax: _Relax = True,
    relax_steps: _RelaxSteps = 300,
    model: _Model = "so3lr",
    overwrite: _Overwrite = False,
) -> None:
    """Complete a protein with missing atoms and hydrogens, and put it into neutral water."""
    check_inputs([protein])

    def make() -> Atoms:
        from helio.build import solvate

        return solvate(
            protein,
            padding=padding,
            ph=ph,
            charge=charge,
            counter_ions=counter_ions.value,
            shape=shape.value,
            drop=drop.split(","),
            ligands=_pairs(ligand or []),
            replace=replace_residues.split(","),
            altloc=altloc,
            frame=frame,
            existing_water=existing_water.value if existing_water else None,
            seed=seed,
            report=typer.echo,
        )

    _build(make, out, overwrite, model if relax else None, relax_steps)


@app.command(epilog="Example: helio build peptide ACDK --helix --out peptide.pdb")
def peptide(
    sequence: Annotated[str, typer.Argument(help="One-letter codes, from the N terminus on.")],
    out: _Out,
    caps: Annotated[bool, typer.Option("--caps/--no-caps", help="ACE and NME at the ends, or free ends.")] = True,
    helix: Annotated[bool, typer.Option("--helix", help="An alpha helix: phi -57, psi -47.")] = False,
    extended: Annotated[bool, typer.Option("--extended", help="A strand: phi -139, psi 135; the default.")] = False,
    phi: Annotated[float | None, typer.Option(help="Of every residue, in degrees; proline keeps -65.")] = None,
    psi: Annotated[float | None, typer.Option(help="Of every residue, in degrees.")] = None,
    ph: _Ph = 7.0,
    seed: _Seed = 0,
    relax: _Relax = True,
    relax_steps: _RelaxSteps = 300,
    model: _Model = "so3lr",
    overwrite: _Overwrite = False,
) -> None:
    """Build a peptide of L-amino acids from its sequence."""
    if helix and extended:
        raise HelioError("--helix and --extended exclude each other")

    def make() -> Atoms:
        from helio.build import peptide
        from helio.build.peptide import EXTENDED, HELIX

        usual = HELIX if helix else EXTENDED
        return peptide(
            sequence,
            caps=caps,
            phi=usual[0] if phi is None else phi,
            psi=usual[1] if psi is None else psi,
            ph=ph,
            seed=seed,
        )

    _build(make, out, overwrite, model if relax else None, relax_steps)


@app.command(epilog="Example: helio build smiles CCO --copies 100 --density 0.79 --out ethanol.extxyz")
def smiles(
    smiles: Annotated[str, typer.Argument(help="The molecule as SMILES; quote it.")],
    out: _Out,
    copies: Annotated[int, typer.Option(help="Number of molecules.")] = 1,
    density: Annotated[
        float | None, typer.Option(help="In g/cm3, of a periodic box; without it one molecule alone.")
    ] = None,
    seed: _Seed = 0,
    relax: _Relax = True,
    relax_steps: _RelaxSteps = 300,
    model: _Model = "so3lr",
    overwrite: _Overwrite = False,
) -> None:
    """Build a molecule, or a liquid of it."""
    if copies != 1 and density is None:
        raise HelioError(f"{copies} copies need a box: give its --density in g/cm3")

    def make() -> Atoms:
        from helio.build import liquid, molecule

        if density is None:
            return molecule(smiles, seed=seed)
        return liquid(smiles, copies, density=density, seed=seed)

    _build(make, out, overwrite, model if relax else None, relax_steps)


@app.command(epilog="Example: helio build bilayer popc.pdb --per-leaflet 16 --out membrane.pdb")
def bilayer(
    lipids: Annotated[
        list[str], typer.Argument(help="Each a file with one lipid (.pdb, .mol2, .sdf, ...) or a SMILES.")
    ],
    out: _Out,
    per_leaflet: Annotated[int, typer.Option(help="Lipids in each leaflet.")] = 16,
    ratio: Annotated[str, typer.Option(help="Shares of the lipids, such as 3,1; by default equal.")] = "",
    area: Annotated[float, typer.Option(help="Per lipid, in A^2, of the start.")] = 75.0,
    waters: Annotated[int, typer.Option(help="Waters per lipid.")] = 40,
    head: Annotated[
        str | None,
        typer.Option(help="Name or number (from 0) of the atom that marks the heads; by default P, else N or O."),
    ] = None,
    tails: Annotated[str, typer.Option(help="Names or numbers of the tails' last atoms, such as C218,C316.")] = "",
    charges: Annotated[str, typer.Option(help="Of the lipids, such as 0,-1; by default as in SMILES or file.")] = "",
    seed: _Seed = 0,
    relax: _Relax = True,
    relax_steps: _RelaxSteps = 300,
    model: _Model = "so3lr",
    overwrite: _Overwrite = False,
) -> None:
    """Build a bilayer of one or more lipids with water on both sides."""
    given = _numbers(charges, "--charges")
    if given and len(given) != len(lipids):
        raise HelioError(f"--charges {charges} must have one number for each of the {counted(len(lipids), 'lipid')}")

    def make() -> Atoms:
        from helio.build import bilayer
        from helio.build.lipid import read_lipid

        ends = [name for name in tails.split(",") if name]
        charge = [int(value) for value in given] or [None] * len(lipids)
        read = [
            read_lipid(lipid, head=head, tails=ends, charge=each, seed=seed)
            for lipid, each in zip(lipids, charge, strict=True)
        ]
        return bilayer(
            read,
            per_leaflet=per_leaflet,
            ratio=_numbers(ratio, "--ratio") or None,
            area_per_lipid=area,
            waters_per_lipid=waters,
            seed=seed,
            report=typer.echo,
        )

    _build(make, out, overwrite, model if relax else None, relax_steps)


def _pairs(words: list[str]) -> dict[str, str]:
    """NAME=VALUE of `--ligand`; a SMILES may hold further signs of equality."""
    pairs = {}
    for word in words:
        name, _, value = word.partition("=")
        name = name.strip().upper()
        if not name or not value:
            raise HelioError(f"--ligand is NAME=SMILES or NAME=FILE.sdf, as in ATP=atp.sdf, not {excerpt(word)}")
        if name in pairs:
            raise HelioError(f"--ligand {name} is given twice")
        pairs[name] = value
    return pairs


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise HelioError(f"{option} must be numbers with commas between them, not {text!r}") from None


def _build(make: Callable[[], Atoms], out: Path, overwrite: bool, model: str | None, steps: int) -> None:
    """Build, relax unless `model` is None, write and say what there is."""
    from helio.files.structures import check_writable

    check_writable(out, overwrite=overwrite)
    from helio.cli.compiled import keep_compiled_programs

    keep_compiled_programs()
    from helio.build import relax, write_built
    from helio.build.output import holds_charge, holds_spin

    atoms = make()
    if model is not None:
        typer.echo(f"Relaxing {counted(len(atoms), 'atom')} with {model} ...")
        last = relax(atoms, model, steps=steps, report=_print_step)
        if not last.converged:
            typer.echo(
                f"The largest force is still {last.largest_force:.2f} eV/A after {counted(last.step, 'step')}: go on "
                "with "
                f"helio opt {out} --fmax 0.5"
            )
    write_built(out, atoms, overwrite=overwrite)
    charge = atoms.info["charge"]
    box = f" in {' x '.join(f'{edge:.2f}' for edge in atoms.cell.lengths())} A" if atoms.pbc.any() else ""
    typer.echo(
        f"Wrote {out}: {counted(len(atoms), 'atom')}{box}, charge {charge:+d}, "
        f"{counted(atoms.info['spin'], 'unpaired electron')}"
    )
    options = [] if holds_charge(out, atoms) else [f"--charge {charge}"]
    options += [] if holds_spin(out, atoms) else [f"--spin {atoms.info['spin']}"]
    if options:
        typer.echo(
            f"This {out.suffix} file does not hold them all: give later commands {' '.join(options)}, or build an "
            ".extxyz file"
        )


def _print_step(status: Relaxation) -> None:
    if status.step % 10 == 0 or status.converged:
        typer.echo(
            f"step {status.step:4d}  E {status.energy:14.6f} eV  largest force {status.largest_force:10.5f} eV/A"
        )
