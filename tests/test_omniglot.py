"""Omniglot: the paper's draws and split, upright images, damaged files."""

import hashlib
import os
import pathlib
import random
import sys

import numpy as np
import pytest
import scipy.io

import tf_relax.datasets
from tf_relax.datasets import _omniglot
from tf_relax.datasets import ImageDataset

_SPLITS = ("train", "valid", "test")
_MAT, _NPZ = "chardata.mat", "omniglot28.npz"


def load(path=None, **kwargs) -> ImageDataset:
    return tf_relax.datasets.load("omniglot", data_dir=path, **kwargs)


def assert_same_images(data, expected):
    for split, images in zip(_SPLITS, expected, strict=True):
        found = getattr(data, split)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, images)


# --- Files as people have them, with 15 images ------------------------------
@pytest.fixture
def grey(monkeypatch) -> tuple[np.ndarray, np.ndarray]:
    """Grey levels 0..255 of 12 and 3 images; the reader is told the sizes."""
    monkeypatch.setattr(_omniglot, "SIZES", (10, 2, 3))
    monkeypatch.setattr(_omniglot, "SIZES_28", (10, 2, 3))
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, size=(12, 28, 28), dtype=np.uint8)
    test = rng.integers(0, 256, size=(3, 28, 28), dtype=np.uint8)
    train[0, 0, 0], test[0, 0, 0] = 0, 255
    return train, test


def columns(images) -> np.ndarray:
    """`[784, N]`, each image column by column, as MATLAB has it."""
    return np.stack([image.ravel(order="F") for image in images], axis=1)


def write_mat(folder, grey, **kwargs):
    train, test = (columns(images) / 255 for images in grey)
    target = np.eye(3)  # The real file has labels as well.
    variables = {"data": train, "testdata": test, "target": target}
    scipy.io.savemat(folder / _MAT, variables | kwargs, do_compression=True)


def write_npz(folder, grey, **kwargs):
    images, is_test = np.concatenate(grey), np.arange(15) % 5 == 3
    images[~is_test], images[is_test] = grey
    names = np.array(["Angelic"])
    arrays = {"images": images, "is_test": is_test, "alphabet_names": names}
    np.savez_compressed(folder / _NPZ, **(arrays | kwargs))


_WRITERS = [write_mat, write_npz]


def name_of(function):
    return function.__name__


def cut(train, test) -> list[np.ndarray]:
    """Splits 12 images as the paper's code splits 24,345."""
    order = np.random.RandomState(123).permutation(12)
    rows = train.reshape(12, 784), test.reshape(3, 784)
    return [rows[0][order][:-2], rows[0][order][-2:], rows[1]]


def draw_as_the_paper(grey) -> list[np.ndarray]:
    """The paper's draws, from the global generator as in its code."""
    levels = [images.astype(np.float32) / np.float32(255) for images in grey]
    state = np.random.get_state()
    np.random.seed(5)
    drawn = [np.random.rand(*x.shape) < x for x in levels]
    np.random.set_state(state)
    return cut(*drawn)


# --- Draws and split --------------------------------------------------------
@pytest.mark.parametrize("write", _WRITERS, ids=name_of)
def test_static_draws_are_those_of_the_papers_code(tmp_path, grey, write):
    write(tmp_path, grey)
    data = load(tmp_path)
    assert not data.dynamic
    assert_same_images(data, draw_as_the_paper(grey))


@pytest.mark.parametrize("write", _WRITERS, ids=name_of)
def test_dynamic_levels_read_back_equal(tmp_path, grey, write):
    write(tmp_path, grey)
    data = load(str(tmp_path), binarization="dynamic")
    assert data.dynamic
    assert_same_images(data, cut(*grey))
    mean = data.train.mean(0) / 255
    np.testing.assert_allclose(data.mean, mean, rtol=1e-6)


def test_static_draws_are_of_levels_that_are_not_rounded(tmp_path, grey):
    # The nearest level is 0.
    write_mat(tmp_path, grey, data=np.full((784, 12), 0.4 / 255))
    assert load(tmp_path).train.max() == 1
    assert load(tmp_path, binarization="dynamic").train.max() == 0


@pytest.mark.parametrize("write", _WRITERS, ids=name_of)
def test_images_are_upright(tmp_path, grey, write):
    letter = np.zeros((28, 28), np.uint8)
    letter[4:24, 8] = letter[23, 8:20] = 255  # An L.
    write(tmp_path, (grey[0], np.stack([letter] * 3)))
    for image in load(tmp_path).test:
        np.testing.assert_array_equal(255 * image.reshape(28, 28), letter)


def test_real_sizes_and_permutation(tmp_path):
    # Image i is i in binary digits: pixels of 0 and 1 leave nothing to chance.
    sizes = {"data": 24_345, "testdata": 8_070}
    digits = np.arange(784)[:, np.newaxis]
    variables = {
        name: (np.arange(size) >> digits.clip(max=15) & (digits < 15)).astype(
            np.uint8
        )
        for name, size in sizes.items()
    }
    scipy.io.savemat(tmp_path / _MAT, variables)
    data = load(tmp_path)
    upright = np.arange(784).reshape(28, 28).T.ravel()  # Undoes order="F".
    train, valid, test = (
        getattr(data, split)[:, upright][:, :15] @ (1 << np.arange(15))
        for split in _SPLITS
    )
    order = np.random.RandomState(123).permutation(24_345)
    np.testing.assert_array_equal(train, order[:23_000])
    np.testing.assert_array_equal(valid, order[23_000:])
    np.testing.assert_array_equal(test, np.arange(8_070))


@pytest.mark.parametrize("write", _WRITERS, ids=name_of)
def test_seed_has_no_effect_and_says_so(tmp_path, grey, caplog, write):
    write(tmp_path, grey)
    expected = load(tmp_path)[1:4]
    assert "`seed`" not in caplog.text
    assert_same_images(load(tmp_path, seed=7), expected)
    assert "`seed` has no effect" in caplog.text
    assert "seed=7" in caplog.text


@pytest.mark.parametrize("write", _WRITERS, ids=name_of)
def test_global_random_state_is_left_alone(tmp_path, grey, write):
    write(tmp_path, grey)
    before = random.getstate(), np.random.get_state()
    load(tmp_path)
    load(tmp_path, binarization="dynamic")
    after = random.getstate(), np.random.get_state()
    np.testing.assert_equal(after, before)


# --- Files ------------------------------------------------------------------
def test_a_folder_of_both_has_an_order_and_names_say_which(tmp_path, grey):
    write_npz(tmp_path, grey)
    name = load(tmp_path, binarization="dynamic").name
    assert name == "omniglot28-not-burda-dynamic"
    assert "NOT\n    BURDA'S" in tf_relax.datasets.load_omniglot.__doc__
    write_mat(tmp_path, grey)
    assert load(tmp_path).name == "omniglot-chardata-static"
    assert load(tmp_path / _NPZ).name == "omniglot28-not-burda-static"


def test_a_file_may_have_another_name(tmp_path, grey):
    write_mat(tmp_path, grey)
    path = (tmp_path / _MAT).rename(tmp_path / "omniglot_07-19-2017.mat")
    assert_same_images(load(path), draw_as_the_paper(grey))


def test_another_md5_is_a_warning(tmp_path, grey, caplog, monkeypatch):
    assert _omniglot.MD5 == "21ecaf34373511aa7691cf2e0802aa3d"
    write_mat(tmp_path, grey)
    md5 = hashlib.md5((tmp_path / _MAT).read_bytes()).hexdigest()
    load(tmp_path)
    (warning,) = caplog.messages
    for word in (str(tmp_path / _MAT), _omniglot.MD5, md5):
        assert word in warning
    caplog.clear()
    monkeypatch.setattr(_omniglot, "MD5", md5)
    load(tmp_path)
    assert not caplog.messages


def test_mat_needs_scipy_and_npz_does_not(tmp_path, grey, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    write_npz(tmp_path, grey)
    load(tmp_path)
    (tmp_path / _MAT).touch()
    with pytest.raises(ImportError, match="chardata.mat.*pip install scipy"):
        load(tmp_path)


# --- Errors -----------------------------------------------------------------
def test_there_is_no_embedded_file():
    with pytest.raises(ValueError, match="not in the package.*data_dir=None"):
        load()


def test_missing_files_are_named_and_where_to_get_them(tmp_path):
    photo = tmp_path / "holiday.jpg"
    for path, match in (
        (None, "`data_dir`"),
        (tmp_path / "nowhere", "No such file or folder"),
        (tmp_path, "chardata.mat or omniglot28.npz.*folder with nothing"),
        (photo, "ends in .mat or .npz. Received: 'holiday.jpg'"),
        (tmp_path, "folder with holiday.jpg"),
    ):
        if path == photo:
            photo.touch()
        with pytest.raises((FileNotFoundError, ValueError), match=match) as e:
            load(path)
        for name in (_MAT, _NPZ, _omniglot.MD5, "github.com/yburda/iwae"):
            assert name in str(e.value)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def save_text(path):
    path.write_text("<!DOCTYPE html>" * 100)  # A page instead of the file.


def save_hdf5(path):
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head + bytes(1000))


def rewrite(**kwargs):
    """Returns what writes the file with other arrays."""

    def damage(path):
        grey = np.zeros((12, 28, 28), np.uint8), np.zeros((3, 28, 28), np.uint8)
        write = write_mat if path.suffix == ".mat" else write_npz
        write(path.parent, grey, **kwargs)

    return damage


def rename_mat(path):
    scipy.io.savemat(path, {"images": np.zeros((784, 15))})


def rename_npz(path):
    np.savez(path, train=np.zeros((15, 98), np.uint8))


_NAN = np.full((784, 3), np.nan)
_PIXELS = np.zeros((15, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("name", "damage", "match"),
    [
        (_MAT, truncate, "whole MATLAB file"),
        (_MAT, empty, "whole MATLAB file.*: 0 bytes"),
        (_MAT, save_text, "whole MATLAB file.*: 1500 bytes"),
        (_MAT, save_hdf5, "before 7.3.*HDF"),
        (_MAT, rename_mat, r"data, testdata. Received: \['images'\]"),
        (
            _MAT,
            rewrite(data=np.zeros((12, 784))),
            r"`data` of shape \(784, 12\).*: \(12, 784\)",
        ),
        (
            _MAT,
            rewrite(testdata=np.zeros((784, 4))),
            r"`testdata` of shape \(784, 3\).*: \(784, 4\)",
        ),
        (_MAT, rewrite(data="text"), r"`data` of shape.*: \(1,\)"),
        (_MAT, rewrite(testdata=_NAN), "0 to 1 in `testdata`.*: nan to nan"),
        (_MAT, rewrite(data=np.eye(784, 12) * 255), "`data`.*: 0 to 255"),
        (_MAT, rewrite(data=np.full((784, 12), -1)), "`data`.*: -1 to -1"),
        (_MAT, rewrite(data=np.ones((784, 12)) * 1j), "real .*complex128"),
        (_NPZ, truncate, "whole NumPy .npz archive"),
        (_NPZ, empty, "Received: 0 bytes"),
        (_NPZ, rename_npz, r"images, is_test. Received: \['train'\]"),
        (_NPZ, rewrite(images=_PIXELS / 255), r"Received: \['is_test'\]"),
        (_NPZ, rewrite(images=_PIXELS > 0), "uint8 and .*bool.*: bool and"),
        (
            _NPZ,
            rewrite(images=_PIXELS[:, :27]),
            r"`images` of shape \(15, 28, 28\).*: \(15, 27, 28\)",
        ),
        (
            _NPZ,
            rewrite(is_test=np.zeros(14, bool)),
            r"`is_test` of shape \(15,\).*: \(14,\)",
        ),
        (_NPZ, rewrite(is_test=np.arange(15) < 4), "3 times. Received: 4 tim"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damaged_file(tmp_path, grey, name, damage, match):
    write_mat(tmp_path, grey)
    write_npz(tmp_path, grey)
    damage(tmp_path / name)
    with pytest.raises(ValueError, match=match) as error:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "github.com/yburda/iwae" in str(error.value)  # Where to get it.


# --- Real data --------------------------------------------------------------
@pytest.fixture(scope="module")
def real_path() -> pathlib.Path:
    folder = os.environ.get("TF_RELAX_TEST_DATA")
    if not folder:
        pytest.skip("TF_RELAX_TEST_DATA names no folder with omniglot28.npz")
    path = pathlib.Path(folder) / _NPZ
    if not path.exists():
        pytest.skip(f"no {_NPZ} in TF_RELAX_TEST_DATA")
    return path


@pytest.fixture(scope="module")
def real_grey(real_path) -> ImageDataset:
    return load(real_path, binarization="dynamic")


def test_real_images(real_path, real_grey):
    static = load(real_path)
    for split, size in zip(_SPLITS, (23_000, 1_345, 8_115), strict=True):
        levels, drawn = getattr(real_grey, split), getattr(static, split)
        assert levels.shape == drawn.shape == (size, 784)
        ink = levels.mean() / 255  # 0.0806 in all 32,460 drawings.
        assert ink == pytest.approx(0.0806, abs=0.003)
        # At most: pixels that are surely black or white add nothing to it.
        stderr = np.sqrt(ink * (1 - ink) / levels.size)
        assert drawn.mean() == pytest.approx(ink, abs=5 * stderr)
        assert drawn.max() == 1
        assert levels.max() == 255


def lean(image) -> np.ndarray:
    """Centre of the ink minus the middle of the box around it: (right, down).

    For an upright b it is (-, +): the stem is left and the bowl low.
    """
    rows, cols = np.nonzero(image > 127)
    weights = image / image.sum()
    right = weights.sum(0) @ np.arange(28) - (cols.min() + cols.max()) / 2
    down = weights.sum(1) @ np.arange(28) - (rows.min() + rows.max()) / 2
    return np.array([right, down])


# No turn and no reflection of the square but the identity keeps all signs.
@pytest.mark.parametrize(
    ("letter", "signs"),
    [("b", (-1, 1)), ("d", (1, 1)), ("p", (-1, -1)), ("q", (1, -1))],
)
def test_real_letters_are_upright(real_path, real_grey, letter, signs):
    with np.load(real_path) as arrays:
        is_test = arrays["is_test"]
        latin = arrays["alphabet_names"].tolist().index("Latin")
        is_latin = arrays["alphabet"] == latin
        character = arrays["character"].astype(int)
    character -= character[is_latin].min()  # Latin's a is 0.
    is_letter = is_latin & (character == ord(letter) - ord("a"))
    images = real_grey.test[is_letter[is_test]].reshape(-1, 28, 28)
    assert len(images) == 5
    mean = np.mean([lean(image) for image in images], axis=0)
    assert tuple(np.sign(mean)) == signs
