"""One model and one location of every atom, from the text of a PDB or PDBx/mmCIF file.

A crystal holds some residues in two or more conformations, each with a letter and an occupancy. All atoms of a residue
are taken from the same one. The rest of the text stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from helio.errors import HelioError, counted
from helio.files.disorder import LARGEST

# A word of a CIF file: in quotes, which end before a blank, or without blanks.
_CIF_WORD = re.compile(r"'(?:[^']|'(?=\S))*'(?=\s|$)|\"(?:[^\"]|\"(?=\S))*\"(?=\s|$)|\S+")
_NO_LETTER = ("", ".", "?")
_MAX_NAMED = 6  # residues that a line lists


@dataclass(frozen=True)
class _Site:
    """One line of coordinates."""

    line: int
    model: str
    residue: tuple[str, str, str]  # chain, number, insertion code
    residue_name: str
    atom: str
    letter: str  # of the location; empty where there is one only
    occupancy: float

    @property
    def place(self) -> str:
        """The residue in words."""
        chain, number, insertion = self.residue
        return f"{self.residue_name} {chain} {number}{insertion}".replace("  ", " ")


def single_locations(
    text: str, *, cif: bool, source: str, altloc: str | None = None, frame: int = 0
) -> tuple[str, list[str]]:
    """The text with one model and one location of every atom, and what was taken, in words.

    Args:
        text: of the file.
        cif: whether it is PDBx/mmCIF, else PDB.
        source: name of the file, for messages.
        altloc: letter of the locations to take, where a residue has it; with None or "largest", and elsewhere, those
            with the largest occupancy, of equal ones the first.
        frame: number of the model, from 0; negative ones count from the end.

    Raises:
        HelioError: no such model, no location of that letter, or lines of coordinates that cannot be understood.
    """
    lines = text.splitlines(keepends=True)
    if altloc == LARGEST:
        altloc = None
    sites = _cif_sites(lines, source) if cif else _pdb_sites(lines, source)
    models = list(dict.fromkeys(site.model for site in sites))
    if models and not -len(models) <= frame < len(models):
        raise HelioError(f"{source} has {len(models)} models, so there is no --frame {frame}: they count from 0")
    said = []
    if len(models) > 1:
        said.append(f"took model {models[frame]} of the {len(models)} in the file (--frame chooses another)")
    in_model = [site for site in sites if site.model == models[frame]]
    taken, letters = _chosen(in_model, altloc, source)
    kept = {site.line for site in taken}
    said += _described(taken, letters)
    dropped = {site.line for site in sites} - kept
    if not cif and models:
        dropped |= _pdb_models(lines, models[frame])
    return "".join(line for number, line in enumerate(lines) if number not in dropped), said


def _chosen(
    sites: Iterable[_Site], altloc: str | None, source: str
) -> tuple[list[_Site], dict[tuple[str, str, str], str]]:
    """The sites that are taken, and the letter that was chosen for each residue that has several."""
    residues: dict[tuple[str, str, str], list[_Site]] = defaultdict(list)
    for site in sites:
        residues[site.residue].append(site)
    letters = {residue: _letter(members, altloc) for residue, members in residues.items()}
    letters = {residue: letter for residue, letter in letters.items() if letter}
    known = {site.letter for members in residues.values() for site in members if site.letter}
    if altloc is not None and altloc not in known:
        there = f"there are {' '.join(sorted(known))}" if known else "it has no alternate locations"
        raise HelioError(f"{source} has no locations {altloc}: {there}")
    taken = []
    for residue, members in residues.items():
        letter = letters.get(residue, "")
        taken += [site for site in members if site.letter in ("", letter)]
        name = next((site.residue_name for site in members if site.letter == letter), members[0].residue_name)
        there = {site.atom for site in members if site.letter in ("", letter)}
        # An atom that the chosen conformation lacks, although it is the same residue.
        lacking = {site.atom for site in members if site.residue_name == name} - there
        for atom in sorted(lacking):
            taken.append(max((s for s in members if s.atom == atom), key=lambda site: site.occupancy))
    return taken, letters


def _letter(members: Sequence[_Site], altloc: str | None) -> str:
    """The label of the conformation to take; empty for a residue without."""
    occupancies: dict[str, list[float]] = defaultdict(list)
    for site in members:
        if site.letter:
            occupancies[site.letter].append(site.occupancy)
    if altloc in occupancies:
        return altloc or ""
    return max(occupancies, key=lambda letter: sum(occupancies[letter]) / len(occupancies[letter]), default="")


def _described(taken: Sequence[_Site], letters: dict[tuple[str, str, str], str]) -> list[str]:
    said = []
    if letters:
        counts = Counter(letters.values())
        shares = ", ".join(f"{letter} of {count}" for letter, count in sorted(counts.items()))
        names = dict.fromkeys(site.place for site in taken if site.residue in letters)
        said.append(
            f"{counted(len(letters), 'residue', 'have')} alternate locations: took {shares} "
            f"(the largest occupancy, or --altloc): {_some(list(names))}"
        )
    # Programs that know no occupancy write 0.
    partial = [site for site in taken if site.residue not in letters and 0 < site.occupancy < 1]
    if partial:
        names = dict.fromkeys(site.place for site in partial)
        said.append(
            f"{counted(len(partial), 'atom', 'are')} occupied in part, without an alternative: all were taken: "
            f"{_some(list(names))}"
        )
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _pdb_sites(lines: Sequence[str], source: str) -> list[_Site]:
    sites, model = [], "1"
    for number, line in enumerate(lines):
        if line.startswith("MODEL "):
            model = line[6:].strip() or "1"
        elif line.startswith(("ATOM  ", "HETATM")):
            sites.append(
                _Site(
                    number,
                    model,
                    (line[21:22].strip(), line[22:26].strip(), line[26:27].strip()),
                    line[17:20].strip(),
                    line[12:16].strip(),
                    line[16:17].strip(),
                    _occupancy(line[54:60], source, number),
                )
            )
    return sites


def _pdb_models(lines: Sequence[str], model: str) -> set[int]:
    """Numbers of the lines that begin and end models, and of all that lie in another one."""
    dropped, current = set(), model
    for number, line in enumerate(lines):
        if line.startswith("MODEL "):
            current = line[6:].strip() or "1"
            dropped.add(number)
        elif line.startswith("ENDMDL"):
            current = model
            dropped.add(number)
        elif current != model:
            dropped.add(number)
    return dropped


def _occupancy(word: str, source: str, line: int) -> float:
    """1 where the file does not tell."""
    if word.strip() in _NO_LETTER:
        return 1.0
    try:
        return float(word)
    except ValueError:
        raise HelioError(
            f"line {line + 1} of {source} gives no number for an occupancy, but {word.strip()!r}"
        ) from None


def _cif_sites(lines: Sequence[str], source: str) -> list[_Site]:
    sites, columns = [], dict[str, int]()
    reading = False
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("_atom_site."):
            columns[text.split()[0].removeprefix("_atom_site.")] = len(columns)
            reading = True
        elif reading and (not text or text.startswith(("#", "_", "loop_", "data_"))):
            break
        elif reading:
            words = [word[1:-1] if word[0] in "'\"" and len(word) > 1 else word for word in _CIF_WORD.findall(text)]
            if len(words) != len(columns):
                raise HelioError(
                    f"line {number + 1} of {source} has {len(words)} entries for {len(columns)} columns of _atom_site: "
                    "each atom must have one line of its own"
                )
            sites.append(_cif_site(number, {name: words[place] for name, place in columns.items()}, source))
    return sites


def _cif_site(number: int, row: dict[str, str], source: str) -> _Site:
    def value(*names: str) -> str:
        """The first of these columns that is there and tells."""
        return next((row[name] for name in names if row.get(name, ".") not in _NO_LETTER), "")

    return _Site(
        number,
        value("pdbx_PDB_model_num") or "1",
        (
            value("auth_asym_id", "label_asym_id"),
            value("auth_seq_id", "label_seq_id"),
            value("pdbx_PDB_ins_code"),
        ),
        value("label_comp_id", "auth_comp_id"),
        value("label_atom_id", "auth_atom_id"),
        value("label_alt_id"),
        _occupancy(value("occupancy"), source, number),
    )
