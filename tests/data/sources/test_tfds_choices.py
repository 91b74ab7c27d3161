"""Sets of TensorFlow Datasets: which splits, features and folders are read."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.tfds_image_sets import NoValidation, prepare_sets

from lightning_tf.data import TfdsImages, TfdsTexts, image_data, text_data
from lightning_tf.data.sources.tfds_set import split_name
from lightning_tf.exceptions import ConfigurationError, DataError

RANDOM = np.random.default_rng(0)
TEXT, IMAGE = tfds.features.Text(), tfds.features.Image(shape=(8, 8, 1))


def prepared(folder, name, features, example, splits=("train", "test"), supervised=None):
    """Prepare a set of 20 examples a split and return its builder."""

    def info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=supervised,
        )

    def rows(split):
        for i in range(20):
            yield i, example(i, split)

    def generators(self, manager):
        return {split: rows(split) for split in splits}

    members = {
        "VERSION": tfds.core.Version("1.0.0"),
        "_info": info,
        "_split_generators": generators,
        "_generate_examples": lambda self: None,
        "__module__": __name__,
    }
    kind = type(name, (tfds.core.GeneratorBasedBuilder,), members, skip_registration=True)
    builder = kind(data_dir=folder)
    builder.download_and_prepare()
    return builder


def pixels():
    return RANDOM.integers(0, 255, (8, 8, 1)).astype("uint8")


def sizes(data):
    data.setup("fit")
    return {name: len(split.indices) for name, split in data.splits.items()}


def classes(count):
    return tfds.features.ClassLabel(num_classes=count)


def image_set(folder, name="Images", splits=("train", "test"), **more):
    features = {"image": IMAGE, "label": classes(3), **more}
    return prepared(
        folder,
        name,
        features,
        lambda i, s: {"image": pixels(), "label": i % 3, **dict.fromkeys(more, i % 2)},
        splits,
    )


def test_splits_go_by_their_names_and_what_is_not_used_is_told(tmp_path, caplog):
    caplog.set_level("INFO", "lightning_tf")
    many = image_set(tmp_path, "Many", ("train", "extra", "dev", "holdout"))
    assert sizes(image_data(many)) == {"train": 20, "val": 20, "test": 20}
    assert "val 20 examples (dev), test 20 examples (holdout). Not used: extra" in caplog.text
    alone = image_set(tmp_path, "Alone", ("full",))
    assert sizes(image_data(alone)) == {"train": 18, "val": 2}
    none = image_set(tmp_path, "Neither", ("a", "b"))
    with pytest.raises(DataError, match="no split 'train'; it has a, b: name one with splits="):
        sizes(image_data(none))
    assert sizes(image_data(none, splits={"train": "b", "test": "a"}))["test"] == 20


@pytest.mark.slow
def test_a_part_of_a_split_is_named_as_tfds_names_it(tmp_path):
    folder = prepare_sets(tmp_path, builders=(NoValidation,))
    for data in (
        image_data("tfds:no_validation[:20%]", data_dir=folder),
        image_data("tfds:no_validation", data_dir=folder, split="train[:20%]"),
        image_data("tfds:no_validation", data_dir=folder, splits={"train": "train[:20%]"}),
    ):
        assert sizes(data)["train"] == 9
    parts = {"train": "train[:80%]", "val": "train[80%:]", "test": "test[:3]"}
    data = image_data("tfds:no_validation", data_dir=folder, splits=parts)
    assert sizes(data) == {"train": 40, "val": 10, "test": 3}
    assert sizes(image_data("tfds:no_validation", data_dir=folder, split="train+test")) == {
        "train": 54,
        "val": 6,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "trian"}, "the set has train, test"),
        ({"split": "train[:0]"}, "has no example"),
        ({"splits": {"train": "train", "val": "train[:5]"}}, "share examples"),
        ({"splits": {"train": "train", "dev": "test"}}, "splits has no split 'dev'"),
        ({"split": "train", "splits": {"train": "test"}}, "keep one"),
    ],
)
def test_parts_that_cannot_be_are_named(tmp_path, options, message):
    folder = prepare_sets(tmp_path, builders=(NoValidation,))
    with pytest.raises(ConfigurationError) as error:
        sizes(image_data("tfds:no_validation", data_dir=folder, **options))
    assert message in str(error.value)


def test_of_several_texts_or_labels_none_is_taken_unasked(tmp_path):
    def example(i, split):
        return {"hypothesis": f"hyp {i}", "premise": f"pre {i}", "label": i % 2}

    features = {"hypothesis": TEXT, "premise": TEXT, "label": classes(2)}
    builder = prepared(tmp_path, "Mnli", features, example)
    with pytest.raises(ConfigurationError, match=r"several texts: hypothesis, premise; .*_key="):
        sizes(text_data(builder))
    assert sizes(text_data(builder, text_key="premise"))["train"] == 18


def test_several_labels_of_an_example_are_refused_with_the_way_to_learn_them(tmp_path):
    several = tfds.features.Sequence(classes(3))
    features = {"image": IMAGE, "text": TEXT, "tags": several}
    builder = prepared(
        tmp_path, "Tags", features, lambda i, s: {"image": pixels(), "text": "a", "tags": [0, 1]}
    )
    with pytest.raises(DataError, match=r"tags of .*tags.* is several .*objective='multi_label'"):
        sizes(image_data(builder))
    with pytest.raises(DataError, match="tasks on texts learn one class"):
        sizes(text_data(builder))


def test_a_label_is_chosen_by_its_key(tmp_path):
    def example(i, split):
        return {"image": pixels(), "label_azimuth": i % 2, "label_object": i % 4}

    features = {"image": IMAGE, "label_azimuth": classes(2), "label_object": classes(4)}
    builder = prepared(tmp_path, "Norb", features, example)
    with pytest.raises(ConfigurationError, match=r"several labels: .*label_key='label_azimuth'"):
        sizes(image_data(builder))
    data = image_data(builder, label_key="label_object")
    sizes(data)
    assert data.num_classes == 4
    with pytest.raises(DataError, match="has no label 'object'"):
        sizes(image_data(builder, label_key="object"))
    asked = prepared(tmp_path, "Asked", features, example, supervised=("image", "label_object"))
    data = image_data(asked)  # the set itself says which
    sizes(data)
    assert data.num_classes == 4


@pytest.mark.parametrize(("values", "names"), [([0, 1], ["0", "1"]), ([3, 7], ["3", "7"])])
def test_integers_are_labels_where_there_is_no_class_label(tmp_path, values, names):
    features = {"image": IMAGE, "label": tfds.features.Scalar(np.int64)}
    builder = prepared(
        tmp_path, "Plain", features, lambda i, s: {"image": pixels(), "label": values[i % 2]}
    )
    data = image_data(builder)
    sizes(data)
    assert data.class_names == names


def test_a_test_split_without_labels_is_predicted(tmp_path, caplog):
    def label(i, split):
        return -1 if split == "test" else i % 3

    images = prepared(
        tmp_path,
        "Blind",
        {"image": IMAGE, "label": classes(3)},
        lambda i, s: {"image": pixels(), "label": label(i, s)},
    )
    assert sizes(TfdsImages(images)) == {"train": 18, "val": 2, "predict": 20}
    texts = prepared(
        tmp_path,
        "BlindTexts",
        {"text": TEXT, "label": classes(3)},
        lambda i, s: {"text": f"text {i}", "label": label(i, s)},
    )
    data = TfdsTexts(texts)
    assert sizes(data) == {"train": 18, "val": 2, "predict": 20}
    assert data.class_names == ["0", "1", "2"]
    assert caplog.text.count("it is predicted, not tested on") == 2


def test_a_folder_is_enough(tmp_path):
    folder = prepare_sets(tmp_path / "sets", builders=(NoValidation,))
    version = folder / "no_validation" / "1.0.0"
    for data in (f"tfds:{version}", f"tfds:{folder}", str(version), version):
        assert sizes(image_data(data)) == {"train": 45, "val": 5, "test": 10}
    image_set(folder, "Second")
    with pytest.raises(ConfigurationError, match="holds several sets"):
        sizes(image_data(f"tfds:{folder}"))


def test_a_builder_of_folders_of_images_is_read(tmp_path):
    from PIL import Image

    for split in ("train", "test"):
        for label in "ab":
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for i in range(4):
                Image.new("RGB", (8 + i, 8)).save(folder / f"{i}.png")
    builder = tfds.folder_dataset.ImageFolder(str(tmp_path))
    data = image_data(builder, image_size=8, val_fraction=0.0)
    assert sizes(data) == {"train": 8, "test": 8}
    assert data.class_names == ["a", "b"]
    with pytest.raises(ConfigurationError, match="pass image_size="):
        sizes(image_data(builder))


def test_names_keep_what_is_no_part():
    assert split_name("glue/sst2:2.0.0") == ("glue/sst2:2.0.0", "")
    assert split_name("glue/sst2[10:20]") == ("glue/sst2", "[10:20]")
