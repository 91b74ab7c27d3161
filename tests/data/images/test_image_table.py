"""Images whose files and labels stand in a table."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

from lightning_tf.data import ImageFolder, ImageTable, image_data
from lightning_tf.data.images.image_spec import image_spec
from lightning_tf.exceptions import ConfigurationError, DataError

COUNT = 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of images that become lighter, and their table."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    for number in range(COUNT):
        gray = (12 * number,) * 3
        Image.new("RGB", (9, 8 + number % 3), gray).save(folder / "images" / f"{number}.png")
    return folder


def table(**columns):
    """The table, with some columns replaced."""
    numbers = np.arange(COUNT)
    known = {
        "filename": [f"{n}.png" for n in numbers],
        "label": ["dark" if n < COUNT // 2 else "light" for n in numbers],
        "tags": [["a", "a|b", "", "b"][n % 4] for n in numbers],
        "a": [int(n % 4 < 2) for n in numbers],
        "b": [n % 4 in (1, 3) for n in numbers],
        "age": numbers + 0.5,
    }
    return pd.DataFrame({**known, **columns})


def ready(photos, frame=None, **options):
    frame = table() if frame is None else frame
    data = image_data(frame, images_dir=photos / "images", image_size=8, **options)
    data.setup("fit")
    return data


def flat(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))


def refusal(photos, frame=None, **options):
    with pytest.raises((ConfigurationError, DataError)) as error:
        ready(photos, frame, **options)
    return str(error.value)


@pytest.mark.parametrize("kind", ["csv", "frame", "polars", "rows"])
def test_every_image_comes_with_the_class_of_its_row(photos, kind):
    frame = table()
    if kind == "csv":
        frame.to_csv(photos / "labels.csv", index=False)  # beside the folder images
        data = image_data(str(photos / "labels.csv"), image_size=8, val_fraction=0.0)
    else:
        if kind == "polars":
            frame = pl.from_pandas(frame)
        rows = frame.to_dict("records") if kind == "rows" else frame
        data = ImageTable(rows, images_dir=photos / "images", image_size=8, val_fraction=0.0)
    data.setup("fit")
    images, labels = flat(data.train_dataset(0))
    numbers = images[:, 0, 0, 0] // 12
    assert sorted(numbers) == list(range(COUNT))
    assert data.class_names == ["dark", "light"]
    assert (labels == (numbers >= COUNT // 2)).all()
    assert labels.dtype == np.int32
    assert "20 images (train 20) of 2 classes: dark 10, light 10" in data.summary


def test_the_same_images_in_class_folders_give_the_same_batches(photos, tmp_path):
    for number, label in enumerate(table()["label"]):
        (tmp_path / label).mkdir(exist_ok=True)
        name = f"{number:02d}.png"  # in the order of the table
        (tmp_path / label / name).symlink_to(photos / "images" / f"{number}.png")
    folder, listed = ImageFolder(tmp_path, image_size=8), ready(photos)
    folder.setup("fit")
    for one, two in (
        (folder.train_dataset(3), listed.train_dataset(3)),
        (folder.val_dataset(), listed.val_dataset()),
    ):
        for first, second in zip(flat(one), flat(two), strict=True):
            np.testing.assert_array_equal(first, second)


def test_several_labels_are_the_same_in_one_column_and_in_several(photos):
    one = ready(photos, label_column="tags", label_sep="|", in_memory=True)
    several = ready(photos, label_columns=["a", "b"])
    for data in (one, several):
        assert data.class_names == ["a", "b"]
        assert data.objective == "multi_label"
        assert image_spec(data).num_classes == 2
        assert data.class_labels is None
    assert "2 labels: a 10, b 10; 5 images without a label" in one.summary
    for first, second in zip(flat(one.val_dataset()), flat(several.val_dataset()), strict=True):
        np.testing.assert_array_equal(first, second)
    labels = flat(one.train_dataset(0))[1]
    assert labels.dtype == np.float32
    assert set(labels.ravel()) == {0.0, 1.0}


@pytest.mark.parametrize(("offset", "dtype"), [(0.0, "float32"), (1.7e9, "float64")])
def test_numbers_are_float64_where_float32_would_merge_them(photos, offset, dtype):
    data = ready(
        photos, table(age=table()["age"] + offset), label_column="age", objective="regression"
    )
    images, ages = flat(data.train_dataset(0))
    np.testing.assert_allclose(ages[:, 0] - offset, images[:, 0, 0, 0] // 12 + 0.5, atol=1e-5)
    spec = image_spec(data)
    assert ages.dtype.name == dtype
    assert spec.precise_targets == (dtype == "float64")
    assert spec.class_names == ["age"]


def test_a_split_column_says_where_a_row_belongs(photos):
    split = ["Train"] * 14 + ["dev"] * 3 + ["holdout"] * 3
    label = ["ab"[n % 2] for n in range(COUNT)]
    data = ready(photos, table(part=split, label=label), split_column="part")
    assert {n: len(s.indices) for n, s in data.splits.items()} == {"train": 14, "val": 3, "test": 3}
    assert sorted(flat(data.test_dataset())[0][:, 0, 0, 0] // 12) == [17, 18, 19]
    split[4] = "fold"
    assert "part of row 4 of The table is 'fold'" in refusal(
        photos, table(part=split), split_column="part"
    )


def test_tables_of_their_own_are_splits_and_their_classes_those_of_training(photos):
    rows, label = table(), "label"
    mixed = rows[rows.index % 2 == 0], rows[rows.index % 2 == 1]
    data = ready(photos, mixed[0], val=mixed[1])
    assert len(data.splits["val"].indices) == 10
    message = refusal(photos, rows[:8].assign(label=["x", "y"] * 4), val=rows[8:])
    assert f"{label} of row 0 of The table is 'dark', which is no class" in message
    assert "of the splits train and val" in refusal(photos, rows, val=rows[:4])


def test_rows_that_repeat_an_image_are_read_once_and_told(photos, caplog):
    frame = pd.concat([table(), table()[:2]])
    data = ready(photos, frame, val_fraction=0.0)
    assert len(data.splits["train"].indices) == COUNT
    assert "2 rows repeat an image and its labels" in caplog.text
    other = pd.concat([table(), table()[:1].assign(label="light")])
    message = refusal(photos, other)
    assert "row 0 of The table and in row 20 of The table, with other labels" in message


def test_missing_files_are_refused_by_name_or_skipped_and_told(photos, caplog):
    frame = table(filename=["gone.png", *table()["filename"][1:]])
    assert "1 of 20 images are not there, the first is 'gone.png' of row 0" in refusal(
        photos, frame
    )
    data = ready(photos, frame, missing="skip", val_fraction=0.0)
    assert len(data.splits["train"].indices) == COUNT - 1
    assert "gone.png" in caplog.text


@pytest.mark.parametrize(
    ("column", "options", "said"),
    [
        ({"label": [None, *"ab" * 9, "a"]}, {}, "label of row 0 of The table is missing"),
        ({"label": ["a"] * 20}, {}, "classification needs two or more"),
        ({}, {"label_column": "age"}, "pass objective='regression'"),
        ({}, {"label_column": "lable"}, "Did you mean 'label'?"),
        ({}, {"label_columns": ["age"]}, "columns of labels hold 0 and 1"),
        ({"tags": [np.nan, *"ab" * 9, "a"]}, {"label_column": "tags", "label_sep": "|"}, "''"),
        ({"age": ["?"] * 20}, {"label_column": "age", "objective": "regression"}, "is '?'"),
        ({}, {"label_columns": ["a"], "label_sep": "|"}, "give one of them"),
        ({}, {"label_columns": ["a"], "objective": "classification"}, "from one column"),
        ({}, {"objective": "multi_label"}, "label_sep='|'"),
        ({}, {"objective": "multilabel"}, "Did you mean 'multi_label'?"),
        ({"filename": ["", *table()["filename"][1:]]}, {}, "filename of row 0"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(photos, column, options, said):
    assert said in refusal(photos, table(**column), **options)


@pytest.mark.parametrize("options", [{}, {"label_columns": ["a", "b"]}, {"split_column": "split"}])
def test_images_without_labels_are_predicted_in_the_order_of_their_rows(photos, options):
    wanted = pd.DataFrame({"filename": ["7.png", "3.png", "7.png"]})
    frame = table(split=["train"] * 18 + ["val"] * 2)
    data = ready(photos, frame, predict=wanted, **options)
    images = np.concatenate(list(data.predict_dataset().as_numpy_iterator()))
    assert images[:, 0, 0, 0].tolist() == [84, 36, 84]
    assert sum(len(flat(data.dataset_for(stage))[0]) for stage in ("train", "val")) == COUNT
    assert "row 0" in refusal(photos, predict=wanted.replace("7.png", "none.png"))
    assert "no column 'filename'" in refusal(photos, predict=wanted.rename(columns=str.upper))
    lost = wanted.assign(filename="none.png")
    assert "No image to predict" in refusal(photos, predict=lost, missing="skip")
