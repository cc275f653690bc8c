"""The elements that systems may be built of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ase.data import chemical_symbols

from helio.errors import HelioError, counted

# Those of the so3lr model.
SUPPORTED = ("H", "C", "N", "O", "F", "P", "S", "Cl")


def check_elements(atomic_numbers: Iterable[int], source: str, advice: str) -> None:
    """Raise `HelioError`, naming them, for elements outside `SUPPORTED`."""
    symbols = Counter(chemical_symbols[int(number)] for number in atomic_numbers)
    foreign = {symbol: count for symbol, count in symbols.items() if symbol not in SUPPORTED}
    if foreign:
        found = ", ".join(f"{symbol} ({counted(count, 'atom')})" for symbol, count in foreign.items())
        raise HelioError(f"{source} holds {found}, but only {' '.join(SUPPORTED)} are supported: {advice}")
