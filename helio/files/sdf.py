"""MDL mol and SD files, versions V2000 and V3000 (CTfile formats, BIOVIA 2020): atoms, charges, radicals and data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helio.electrons import KEYS
from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms

# The old charge column of the atom block: code -> charge; 4 is a doublet radical.
_CODES = {1: 3, 2: 2, 3: 1, 5: -1, 6: -2, 7: -3}
_UNPAIRED = {1: 0, 2: 1, 3: 2}  # M  RAD: singlet, doublet, triplet


@dataclass(frozen=True)
class SdfRecord:
    """One molecule of an SD file; its charge and unpaired electrons stand in `info` where the file tells them."""

    atoms: Atoms
    title: str
    notes: tuple[str, ...]
    unused: tuple[str, ...]  # names of properties and data that were not used
    words: Mapping[str, str]  # what the file calls charge and unpaired electrons, as in `electrons_of`


def split_sdf(text: str) -> list[str]:
    """The records of a file, in their order."""
    records = re.split(r"^\$\$\$\$.*(?:\n|$)", text, flags=re.MULTILINE)
    return [record for record in records if record.strip()]


def sdf_record(record: str) -> SdfRecord:
    """Read one record.

    Raises:
        HelioError: a line is missing or cannot be read.
    """
    from ase import Atoms

    lines = record.splitlines()
    if len(lines) < 4:
        raise HelioError("it is cut off: a record of an SD file has at least four lines")
    is_v3000 = "V3000" in lines[3]
    rows, charges, unpaired, unused = _v3000(lines) if is_v3000 else _v2000(lines)
    symbols, positions, notes = [], [], []
    for symbol, position in rows:
        symbols.append(_symbol(symbol))
        positions.append(position)
    atoms = Atoms(symbols=symbols, positions=positions)
    if charges:
        atoms.info["charge"] = sum(charges.values())
    if unpaired:
        atoms.info["unpaired_electrons"] = sum(unpaired.values())
    words = _words(lines, is_v3000=is_v3000) if charges or unpaired else {}
    for name, value in _data(lines):
        key = name.lower()
        if key not in KEYS:
            unused.append(name)
            continue
        # A sum of charges that the data contradict stands under another key, so that both are told.
        other = {"charge": "total_charge", "unpaired_electrons": "num_unpaired_electrons"}.get(key)
        if key in words and key in atoms.info and other is not None and other not in atoms.info:
            atoms.info[other], words[other] = atoms.info[key], words.pop(key)
        atoms.info[key] = value
    if len(lines[1]) > 21 and lines[1][20:22] == "2D" and all(abs(position[2]) < 1e-6 for position in positions):
        notes.append("Warning: the coordinates are those of a drawing (2D), not of a molecule in space")
    return SdfRecord(atoms, lines[0].strip(), tuple(notes), tuple(dict.fromkeys(unused)), words)


def _words(lines: Sequence[str], *, is_v3000: bool) -> dict[str, str]:
    """Where formal charges and radicals stand."""
    if is_v3000:
        return {"charge": "CHG of atoms", "unpaired_electrons": "RAD of atoms"}
    if any(line.startswith(("M  CHG", "M  RAD")) for line in lines):
        return {"charge": "M  CHG", "unpaired_electrons": "M  RAD"}
    return {"charge": "charges in the atom block", "unpaired_electrons": "charges in the atom block"}


def charge_items(info: Mapping[str, Any]) -> str:
    """Data items that `sdf_record` reads, for the `charge` and `spin` (unpaired electrons) of `info`."""
    items = {"charge": info.get("charge"), "unpaired_electrons": info.get("spin")}
    return "".join(f"> <{name}>\n{int(value)}\n\n" for name, value in items.items() if value is not None)


Rows = list[tuple[str, list[float]]]


def _v2000(lines: Sequence[str]) -> tuple[Rows, dict[int, int], dict[int, int], list[str]]:
    try:
        count, bonds = int(lines[3][:3]), int(lines[3][3:6] or 0)
    except ValueError:
        raise HelioError(f"its line 4, {lines[3][:40]!r}, holds no numbers of atoms and bonds") from None
    if count < 1 or len(lines) < 4 + count:
        raise HelioError(f"it is cut off or empty: {count} atoms are announced, {max(0, len(lines) - 4)} lines follow")
    rows, charges, unpaired, unused = [], {}, {}, []
    for number, line in enumerate(lines[4 : 4 + count], start=1):
        rows.append((line[31:34].strip(), _floats([line[0:10], line[10:20], line[20:30]], line)))
        code = line[36:39].strip()
        if code.isdigit() and int(code):
            charges[number] = _CODES.get(int(code), 0)
            if int(code) == 4:
                unpaired[number] = 1
    properties = [line for line in lines[4 + count + bonds :] if line.startswith("M  ")]
    if any(line[3:6] in ("CHG", "RAD") for line in properties):
        charges, unpaired = {}, {}  # these lines replace the whole column
    for line in properties:
        kind = line[3:6]
        if kind == "CHG":
            charges |= _pairs(line)
        elif kind == "RAD":
            unpaired |= {atom: _UNPAIRED.get(value, 0) for atom, value in _pairs(line).items()}
        elif kind != "END":
            unused.append(f"M  {kind}")
    return rows, charges, unpaired, unused


def _pairs(line: str) -> dict[int, int]:
    numbers = line[6:].split()
    try:
        count, values = int(numbers[0]), [int(number) for number in numbers[1:]]
    except (ValueError, IndexError):
        raise HelioError(f"its line {line[:60]!r} cannot be read") from None
    if len(values) != 2 * count:
        raise HelioError(f"its line {line[:60]!r} announces {count} atoms and holds {len(values) / 2:g}")
    return dict(zip(values[::2], values[1::2], strict=True))


def _v3000(lines: Sequence[str]) -> tuple[Rows, dict[int, int], dict[int, int], list[str]]:
    rows, charges, unpaired, inside = [], {}, {}, False
    for line in _joined(lines):
        words = line.split()
        if words[:2] == ["BEGIN", "ATOM"]:
            inside = True
        elif words[:2] == ["END", "ATOM"]:
            break
        elif inside:
            if len(words) < 5:
                raise HelioError(f"its line {line[:60]!r} is no atom")
            rows.append((words[1], _floats(words[2:5], line)))
            for word in words[6:]:
                key, _, value = word.partition("=")
                if key in ("CHG", "RAD") and value.lstrip("+-").isdigit():
                    target, number = (charges, int(value)) if key == "CHG" else (unpaired, _UNPAIRED.get(int(value), 0))
                    target[len(rows)] = number
    if not rows:
        raise HelioError("it holds no atoms")
    return rows, charges, unpaired, []


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """Contents of the lines M  V30; a line that ends with - goes on in the next."""
    before = ""
    for line in lines:
        if line.startswith("M  V30 "):
            content = before + line[7:].rstrip()
            before = content[:-1] if content.endswith("-") else ""
            if not before:
                yield content


def _floats(words: Sequence[str], line: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        raise HelioError(f"its line {line[:60]!r} holds no position") from None


def _symbol(symbol: str) -> str:
    from ase.data import atomic_numbers

    name = {"D": "H", "T": "H"}.get(symbol, symbol)
    if name not in atomic_numbers or name == "X":
        raise HelioError(f"{symbol[:10]!r} is no element: a query, a group or a dummy atom cannot be simulated")
    return name


def _data(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and first lines of the data items that follow a molecule."""
    for i, line in enumerate(lines):
        match = re.match(r">.*<([^>]+)>", line)
        if match is not None:
            yield match[1].strip(), lines[i + 1].strip() if i + 1 < len(lines) else ""
