"""Known models: cache, origins in turn, and every way in which fetching goes wrong."""

import dataclasses
import hashlib
import os
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jax
import pytest

from helio.errors import HelioError
from helio.files.cache import cache_folder
from helio.force_field import ForceFieldSettings, load_model, origins, registry
from helio.force_field.model_file import ModelInfo, named_tensors, read_model_info, save_model, weights_sha256
from helio.force_field.registry import KNOWN_MODELS, KnownModel, get_model, remove_model

CONTENT = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT whole, cut, altered or not at all, by path."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        if self.path != "/cut-without-length":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        content = {"/altered": CONTENT[::-1], "/cut": CONTENT[:1000], "/cut-without-length": CONTENT[:1000]}
        self.wfile.write(content.get(self.path, CONTENT))

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """An empty cache, a network, and no proxy in the way of the local server."""
    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HELIO_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def said():
    return []


def web(url: str) -> origins.WebParams:
    return origins.WebParams(url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
def make_known(small_force_field, monkeypatch):
    """Make a model called "small" known that has the given origins; CONTENT stands for its weights."""

    def convert(content, settings, path):
        assert content == CONTENT
        return small_force_field

    def make(*sources, digest=None):
        digest = digest or weights_sha256(named_tensors(small_force_field))
        model = KnownModel(ModelInfo("small", "MIT"), "a small model", digest, "https://page", sources)
        monkeypatch.setitem(KNOWN_MODELS, "small", model)
        return model

    monkeypatch.setattr(origins, "convert_params", convert)
    return make


def files(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_fetch_then_cache(server, make_known, said, tmp_path):
    model = make_known(web(f"{server}/whole"))
    path = get_model("small", report=said.append)
    assert path == model.path == tmp_path / "cache" / "models" / "small.safetensors"
    assert said[0] == f"Fetching the model small (0.0 MB, licence: MIT) from {server}/whole"
    assert read_model_info(path).info == model.info
    before, count = path.read_bytes(), len(said)
    assert load_model("small", report=said.append, long_range_cutoff=9.0).long_range_cutoff == 9.0
    assert len(said) == count and path.read_bytes() == before
    assert remove_model("small") == path
    assert remove_model("small") is None
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("cut", "cut after 1000 of 10240 bytes"),
        ("cut-without-length", "cut after 1000 of 10240 bytes"),
        ("altered", "wrong checksum"),
        ("missing", "the server answered 404 Not Found"),
    ],
)
def test_a_failed_download_leaves_nothing_and_the_next_is_tried(server, make_known, said, tmp_path, path, reason):
    make_known(web(f"{server}/{path}"))
    with pytest.raises(HelioError, match=f"could not be fetched: .*{path}: .*{reason}.*helio model convert"):
        get_model("small", report=said.append)
    assert files(tmp_path) == []
    make_known(web(f"{server}/{path}"), web(f"{server}/whole"))
    assert get_model("small", report=said.append).is_file()


def test_no_network(make_known, said, tmp_path):
    make_known(web("http://127.0.0.1:9/x"), web("http://127.0.0.1:9/y"))
    with pytest.raises(HelioError, match=r"\(1\) .*x: no connection .*\(2\) .*y: no connection .*HELIO_CACHE"):
        load_model("small", report=said.append)
    assert files(tmp_path) == []


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_forbids_the_network(make_known, said, monkeypatch, value):
    def never(self):
        raise AssertionError("used the network")

    monkeypatch.setattr(origins.WebParams, "fetch", never)
    monkeypatch.setenv("HELIO_OFFLINE", value)
    make_known(web("http://127.0.0.1:9/"))
    with pytest.raises(HelioError, match=r"not in the cache .* HELIO_OFFLINE forbids the network"):
        load_model("small", report=said.append)
    assert said == []


def test_offline_uses_the_cache_and_files(make_known, small_force_field, monkeypatch, tmp_path):
    monkeypatch.setenv("HELIO_OFFLINE", "1")
    registry.store_in_cache(make_known(web("http://127.0.0.1:9/")), small_force_field)
    assert load_model("small").settings == small_force_field.settings
    save_model(small_force_field, tmp_path / "file", ModelInfo("file"))
    assert load_model(tmp_path / "file").settings == small_force_field.settings


def test_a_model_that_comes_with_helio(make_known, small_force_field, said, monkeypatch, tmp_path):
    monkeypatch.setenv("HELIO_OFFLINE", "1")
    monkeypatch.setattr(registry, "_PACKAGED", tmp_path)
    model = make_known()
    with pytest.raises(HelioError, match=r"small.safetensors, which comes with Helio, is missing .*: reinstall Helio"):
        load_model("small", report=said.append)
    save_model(small_force_field, model.path, model.info)
    assert get_model("small", report=said.append) == tmp_path / "small.safetensors"
    assert load_model("small").settings == small_force_field.settings
    with pytest.raises(HelioError, match="comes with Helio and is not kept in the cache"):
        remove_model("small")
    model.path.write_bytes(model.path.read_bytes()[:-4])
    with pytest.raises(HelioError, match="missing or damaged: reinstall Helio"):
        get_model("small", report=said.append)
    assert "that comes with Helio cannot be used" in said[0]


def test_helio_s(monkeypatch):
    """It is there without a network or a cache, with the weights that were released."""
    monkeypatch.setenv("HELIO_OFFLINE", "1")
    model = load_model("helio-s")
    assert registry.identify(model) is KNOWN_MODELS["helio-s"]
    assert model.settings.supported_elements == (1, 6, 7, 8, 9, 15, 16, 17)
    assert get_model("helio-s").stat().st_size < 5e6


def test_weights_that_are_not_the_published_ones(server, make_known, said, tmp_path):
    model = make_known(web(f"{server}/whole"), digest="0" * 64)
    with pytest.raises(HelioError, match="these are not the published weights"):
        get_model("small", report=said.append)
    assert not model.path.exists()


def test_a_damaged_cache_is_fetched_anew(server, make_known, said):
    model = make_known(web(f"{server}/whole"))
    path = get_model("small", report=said.append)
    good = path.read_bytes()
    path.write_bytes(good[:5000])
    said.clear()
    assert get_model("small", report=said.append).read_bytes() == good
    assert "in the cache cannot be used" in said[0]
    assert registry.cached_header(model) is not None


def test_disk_full_while_writing(server, make_known, said, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    make_known(web(f"{server}/whole"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HelioError, match=r"cannot write .*small.safetensors: the disk is full"):
        get_model("small", report=said.append)
    assert files(tmp_path) == []


def test_cache_that_cannot_be_made(make_known, said, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELIO_CACHE", str(tmp_path / "file"))
    make_known(web("http://127.0.0.1:9/"))
    with pytest.raises(HelioError, match=r"cannot write .*file/models"):
        get_model("small", report=said.append)


@pytest.mark.parametrize("name", ["so4lr", "no/such/file.safetensors"])
def test_unknown_model(name):
    with pytest.raises(HelioError, match=f"no model and no file called {name}: known models are so3lr"):
        load_model(name)
    with pytest.raises(HelioError, match="there is no model called"):
        get_model(name)


PACKAGE = origins.PackagedTorchModel("weights==1.0", "weights/x.model", 1)


def pip(monkeypatch, behave):
    """Replace the run of pip; `behave(folder)` gives its exit status and error stream."""

    def run(command, **_):
        assert command[1:5] == ["-m", "pip", "download", "--no-deps"] and command[-1] == "weights==1.0"
        status, stderr = behave(command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, status, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)


def wheel(folder, member, content):
    with zipfile.ZipFile(f"{folder}/weights-1.0-py3-none-any.whl", "w") as file:
        file.writestr(member, content)
    return 0, ""


def test_package(monkeypatch, small_force_field):
    monkeypatch.setattr(origins, "convert_torch", lambda content, path: small_force_field if content == b"w" else None)
    pip(monkeypatch, lambda folder: wheel(folder, "weights/x.model", b"w"))
    assert PACKAGE.fetch() is small_force_field


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (lambda folder: (1, "x\nERROR: No matching distribution found for weights==1.0\n"), "pip failed .No matching"),
        (lambda folder: (1, "python: No module named pip"), "No module named pip"),
        (lambda folder: (3, ""), "pip failed .status 3"),
        (lambda folder: (0, ""), "pip left no wheel"),
        (lambda folder: wheel(folder, "weights/y.model", b"w"), "damaged or does not hold the model"),
        (lambda folder: wheel(folder, "weights/x.model", b"w"), "damaged or is not a model of So3krates-torch"),
    ],
)
def test_package_that_fails(monkeypatch, behave, reason):
    pip(monkeypatch, behave)
    with pytest.raises(HelioError, match=reason):
        PACKAGE.fetch()


def test_pip_that_hangs_or_is_missing(monkeypatch):
    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    def missing(command, **_):
        raise FileNotFoundError("python")

    for behave, reason in ((hang, "did not end within"), (missing, "could not be started")):
        monkeypatch.setattr(subprocess, "run", behave)
        with pytest.raises(HelioError, match=reason):
            PACKAGE.fetch()


def test_published_model(so3lr):
    """Whatever it came from, it has the weights that are published."""
    model = KNOWN_MODELS["so3lr"]
    assert registry.identify(so3lr) is model
    assert so3lr.settings == ForceFieldSettings()
    path = registry.store_in_cache(model, so3lr)
    header = read_model_info(path)
    assert "MIT" in header.info.licence and "Permission is hereby granted" in header.info.licence_text
    changed = dataclasses.replace(so3lr, zbl=jax.tree.map(lambda leaf: leaf + 1, so3lr.zbl))
    assert registry.identify(changed) is None
    with pytest.raises(HelioError, match="not the published weights"):
        registry.store_in_cache(model, changed)


def test_cache_folder(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("HELIO_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "helio"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / "home" / ".cache" / "helio"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "home" / "Library" / "Caches" / "helio"
