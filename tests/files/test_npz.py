"""Arrays in .npz files: what numpy writes is read, and what is damaged or made to hurt ends in a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.npz import open_npz

ARRAYS = {
    "numbers": np.array([8, 1, 1], np.uint8),
    "positions": np.arange(18.0).reshape(2, 3, 3),
    "fortran": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    "theory": np.array("PBE0"),
    "charge": np.array(-1),
    "none": np.empty((0, 3)),
}


def _header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def _write(path: Path, content: bytes, *, compressed: bool = False) -> Path:
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("positions.npy", content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(save, tmp_path: Path) -> None:
    save(tmp_path / "set.npz", **ARRAYS)
    with open_npz(tmp_path / "set.npz") as file:
        assert set(file) == set(ARRAYS) and "forces" not in file
        assert file.headers["positions"].shape == (2, 3, 3)
        for name, values in ARRAYS.items():
            assert file[name].dtype == values.dtype
            np.testing.assert_array_equal(file[name], values)
        with pytest.raises(HelioError, match="holds no array forces"):
            file["forces"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_header((10**9, 3, 3)) + bytes(72), "72 bytes are there"),
        (_header((10**18, 0)), "0 bytes are there"),
        (_header((-1,)) + bytes(8), "is damaged"),
        (_header((1,), "|O") + bytes(8), "holds objects"),
        (_header((1,)), "0 bytes are there"),
        (b"\x93NUMPY\x01\x00" + (9000).to_bytes(2, "little") + b"[" * 9000, "no array of numpy"),
        (b"PK", "no array of numpy"),
        (b"", "no array of numpy"),
    ],
)
def test_headers_are_compared_with_the_bytes(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(HelioError, match=message), open_npz(_write(tmp_path / "set.npz", content)):
        pass


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = _write(tmp_path / "set.npz", _header((25_000_000,)) + bytes(200_000_000), compressed=True)
    with pytest.raises(HelioError, match="would unpack to 200,000,128"), open_npz(path):
        pass


def test_bytes_that_changed_are_noticed(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", **ARRAYS)
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[content.index(np.float64(17.0).tobytes())] ^= 1
    (tmp_path / "set.npz").write_bytes(content)
    with (
        pytest.raises(HelioError, match=r"positions.npy .* cannot be read"),
        open_npz(tmp_path / "set.npz") as file,
    ):
        file["positions"]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "text").write_text("positions")
    cases = {"none": "there is no", "loop": "cannot read", "text": "cut off", ".": "is a folder", "x" * 300: "too long"}
    for name, message in cases.items():
        with pytest.raises(HelioError, match=message), open_npz(tmp_path / name):
            pass
    with pytest.raises(HelioError, match="is a pipe or a device"), open_npz("/dev/zero"):
        pass
