"""What a store of frameworks holds, in words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from helio.errors import counted
from helio.frameworks.split import combination
from helio.frameworks.store import PARTS, FrameworkStore

# Label -> its unit; others have none.
UNITS = {
    "connection_gap": "A",
    "density": "g/cm3",
    "largest_cavity_diameter": "A",
    "pore_limiting_diameter": "A",
    "surface_area": "m2/g",
}
_UPTAKE = "mol/kg"


def unit(label: str) -> str:
    """The unit of a label, empty for a pure number."""
    if label.startswith(("uncharged_", "eqeq_")) and "selectivity" not in label:
        return _UPTAKE
    return UNITS.get(label, "")


def summarise(path: str | Path) -> list[str]:
    """A line for the store and one for each part."""
    with FrameworkStore(path) as store:
        library = store.library
        nodes = sum(block.node for block in library.blocks)
        lines = [
            f"{path}: {counted(len(store), 'framework')} of {counted(len(library), 'block')} "
            f"({counted(nodes, 'node')}, {counted(len(library) - nodes, 'linker')}; "
            f"{len(set(library.keys))} different)"
        ]
        for part in PARTS:
            found = [combination(framework, library) for framework in store.frameworks(part)]
            lines.append(
                f"  {part}: {counted(len(found), 'framework')}, {counted(len(set(found)), 'combination')} of blocks"
            )
        return lines


def describe(path: str | Path) -> list[str]:
    """`summarise`, with origin, nets, sizes, and the spread of every label."""
    lines = summarise(path)
    with FrameworkStore(path) as store:
        if store.origin:
            lines.append(f"  from {store.origin}")
        nets = Counter(net for name in store.names() if (net := store.net(name)))
        if nets:
            lines.append("  nets: " + ", ".join(f"{net} {times}" for net, times in nets.most_common()))
        sizes = [len(framework) for framework in store.frameworks()]
        lines.append(f"  blocks in a framework: {min(sizes)} to {max(sizes)}, {np.mean(sizes):.1f} on average")
        for label, values in store.labels().items():
            known = values[np.isfinite(values)]
            low, middle, high = np.percentile(known, [5, 50, 95])
            spread = f"{middle:.4g} ({low:.4g} to {high:.4g}) {unit(label)}".rstrip()
            lines.append(f"  {label.replace('_', ' ')}: {spread}, of {len(known)}")
    return lines
