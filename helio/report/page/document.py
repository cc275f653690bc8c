"""The shell of a page: title, list of sections, style and scripts, in one file that asks nothing of a network."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SUN = (
    '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round"><circle cx="12" cy="12" r="4.5" fill="currentColor" stroke="none"/>'
    '<path d="M12 1.5v3M12 19.5v3M1.5 12h3M19.5 12h3M4.6 4.6l2.1 2.1M17.3 17.3l2.1 2.1M4.6 19.4l2.1-2.1M17.3 '
    '6.7l2.1-2.1"/></svg>'
)


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading; `name` is its place in links, `body` HTML."""

    name: str
    title: str
    body: str


def document(title: str, *, kind: str, lead: str, sections: Sequence[Section], foot: str) -> str:
    """HTML of a whole page.

    Args:
        title: plain text.
        kind: what sort of page it is, in a word or two.
        lead: a sentence below the title, HTML.
        sections: in their order.
        foot: HTML at the end.
    """
    first, last = _text("page.js"), _text("viewer.js")
    policy = (
        f"default-src 'none'; script-src {_hash(first)} {_hash(last)}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{part.name}">{html.escape(part.title)}</a></li>' for part in sections)
    parts = "\n".join(
        f'<section id="{part.name}"><h2>{html.escape(part.title)}</h2>\n{part.body}\n</section>' for part in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)} · Helio</title>
<style>{_text("page.css")}</style>
<script>{first}</script>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<div class="layout">
<nav aria-label="Sections"><div class="brand">{_SUN} Helio</div><ol>{links}</ol>
<button type="button" id="theme">Light / dark</button></nav>
<main id="content">
<header><div class="kind">{html.escape(kind)}</div><h1>{html.escape(title)}</h1><p class="lead">{lead}</p></header>
{parts}
<footer>{foot}</footer>
</main>
</div>
<script>{last}</script>
</body>
</html>
"""


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """HTML of a table of plain texts; the first cell of a row is its heading, columns `numbers` stand to the right."""

    def cell(text: str, column: int, tag: str, scope: str = "") -> str:
        side = ' class="number"' if column in numbers else ""
        return f"<{tag}{scope}{side}>{html.escape(text)}</{tag}>"

    head = "".join(cell(text, i, "th", ' scope="col"') for i, text in enumerate(headings))
    body = "".join(
        "<tr>"
        + cell(row[0], 0, "th", ' scope="row"')
        + "".join(cell(text, i, "td") for i, text in enumerate(row[1:], start=1))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """HTML of names and what they are; the second of each pair is HTML."""
    inner = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{inner}</dl>'


@cache
def _text(name: str) -> str:
    return (files("helio.report.page") / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What the page's policy knows a script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
