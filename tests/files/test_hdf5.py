"""Files that are not what is asked for: one clear sentence each."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.hdf5 import is_hdf5, open_store

opened = partial(open_store, format="bread", version=2, what="store of bread", maker="`bake`")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.h5"
    with h5py.File(path, "w", libver="v110") as file:
        file.attrs["format"], file.attrs["version"] = "bread", 2
        file["loaves"] = np.arange(1000.0)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(HelioError) as raised:
        opened(path)
    return str(raised.value)


def test_what_is_asked_for(store: Path) -> None:
    with opened(store) as file:
        assert np.asarray(file["loaves"]).sum() == 499_500


def test_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.h5") == f"there is no store {tmp_path / 'none.h5'}"
    assert refusal(tmp_path) == f"there is no store {tmp_path}"


def test_something_else(store: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("bread")
    (tmp_path / "empty").touch()
    with h5py.File(tmp_path / "foreign.h5", "w"):
        pass
    for name in ("text", "empty", "foreign.h5"):
        assert refusal(tmp_path / name) == f"{tmp_path / name} is no store of bread: `bake` makes one"
    assert is_hdf5(store) and is_hdf5(tmp_path / "foreign.h5") and not is_hdf5(tmp_path / "text")


@pytest.mark.parametrize("length", [100, 4000, -1])
def test_a_file_cut_off(store: Path, length: int) -> None:
    store.write_bytes(store.read_bytes()[:length])
    said = refusal(store)
    assert said.startswith(f"the store of bread {store} is cut off or damaged (")
    assert said.endswith("): make it anew by `bake`")


@pytest.mark.parametrize(
    ("version", "mend"), [(3, "update Helio"), (1, "make it anew by `bake`"), (None, "make it anew by `bake`")]
)
def test_other_versions(store: Path, version: int | None, mend: str) -> None:
    with h5py.File(store, "r+") as file:
        if version is None:
            del file.attrs["version"]
        else:
            file.attrs["version"] = version
    assert refusal(store) == (
        f"{store} is a store of bread of version {version or 0}, this Helio reads version 2: {mend}"
    )


def test_a_file_that_may_not_be_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(store) == f"{store} may not be read: check its permissions"


def _huge(file: h5py.File) -> None:
    file.create_dataset("more", shape=(10**11,), dtype="f8", chunks=(1000,))


def _external_link(file: h5py.File) -> None:
    file["more"] = h5py.ExternalLink("other.h5", "/loaves")


def _loop(file: h5py.File) -> None:
    file["again"] = file["/"]


def _soft_loop(file: h5py.File) -> None:
    file["more"] = h5py.SoftLink("/more")


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(1000,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "loaves", shape=(1000,))
    file.create_virtual_dataset("more", layout)


def _outside(file: h5py.File) -> None:
    file.create_dataset("more", shape=(8,), dtype="u1", external=[("/etc/hostname", 0, 8)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_huge, r"claim 800,000,008,000 bytes, which the file cannot hold"),
        (_external_link, r"more is a link to /loaves"),
        (_soft_loop, r"more is a link to /more"),
        (_loop, r"more than 32 deep in each other, or in a circle"),
        (_virtual, r"/more refers to other files"),
        (_outside, r"/more refers to other files"),
    ],
)
def test_a_file_that_claims_what_it_does_not_hold(store: Path, change, message: str) -> None:
    with h5py.File(store, "r+") as file:
        change(file)
    assert re.search(message, refusal(store))


@pytest.mark.parametrize("value", [[1, 2], 7, np.nan])
def test_formats_of_other_types(store: Path, value: object) -> None:
    with h5py.File(store, "r+") as file:
        file.attrs["format"] = value
    assert refusal(store) == f"{store} is no store of bread: `bake` makes one"
