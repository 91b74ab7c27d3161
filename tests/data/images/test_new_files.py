"""Files to predict are decoded once, and a broken one is told as by a look at all of them."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from lightning_tf import Trainer
from lightning_tf.exceptions import DataError
from lightning_tf.tasks import ImageClassification

RANDOM = np.random.default_rng(0)


def write(folder, count=7):
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = RANDOM.integers(0, 256, (9, 12, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=95)


def cut(path):
    """Leave of a file its header and some pixels."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 150])


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A task from a checkpoint, beside the images that it has learned."""
    root = tmp_path_factory.mktemp("fitted")
    for label in "ab":
        write(root / "learned" / label, 4)
    task = ImageClassification(
        str(root / "learned"), "linear", image_size=8, data_options={"val_fraction": 0.0}
    )
    trainer = Trainer(max_epochs=1, default_root_dir=root, logger=False, enable_checkpointing=False)
    trainer.fit(task)
    trainer.save_checkpoint(root / "it.ckpt")
    return root / "it.ckpt"


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that pipelines read, one for each time."""
    names, whole = [], tf.io.read_file

    def note(path):
        names.append(path.decode())
        return path

    def read_file(path):
        return whole(tf.ensure_shape(tf.numpy_function(note, [path], tf.string), ()))

    monkeypatch.setattr(tf.io, "read_file", read_file)
    return names


def test_each_file_is_read_once_and_none_that_was_learned_from(fitted, tmp_path, reads):
    write(tmp_path / "new")
    wanted = sorted(str(path) for path in (tmp_path / "new").iterdir())
    task = ImageClassification.from_checkpoint(fitted)
    table = task.predict(tmp_path / "new", batch_size=3).frame
    assert table["file"].tolist() == [f"{number}.jpg" for number in range(7)]
    assert sorted(reads) == wanted

    reads.clear()
    trainer = Trainer(logger=False, enable_checkpointing=False)
    assert sum(map(len, trainer.predict(task, tmp_path / "new"))) == 7
    assert sorted(reads) == wanted


def test_pixels_that_end_early_are_told_with_their_number_and_skipped(fitted, tmp_path, caplog):
    write(tmp_path / "new")
    task = ImageClassification.from_checkpoint(fitted)
    whole = task.predict(tmp_path / "new", batch_size=2).frame.set_index("file")
    for number in (0, 3, 6):
        cut(tmp_path / f"new/{number}.jpg")
    said = r"3 of 7 images cannot be decoded, the first is .*0\.jpg: .*broken='skip'"
    with pytest.raises(DataError, match=said):
        task.predict(tmp_path / "new", batch_size=2)
    trainer = Trainer(logger=False, enable_checkpointing=False)
    with pytest.raises(DataError, match=said):
        list(trainer.predict(task, tmp_path / "new"))

    caplog.set_level(logging.WARNING, "lightning_tf")
    for batch_size in (2, 100):
        caplog.clear()
        table = task.predict(tmp_path / "new", batch_size=batch_size, broken="skip")
        left = table.frame.set_index("file")
        assert left.index.tolist() == ["1.jpg", "2.jpg", "4.jpg", "5.jpg"]
        np.testing.assert_allclose(
            left["probability"], whole.loc[left.index, "probability"], rtol=1e-5
        )
        assert caplog.text.count("3 of 7 images cannot be decoded") == 1


def test_a_header_that_is_none_is_counted_with_pixels_that_end_early(fitted, tmp_path):
    write(tmp_path / "new")
    (tmp_path / "new/5.jpg").write_bytes(b"none")
    cut(tmp_path / "new/2.jpg")
    task = ImageClassification.from_checkpoint(fitted)
    with pytest.raises(DataError, match=r"2 of 7 images cannot be decoded, the first is .*2\.jpg"):
        task.predict(tmp_path / "new")
    assert len(task.predict(tmp_path / "new", broken="skip").frame) == 5

    for path in (tmp_path / "new").iterdir():
        cut(path)
    with pytest.raises(DataError, match="none of 7 images can be decoded"):
        task.predict(tmp_path / "new", broken="skip")


def test_files_of_sixteen_bits_share_one_range(fitted, tmp_path, caplog):
    write(tmp_path / "new", 2)
    for name, value in {"dark": 1000, "light": 4000}.items():
        Image.fromarray(np.full((9, 12), value, "uint16")).save(tmp_path / f"new/{name}.png")
    caplog.set_level(logging.INFO, "lightning_tf")
    examples = ImageClassification.from_checkpoint(fitted).new_examples(tmp_path / "new")
    means = np.concatenate([np.mean(batch, (1, 2, 3)) for batch in examples.batches(2)])
    assert means[2:].tolist() == [62.0, 249.0]
    assert "2 of 4 images have more than eight bits, with values from 1000 to 4000" in caplog.text
