import pytest

from lightning_tf.data import ImageFolder
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.gallery.common.scenes_folder import scenes_folder

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def write_photos(folder):
    from PIL import Image

    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for copy in range(2):
            color = (40 * number, 10 * copy, 128)
            Image.new("RGB", (15, 15), color).save(folder / name / f"{copy}.jpg")


@pytest.mark.parametrize("inside", ["", "scenes", "archive"])
@pytest.mark.parametrize(
    ("train", "test"), [("seg_train/seg_train", "seg_test/seg_test"), ("train", "test")]
)
def test_photos_are_found_and_read_as_they_were_unpacked(tmp_path, inside, train, test):
    write_photos(tmp_path / inside / train)
    write_photos(tmp_path / inside / test)
    (tmp_path / inside / "seg_pred" / "seg_pred").mkdir(parents=True)  # Kaggle's, without classes
    root, splits = scenes_folder(str(tmp_path))
    assert (root, splits) == (tmp_path / inside, {"train": train, "test": test})

    data = ImageFolder(root, splits=splits, image_size=15, val_fraction=0.5)
    data.setup("fit")
    assert data.class_names == list(CLASSES)
    assert next(iter(data.train_dataset(0)))[0].shape == (6, 15, 15, 3)


def test_a_folder_without_them_is_told_where_to_get_them(tmp_path):
    (tmp_path / "flowers" / "train" / "tulips").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"Intel Image Classification.*--data_dir"):
        scenes_folder(str(tmp_path))


def test_a_training_part_alone_is_not_enough(tmp_path):
    write_photos(tmp_path / "scenes" / "train")
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        scenes_folder(str(tmp_path))


def test_no_folder_means_the_working_directory(tmp_path, monkeypatch):
    for split in ("seg_train", "seg_test"):
        write_photos(tmp_path / split)
    monkeypatch.chdir(tmp_path)
    root, splits = scenes_folder(None)
    assert splits == {"train": "seg_train", "test": "seg_test"}
    assert (root / "seg_train" / "sea").is_dir()


@pytest.mark.parametrize("name", ["overfitting", "transfer_scenes"])
def test_the_command_says_where_the_photos_are_to_be_had(name, tmp_path, capsys):
    from lightning_tf.cli.main import main

    command = ["gallery", name, "--data_dir", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(command) == 2
    assert "Intel Image Classification" in capsys.readouterr().err
