"""Figures of matplotlib in a page: drawn into it as SVG that follows light and dark, with links to their files.

Text, axes and grid are drawn in two colours that stand for those of the page: in the page's own copy they become the
style's, in the files they stay as they are.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW = 6  # links that are shown without being asked for
_LARGEST = 1.35  # pixels of the page for a point of the figure, at most
INK, _GRID = "#22262d", "#d5d9e0"
# Told apart by the colour-blind (spacing in lightness, too), and seen on white and on black.
COLORS = ("#2f7ed8", "#e8842c", "#1f9e78", "#a86fdc", "#d9534f", "#8a8f98", "#c2a11e", "#20a6c4")
_STYLE: dict[Any, Any] = {
    "axes.prop_cycle": f"cycler('color', {list(COLORS)!r})",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "font.size": 10,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: small, and it can be searched and read aloud
    "svg.hashsalt": "helio",
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
}


@contextmanager
def page_style() -> Iterator[None]:
    """Figures made in the block look like the page."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def figure(drawn: Figure, *, name: str, description: str, data: Mapping[str, str] | None = None) -> str:
    """HTML of a figure with links to it as PNG and SVG and to its data.

    Args:
        drawn: made within `page_style`.
        name: of the files, without extension.
        description: for those who cannot see it.
        data: tables as CSV by the words of their links.
    """
    with page_style():
        drawn.draw_without_rendering()  # arranges the figure once for both files
    drawn.set_layout_engine("none")
    svg, png = _svg(drawn), io.BytesIO()
    with page_style():
        drawn.savefig(png, format="png", dpi=140)
    pictures = [
        download(png.getvalue(), f"{name}.png", "PNG", "image/png"),
        download(svg.encode(), f"{name}.svg", "SVG", "image/svg+xml"),
    ]
    tables = [csv_link(text, words, name) for words, text in (data or {}).items()]
    links = saving(("Figure", pictures), ("Data", tables))
    return f'<figure class="plot">{_inline(svg, description)}{links}</figure>'


def saving(*groups: tuple[str, list[str]]) -> str:
    """A line of links to files in groups, each after its word; groups without links are left out."""
    parts = [
        f"<span>{word} {' '.join(links)}</span>"
        if len(links) <= _FEW
        else f"<details><summary>{word}, {len(links)} files</summary>{' '.join(links)}</details>"
        for word, links in groups
        if links
    ]
    return f'<div class="files">{" ".join(parts)}</div>'


def csv_link(text: str, words: str, name: str) -> str:
    """A link to a table, whose file is called after the figure and the link."""
    own = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    file = name if own in ("csv", "") else f"{name}-{own}"
    return download(text.encode(), f"{file}.csv", words, "text/csv")


def download(content: bytes, file: str, words: str, kind: str) -> str:
    """A link that saves `content`, which the page itself holds."""
    encoded = base64.b64encode(content).decode()
    return f'<a download="{html.escape(file)}" href="data:{kind};base64,{encoded}">{html.escape(words)}</a>'


def image(png: bytes, description: str, *, css: str = "") -> str:
    """A picture that the page holds."""
    named = f' class="{css}"' if css else ""
    encoded = base64.b64encode(png).decode()
    return f'<img{named} alt="{html.escape(description)}" src="data:image/png;base64,{encoded}">'


def _svg(drawn: Figure) -> str:
    content = io.BytesIO()
    with page_style():
        drawn.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = content.getvalue().decode()
    # A hundredth of a point is not seen; numbers outside of tags are labels, which keep their digits.
    shorter = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), text[text.index("<svg") :])
    return re.sub(r"\s*\n\s*", "\n", shorter)


def _inline(svg: str, description: str) -> str:
    """The SVG for the page itself: its colours are the page's, its width the column's, and it has words."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # its rules would hold for the whole page
    svg = svg.replace(INK, "currentColor").replace(_GRID, "var(--grid)")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font-size: \1", svg)
    found = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', svg)
    assert found is not None
    widest = f'style="max-width: {_LARGEST * float(found[1]):.0f}px"'
    body = svg[svg.index(">") + 1 :]
    return f'<svg role="img" aria-label="{html.escape(description)}" {found[0]} {widest}>{body}'
