"""UnlabeledImageFolder: every image below a folder, cut to one size."""

import numpy as np
import pytest
from PIL import Image

from lightning_tf.data import UnlabeledImageFolder
from lightning_tf.exceptions import ConfigurationError, DataError


@pytest.fixture
def folder(tmp_path):
    """Ten plain images of unlike sizes in folders of folders; each has a gray of its own."""
    for index in range(10):
        file = tmp_path / ("a", "a/b", "c")[index % 3] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = (20 + index, 30, 3)
        Image.fromarray(np.full(shape, 20 * index, "uint8")).save(file)
    (tmp_path / ".hidden").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(tmp_path / ".hidden" / "no.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def grays(dataset):
    return [int(image[0, 0, 0]) // 20 for batch in dataset.as_numpy_iterator() for image in batch]


def test_every_image_is_trained_on_or_held_out_and_all_have_one_size(folder):
    data = UnlabeledImageFolder(folder, image_size=(16, 12), val_fraction=0.2, batch_size=3)
    data.setup("fit")
    first, again, other = (grays(data.train_dataset(epoch)) for epoch in (0, 0, 1))
    assert first == again != other
    assert sorted(first + grays(data.val_dataset())) == list(range(10))
    assert len(first) == 8
    batch = next(iter(data.train_dataset(0)))
    assert (tuple(batch.shape), batch.dtype.name) == ((3, 16, 12, 3), "uint8")
    assert grays(data.train_dataset_from(0, 1)) == first[3:]


def test_a_broken_image_is_named_or_left_out(folder, caplog):
    (folder / "c" / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"1 of 11 .* c?.*broken\.jpg"):
        UnlabeledImageFolder(folder, image_size=8).setup("fit")
    data = UnlabeledImageFolder(folder, image_size=8, broken="skip")
    data.setup("fit")
    assert data.broken_files == [str(folder / "c" / "broken.jpg")]
    assert "They are skipped" in caplog.text


@pytest.mark.parametrize(("name", "message"), [("gone", "is no folder"), ("", "holds no images")])
def test_a_folder_without_images_is_told(tmp_path, name, message):
    with pytest.raises(DataError, match=message):
        UnlabeledImageFolder(tmp_path / name).setup("fit")


def test_a_wrong_word_is_told_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="Did you mean 'skip'"):
        UnlabeledImageFolder(tmp_path, broken="skp")
