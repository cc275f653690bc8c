"""Results of several runs together, references, figures and files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from helio.analyse import Curve, Map, Observable, Value, combine
from helio.analyse.reference import read_reference, with_reference
from helio.errors import HelioError
from helio.report.observable import plot_observable, rounded, value_table, write_observable

X = np.linspace(0, 1, 11)


def result(shift: float, label: str = "a") -> Observable:
    square = np.arange(4.0)
    surface = Map("plane", square, square, np.full((4, 4), shift), "x", "y", "F", "kcal/mol")
    return Observable(
        name="thing",
        title="A thing",
        values=(Value("size", 5 + shift, 0.1, "Å"),),
        curves=(Curve("line", X, X + shift, np.full(11, 0.1), "x (Å)", "y (eV)"),),
        maps=(surface,),
        notes=(f"note of {label}",),
        runs=(label,),
    )


def test_runs_are_averaged() -> None:
    shifts = np.array([0.0, 1.0, 5.0])
    found = combine([result(shift, name) for shift, name in zip(shifts, "abc", strict=True)])
    error = shifts.std(ddof=1) / np.sqrt(3) * student_t.ppf(norm.cdf(1), 2)
    assert found.value("size").value == pytest.approx(7) and found.value("size").error == pytest.approx(error)
    np.testing.assert_allclose(found.curve("line").y, X + 2)
    np.testing.assert_allclose(np.asarray(found.curve("line").error), error)
    np.testing.assert_allclose(found.maps[0].z, 2)
    assert found.runs == ("a", "b", "c") and found.notes[0].startswith("Mean of 3 runs")


def test_curves_on_other_points_are_brought_together() -> None:
    other = result(1.0)
    x = np.linspace(0.2, 2, 40)
    found = combine([result(1.0), replace(other, curves=(replace(other.curves[0], x=x, y=x + 1, error=x),))])
    curve = found.curve("line")
    np.testing.assert_allclose(curve.x, X[2:])
    np.testing.assert_allclose(curve.y, X[2:] + 1)


def test_what_not_all_have_is_left_out() -> None:
    found = combine([result(0.0), replace(result(0.0), values=(), maps=())])
    assert not found.values and not found.maps and found.curves
    with pytest.raises(HelioError, match="different analyses"):
        combine([result(0.0), replace(result(0.0), name="other")])
    with pytest.raises(HelioError, match="nothing to combine"):
        combine([])


def test_reference(tmp_path: Path) -> None:
    path = tmp_path / "experiment.dat"
    path.write_text("# x y\n@ of a program\n1.0, 2.5, 0.1\n-1 0.5\n0.5 2.0\n")
    x, y = read_reference(path)
    assert x.tolist() == [-1, 0.5, 1] and y.tolist() == [0.5, 2, 2.5]
    found = with_reference(result(0.0), path, curve="line")
    deviation = found.values[-1]
    assert deviation.value == pytest.approx(1.5) and deviation.error == pytest.approx(0.1) and deviation.unit == "eV"
    assert found.curves[-1].reference and found.curves[-1].name == "line, experiment.dat"


@pytest.mark.parametrize(
    ("text", "curve", "message"),
    [
        ("words\n", None, "two columns of numbers"),
        ("5 1\n6 1\n", None, "goes from 5 to 6, beside the curve line"),
        ("0 1\n1 1\n", "lime", "no curve 'lime' to compare; its curves: line"),
    ],
)
def test_references_that_do_not_fit(tmp_path: Path, text: str, curve: str | None, message: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(HelioError, match=message):
        with_reference(result(0.0), tmp_path / "r", curve=curve)


def test_no_reference(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="cannot be read: No such file"):
        with_reference(result(0.0), tmp_path / "none")


def test_files(tmp_path: Path) -> None:
    files = write_observable(result(0.0), tmp_path / "out", runs=[result(-1.0), result(1.0)])
    names = {file.name for file in files}
    assert names == {"thing.csv", "thing-line.csv", "thing-plane.csv", "thing.png", "thing.svg"}
    rows = list(csv.reader((tmp_path / "out" / "thing-line.csv").read_text().splitlines()))
    assert rows[0] == ["x (Å)", "y (eV)", "error"]
    np.testing.assert_allclose(np.array(rows[1:], float), np.column_stack([X, X, np.full(11, 0.1)]))
    assert (tmp_path / "out" / "thing.png").read_bytes()[:4] == b"\x89PNG"
    assert "note of a" in (tmp_path / "out" / "thing.csv").read_text()
    with pytest.raises(HelioError, match="exists; give another folder"):
        write_observable(result(0.0), tmp_path / "out")
    write_observable(result(0.0), tmp_path / "out", overwrite=True)


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="no curves to draw"):
        plot_observable(replace(result(0.0), curves=(), maps=()), tmp_path / "x.png")


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (1.23456, 0.0321, ("1.235", "0.032")),
        (-1234.5, 321.0, ("-1230", "320")),
        (2.5, float("nan"), ("2.5", "")),
        (2.5, 0.0, ("2.5", "0")),
        (1e-12, 1e-14, ("1e-12", "1e-14")),
    ],
)
def test_numbers_are_rounded_by_their_error(value: float, error: float, expected: tuple[str, str]) -> None:
    assert rounded(Value("v", value, error)) == expected


def test_table_has_all_numbers() -> None:
    assert value_table(result(0.0)).row_count == 1
