"""The page of a run: what it says, that it is sound HTML, and that it asks nothing of a network."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from helio.analyse import CATALOGUE, Analysis, Curve, Observable, Value, analyse, open_frames
from helio.errors import HelioError
from helio.report.run import analyses
from helio.report.run.page import write_run_report

VOID = {"meta", "link", "img", "input", "br", "path", "circle", "use", "image", "rect"}


class Page(HTMLParser):
    """Elements of a page; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.open, self.elements = text, [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def saved(self, file: str) -> str:
        """The content of the file that a link of the page saves."""
        (href,) = [link["href"] for link in self.all("a") if link.get("download") == file]
        assert href is not None
        return base64.b64decode(href.split("base64,")[1]).decode()


@pytest.fixture
def page(make_run, tmp_path: Path) -> Callable[..., Page]:
    """The page of runs."""

    def made(*folders: Path) -> Page:
        out = write_run_report(folders or [make_run(atoms=molecule("H2O"))], tmp_path / "page.html", overwrite=True)
        return Page(out.read_text(encoding="utf-8"))

    return made


@pytest.fixture(scope="module")
def usual(usual_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of `usual_run`."""
    out = write_run_report([usual_run], tmp_path_factory.mktemp("page") / "page.html")
    return Page(out.read_text(encoding="utf-8"))


def test_sections_and_facts(usual: Page) -> None:
    made = usual
    names = [section["id"] for section in made.all("section")]
    assert names[:4] == ["system", "checks", "course", "structures"] and names[-1] == "settings"
    assert "analysis-rdf" in names and "analysis-energies" not in names  # which the course shows
    assert [link["href"] for link in made.all("a") if (link["href"] or "").startswith("#analysis")]
    for said in ("27 H<sub>2</sub>O", "81 atoms", "NVT, 310 K", "0.25 fs", "so3lr", "2.5 ns/day", "Helio 9.8.7"):
        assert said in made.text
    assert "9.6 × 9.6 × 9.6 Å" in made.text and "hydrogen_mass" in made.text


def test_nothing_is_asked_of_a_network(usual: Page) -> None:
    made = usual
    for tag, attributes in made.elements:
        for name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert set(re.findall(r"https?://[^\s\"'<)]+", made.text)) <= {"http://www.w3.org/2000/svg"}
    (policy,) = [meta["content"] for meta in made.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith("default-src 'none'")
    scripts = re.findall(r"<script>(.*?)</script>", made.text, flags=re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy


def test_every_picture_has_words_and_every_table_headings(usual: Page) -> None:
    made = usual
    assert all(image.get("alt") for image in made.all("img"))
    assert all(drawn.get("aria-label") or drawn.get("aria-hidden") for drawn in made.all("svg"))
    assert all(canvas.get("aria-label") for canvas in made.all("canvas"))
    assert made.all("th") and all(cell.get("scope") in ("col", "row") for cell in made.all("th"))
    links = {link["download"] for link in made.all("a") if link.get("download")}
    assert {"temperature_K.png", "temperature_K.svg", "temperature_K.csv", "rdf.png", "rdf.svg"} <= links


def test_csv_holds_the_numbers(usual: Page, usual_run: Path) -> None:
    made, frames = usual, open_frames(usual_run)
    rows = list(csv.reader(io.StringIO(made.saved("temperature_K.csv"))))
    assert rows[0] == ["time_ps", "temperature_K"]
    np.testing.assert_array_equal(np.array(rows[1:], float).T, [frames.log["time_ps"], frames.log["temperature_K"]])
    found = analyse("rdf", frames)
    curve = found.curves[0]
    rows = list(csv.reader(io.StringIO(made.saved(f"rdf-{curve.name.lower()}.csv"))))
    assert rows[0][:2] == [curve.x_label, curve.y_label]
    np.testing.assert_allclose(np.array([row[:2] for row in rows[1:]], float).T, [curve.x, curve.y], rtol=1e-6)
    numbers = {row[0]: row[1] for row in csv.reader(io.StringIO(made.saved("rdf.csv"))) if len(row) == 5}
    assert all(float(numbers[value.name]) == value.value for value in found.values if np.isfinite(value.value))


def test_figures_follow_the_page_and_their_files_do_not(usual: Page) -> None:
    made = usual
    inline = [text for text in re.findall(r"<svg role.*?</svg>", made.text, flags=re.DOTALL) if "Temperature" in text]
    assert "currentColor" in inline[0] and "#22262d" not in inline[0] and "<style" not in inline[0]
    saved = made.saved("temperature_K.svg")
    assert "#22262d" in saved and "currentColor" not in saved


def test_sampled_structures_are_those_of_the_view(usual: Page) -> None:
    made = usual
    structures: Any = ase.io.read(io.StringIO(made.saved("water-sampled.xyz")), index=":", format="extxyz")
    frames = [button["data-frame"] for button in made.all("button") if button.get("data-frame")]
    assert frames == ["0", "2", "4", "7", "9", "11"] and len(structures) == 6
    assert len(structures[0]) == 81 and structures[0].pbc.all() and structures[0].cell[0, 0] == pytest.approx(9.6)


def test_an_analysis_that_fails_leaves_a_sentence(page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(frames: object) -> Observable:
        raise HelioError("the <frames> are too few")

    def good(frames: object) -> Observable:
        x = np.linspace(0, 1, 5)
        curve = Curve("line", x, 2 * x, None, "x (Å)", "y (eV)")
        value = Value("slope", 2.0, 0.031, "eV/Å", "by <hand>")
        return Observable("good", "Good", (value,), (curve,), notes=("A note & more.",), method="Drawn.")

    entries = {
        name: Analysis(name, name.capitalize(), f"Help of {name}.", function, lambda frames: True)
        for name, function in (("broken", broken), ("good", good))
    }
    monkeypatch.setattr(analyses, "fitting", lambda frames: list(entries.values()))
    for name, entry in entries.items():
        monkeypatch.setitem(CATALOGUE, name, entry)
    made = page()
    assert "Not done. The &lt;frames&gt; are too few." in made.text
    assert [section["id"] for section in made.all("section")][-3:] == ["analysis-broken", "analysis-good", "settings"]
    assert "2.000 ± 0.031" in made.text and "by &lt;hand&gt;" in made.text and "A note &amp; more." in made.text
    assert made.saved("good-line.csv").splitlines()[1:3] == ["0,0,nan", "0.25,0.5,nan"]


def test_other_errors_are_not_hidden(page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(frames: object) -> Observable:
        raise ZeroDivisionError

    entry = Analysis("wrong", "Wrong", "", wrong, lambda frames: True)
    monkeypatch.setattr(analyses, "fitting", lambda frames: [entry])
    with pytest.raises(ZeroDivisionError):
        page()


def test_several_runs_are_compared(page: Callable[..., Page], make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    def slope(frames) -> Observable:
        value = 1.0 if frames.label == "first" else 3.0
        curve = Curve("line", np.arange(3.0), value * np.arange(3.0), None, "x", "y")
        return Observable("slope", "Slope", (Value("slope", value, 0.1),), (curve,))

    entry = Analysis("slope", "Slope", "Help.", slope, lambda frames: True)
    monkeypatch.setattr(analyses, "fitting", lambda frames: [entry])
    monkeypatch.setitem(CATALOGUE, "slope", entry)
    water = molecule("H2O")
    made = page(make_run("first", water), make_run("second", water, seed=5))
    cells = [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", made.text)]
    at = cells.index("mean of the runs")
    assert cells[at - 2 : at] == ["first", "second"]
    assert cells[at + 2 : at + 6] == ["slope", "1.00 ± 0.10", "3.00 ± 0.10", "2.0 ± 1.8"]
    assert len(made.all("canvas")) == 2 and "first and second" in made.text
    assert made.saved("temperature_K-second.csv") and made.saved("slope-1-second.csv")
    other = page(make_run("third", water), make_run("fourth", water, temperature=500.0))
    assert "mean of the runs" not in other.text  # they are not of one ensemble


def test_replicas_make_one_page(page: Callable[..., Page], make_run, tmp_path: Path) -> None:
    for number in range(2):
        make_run(f"many/replica-00{number}", molecule("H2O"), replicas=2)
    settings = (tmp_path / "many" / "replica-000" / "settings.yaml").read_text()
    (tmp_path / "many" / "settings.yaml").write_text(settings)
    for number in range(2):
        (tmp_path / "many" / f"replica-00{number}" / "settings.yaml").unlink()
    made = page(tmp_path / "many")
    assert "many/replica-000 and many/replica-001" in made.text and len(made.all("canvas")) == 2


@pytest.mark.filterwarnings("ignore:Reader has no dt")
def test_a_trajectory_from_elsewhere(page: Callable[..., Page], tmp_path: Path) -> None:
    both = molecule("CH3CH2OH")
    ase.io.write(tmp_path / "ethanol.pdb", [both, both])
    made = page(tmp_path / "ethanol.pdb")
    names = [section["id"] for section in made.all("section")]
    assert names[:3] == ["system", "checks", "structures"] and "C<sub>2</sub>H<sub>6</sub>O" in made.text


def test_the_file_is_written_whole_or_not_at_all(make_run, tmp_path: Path) -> None:
    folder, out = make_run(), tmp_path / "page.html"
    out.write_text("mine")
    with pytest.raises(HelioError, match="exists"):
        write_run_report([folder], out)
    (folder / "trajectory" / "part-00000.h5").unlink()
    with pytest.raises(HelioError, match="missing"):
        write_run_report([folder], out, overwrite=True)
    assert out.read_text() == "mine"


def test_labels_of_axes_are_not_cut() -> None:
    from matplotlib.figure import Figure

    from helio.report.page.figures import figure, page_style

    with page_style():
        drawn = Figure(figsize=(5.2, 2.7))
        axes = drawn.add_subplot()
        axes.plot([0, 1], [-39.1812, -39.1792])
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    labels = re.findall(r"<text[^>]*>([^<]*39\.1[^<]*)</text>", figure(drawn, name="a", description="b"))
    assert len(labels) >= 3 and len(set(labels)) == len(labels)
