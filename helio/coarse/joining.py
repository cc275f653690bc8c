"""Several stores made into one, such as of simulations that were done at different times."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from helio.coarse.store import Store
from helio.coarse.store_writer import new_store
from helio.errors import HelioError

# What stores must have in common.
_ALIKE = ("type_names", "length_unit", "time_unit", "beads_per_group")


def join_stores(paths: Sequence[str | Path], out: str | Path, *, overwrite: bool = False) -> None:
    """Write all systems of some stores, in their parts and with their groups, to the store `out`.

    A name that is taken gets the name of its file in front of it.

    Raises:
        HelioError: a store cannot be read, they differ in types, units or the size of groups, or `out` exists.
    """
    with ExitStack() as opened:
        stores = [opened.enter_context(Store(path)) for path in paths]
        first = stores[0]
        for other in stores[1:]:
            for name in _ALIKE:
                here, there = getattr(first, name), getattr(other, name)
                if here != there:
                    what = name.replace("_", " ")
                    raise HelioError(f"{first.path} has the {what} {_said(here)}, {other.path} {_said(there)}")
        attributes = {name: getattr(first, name) for name in _ALIKE}
        origin = "; ".join(dict.fromkeys(store.origin for store in stores))
        with new_store(out, **attributes, seed=0, origin=origin, overwrite=overwrite) as file:
            taken = set[str]()
            for store in stores:
                names = {name: name if name not in taken else f"{store.path.stem}-{name}" for name in store.names}
                if again := taken & set(names.values()):
                    raise HelioError(f"{min(again)} of {store.path} is there already: rename the file")
                store.copy_to(file, names=names)
                taken |= set(names.values())


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value}"
