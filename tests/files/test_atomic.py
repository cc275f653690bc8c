"""Files appear whole or not at all."""

import errno
import os
import resource
import signal

import numpy as np
import pytest

from helio.errors import HelioError
from helio.files.atomic import atomic_path, make_folder, write_bytes, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_and_replaces(tmp_path):
    write_bytes(tmp_path / "a.bin", b"one")
    write_text(tmp_path / "a.bin", "two é")
    assert (tmp_path / "a.bin").read_text("utf-8") == "two é"
    assert names(tmp_path) == ["a.bin"]


def test_keeps_the_suffix_for_writers_that_look_at_it(tmp_path):
    with atomic_path(tmp_path / "arrays.npz") as temporary:
        assert temporary.parent == tmp_path
        np.savez(temporary, x=np.arange(3))
    assert np.load(tmp_path / "arrays.npz")["x"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["arrays.npz"]


def test_honours_the_umask(tmp_path):
    write_bytes(tmp_path / "a", b"")
    plain = tmp_path / "b"
    plain.touch()
    assert (tmp_path / "a").stat().st_mode == plain.stat().st_mode


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, EOFError])
def test_a_failing_block_changes_nothing(tmp_path, error):
    write_text(tmp_path / "a", "old")
    with pytest.raises(error), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_disk_full_at_the_flush(tmp_path, monkeypatch, code):
    def full(descriptor):
        raise OSError(code, os.strerror(code))

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HelioError, match=r"cannot write .*/a: the disk"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_file_size_limit_of_the_system(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(HelioError, match="larger than the system allows"):
            write_bytes(tmp_path / "a", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == []


def test_missing_folder_and_folder_in_the_way(tmp_path):
    with pytest.raises(HelioError, match="its folder does not exist"):
        write_text(tmp_path / "none" / "a", "")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HelioError, match="there is a folder of that name"):
        write_text(tmp_path / "folder", "")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(HelioError, match="permission denied"):
        write_text(tmp_path / "a", "")


def test_another_operating_system_error_passes_through(tmp_path):
    with pytest.raises(TimeoutError), atomic_path(tmp_path / "a"):
        raise TimeoutError(errno.ETIMEDOUT, "timed out")


def test_make_folder(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    write_text(tmp_path / "file", "")
    with pytest.raises(HelioError, match="a part of its path is a file"):
        make_folder(tmp_path / "file" / "x")
    with pytest.raises(HelioError, match="a file stands where a folder is needed"):
        make_folder(tmp_path / "file")
