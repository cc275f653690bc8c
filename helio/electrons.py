"""Total charge and unpaired electrons of a structure, from the words that files have for them.

| key in `atoms.info` | meaning |
|---|---|
| `charge`, `total_charge`, `q` | total charge in e |
| `unpaired_electrons`, `num_unpaired_electrons`, `uhf` | unpaired electrons |
| `multiplicity`, `spin_multiplicity`, `mult` | 2S + 1, one more than the unpaired electrons |
| `spin`, `total_spin` | unpaired electrons or 2S + 1, whichever the number of electrons allows |

An even number of electrons leaves an even number unpaired and has an odd multiplicity, so that exactly one reading of
`spin` is possible. Without a key for the charge, initial charges count that sum to a whole number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from helio.errors import HelioError

if TYPE_CHECKING:
    from ase import Atoms

CHARGE_KEYS = ("charge", "total_charge", "q")
UNPAIRED_KEYS = ("unpaired_electrons", "num_unpaired_electrons", "uhf")
MULTIPLICITY_KEYS = ("multiplicity", "spin_multiplicity", "mult")
SPIN_KEYS = ("spin", "total_spin")
KEYS = (*CHARGE_KEYS, *UNPAIRED_KEYS, *MULTIPLICITY_KEYS, *SPIN_KEYS)

# Written charges have three or four digits: a sum of a hundred of them this close to a whole number is one.
_ROUNDING = 1e-2


@dataclass(frozen=True)
class Electrons:
    """Charge and unpaired electrons, and where each comes from, in words for the user."""

    charge: int  # e
    unpaired: int
    charge_source: str = "by default"
    unpaired_source: str = "by default"


def electrons_of(
    atoms: Atoms,
    *,
    charge: float | None = None,
    unpaired_electrons: float | None = None,
    check_parity: bool = True,
    words: Mapping[str, str] = MappingProxyType({}),
) -> Electrons:
    """Charge and unpaired electrons of `atoms`.

    Args:
        atoms: with any of the keys above in `info`, initial charges, or nothing of these: neutral, none unpaired.
        charge: in e; counts instead of what `atoms` say.
        unpaired_electrons: likewise.
        check_parity: whether a number of unpaired electrons that the number of electrons rules out is an error.
        words: what the file itself calls a key, or `initial_charges`, where it has other words: `M  CHG` for `charge`.

    Raises:
        HelioError: a value that is no whole number, keys that contradict each other, or electrons that cannot be.
    """
    stated, charge_source = _charge(atoms, words) if charge is None else (_whole(charge, "charge"), "as asked for")
    count = int(np.sum(atoms.numbers)) - stated
    if unpaired_electrons is None:
        unpaired, unpaired_source = _unpaired(atoms.info, count, words)
    else:
        unpaired, unpaired_source = _whole(unpaired_electrons, "spin"), "as asked for"
    if unpaired < 0:
        raise HelioError(f"spin is the number of unpaired electrons and cannot be negative ({unpaired})")
    if check_parity:
        check_electrons(count, unpaired, stated)
    return Electrons(stated, unpaired, charge_source, unpaired_source)


def stated_electrons(atoms: Atoms) -> tuple[str, ...]:
    """Charge and spin that `atoms` state, as text: two structures with the same text have the same electrons."""
    sums = _initial_sum(atoms)
    return (*(str(atoms.info.get(key)) for key in KEYS), str(sums))


def check_electrons(electrons: int, unpaired: int, charge: float) -> None:
    """Raise `HelioError` where so many electrons cannot leave so many unpaired."""
    if electrons < unpaired:
        raise HelioError(f"{electrons} electrons cannot leave {unpaired} unpaired: check charge and spin")
    if electrons % 2 != unpaired % 2:
        raise HelioError(
            f"charge {charge:+g} leaves {electrons} electrons, an {'odd' if electrons % 2 else 'even'} number, which "
            f"cannot have {unpaired} unpaired. Give the charge (--charge) or the number of unpaired electrons (--spin, "
            "0 for a singlet, 1 for a radical); a missing or extra hydrogen has the same effect"
        )


def _charge(atoms: Atoms, words: Mapping[str, str]) -> tuple[int, str]:
    stated = [key for key in CHARGE_KEYS if atoms.info.get(key) is not None]
    given = {words.get(key, key): _whole(atoms.info[key], words.get(key, key)) for key in stated}
    if given:
        return _agreed(given, "charges"), f"from {' and '.join(given)}"
    total = _initial_sum(atoms)
    if total is not None and abs(total - round(total)) < _ROUNDING:
        return round(total), f"the sum of {words.get('initial_charges', 'initial charges')}"
    return 0, "by default"


def _initial_sum(atoms: Atoms) -> float | None:
    """The sum of initial charges in e; None without any."""
    if not atoms.has("initial_charges"):
        return None
    total = float(np.sum(atoms.get_initial_charges()))
    return total if np.isfinite(total) else None


def _unpaired(info: Mapping[str, Any], electrons: int, words: Mapping[str, str]) -> tuple[int, str]:
    given: dict[str, int] = {}
    readings = []
    for key in (*UNPAIRED_KEYS, *MULTIPLICITY_KEYS, *SPIN_KEYS):
        if info.get(key) is None:
            continue
        value = _whole(info[key], key)
        multiplicity = key in MULTIPLICITY_KEYS or (key in SPIN_KEYS and (electrons - value) % 2 == 1 and value > 0)
        if multiplicity and value < 1:
            raise HelioError(f"{key} is a multiplicity and must be at least 1, not {value}")
        given[words.get(key, key)] = value - 1 if multiplicity else value
        meaning = f"{key}={value} as {'multiplicity' if multiplicity else 'unpaired electrons'}"
        readings.append(words.get(key, meaning))
    if not given:
        return 0, "by default"
    return _agreed(given, "numbers of unpaired electrons"), f"from {' and '.join(readings)}"


def _agreed(given: Mapping[str, int], what: str) -> int:
    values = set(given.values())
    if len(values) > 1:
        listed = ", ".join(f"{key} gives {value}" for key, value in given.items())
        raise HelioError(f"the structure states different {what}: {listed}; correct it or give the value as an option")
    return values.pop()


def _whole(value: Any, key: str) -> int:
    try:
        number = float(np.asarray(value).item())
    except (TypeError, ValueError):
        raise HelioError(
            f"{key} must be one number, not {str(value)[:80]!r}; correct it in the file or give it as an option"
        ) from None
    if not np.isfinite(number) or abs(number - round(number)) > 1e-6 or abs(number) > 1e6:
        raise HelioError(f"{key} must be a whole number, not {number:g}")
    return round(number)
