"""The models that Helio knows by name, and the places that hold them.

A known model is one model file, whose weights have a SHA-256 that is fixed here. A published one is kept in the cache:
whatever origin it came from, the file is the same, bit by bit. Helio's own come with it, in `models/`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from helio.devices import check_platforms
from helio.errors import HelioError
from helio.files.atomic import disk_errors, make_folder
from helio.files.cache import cache_folder
from helio.force_field.force_field import ForceField, Options
from helio.force_field.model_file import ModelHeader, ModelInfo, named_tensors, read_model, save_model, weights_sha256
from helio.force_field.origins import PackagedTorchModel, WebParams

Report = Callable[[str], None]


@dataclass(frozen=True)
class KnownModel:
    """A published model, or one that comes with Helio: without origins."""

    info: ModelInfo
    summary: str
    weights_sha256: str
    page: str  # where a person finds the original files
    origins: tuple[WebParams | PackagedTorchModel, ...]  # in the order in which they are tried

    @property
    def packaged(self) -> bool:
        """Whether it comes with Helio."""
        return not self.origins

    @property
    def path(self) -> Path:
        """Its place in Helio or in the cache, whether it is there or not."""
        folder = _PACKAGED if self.packaged else cache_folder() / "models"
        return folder / f"{self.info.name}.safetensors"


_PACKAGED = Path(__file__).parents[1] / "models"
_OFFLINE = "helio-s"  # comes with Helio
_SO3LR_COMMIT = "5ec39b9d8d83872107cd3f1bc5904387eb9ff4c8"

KNOWN_MODELS = {
    "so3lr": KnownModel(
        info=ModelInfo(
            name="so3lr",
            licence="MIT, copyright (c) 2024 Thorben Frank",
            licence_text=Path(__file__).with_name("so3lr_licence.txt").read_text("utf-8"),
            citation="Kabylda, Frank et al., J. Am. Chem. Soc. 2025, 147, 33723; "
            "Frank et al., Nat. Commun. 2024, 15, 6539",
            source=f"github.com/general-molecular-simulations/so3lr, commit {_SO3LR_COMMIT}",
        ),
        summary="SO3LR: molecules and liquids of H C N O F P S Cl, neutral or charged; PBE0+MBD",
        weights_sha256="cc95277aff01d8f7f1184ef4c91508ce9adb7b873d7d5f92db56d96e5ef2ad7a",
        page=f"https://github.com/general-molecular-simulations/so3lr/tree/{_SO3LR_COMMIT}/so3lr/params",
        origins=(
            WebParams(
                url=f"https://raw.githubusercontent.com/general-molecular-simulations/so3lr/{_SO3LR_COMMIT}"
                "/so3lr/params/params.pkl",
                sha256="1c481bd2d9280f8b7b131ec65e92d25ff73deda76956bc137754c2acb98d93fd",
                size=2_128_714,
            ),
            PackagedTorchModel(
                requirement="so3krates-torch==0.2.1",
                member="so3krates_torch/pretrained/so3lr/so3lr.model",
                size=2_977_241,
            ),
        ),
    ),
    "helio-s": KnownModel(
        info=ModelInfo(
            name="helio-s",
            licence="MIT",
            citation="distilled from SO3LR (Kabylda, Frank et al., J. Am. Chem. Soc. 2025, 147, 33723)",
            source="examples/helio-s of Helio",
        ),
        summary="a student of so3lr for the same elements, about three times faster and less accurate; docs/helio-s.md",
        weights_sha256="3ffe1eede66f22514c9c8bff1a74f6cf6feeee22fcee2632092d4e227335f5dd",
        page="",
        origins=(),
    ),
}


def print_report(message: str) -> None:
    """Write a message to the standard error stream."""
    print(message, file=sys.stderr)


def load_model(
    name_or_path: str | Path,
    *,
    level: str | None = None,
    report: Report = print_report,
    **options: Unpack[Options],
) -> ForceField:
    """The model of that name, fetched when it is not in the cache yet, or the one in that file.

    Args:
        name_or_path: a known name ("so3lr") or the path of a model file; a name wins over a file of the same name.
        level: of theory, of a model that has several; by default the first that the file names.
        report: is told what is fetched, from where, its size and licence.
        options: as in `ForceField.with_options`; `kernels` is "auto" by default, and must be "plain" for a model that
            is to be trained or differentiated twice.

    Raises:
        HelioError: no such name, file or level, nothing could be fetched, or the file is damaged.
    """
    path = model_path(name_or_path, report=report)
    options.setdefault("kernels", "auto")
    return read_model(path, level)[0].with_options(**options)


def model_path(name_or_path: str | Path, *, report: Report = print_report) -> Path:
    """The file of a model as `load_model` finds it; raises `HelioError` where there is none."""
    if str(name_or_path) in KNOWN_MODELS:
        return get_model(str(name_or_path), report=report)
    if not Path(name_or_path).is_file():
        raise HelioError(f"there is no model and no file called {name_or_path}: {_known_names()}, or give a model file")
    return Path(name_or_path)


def get_model(name: str, *, report: Report = print_report) -> Path:
    """The file of a known model in the cache, fetched from its origins in turn when it is not there.

    Raises `HelioError` if the name is unknown, no origin works, HELIO_OFFLINE forbids to try, or the cache cannot be
    written. Nothing half-written is ever left.
    """
    model = known_model(name)
    check_platforms()  # else a good file would seem damaged
    if cached_header(model, report=report):
        return model.path
    if model.packaged:
        raise HelioError(f"{model.path}, which comes with Helio, is missing or damaged: reinstall Helio")
    if os.environ.get("HELIO_OFFLINE", "0") not in ("", "0"):
        raise HelioError(
            f"the model {name} is not in the cache ({model.path.parent}) and HELIO_OFFLINE forbids the network: unset "
            f"HELIO_OFFLINE, take a model that comes with Helio (--model {_OFFLINE}), or {_by_hand(model)}"
        )
    make_folder(model.path.parent)
    failures = []
    for number, origin in enumerate(model.origins, start=1):
        report(
            f"Fetching the model {name} ({origin.size / 1e6:.1f} MB, licence: {model.info.licence}) from {origin.where}"
        )
        try:
            force_field = origin.fetch()
            check_weights(model, force_field)
        except HelioError as error:
            report(f"  failed: {error}")
            failures.append(f"({number}) {origin.where}: {error}")
            continue
        save_model(force_field, model.path, model.info)
        report(f"  stored as {model.path}")
        return model.path
    raise HelioError(
        f"the model {name} could not be fetched: {'; '.join(failures)}. Check the network and try again, take a "
        f"model that comes with Helio (--model {_OFFLINE}), or {_by_hand(model)}"
    )


def known_model(name: str) -> KnownModel:
    """The known model of that name; raises `HelioError` if there is none."""
    try:
        return KNOWN_MODELS[name]
    except KeyError:
        raise HelioError(f"there is no model called {name}: {_known_names()}") from None


def cached_header(model: KnownModel, *, report: Report = print_report) -> ModelHeader | None:
    """The header of `model` where it is on this machine; None where it is not, or is damaged (which is reported)."""
    if not model.path.exists():
        return None
    try:
        force_field, header = read_model(model.path)
        check_weights(model, force_field)
    except HelioError as error:
        place = "that comes with Helio" if model.packaged else "in the cache"
        report(f"The model {model.info.name} {place} cannot be used: {error}")
        return None
    return header


def remove_model(name: str) -> Path | None:
    """Delete a known model from the cache; its former path, None if it was not there."""
    if known_model(name).packaged:
        raise HelioError(f"the model {name} comes with Helio and is not kept in the cache")
    path = known_model(name).path
    if not path.exists():
        return None
    with disk_errors(path, "remove"):
        path.unlink()
    return path


def identify(force_field: ForceField) -> KnownModel | None:
    """The known model that has these very weights, if any."""
    digest = weights_sha256(named_tensors(force_field))
    return next((model for model in KNOWN_MODELS.values() if model.weights_sha256 == digest), None)


def store_in_cache(model: KnownModel, force_field: ForceField) -> Path:
    """Put a known model, converted from files that the user has, into the cache."""
    check_weights(model, force_field)
    make_folder(model.path.parent)
    save_model(force_field, model.path, model.info)
    return model.path


def check_weights(model: KnownModel, force_field: ForceField) -> None:
    """Raise `HelioError` unless `force_field` has the weights of `model`, bit by bit."""
    if weights_sha256(named_tensors(force_field)) != model.weights_sha256:
        raise HelioError("wrong checksum: these are not the published weights")


def _known_names() -> str:
    return f"known models are {', '.join(KNOWN_MODELS)} (`helio model list`)"


def _by_hand(model: KnownModel) -> str:
    return (
        f"download params.pkl and hyperparameters.json from {model.page} elsewhere and run `helio model convert "
        f"params.pkl hyperparameters.json` here, or copy {model.path.name} of another machine into {model.path.parent} "
        "(HELIO_CACHE chooses another cache), or give a model file"
    )
