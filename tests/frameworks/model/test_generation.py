"""The commands on a tiny store: train, go on after a kill, sample, optimise; and what they refuse."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from helio.cli.frameworks import model as commands
from helio.errors import HelioError
from helio.frameworks.model.data import framework_arrays
from helio.frameworks.model.generation import GenerationSettings, encoded_latents, generate
from helio.frameworks.model.guidance import CleanGuess, Guidance, guided
from helio.frameworks.model.input_file import SETTINGS_FILE
from helio.frameworks.model.measures import matched, model_errors, shuffled_blocks
from helio.frameworks.model.model_file import FrameworkModel, read_framework_model, save_framework_model
from helio.frameworks.model.optimise import Search, optimise_latents
from helio.frameworks.model.prior import draw_latents
from helio.frameworks.model.sampling import Draft, fill, skeletons
from helio.frameworks.model.settings import FrameworkTrainSettings
from helio.frameworks.model.training import resume_frameworks, train_frameworks
from helio.frameworks.model.training_set import read_training_set
from helio.frameworks.model.wishes import Wishes, check_wishes
from helio.frameworks.store import FrameworkStore
from helio.precision import numerics
from helio.settings.checking import checked
from tests.frameworks.model.toy import toy_framework, toy_library, toy_store

app = typer.Typer(pretty_exceptions_enable=False)
for each in (commands.train, commands.sample, commands.optimise, commands.template):
    app.command()(each)

SETTINGS = {
    "frameworks_per_batch": 16,
    "most_shapes": 1,
    "encoder": {"channels": 4, "features": 8, "layers": 1, "blocks_per_batch": 4, "steps": 4},
    "network": {"latent": 4, "features": 8, "pair": 6, "reach": 3, "layers": 1, "encoder_layers": 1},
    "schedule": {"steps": 6},
    "steps": 6,
    "warmup_updates": 0,
    "log_every": 2,
    "validate_every": 3,
    "checkpoint_every": 2,
}

LABELS = ("co2_uptake", "pore_limiting_diameter", "void_fraction")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def settings_in(path: Path) -> FrameworkTrainSettings:
    return checked(FrameworkTrainSettings, SETTINGS_FILE.read(path)[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store, settings and a finished training in `run`."""
    path = tmp_path_factory.mktemp("frameworks")
    toy_store(path / "toy.h5")
    (path / "settings.yaml").write_text(yaml.safe_dump({"data": "toy.h5", "out": "run"} | SETTINGS))
    told = call("train", path / "settings.yaml", "--dry-run")
    assert "22 frameworks to train on, 2 to validate on; 7 blocks" in told
    assert "Speed: about " in told
    assert not (path / "run").exists()
    assert "Done: 6 steps" in call("train", path / "settings.yaml")
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> FrameworkModel:
    return read_framework_model(folder / "run" / "model.safetensors")


class Killed(BaseException):
    """What no code can see coming."""


@pytest.mark.parametrize("stage", ["run", "encoder"])
def test_a_killed_training_goes_on_bit_for_bit(folder: Path, tmp_path: Path, stage: str) -> None:
    settings = settings_in(folder / "settings.yaml")
    seen = []

    def kill(progress: object) -> None:
        seen.append(getattr(progress, "steps", None))
        at = {"encoder": 4, "run": 6}[stage]
        if seen[-1] == at and getattr(progress, "step", 0) == 4:
            raise Killed

    with pytest.raises(Killed):
        train_frameworks(settings, tmp_path / "killed", report=kill)
    assert (tmp_path / "killed" / "checkpoint.npz").exists() == (stage == "run")
    outcome = resume_frameworks(tmp_path / "killed", report=lambda progress: None)
    assert (outcome.step, outcome.reason) == (6, "done")
    for name in ("model.safetensors", "validation.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (folder / "run" / name).read_bytes()


def test_model_file_comes_back_bit_for_bit(model: FrameworkModel, folder: Path, tmp_path: Path) -> None:
    save_framework_model(model, tmp_path / "again.safetensors")
    content = (tmp_path / "again.safetensors").read_bytes()
    assert content == (folder / "run" / "model.safetensors").read_bytes()
    assert model.scales.names == LABELS and model.latents.shape == (22, 4)
    assert model.library.keys == toy_library().keys
    assert model.proportions is not None and model.proportions.rows[:, :3].tolist() == [[4, 6, 2], [8, 6, 2]]
    (tmp_path / "bad.safetensors").write_bytes(content[:-8] + b"damaged!")
    with pytest.raises(HelioError, match="damaged: its weights do not fit their checksum"):
        read_framework_model(tmp_path / "bad.safetensors")
    (tmp_path / "text.safetensors").write_text("no model")
    with pytest.raises(HelioError, match="not a model file"):
        read_framework_model(tmp_path / "text.safetensors")


def test_samples_are_a_store_that_assembly_takes(folder: Path) -> None:
    out = folder / "samples.h5"
    text = call("sample", "--model", folder / "run/model.safetensors", "--count", 5, "--seed", 3, "--out", out)
    assert "with as many connections of nodes as of linkers" in text
    with FrameworkStore(out) as store:
        library, frameworks = store.library, list(store.frameworks())
    assert frameworks and library.keys == toy_library().keys
    for framework in frameworks:
        assert framework.centers.shape == (len(framework), 3) and 1 <= len(framework) <= 20
        assert (framework.centers >= 0).all() and (framework.centers < 1).all()
        assert framework.blocks.max() < len(library) and np.linalg.det(framework.cell) != 0
        assert len(framework.edges) == len(framework.ends) == 0  # not assembled
        assert np.array_equal(framework.rotations, np.tile(np.eye(3), (len(framework), 1, 1)))
        assert set(framework.labels) == {f"predicted_{name}" for name in LABELS}
        assert len(set(framework.blocks.tolist())) <= 2 or not matched(framework, library)  # as in the toy store
    call("sample", "--model", folder / "run/model.safetensors", "--count", 5, "--seed", 3, "--out", folder / "too.h5")
    with FrameworkStore(folder / "too.h5") as store:
        for one, other in zip(frameworks, store.frameworks(), strict=True):
            assert np.array_equal(one.centers, other.centers) and np.array_equal(one.blocks, other.blocks)


def test_places_are_drawn_anew_for_known_blocks(model: FrameworkModel) -> None:
    random = np.random.default_rng(4)
    places, known = random.random((3, 20, 3)), model.scales.embedding_in(model.embeddings)
    embedding = known[random.integers(len(known), size=(3, 20))]
    schedule = model.schedule_settings.schedule
    with numerics("float32"):
        found = skeletons(model.generative, model.scales, model.latents[:3], Wishes(blocks=4))
        drawn = {
            sigma: fill(model.generative, schedule, found, channels=4, seed=1, draft=Draft(places, embedding, sigma))
            for sigma in (0.01, 0.7)
        }
    for sigma, filled in drawn.items():
        assert np.array_equal(filled.embedding[:, :4], np.float32(embedding[:, :4])) and filled.finite.all()
        apart = (filled.fractional - places)[:, :4]
        apart = np.abs(apart - np.rint(apart)).max()
        assert (apart < 0.1) == (sigma < 0.1)  # the least noise leaves them where they were


def test_latents_are_drawn_around_those_trained_on() -> None:
    trained = np.random.default_rng(0).normal(size=(300, 3)) @ np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0.1]]) + 5
    for spread in (0.0, 0.5, 1.0):
        drawn = draw_latents(trained, 20_000, spread=spread, seed=1)
        assert drawn.mean(axis=0) == pytest.approx(trained.mean(axis=0), abs=0.05)
        assert np.cov(drawn, rowvar=False) == pytest.approx(np.cov(trained, rowvar=False), abs=0.15)
        repeated = np.abs(drawn[:50, None] - trained[None]).max(axis=-1).min(axis=1) < 1e-5
        assert repeated.all() if spread == 0 else not repeated.any()


def test_a_wanted_lattice_and_number_of_blocks_are_kept(model: FrameworkModel) -> None:
    wishes = Wishes(cell=(9, 10, 11, 90, 90, 90), blocks=4)
    settings = GenerationSettings(2, wishes=wishes, search=Search(steps=3))
    for entry in generate(model, settings).content.entries:
        assert len(entry.framework) == 4
        assert sorted(np.linalg.norm(entry.framework.cell, axis=1)) == pytest.approx([9, 10, 11])


def test_search_goes_for_its_wish_and_the_prior_keeps_latents_apart(model: FrameworkModel) -> None:
    """With a prior each latent finds what is best near its own beginning, and without it they leave that behind."""
    drawn = draw_latents(model.latents, 8, spread=1.0, seed=0)
    wishes, spread = Wishes(most=("void_fraction",)), model.latents.std(axis=0)
    column = model.scales.names.index("void_fraction")

    def told(latents: np.ndarray) -> np.ndarray:
        with numerics("float32"):
            return np.asarray(model.generative.read(jnp.asarray(latents)).labels)[:, column]

    def searched(prior: float) -> np.ndarray:
        with numerics("float32"):
            return optimise_latents(model, drawn, wishes, Search(300, 0.02, prior))

    def moved(latents: np.ndarray) -> float:
        return float(np.mean(((latents - drawn) / spread) ** 2))

    free, held, fast = searched(0.0), searched(3.0), searched(1000.0)
    assert (told(held) > told(drawn)).all() and told(free).mean() > told(held).mean()
    assert moved(free) > moved(held) > moved(fast)
    assert np.ptp(held, axis=0) == pytest.approx(np.ptp(drawn, axis=0), rel=0.5)
    np.testing.assert_allclose(fast, drawn, atol=0.02 * np.ptp(drawn, axis=0).max())


def test_optimised_and_guided_by_command(folder: Path) -> None:
    text = call(
        "optimise", "--model", folder / "run/model.safetensors", "--target", "void_fraction=0.7", "--least",
        "co2_uptake", "--start", folder / "toy.h5", "--steps", 5, "--guidance", 1.0, "--count", 2, "--out",
        folder / "optimised.h5",
    )  # fmt: skip
    assert "predicted_void_fraction" in text
    with FrameworkStore(folder / "optimised.h5") as store:
        assert all(name.startswith("optimised-") for name in store.names())


def test_guidance_goes_uphill(model: FrameworkModel) -> None:
    """The label that the encoder tells of the clean framework grows, and padding stays where it is."""
    random, networks = np.random.default_rng(0), model.generative
    places, embedding = random.random((4, 3)).astype(np.float32), random.normal(size=(4, 4)).astype(np.float32)
    cell, lattice, mask = 9 * jnp.eye(3, dtype=jnp.float32), jnp.zeros(6, jnp.float32), jnp.arange(4) < 3
    count, column = jnp.asarray(3), model.scales.names.index("void_fraction")
    most = jnp.zeros(3, jnp.float32).at[column].set(1.0)
    guidance = Guidance(0 * most, 0 * most, most, jnp.asarray(0.05, jnp.float32))
    half = jnp.asarray(0.5, jnp.float32)

    @jax.jit
    def changes_and_labels(places, embedding):
        mean, _ = networks.encode(embedding, networks.pairs(places, cell, mask), lattice, mask, count)
        guess = CleanGuess(places, embedding)
        return guided(networks, guess, guidance, cell, lattice, mask, count, half, half), networks.read(mean).labels

    (moved, changed), before = changes_and_labels(places, embedding)
    assert np.abs(changed[:3]).max() > 0 and not np.any(changed[3]) and not np.any(moved[3])
    assert np.linalg.norm(changed, axis=1).max() <= 0.05 * 0.5 + 1e-6
    _, after = changes_and_labels(places + np.asarray(moved), embedding + np.asarray(changed))
    assert after[column] > before[column]


def test_errors_of_a_model_are_measured(model: FrameworkModel, folder: Path) -> None:
    data = read_training_set(checked(FrameworkTrainSettings, {"data": str(folder / "toy.h5")} | SETTINGS))
    with numerics("float32"):
        found = model_errors(model, data.validation, model.embeddings)
    assert found.frameworks == 2 and 0 <= found.count_accuracy <= 1
    assert set(found.labels) == set(model.scales.names) and all(error >= 0 for error in found.places.values())
    with FrameworkStore(folder / "toy.h5") as store:
        latents = encoded_latents(model, store, "train", seed=0, count=3)
    assert latents.shape == (3, 4) and np.isfinite(latents).all()


def test_matched_connections_and_the_shuffled_baseline() -> None:
    library = toy_library()
    frameworks = [toy_framework(library, 0, 1) for _ in range(200)]
    assert all(matched(framework, library) for framework in frameworks)
    shuffled = shuffled_blocks(frameworks, library, seed=1)
    exact = 4 * (3 / 7) * (4 / 7) ** 3  # one node of six and three linkers of two connections
    assert np.mean([matched(each, library) for each in shuffled]) == pytest.approx(exact, abs=0.1)
    assert framework_arrays(shuffled, library, ()).count.tolist() == [4] * 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "beauty=1"], "does not know the label 'beauty'"),
        (["--target", "void_fraction=nan"], "the target of void_fraction must be a number that is finite"),
        (["--most", "void_fraction", "--cell", "nan 9 9 90 90 90"], "a cell has edges of up to 500 A"),
        (["--target", "void_fraction"], "a target is LABEL=VALUE, not 'void_fraction'"),
        (["--most", "void_fraction", "--least", "void_fraction"], "void_fraction is wished for twice"),
        ([], "nothing to optimise"),
        (["--most", "void_fraction", "--cell", "9 9 9"], "six numbers"),
        (["--most", "void_fraction", "--cell", "9 9 9 60 60 130"], "no cell with the parameters"),
        (["--most", "void_fraction", "--blocks", "30"], "1 to 20 building blocks, not 30"),
    ],
)
def test_wishes_that_cannot_be(folder: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(HelioError, match=message):
        call("optimise", "--model", folder / "run/model.safetensors", "--out", folder / "none.h5", *arguments)
    assert not (folder / "none.h5").exists()


def test_settings_that_are_wrong(folder: Path, tmp_path: Path, model: FrameworkModel) -> None:
    (tmp_path / "a.yaml").write_text(SETTINGS_FILE.template())
    assert settings_in(tmp_path / "a.yaml").steps == 20_000
    (tmp_path / "b.yaml").write_text("data: x.h5\nnetwork: {features: 7}\nstep: 3\n")
    with pytest.raises(HelioError, match=r"features must be a multiple of 4.*step: Extra inputs"):
        settings_in(tmp_path / "b.yaml")
    wrong = checked(FrameworkTrainSettings, {"data": str(folder / "toy.h5"), "labels": ["beauty"]} | SETTINGS)
    with pytest.raises(HelioError, match="have no label 'beauty'"):
        read_training_set(wrong)
    with pytest.raises(HelioError, match="1 to 20 building blocks, not 0"):
        check_wishes(Wishes(blocks=0), model.scales)
    (folder / "run" / "settings.yaml").write_text(
        (folder / "run" / "settings.yaml").read_text().replace("seed: 0", "seed: 1")
    )
    with pytest.raises(HelioError, match="began with other settings: seed was 0 and is 1"):
        resume_frameworks(folder / "run", report=lambda progress: None)
