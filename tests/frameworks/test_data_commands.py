"""`helio frameworks import | info | label` as a user meets them."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helio.cli.frameworks import app
from helio.errors import HelioError


def frameworks(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, HelioError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_info_says_what_a_store_holds_and_draws_it(two_frameworks: Path, tmp_path: Path) -> None:
    told = frameworks("info", str(two_frameworks), "--plot", str(tmp_path / "two.png"))
    assert "2 frameworks of 2 blocks (1 node, 1 linker; 2 different)" in told
    assert "train: 1 framework, 1 combination of blocks" in told
    assert "blocks in a framework: 4 to 4, 4.0 on average" in told
    assert "density: 1.5 (1.5 to 1.5) g/cm3, of 2" in told
    assert (tmp_path / "two.png").read_bytes().startswith(b"\x89PNG")


def test_an_import_tells_what_it_refused(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("gemmi")
    folder = tmp_path / "cifs"
    folder.mkdir()
    for name in ("19000N3", "17200C3"):  # a framework, and one with ions in its pores
        (folder / f"{name}.cif").write_bytes((shared / "data" / "cofs" / f"{name}.cif").read_bytes())
    out, table = tmp_path / "cofs.h5", tmp_path / "refused.csv"
    told = frameworks("import", str(folder), "--out", str(out), "--no-pores", "--refused", str(table))
    assert "1 framework of" in told and "1 file imported, 1 refused" in told and "1: solvent inside" in told
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["file"]).name for row in rows] == ["17200C3.cif"]
    assert rows[0]["reason"] == "solvent inside: a molecule of BF4 is bonded to nothing else; remove it first"


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HelioError, match="there is no store"):
        frameworks("info", str(tmp_path / "none.h5"))
    with pytest.raises(HelioError, match="there is no file or folder"):
        frameworks("import", str(tmp_path / "none"), "--out", str(tmp_path / "x.h5"))
    with pytest.raises(HelioError, match="--nets names no net"):
        frameworks("build", "--nets", ", ,", "--out", str(tmp_path / "x.h5"))


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gemmi", None)
    (tmp_path / "a.cif").write_text("data_a\n")
    with pytest.raises(HelioError, match=r"this needs gemmi .*install the extra: .*\[frameworks\]'"):
        frameworks("import", str(tmp_path / "a.cif"), "--out", str(tmp_path / "x.h5"))
