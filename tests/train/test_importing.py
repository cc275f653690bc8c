"""From files to a store: what is kept, what is left out and said, and what goes wrong."""

from __future__ import annotations

import errno
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helio.datasets import ReadingChoices
from helio.datasets.store import Store
from helio.datasets.structure import LabelledStructure
from helio.errors import HelioError
from helio.settings.checking import checked
from helio.train.filters import FilterSettings
from helio.train.importing import ImportSettings, import_files, write_store
from helio.train.overview import overview
from helio.train.settings import TrainSettings
from helio.train.setup import prepare


def rattled(name: str, seed: int, force: float = 1.0, **info) -> Atoms:
    atoms = molecule(name, info=info)
    atoms.rattle(0.02, seed=seed)
    atoms.info["REF_energy"] = -1.0 * len(atoms)
    atoms.arrays["REF_forces"] = np.full((len(atoms), 3), force / 3**0.5)
    return atoms


def write(path, frames):
    ase.io.write(path, frames)
    return path


@pytest.fixture
def mixed(tmp_path):
    close = rattled("H2O", 3)
    close.positions[1] = close.positions[0] + [0.3, 0, 0]
    frames = [
        rattled("H2O", 0),
        rattled("H2O", 0),  # the same
        rattled("H2O", 1),
        rattled("CH4", 2),
        close,
        rattled("H2O", 4, force=60.0),
        rattled("H2O", 5, charge=1),  # an odd number of electrons, which is fine: one is unpaired
        rattled("H2O", 6, charge=1, spin=0),
        rattled("SiH4", 7),
        rattled("H2O", 9, charge=np.nan),
        rattled("C6H6", 8),
    ]
    return write(tmp_path / "mixed.extxyz", frames)


def test_filters_are_counted(mixed, tmp_path):
    settings = ImportSettings(filters=FilterSettings(elements=(1, 6, 8), max_atoms=10))
    report = import_files([mixed], tmp_path / "store.h5", settings)
    (file,) = report.files
    assert file.read == 11 and file.kept == 4
    assert file.dropped == {
        "duplicates": 1,
        "atoms closer than 0.5 A": 1,
        "forces above 50 eV/A": 1,
        "charge and spin contradict the number of electrons": 1,
        "charge must be a whole number": 1,
        "other elements": 1,
        "more than 10 atoms": 1,
    }
    store = Store(tmp_path / "store.h5")
    assert store.rows("number").tolist() == [0, 2, 3, 6]
    assert store.rows("charge").tolist() == [0, 0, 0, 1]
    assert store.rows("unpaired_electrons").tolist() == [0, 0, 0, 1]
    assert file.assumed_charge == 3

    loose = FilterSettings(min_distance=0, max_force=None, keep_duplicates=True)
    everything = import_files([mixed], tmp_path / "all.h5", ImportSettings(filters=loose))
    assert everything.kept == 9


@pytest.mark.parametrize("position", [1e5, 1e30, 1e308])
def test_atoms_too_far_apart_are_left_out(tmp_path, position):
    far = rattled("H2O", 0)
    far.positions[2] = position
    path = tmp_path / "far.extxyz"
    ase.io.write(path, [rattled("H2O", 1), far])
    report = import_files([path], tmp_path / "store.h5", ImportSettings())
    assert report.kept == 1 and report.files[0].dropped == {"atoms too far apart": 1}


def test_structures_of_a_model(tmp_path):
    """What a teacher says goes into a store without a file between."""
    rng = np.random.default_rng(0)
    structures = [
        LabelledStructure(
            np.array([8, 1, 1]),
            molecule("H2O").positions + 0.02 * rng.normal(size=(3, 3)),
            {"atomic_energies": rng.normal(size=3)},
            charge=0.0,
            level="so3lr",
            source="water",
            number=number,
        )
        for number in range(4)
    ]
    report = write_store(iter(structures), tmp_path / "store.h5")
    assert report.kept == 4 and report.labels == {"atomic_energies": 4}
    store = Store(tmp_path / "store.h5")
    assert store.levels == ("so3lr",) and store.sources == ("water",)
    np.testing.assert_array_equal(store.labels(2)["atomic_energies"], structures[2].labels["atomic_energies"])


def test_duplicates_across_files_and_levels(tmp_path):
    first = write(tmp_path / "a.extxyz", [rattled("H2O", 0), rattled("H2O", 1)])
    second = write(tmp_path / "b.extxyz", [rattled("H2O", 1), rattled("H2O", 1, level="other")])
    report = import_files([first, second], tmp_path / "store.h5")
    assert [file.kept for file in report.files] == [2, 1]
    store = Store(tmp_path / "store.h5")
    assert store.levels == ("unspecified", "other") and store.sources == ("a", "b")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    files = [write(tmp_path / f"{name}.extxyz", [rattled("H2O", seed)]) for seed, name in enumerate("ab")]
    opened = Path.open

    def refuse(path, *arguments, **options):
        if path.name == "a.extxyz":
            raise PermissionError(errno.EACCES, "refused")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    report = import_files(files, tmp_path / "store.h5")
    assert "cannot read" in (report.files[0].broken or "") and report.kept == 1


def test_the_labelled_of_two_equal_structures_is_kept(tmp_path):
    bare = rattled("H2O", 0)
    del bare.arrays["REF_forces"], bare.info["REF_energy"]
    path = write(tmp_path / "a.extxyz", [bare, rattled("H2O", 0), bare])
    import_files([path], tmp_path / "store.h5")
    assert Store(tmp_path / "store.h5").known("forces").tolist() == [False, True]


def test_a_broken_file_among_many_is_left_out_as_a_whole(tmp_path):
    good = write(tmp_path / "a.extxyz", [rattled("H2O", 0)])
    cut = write(tmp_path / "b.extxyz", [rattled("H2O", seed) for seed in range(1, 4)])
    cut.write_text(cut.read_text()[:-40])
    (tmp_path / "c.extxyz").write_text("")
    also = write(tmp_path / "d.extxyz", [rattled("H2O", 1), rattled("CH4", 5)])
    store = tmp_path / "out" / "store.h5"
    store.parent.mkdir()
    report = import_files([good, cut, tmp_path / "c.extxyz", also], store)
    assert [file.kept for file in report.files] == [1, 0, 0, 2]
    assert "cannot be read beyond its first 2 structures" in (report.files[1].broken or "")
    assert "is empty" in (report.files[2].broken or "")
    assert Store(store).sources == ("a", "d")
    assert [entry.name for entry in store.parent.iterdir()] == ["store.h5"]  # nothing is left beside it
    with pytest.raises(HelioError, match="cannot be read"):
        import_files([cut], tmp_path / "other.h5")
    assert not (tmp_path / "other.h5").exists()


def test_nothing_left_and_nothing_lost(tmp_path):
    source, store = write(tmp_path / "a.extxyz", [rattled("H2O", 0)]), tmp_path / "store.h5"
    import_files([source], store)
    before = store.read_bytes()
    with pytest.raises(HelioError, match="exists"):
        import_files([source], store)
    nothing = ImportSettings(filters=FilterSettings(elements=(6,)))
    with pytest.raises(HelioError, match="no structure is left of 1: 1 for other elements"):
        import_files([source], store, nothing, overwrite=True)
    with pytest.raises(HelioError, match="no file"):
        import_files([tmp_path / "absent"], store, overwrite=True)
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("error", "expected"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(errno.ENOSPC, "full"), HelioError)],
)
def test_an_import_that_is_cut_off_leaves_nothing(mixed, tmp_path, monkeypatch, error, expected):
    (tmp_path / "out").mkdir()

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("helio.datasets.store_writer.StoreWriter.write", fail)
    with pytest.raises(expected, match="disk is full" if expected is HelioError else None):
        import_files([mixed], tmp_path / "out" / "store.h5")
    assert not list((tmp_path / "out").iterdir())


def test_the_same_files_give_the_same_store(mixed, tmp_path):
    for name in ("one.h5", "two.h5"):
        import_files([mixed], tmp_path / name)
    assert Store(tmp_path / "one.h5").content == Store(tmp_path / "two.h5").content


def test_a_store_cut_short(mixed, tmp_path):
    store = tmp_path / "store.h5"
    import_files([mixed], store)
    whole = store.read_bytes()
    for length in (len(whole) - 1000, len(whole) // 2, 100):
        store.write_bytes(whole[:length])
        with pytest.raises(HelioError, match="cut off or damaged"):
            Store(store)
    store.write_text("not HDF5")
    with pytest.raises(HelioError, match="no store"):
        Store(store)
    with pytest.raises(HelioError, match="there is no store"):
        Store(tmp_path / "absent.h5")


def test_a_store_with_altered_bytes(mixed, tmp_path):
    """Anywhere in its data, and where it would not be seen: the numbers stay plausible."""
    path = tmp_path / "store.h5"
    import_files([mixed], path)
    whole = path.read_bytes()
    with h5py.File(path, "r") as file:
        groups = [group for group in file.values() if isinstance(group, h5py.Group)]
        places = {name: item.id.get_offset() for group in groups for name, item in group.items()}
    assert {"first_atom", "positions", "forces", "known"} <= set(places)
    for name, place in places.items():
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(altered)
        for use in (overview, lambda store: prepare(checked(TrainSettings, {"data": str(store.path)}))):
            with pytest.raises(HelioError, match=r"store.h5 is damaged: its data no longer have the checksum"):
                use(Store(path))
        with pytest.raises(HelioError, match="is damaged"):
            import_files([path], tmp_path / f"{name}.h5")
    path.write_bytes(whole)
    Store(path).verify()


def test_pair_counts_of_other_cutoffs(mixed, tmp_path):
    import_files([mixed], tmp_path / "store.h5")
    store = Store(tmp_path / "store.h5")
    for stored, counted in zip(store.pair_counts(3.0), store.pair_counts(3.0000001), strict=True):
        np.testing.assert_array_equal(stored, counted)


WRONG = [
    ({"energy": "eV"}, "seems to be kcal/mol"),
    ({"energy": "hartree"}, "seems to be kcal/mol"),
    ({"energy": "kcal/mol", "forces": "eV/A"}, "seems to be kcal/mol/A"),
    ({"energy": "kcal/mol", "forces": "hartree/bohr"}, "seems to be kcal/mol/A"),
    ({"length": "bohr"}, "seems to be A"),
    ({"length": "nm"}, "seems to be A"),
]


@pytest.mark.parametrize(("units", "message"), WRONG)
def test_wrong_units_of_real_data(shared, tmp_path, units, message):
    with np.load(shared / "data" / "md17_ethanol" / "ethanol.npz") as arrays:
        np.savez(tmp_path / "few.npz", **{name: values[:60] for name, values in arrays.items()})
    settings = ImportSettings(choices=ReadingChoices(units=units))
    with pytest.raises(HelioError, match=message):
        import_files([tmp_path / "few.npz"], tmp_path / "store.h5", settings)
    assert not (tmp_path / "store.h5").exists()


def test_gradients_of_real_data(shared, tmp_path):
    path, store = shared / "data" / "s66x8" / "comp6_s66x8.h5", tmp_path / "store.h5"
    with pytest.raises(HelioError, match="opposite sign: they are gradients"):
        import_files([path], store)
    import_files([path], store, ImportSettings(choices=ReadingChoices(gradients=True)))
    assert len(Store(store)) == 528


def test_right_units_of_real_data(shared, tmp_path):
    data = shared / "data"
    files = [data / "acac" / "train_600K.xyz", data / "3bpa" / "iso_atoms.xyz", data / "s66x8" / "s66x8_ccsdt.extxyz"]
    report = import_files(files, tmp_path / "store.h5")
    assert [file.kept for file in report.files] == [500, 4, 528]


def labels_changed(name: str, factor: float) -> list[Atoms]:
    frames = []
    for seed in range(10):
        atoms = molecule("H2O")
        atoms.rattle(0.05, seed=seed)
        charges = np.array([-0.7, 0.35, 0.35])
        labels = {
            "dipole": charges @ atoms.positions,
            "charges": charges,
            "hirshfeld_ratios": np.array([0.9, 0.7, 0.7]),
            "stress": np.zeros(6),
        }
        labels[name] = labels[name] * factor + (100.0 if name == "stress" else 0)
        atoms.info |= {key: labels[key] for key in ("dipole", "stress") if key == name or key == "dipole"}
        atoms.arrays |= {key: labels[key] for key in ("charges", "hirshfeld_ratios")}
        frames.append(atoms)
    return frames


@pytest.mark.parametrize(
    ("name", "factor", "message"),
    [
        ("dipole", 4.8, "it seems to be debye"),
        ("hirshfeld_ratios", 30.0, "must be volumes over"),
        ("stress", 1.0, "its unit is not eV/A"),
    ],
)
def test_other_labels_in_wrong_units(tmp_path, name, factor, message):
    path = write(tmp_path / "wrong.extxyz", labels_changed(name, factor))
    with pytest.raises(HelioError, match=message):
        import_files([path], tmp_path / "store.h5")
    import_files([path], tmp_path / "store.h5", ImportSettings(check_units=False))


def test_wrong_total_charge(tmp_path):
    frames = labels_changed("dipole", 1.0)
    for atoms in frames:
        atoms.info |= {"charge": 2}
    with pytest.raises(HelioError, match="miss the total charge by 2 e"):
        import_files([write(tmp_path / "wrong.extxyz", frames)], tmp_path / "store.h5")
