from __future__ import annotations

import pytest

from helio.force_field import ForceField, ForceFieldSettings, ModelInfo, save_model

TINY = ForceFieldSettings(
    num_layers=1, features=8, num_heads=2, degrees=(1, 2), num_radial=6, spherical_hidden=4, hirshfeld_width=4
)


@pytest.fixture(scope="session")
def teacher() -> ForceField:
    return ForceField.initialise(TINY, 3)


@pytest.fixture(scope="session")
def teacher_file(teacher, tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_model(teacher, path, ModelInfo(name="teacher"))
    return path
