"""Data sets: every format reads back equal, errors, draws, resumed epochs."""

import contextlib
import gzip
import os
import pathlib
import random
import statistics
import struct
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax.datasets
from tf_relax.datasets import _amat
from tf_relax.datasets import _mnist
from tf_relax.datasets import Batches
from tf_relax.datasets import binarize
from tf_relax.datasets import ImageDataset

# Chance that a correct `binarize` fails `test_draws_have_the_grey_level`.
_FALSE_FAIL_RATE = 1e-6
_SIZES = (10, 2, 3)
_SPLITS = ("train", "valid", "test")
_IDX = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")


def load(path=None, **kwargs) -> ImageDataset:
    return tf_relax.datasets.load("mnist", data_dir=path, **kwargs)


def assert_same_images(data, expected):
    for split in _SPLITS:
        images = getattr(data, split)
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, getattr(expected, split))


# --- Files as people have them, with 15 images ------------------------------
@pytest.fixture
def grey(monkeypatch) -> ImageDataset:
    """A tiny MNIST; the reader is told its sizes."""
    monkeypatch.setattr(_mnist, "SIZES", _SIZES)
    rng = np.random.default_rng(0)
    splits = (
        rng.integers(0, 256, size=(size, 784), dtype=np.uint8)
        for size in _SIZES
    )
    return ImageDataset("grey", *splits, dynamic=True)


@pytest.fixture
def binary(grey) -> ImageDataset:
    splits = (images >> 7 for images in grey[1:4])
    return ImageDataset("binary", *splits, dynamic=False)


def idx_bytes(images, magic=2051) -> bytes:
    return struct.pack(">4I", magic, len(images), 28, 28) + images.tobytes()


def write_idx(folder, data, pattern="{}", pack=bytes):
    both = np.concatenate([data.train, data.valid])
    for name, images in zip(_IDX, (both, data.test), strict=True):
        (folder / pattern.format(name)).write_bytes(pack(idx_bytes(images)))


def write_gzipped_idx(folder, data):
    write_idx(folder, data, "{}.gz", gzip.compress)


def write_dotted_idx(folder, data):
    for path in folder.glob("*ubyte"):
        path.unlink()
    write_idx(folder, data)
    for name in _IDX:
        (folder / name).rename(folder / name.replace("-idx", ".idx"))


def write_keras(folder, data):
    both = np.concatenate([data.train, data.valid])
    np.savez(
        folder / "mnist.npz",
        x_train=both.reshape(-1, 28, 28),
        y_train=np.zeros(len(both), np.uint8),
        x_test=data.test.reshape(-1, 28, 28),
        y_test=np.zeros(len(data.test), np.int64),
    )


def amat_text(images, end="\n") -> bytes:
    lines = (" ".join(map(str, row)) + end for row in images.tolist())
    return "".join(lines).encode()


def write_amat(folder, data, end="\n", suffix="", pack=bytes):
    for split in _SPLITS:
        path = folder / f"binarized_mnist_{split}.amat{suffix}"
        path.write_bytes(pack(amat_text(getattr(data, split), end)))


def write_windows_amat(folder, data):
    write_amat(folder, data, " \r\n")


def write_gzipped_amat(folder, data):
    write_amat(folder, data, suffix=".gz", pack=gzip.compress)


def write_packed(folder, data):
    packed = {s: np.packbits(getattr(data, s), axis=1) for s in _SPLITS}
    np.savez_compressed(folder / "mnist_larochelle.npz", **packed)


_GREY_WRITERS = [write_idx, write_gzipped_idx, write_dotted_idx, write_keras]
_BINARY_WRITERS = [
    write_amat,
    write_windows_amat,
    write_gzipped_amat,
    write_packed,
]


def name_of(function):
    return function.__name__


# --- Formats ----------------------------------------------------------------
@pytest.mark.parametrize("write", _GREY_WRITERS, ids=name_of)
def test_grey_formats_read_back_equal(tmp_path, grey, write):
    write(tmp_path, grey)
    data = load(tmp_path, binarization="dynamic")
    assert data.dynamic
    assert_same_images(data, grey)


@pytest.mark.parametrize("write", _BINARY_WRITERS, ids=name_of)
def test_binary_formats_read_back_equal(tmp_path, binary, write):
    write(tmp_path, binary)
    data = load(str(tmp_path))
    assert not data.dynamic
    assert_same_images(data, binary)


@pytest.mark.parametrize("write", _GREY_WRITERS + _BINARY_WRITERS, ids=name_of)
def test_every_file_stands_for_its_folder(tmp_path, binary, write):
    write(tmp_path, binary)
    for path in list(tmp_path.iterdir()):
        assert_same_images(load(path, seed=1), load(tmp_path, seed=1))


def test_static_draws_depend_on_grey_levels_and_seed_only(tmp_path, grey):
    folders = [tmp_path / name for name in ("idx", "keras")]
    for folder, write in zip(folders, (write_idx, write_keras), strict=True):
        folder.mkdir()
        write(folder, grey)
    made = tmp_path / "made.npz"
    tf_relax.datasets.make_static_mnist(folders[0], made, seed=5)
    for path in folders:
        assert_same_images(load(path, seed=5), load(made))
    assert not np.array_equal(load(folders[0], seed=6).train, load(made).train)


def test_a_folder_of_several_formats_has_an_order(tmp_path, grey, binary):
    found = []
    for write, data in (
        (write_packed, binary),
        (write_keras, grey),
        (write_idx, grey),
        (write_amat, binary),
    ):
        write(tmp_path, data)
        found.append(load(tmp_path).name)
    assert found == [
        "mnist-packed-static",
        "mnist-keras-static",
        "mnist-idx-static",
        "mnist-amat-static",
    ]
    dynamic = load(tmp_path, binarization="dynamic")
    assert dynamic.name == "mnist-idx-dynamic"


def test_amat_lines_may_be_shorter_or_longer_than_mnist(tmp_path):
    images = np.eye(5, 7, dtype=np.uint8)
    path = tmp_path / "some.amat"
    path.write_bytes(amat_text(images).rstrip())  # No newline at the end.
    np.testing.assert_array_equal(_amat.read_amat(path, 7), images)


def test_a_new_dataset_is_one_entry_of_the_registry(monkeypatch, binary):
    monkeypatch.setitem(
        tf_relax.datasets.LOADERS, "mine", lambda path, kind, seed: binary
    )
    loaded = tf_relax.datasets.load("mine")
    assert loaded.name == binary.name
    np.testing.assert_array_equal(loaded.train, binary.train)


def test_images_are_kept_by_rows(monkeypatch, binary):
    columns = binary._replace(train=np.asfortranarray(binary.train))
    monkeypatch.setitem(
        tf_relax.datasets.LOADERS, "mine", lambda path, kind, seed: columns
    )
    assert tf_relax.datasets.load("mine").train.flags.c_contiguous


# --- The embedded file ------------------------------------------------------
@pytest.fixture(scope="module")
def embedded() -> ImageDataset:
    return load()


@pytest.fixture
def real_folder() -> pathlib.Path:
    folder = os.environ.get("TF_RELAX_TEST_DATA")
    if not folder:
        pytest.skip("TF_RELAX_TEST_DATA names no folder with MNIST")
    return pathlib.Path(folder)


def test_embedded_splits(embedded):
    assert embedded.name == "mnist-embedded-static"
    assert not embedded.dynamic
    for split, size in zip(_SPLITS, (50_000, 10_000, 10_000), strict=True):
        images = getattr(embedded, split)
        assert images.shape == (size, 784)
        assert images.dtype == np.uint8
        assert images.max() == 1


def test_embedded_means_are_those_of_mnist(embedded):
    # Grey means of the 60,000 and the 10,000 original images. The draws'
    # standard errors are below 0.02, so 0.1 is more than 5 of them.
    both = np.concatenate([embedded.train, embedded.valid])
    assert 255 * both.mean() == pytest.approx(33.3184, abs=0.1)
    assert 255 * embedded.test.mean() == pytest.approx(33.7912, abs=0.1)
    assert embedded.mean.shape == (784,)
    assert embedded.mean.dtype == np.float32
    np.testing.assert_allclose(embedded.mean, embedded.train.mean(0), rtol=1e-6)


def test_embedded_file_has_its_licence_notice():
    notice = _mnist.EMBEDDED.with_name("MNIST_NOTICE.txt").read_text()
    assert "CC BY-SA 3.0" in notice
    assert "Yann LeCun and Corinna Cortes" in notice


def test_embedded_file_is_made_from_the_idx_files(
    tmp_path, embedded, real_folder
):
    made = tmp_path / "made.npz"
    tf_relax.datasets.make_static_mnist(real_folder, made, seed=0)
    assert_same_images(load(made), embedded)


def test_the_same_seed_makes_the_same_bytes(tmp_path, grey):
    write_idx(tmp_path, grey)
    first, second, other = (tmp_path / f"{i}.npz" for i in range(3))
    for path, seed in ((first, 0), (second, 0), (other, 1)):
        tf_relax.datasets.make_static_mnist(tmp_path, path, seed)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()
    with zipfile.ZipFile(first) as archive:  # No trace of the clock.
        dates = {info.date_time for info in archive.infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}


def test_real_grey_levels(real_folder):
    data = load(real_folder / f"{_IDX[0]}.gz", binarization="dynamic")
    both = np.concatenate([data.train, data.valid])
    assert both.mean() == pytest.approx(33.3184, abs=1e-4)
    assert data.test.mean() == pytest.approx(33.7912, abs=1e-4)
    assert 255 * data.mean.mean() == pytest.approx(data.train.mean(), rel=1e-5)


def test_real_larochelle_as_text_and_as_bits(tmp_path, real_folder):
    path = real_folder / "mnist_larochelle.npz"
    if not path.exists():
        pytest.skip("no mnist_larochelle.npz in TF_RELAX_TEST_DATA")
    test = load(path).test
    text = tmp_path / "binarized_mnist_test.amat"
    text.write_bytes(amat_text(test))
    np.testing.assert_array_equal(_amat.read_amat(text, 784), test)


# --- Errors -----------------------------------------------------------------
def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def swap_magic(path):
    path.write_bytes(idx_bytes(np.zeros((3, 784), np.uint8), magic=2049))


def drop_images(path):
    path.write_bytes(idx_bytes(np.zeros((2, 784), np.uint8)))


def drop_line(path):
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[1:]))


def add_grey_pixel(path):
    path.write_bytes(path.read_bytes().replace(b"1", b"7", 1))


def rename_arrays(path):
    np.savez(path, images=np.zeros((3, 784), np.uint8))


def widen_images(path):
    bits = np.zeros((3, 99), np.uint8)
    np.savez(path, train=bits, valid=bits, test=bits)


def widen_keras(path):
    images = np.zeros((12, 32, 32), np.uint8)
    np.savez(path, x_train=images, x_test=images)


_TEST_AMAT = "binarized_mnist_test.amat"


@pytest.mark.parametrize(
    ("write", "name", "damage", "match"),
    [
        (write_idx, _IDX[1], truncate, "expected 3 images.*2352.*: 2252 pix"),
        (write_idx, _IDX[1], empty, "header of 16 bytes. Received: 0 bytes"),
        (write_idx, _IDX[1], swap_magic, "number 2051.*: 2049.*labels"),
        (write_idx, _IDX[1], drop_images, r"\(3, 784\).*: \(2, 784\)"),
        (write_gzipped_idx, f"{_IDX[1]}.gz", truncate, "whole gzip file"),
        (write_keras, "mnist.npz", truncate, "whole NumPy .npz archive"),
        (write_keras, "mnist.npz", empty, "Received: 0 bytes"),
        (write_keras, "mnist.npz", rename_arrays, r"x_train.*\['images'\]"),
        (write_keras, "mnist.npz", widen_keras, r"28\).*: \(12, 32, 32\)"),
        (write_packed, "mnist_larochelle.npz", widen_images, r"\[N, 98\].*99"),
        (write_amat, _TEST_AMAT, truncate, "784 values.*: 734 .* line 3"),
        (write_amat, _TEST_AMAT, empty, r"\(3, 784\).*: \(0, 784\)"),
        (write_amat, _TEST_AMAT, drop_line, r"\(3, 784\).*: \(2, 784\)"),
        (write_amat, _TEST_AMAT, add_grey_pixel, "each 0 or 1.*line 1.*'7'"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_damaged_file(tmp_path, binary, write, name, damage, match):
    write(tmp_path, binary)
    damage(tmp_path / name)
    with pytest.raises(ValueError, match=match) as error:
        load(tmp_path)
    assert str(tmp_path / name) in str(error.value)
    assert "storage.googleapis.com" in str(error.value)  # Where to get it.


def test_missing_files_are_named_and_where_to_get_them(tmp_path, grey):
    with pytest.raises(FileNotFoundError, match="nowhere") as error:
        load(tmp_path / "nowhere")
    for name in (*_IDX, "mnist.npz", "binarized_mnist_valid.amat", "https://"):
        assert name in str(error.value)
    with pytest.raises(FileNotFoundError, match="folder with nothing"):
        load(tmp_path)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(FileNotFoundError, match="holiday.jpg"):
        load(tmp_path)
    write_idx(tmp_path, grey)
    (tmp_path / _IDX[1]).unlink()
    with pytest.raises(FileNotFoundError, match=f"missing {_IDX[1]}"):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"usual name.*'holiday.jpg'"):
        load(tmp_path / "holiday.jpg")


def test_unknown_names_are_corrected():
    with pytest.raises(ValueError, match="'mnits'. Did you mean 'mnist'?"):
        tf_relax.datasets.load("mnits")
    with pytest.raises(ValueError, match="'xyz'. Available: mnist"):
        tf_relax.datasets.load("xyz")
    with pytest.raises(ValueError, match="Did you mean 'dynamic'?"):
        load(binarization="dynamc")
    with pytest.raises(ValueError, match="seed=-1"):
        load(seed=-1)


@pytest.mark.parametrize("write", [None, write_amat, write_packed])
def test_binary_files_have_no_grey_levels(tmp_path, request, write):
    if write:
        write(tmp_path, request.getfixturevalue("binary"))
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte.gz"):
        load(tmp_path if write else None, binarization="dynamic")


# --- Draws ------------------------------------------------------------------
def test_draws_have_the_grey_level_as_probability():
    num_draws = 100_000
    levels = np.array([0, 1, 100, 254, 255], np.uint8)
    images = np.tile(levels, [num_draws, 1])
    mean = binarize(images, np.random.default_rng(0)).mean(0)
    p = levels / 255
    assert mean[0] == 0 and mean[-1] == 1  # Exactly, not nearly.
    share = _FALSE_FAIL_RATE / (2 * 3)
    critical = statistics.NormalDist().inv_cdf(1 - share)
    stderr = np.sqrt(p * (1 - p) / num_draws)[1:-1]
    # Level 1 has 392 expected ones: near enough to normal.
    assert (np.abs(mean - p)[1:-1] < critical * stderr).all()
    # Power: the error of `u <= grey`, one level, is seen with certainty.
    assert (2 * critical * stderr < 1 / 255).any()


def test_binarize_wants_grey_levels():
    with pytest.raises(ValueError, match="dtype=float32.*np.rint"):
        binarize(np.zeros((2, 2), np.float32), np.random.default_rng(0))


def test_global_random_state_is_left_alone(tmp_path, grey):
    write_idx(tmp_path, grey)
    before = random.getstate(), np.random.get_state()
    load(tmp_path)
    list(Batches(grey.train, 3, seed=0, dynamic=True))
    after = random.getstate(), np.random.get_state()
    np.testing.assert_equal(after, before)


# --- Batches ----------------------------------------------------------------
def rows(num_images, num_pixels=16) -> np.ndarray:
    """Binary images of which no two are equal."""
    numbers = np.arange(num_images)[:, np.newaxis]
    return (numbers >> np.arange(num_pixels) & 1).astype(np.uint8)


def epochs_of(batches, num_epochs) -> list[np.ndarray]:
    """All images of some epochs, read by hand: one array an epoch."""
    seen = []
    for _ in range(num_epochs):
        batches.on_epoch_begin()
        seen.append(np.concatenate(list(batches)))
        batches.on_epoch_end()
    return seen


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_an_epoch_has_every_image_once(shuffle, drop_remainder):
    images = rows(11)
    batches = Batches(
        images, 4, seed=0, shuffle=shuffle, drop_remainder=drop_remainder
    )
    sizes = [len(batch) for batch in batches]
    assert sizes == ([4, 4] if drop_remainder else [4, 4, 3])
    assert len(batches) == batches.num_batches == len(sizes)
    for seen in epochs_of(batches, 3):
        numbers = (seen @ (1 << np.arange(16))).tolist()
        assert len(set(numbers)) == len(numbers)
        assert (numbers == sorted(numbers)) != shuffle


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(dynamic):
    images = rows(12) * (100 if dynamic else 1)

    def make(**kwargs):
        return Batches(images, 4, dynamic=dynamic, **kwargs)

    whole = epochs_of(make(seed=3), 4)
    np.testing.assert_array_equal(epochs_of(make(seed=3), 4), whole)
    resumed = epochs_of(make(seed=3, start_epoch=2), 2)
    np.testing.assert_array_equal(resumed, whole[2:])
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(epochs_of(make(seed=4), 4), whole)


def test_dynamic_pixels_are_drawn_afresh_in_each_epoch():
    images = np.full((8, 50), 128, np.uint8)
    batches = Batches(images, 4, seed=0, dynamic=True, shuffle=False)
    seen = np.concatenate(epochs_of(batches, 3))
    assert seen.max() == 1
    assert len(np.unique(seen, axis=0)) == len(seen)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"batch_size": 13}, r"batch_size=13, len\(images\)=12"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"seed": -1}, "seed=-1"),
        ({"start_epoch": -1}, "start_epoch=-1"),
        ({"dynamic": True}, "must be False for binary images"),
        ({"images": rows(12) * 9}, "must be True for grey levels.*max.*=9"),
        ({"images": rows(12).astype(float)}, "dtype=float64"),
        ({"images": rows(12).ravel()}, r"\[N, D\].*shape=\(192,\)"),
    ],
    ids=str,
)
def test_batches_check_their_arguments(kwargs, match):
    with pytest.raises(ValueError, match=match):
        Batches(**{"images": rows(12), "batch_size": 4, "seed": 0, **kwargs})


def test_a_remainder_may_be_all_there_is():
    (batch,) = Batches(rows(3), 4, seed=0, drop_remainder=False)
    assert batch.shape == (3, 16)


def test_batches_end():
    batches = Batches(rows(12), 4, seed=0)
    with pytest.raises(IndexError, match="Batch 3 of 3"):
        batches[3]


# --- Batches in Keras -------------------------------------------------------
class Recorder(keras.Model):
    """Learns nothing and remembers every batch that `fit` hands to it."""

    def __init__(self):
        """Initializes the model."""
        super().__init__()
        self.seen = []

    def call(self, x):
        return x

    def train_step(self, data):
        (x,) = data  # Keras passes x, and nothing but x.
        assert x.dtype == tf.uint8
        self.seen.append(x.numpy())
        return {"loss": tf.constant(0.0)}

    def test_step(self, data):
        return {"loss": tf.constant(0.0)}


def fit(batches, strategy=None, **kwargs) -> list[np.ndarray]:
    """Returns all images that `fit` saw, one array an epoch."""
    scope = strategy.scope() if strategy else contextlib.nullcontext()
    with scope:
        model = Recorder()
        model.compile(run_eagerly=True)
    model.fit(batches, verbose=0, **kwargs)
    seen = np.concatenate(model.seen)
    return np.split(seen, len(model.seen) // len(batches))


def grey_batches(cls=Batches, **kwargs) -> Batches:
    return cls(rows(120) * 100, 3, seed=1, dynamic=True, **kwargs)


class CountingBatches(Batches):
    """Remembers in which epochs `on_epoch_end` left another one behind."""

    def __init__(self, *args, **kwargs):
        """See `Batches`."""
        super().__init__(*args, **kwargs)
        self.ended = []

    def on_epoch_end(self):
        before = self.epoch
        super().on_epoch_end()
        if self.epoch != before:
            self.ended.append(before)


@pytest.mark.parametrize("steps", [None, 40], ids=["all", "steps_per_epoch"])
@pytest.mark.parametrize("validate", [False, True])
def test_fit_goes_on_once_an_epoch(validate, steps):
    batches = grey_batches(CountingBatches)
    validation = grey_batches(CountingBatches) if validate else None
    seen = fit(
        batches,
        epochs=3,
        shuffle=False,
        steps_per_epoch=steps,
        validation_data=validation,
    )
    assert batches.ended == [0, 1, 2]
    assert validation is None or validation.ended == [0, 1, 2]
    np.testing.assert_array_equal(seen, epochs_of(grey_batches(), 3))


@pytest.mark.parametrize("again", ["same object", "start_epoch"])
def test_fit_resumes(again):
    batches = grey_batches()
    seen = fit(batches, epochs=2, shuffle=False)
    if again == "start_epoch":
        batches = grey_batches(start_epoch=2)
    seen += fit(batches, epochs=4, initial_epoch=2, shuffle=False)
    np.testing.assert_array_equal(seen, epochs_of(grey_batches(), 4))


@pytest.mark.parametrize("kind", ["default", "mirrored"])
def test_follow_takes_the_epoch_from_fit(kind):
    strategy = None
    if kind == "mirrored":  # It opens an epoch in vain, to build the model.
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    batches = grey_batches()
    seen = fit(
        batches,
        strategy,
        epochs=4,
        initial_epoch=2,
        shuffle=False,
        callbacks=[batches.follow()],
    )
    np.testing.assert_array_equal(seen, epochs_of(grey_batches(), 4)[2:])


@pytest.mark.parametrize(
    "kwargs",
    [
        {},  # Keras' default is shuffle=True.
        {"shuffle": False, "steps_per_epoch": 20},
        {"shuffle": False, "steps_per_epoch": 39},
    ],
    ids=str,
)
def test_fit_in_another_order_is_an_error(kwargs):
    # By its thread the error comes as a ValueError or TensorFlow's own; by
    # then Keras may have warned that the data ran out.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Your input ran out of data")
        with pytest.raises(
            (ValueError, tf.errors.InvalidArgumentError),
            match="shuffle=False.*steps_per_epoch",
        ):
            fit(grey_batches(), epochs=3, **kwargs)


def test_evaluate_and_predict_take_batches():
    model = Recorder()
    model.compile(run_eagerly=True)
    batches = grey_batches(shuffle=False)
    assert model.evaluate(batches, verbose=0) == 0.0
    assert model.predict(batches, verbose=0).shape == (120, 16)
