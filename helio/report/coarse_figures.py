"""Figures of an evaluation of roll-outs, as HTML for its page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from helio.report.page.figures import COLORS, figure, page_style

_MOST = 6  # systems that curves are shown of
_COLORS = {"reference": "0.5", "model": COLORS[0], "short": COLORS[1], "regression": COLORS[2]}
_WORDS = {"reference": "long simulation", "model": "model", "short": "short simulation", "regression": "regression"}


def parity(record: dict[str, Any]) -> str:
    """Predictions of every property against its reference, with errors of both."""
    wanted = [entry for entry in record["properties"] if entry["systems"]]
    with page_style():
        drawn, all_axes = _panels(len(wanted), columns=3)
        for axes, entry in zip(all_axes, wanted, strict=True):
            _parity(axes, entry)
        return figure(drawn, name="properties", description="Predicted properties against long simulation")


def structure(record: dict[str, Any]) -> str:
    """Distributions of Rg^2, contact maps of one system, and pair distributions."""
    systems = list(record["systems"].items())[:_MOST]
    parts = []
    if any("histogram" in found["curves"]["reference"] for _, found in systems):
        parts.append(_histograms(systems, record["length_unit"]))
    if "contacts" in systems[0][1]["curves"]["reference"]:
        parts.append(_contacts(systems[0]))
    if systems[0][1]["curves"]["reference"]["pairs"]:
        parts.append(_pairs(systems[0], record["length_unit"]))
    return "".join(parts)


def dynamics(record: dict[str, Any]) -> str:
    """Autocorrelation of Rg^2, and mean squared displacements."""
    systems = list(record["systems"].items())[:_MOST]
    unit, area = record["time_unit"], f"{record['length_unit']}²"
    parts = []
    if any("correlation" in found["curves"]["reference"] for _, found in systems):
        with page_style():
            drawn, all_axes = _panels(len(systems), columns=3)
            for axes, (name, found) in zip(all_axes, systems, strict=True):
                for source, curves in found["curves"].items():
                    if "correlation" in curves:
                        axes.plot(*curves["correlation"], color=_COLORS[source], label=_WORDS[source])
                axes.set(title=name, xlabel=f"t ({unit})", ylabel="C(t) of Rg²")
            all_axes[0].legend()
            parts.append(figure(drawn, name="correlation", description="Autocorrelation of Rg², by system"))
    kinds = list(systems[0][1]["curves"]["reference"]["squares"])
    if not kinds:
        return "".join(parts)
    with page_style():
        drawn, all_axes = _panels(len(kinds), columns=3)
        for axes, kind in zip(all_axes, kinds, strict=True):
            for source, curves in systems[0][1]["curves"].items():
                if kind in curves["squares"]:
                    axes.loglog(*curves["squares"][kind], color=_COLORS[source], label=_WORDS[source])
            axes.set(title=f"{kind} of {systems[0][0]}", xlabel=f"t ({unit})", ylabel=f"MSD ({area})")
        all_axes[0].legend()
        parts.append(
            figure(drawn, name="displacement", description="Mean squared displacement of each kind of molecules")
        )
    return "".join(parts)


def _parity(axes: Any, entry: dict[str, Any]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    values: list[float] = []
    for source in ("short", "regression", "model"):
        points = list(_points(entry, source))
        if not points:
            continue
        x, x_error, y, y_error = (list(column) for column in zip(*points, strict=True))
        values += [*x, *y]
        axes.errorbar(
            x, y, xerr=x_error, yerr=y_error, fmt="o", markersize=4, color=_COLORS[source], elinewidth=0.8,
            label=_WORDS[source],
        )  # fmt: skip
    if not values:
        return
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    limits = (low / 1.3, high * 1.3) if entry["log"] and low > 0 else (low - margin, high + margin)
    axes.plot(limits, limits, color="0.5", linewidth=0.8, zorder=0)
    if entry["log"] and low > 0:
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):  # where there is less than a decade, powers of ten are too few
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
    unit = f" ({entry['unit']})" if entry["unit"] else ""
    axes.set(xlim=limits, ylim=limits, xlabel=entry["against"], ylabel="prediction")
    axes.set_title(f"{entry['title']}{unit}", fontsize=9)
    axes.legend()


def _points(entry: dict[str, Any], source: str) -> Iterable[tuple[float, float, float, float]]:
    """Reference, its error, prediction and its error of every system; of several roll-outs the first."""
    for found in entry["systems"].values():
        truth, error = found["reference"] if found["exact"] is None else (found["exact"], 0.0)
        guess = found[source]
        if guess == []:  # long simulations that leave no room for short ones
            continue
        value, own = (guess, 0.0) if not isinstance(guess, list) else guess[0]
        if truth is not None and value is not None:
            yield truth, error or 0.0, value, own or 0.0


def _histograms(systems: list[tuple[str, dict[str, Any]]], unit: str) -> str:
    with page_style():
        drawn, all_axes = _panels(len(systems), columns=3)
        for axes, (name, found) in zip(all_axes, systems, strict=True):
            for source, curves in found["curves"].items():
                if "histogram" in curves:
                    edges, filled = found["histogram_edges"], source == "reference"
                    axes.stairs(
                        curves["histogram"], edges, color=_COLORS[source], label=_WORDS[source], fill=filled,
                        alpha=0.4 if filled else 1.0,
                    )  # fmt: skip
            axes.set(title=name, xlabel=f"Rg² ({unit}²)", ylabel="probability density")
        all_axes[0].legend()
        return figure(drawn, name="gyration", description="Distribution of Rg², by system")


def _contacts(system: tuple[str, dict[str, Any]]) -> str:
    name, found = system
    shown = {source: curves["contacts"] for source, curves in found["curves"].items() if "contacts" in curves}
    with page_style():
        drawn, all_axes = _panels(len(shown), columns=3)
        for axes, (source, contacts) in zip(all_axes, shown.items(), strict=True):
            picture = axes.imshow(contacts, vmin=0, vmax=1, origin="lower", cmap="viridis")
            axes.set(title=_WORDS[source], xlabel="group", ylabel="group")
            axes.grid(visible=False)
        drawn.colorbar(picture, ax=all_axes, label="share of frames in contact", shrink=0.8)
        return figure(drawn, name="contacts", description=f"Contact maps of {name}")


def _pairs(system: tuple[str, dict[str, Any]], unit: str) -> str:
    name, found = system
    kinds = list(found["curves"]["reference"]["pairs"])
    with page_style():
        drawn, all_axes = _panels(len(kinds), columns=3)
        for axes, kind in zip(all_axes, kinds, strict=True):
            for source, curves in found["curves"].items():
                if kind in curves["pairs"]:
                    axes.plot(*curves["pairs"][kind], color=_COLORS[source], label=_WORDS[source])
            axes.set(title=kind, xlabel=f"r ({unit})", ylabel="g(r)")
        all_axes[0].legend()
        return figure(drawn, name="pairs", description=f"Radial distribution functions of {name}")


def _panels(count: int, *, columns: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    rows = -(-count // columns)
    across = min(columns, count)
    drawn = Figure(figsize=(3.2 * across + 0.4, 2.9 * rows + 0.3), layout="constrained")
    return drawn, [drawn.add_subplot(rows, across, place) for place in range(1, count + 1)]
