"""Numbers, formulas and times as people read them."""

from __future__ import annotations

import html
import math
from collections import Counter

import numpy as np

from helio.analyse import Frames


def with_error(value: float, error: float) -> str:
    """A number rounded to the second digit of its error: "0.9982 ± 0.0013"; without one, to four digits."""
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(error) and error > 0):
        return f"{value:.4g}"
    decimals = 1 - math.floor(math.log10(error))
    if decimals <= 0:
        return f"{round(value, decimals):.0f} ± {round(error, decimals):.0f}"
    if decimals > 8 or abs(value) >= 1e9:
        return f"{value:.3e} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def time(picoseconds: float) -> str:
    """A time in fs, ps, ns or µs."""
    for unit, size in (("µs", 1e6), ("ns", 1e3), ("ps", 1.0)):
        if abs(picoseconds) >= size:
            return f"{picoseconds / size:.4g} {unit}"
    return f"{1000 * picoseconds:.4g} fs"


def listed(words: list[str]) -> str:
    """Words with commas and an "and"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def composition(frames: Frames) -> list[tuple[str, int]]:
    """Formula and number of each kind of molecule, the largest molecules first."""
    atoms = frames.atoms.indices
    symbols, molecules = np.asarray(frames.universe.atoms.elements)[atoms], frames.molecules[atoms]
    order = np.argsort(molecules, kind="stable")
    groups = np.split(symbols[order], np.flatnonzero(np.diff(molecules[order])) + 1)
    kinds = Counter(tuple(sorted(Counter(group.tolist()).items())) for group in groups)
    sized = sorted(kinds.items(), key=lambda kind: (-sum(count for _, count in kind[0]), kind[0]))
    return [(formula(dict(kind)), number) for kind, number in sized]


def formula(counts: dict[str, int]) -> str:
    """In the order of Hill: carbon, hydrogen, then the alphabet."""
    first = [symbol for symbol in ("C", "H") if symbol in counts and "C" in counts]
    rest = sorted(set(counts) - set(first))
    return "".join(f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in (*first, *rest))


def formula_html(text: str) -> str:
    """A formula with its numbers set low."""
    return "".join(f"<sub>{part}</sub>" if part.isdigit() else html.escape(part) for part in _runs(text))


def composition_html(kinds: list[tuple[str, int]], *, most: int = 4) -> str:
    """What a system is made of, in a line."""
    shown = [f"{number:,} {formula_html(text)}" if number > 1 else formula_html(text) for text, number in kinds[:most]]
    rest = sum(number for _, number in kinds[most:])
    return " + ".join([*shown, *([f"{rest:,} other molecules"] if rest else [])])


def _runs(text: str) -> list[str]:
    """Text cut between digits and other letters."""
    parts: list[str] = []
    for letter in text:
        if parts and parts[-1][-1].isdigit() == letter.isdigit():
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts
