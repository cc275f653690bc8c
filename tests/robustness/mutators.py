"""Ways to spoil a file: cut, flipped bits, swapped types, huge counts, deep nesting, NaN, links."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

Spoil = Callable[[Path], object]  # changes the file at a path


def spoils(kind: str, *, is_text: bool) -> Iterator[tuple[str, Spoil]]:
    """Names and functions of all ways to spoil a file of this kind; the same each time."""
    yield from _GENERAL.items()
    yield from (_TEXT if is_text else _BINARY).items()
    yield from _SPECIAL.get(kind, {}).items()


def _content(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return spoil


def _cut(share: float) -> Spoil:
    return _content(lambda content: content[: int(len(content) * share)])


def _flipped(seed: int, count: int) -> Spoil:
    def change(content: bytes) -> bytes:
        flipped = bytearray(content)
        random = np.random.default_rng(seed)
        for place in random.integers(len(flipped), size=count):
            flipped[place] ^= 1 << int(random.integers(8))
        return bytes(flipped)

    return _content(change)


def _replaced(pattern: bytes, by: bytes, count: int = 0) -> Spoil:
    return _content(lambda content: re.sub(pattern, by, content, count=count))


def _text(content: str) -> Spoil:
    return lambda path: path.write_text(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere" / "at-all")


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


_GENERAL: dict[str, Spoil] = {
    "empty": _content(lambda content: b""),
    "zeros": _content(lambda content: bytes(4096)),
    "noise": _content(lambda content: np.random.default_rng(0).bytes(4096)),
    "cut at a tenth": _cut(0.1),
    "cut in the middle": _cut(0.5),
    "cut before the end": _cut(0.97),
    "a flipped bit": _flipped(1, 1),
    "a few flipped bits": _flipped(2, 20),
    "many flipped bits": _flipped(3, 2000),
    "folder": _folder,
    "dangling link": _dangling,
    "link to itself": _loop,
}
_TEXT: dict[str, Spoil] = {
    "numbers are words": _replaced(rb"\d+\.\d+", b"many"),
    "numbers are NaN": _replaced(rb"-?\d+\.\d+", b"nan"),
    "numbers are infinite": _replaced(rb"-?\d+\.\d+", b"1e999"),
    "numbers are huge": _replaced(rb"\d+", b"999999999999999999", 4),
    "not UTF-8": _content(lambda content: content[:20] + b"\xff\xfe\x80" + content[20:]),
    "null bytes": _content(lambda content: content.replace(b"\n", b"\n\0")),
    "a line without end": _content(lambda content: content[:10] + b"x" * 2_000_000 + content[10:]),
    "escape sequences": _content(lambda content: content.replace(b" ", b" \x1b[31m", 3)),
}
_BINARY: dict[str, Spoil] = {
    "header of another": _content(lambda content: b"\x89PNG\r\n\x1a\n" + content[8:]),
    "twice": _content(lambda content: content + content),
    "text": _text("hello\n"),
}


def _safetensors(header: str, rest: bytes = b"") -> Spoil:
    return lambda path: path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + rest)


def _header_with(change: Callable[[dict], None]) -> Spoil:
    """A model file whose header is changed; tensors stay."""

    def spoil(path: Path) -> None:
        content = path.read_bytes()
        (size,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + size])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])

    return spoil


def _settings_with(**values: object) -> Spoil:
    def change(header: dict) -> None:
        about = header["__metadata__"]
        for key, text in about.items():
            try:
                inner = json.loads(text)
            except ValueError:
                continue
            if isinstance(inner, dict):
                target = inner.get("settings", inner)
                if isinstance(target, dict) and "num_layers" in target:
                    target |= values
                    about[key] = json.dumps(inner)

    return _header_with(change)


def _shared_dicts(path: Path) -> None:
    node: object = np.zeros(2)
    for _ in range(40):
        node = {"a": node, "b": node}
    path.write_bytes(pickle.dumps(node))


def _deep_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")


def _zip_bomb(path: Path) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("R.npy", bytes(300_000_000))
    path.write_bytes(content.getvalue())


def _lying_npy(path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000, 3), }"
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in ("R", "z", "E", "F", "header"):
            file.writestr(f"{name}.npy", npy)
    path.write_bytes(content.getvalue())


def _hdf5(change: Callable[..., object]) -> Spoil:
    def spoil(path: Path) -> None:
        import h5py

        with h5py.File(path, "r+") as file:
            change(file)

    return spoil


def _huge_datasets(file) -> None:
    names: list[str] = []
    file.visititems(lambda name, entry: names.append(name) if hasattr(entry, "dtype") else None)
    for name in names:
        shape, kind = file[name].shape, file[name].dtype
        del file[name]
        file.create_dataset(name, shape=(10**11, *shape[1:]), dtype=kind, chunks=True)


def _groups_for_datasets(file) -> None:
    names: list[str] = []
    file.visititems(lambda name, entry: names.append(name) if hasattr(entry, "dtype") else None)
    for name in names:
        del file[name]
        file.create_group(name)


def _text_for_numbers(file) -> None:
    names: list[str] = []
    file.visititems(lambda name, entry: names.append(name) if hasattr(entry, "dtype") else None)
    for name in names:
        del file[name]
        file[name] = "text"


def _looping_links(file) -> None:
    import h5py

    for name in list(file):
        del file[name]
        file[name] = h5py.SoftLink(f"/{name}")


def _external_links(file) -> None:
    import h5py

    for name in list(file):
        del file[name]
        file[name] = h5py.ExternalLink("/etc/passwd", "/")


_HDF5 = {
    "huge claimed shapes": _hdf5(_huge_datasets),
    "groups for datasets": _hdf5(_groups_for_datasets),
    "text for numbers": _hdf5(_text_for_numbers),
    "looping links": _hdf5(_looping_links),
    "external links": _hdf5(_external_links),
    "no content": _hdf5(lambda file: [file.__delitem__(name) for name in list(file)]),
}
_LAUGHS = "\n".join(
    ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
)
_YAML = {
    "billion laughs": _text(_LAUGHS),
    "deep nesting": _text("steps: " + "[" * 3000),
    "wrong date": _text("structure: a.xyz\nsteps: 2026-99-99\n"),
    "wrong tag": _text("structure: a.xyz\nsteps: !!int abc\n"),
    "python tag": _text("!!python/object/apply:os.system ['touch owned']\n"),
    "number as key": _text("structure: a.xyz\n1: 2\n"),
    "long number": _text(f"structure: a.xyz\nsteps: {'9' * 6000}\n"),
    "itself": _text("a: &a [*a]\n"),
}


def _sqlite(*statements: str) -> Spoil:
    def spoil(path: Path) -> None:
        import sqlite3

        base = sqlite3.connect(path)
        for statement in statements:
            base.execute(statement)
        base.commit()
        base.close()

    return spoil


_SPECIAL: dict[str, dict[str, Spoil]] = {
    "xyz": {
        "count of all atoms": _text("1000000000000000000\n\nH 0 0 0\n"),
        "negative count": _text("-3\n\nH 0 0 0\n"),
        "atoms too far": _text("2\n\nH 0 0 0\nH 1e308 0 0\n"),
        "unknown element": _text("1\n\nQq 0 0 0\n"),
    },
    "extxyz": {
        "many columns": _text("1\nProperties=species:S:1:pos:R:99999999\nH 0 0 0\n"),
        "flat cell": _text('1\nLattice="1 0 0 0 1 0 1 1 0" pbc="T T T" Properties=species:S:1:pos:R:3\nH 0 0 0\n'),
        "half a charge": _text("1\nProperties=species:S:1:pos:R:3 charge=0.5\nH 0 0 0\n"),
    },
    "pdb": {"stars": _replaced(rb"\d\.\d{3}", b"*****"), "flat cell": _text("CRYST1    1.000    5.000\n")},
    "sdf": {"count of all atoms": _replaced(rb" 12 11", b"999999"), "many charges": _replaced(rb"CHG  2", b"CHG99")},
    "mol2": {"count of all atoms": _replaced(rb"3 2 1", b"999999999999 2 1")},
    "yaml": _YAML,
    "run folder": _YAML,
    "model file": {
        "very long header": _safetensors("{" * 1000, b""),
        "deep header": _safetensors("[" * 100_000),
        "header beyond the file": lambda path: path.write_bytes(struct.pack("<Q", 2**60) + b"{}"),
        "billion layers": _settings_with(num_layers=10**9),
        "huge degree": _settings_with(degrees=[10**6]),
        "huge features": _settings_with(features=10**12),
        "words for numbers": _settings_with(num_layers="two", features=None),
        "names are lists": _header_with(lambda header: header["__metadata__"].update({"name": "\x1b[31m"})),
        "no metadata": _header_with(lambda header: header.pop("__metadata__")),
    },
    "pickle": {
        "shared dicts": _shared_dicts,
        "deep lists": _deep_pickle,
        "a program": lambda path: path.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR."),
        "far memo": lambda path: path.write_bytes(b"\x80\x02]r\xff\xff\xff\x0f."),
        "zip bomb": _zip_bomb,
    },
    "hyperparameters": {"deep nesting": _text("[" * 100_000), "huge numbers": _replaced(rb"\d+", b"9" * 4000, 3)},
    "npz": {"zip bomb": _zip_bomb, "lying header": _lying_npy},
    "checkpoint": {"zip bomb": _zip_bomb, "lying header": _lying_npy, "pipe": _pipe},
    "store": _HDF5,
    "framework store": _HDF5,
    "trajectory": _HDF5,
    "trajectory part": _HDF5,
    "campaign record": {
        "tables are gone": _sqlite("DROP TABLE stages", "DROP TABLE candidates"),
        "no tables": _sqlite(
            *(f"DROP TABLE {name}" for name in ("stages", "candidates", "batches", "known", "known_labels", "about"))
        ),
        "settings are no JSON": _sqlite("UPDATE about SET value = '{' WHERE key = 'settings'"),
        "deep settings": _sqlite(f"UPDATE about SET value = '{'[' * 50_000}' WHERE key = 'settings'"),
        "other version": _sqlite("UPDATE about SET value = '99' WHERE key = 'version'"),
    },
}
