"""A file becomes the same pixels wherever it is read, by each of three ways to resize it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from helpers.served import b64, served
from PIL import Image

from lightning_tf import Trainer, serving_app
from lightning_tf.data import ImageFolder, UnlabeledImageFolder, image_data
from lightning_tf.data.images.decode_jpeg import decode_jpeg
from lightning_tf.data.images.image_decoding import RESIZE_METHODS
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.image_classification.images_like import images_like

SIZE = (24, 40)
HEIGHT, WIDTH = 170, 330


def exif(orientation):
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def contents():
    """Files of one image: of several formats, colors and sizes, upright and turned."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    fine = ((x + y) % 3 * 120)[..., np.newaxis] + np.array([0, 5, 15])
    image = Image.fromarray(fine.astype("uint8"))

    def saved(image, kind, **options):
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return {
        "color.jpg": saved(image, "JPEG"),
        "gray.jpg": saved(image.convert("L"), "JPEG"),
        "turned.jpg": saved(image.rotate(90, expand=True), "JPEG", exif=exif(6)),
        "on_its_side.jpg": saved(image.resize((70, 330)), "JPEG", exif=exif(8)),
        "four.jpg": saved(image.convert("CMYK"), "JPEG"),
        "small.jpg": saved(image.resize((20, 20)), "JPEG"),
        "plain.png": saved(image, "PNG"),
    }


FILES = contents()
# An exported model leaves four colors to nobody: TensorFlow converts them in its own way.
IN_A_GRAPH = [name for name in sorted(FILES) if name != "four.jpg"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for label in "ab":
        for name, content in FILES.items():
            (root / label).mkdir(exist_ok=True)
            (root / label / name).write_bytes(content)
    return root


def inputs(dataset):
    return np.concatenate([np.asarray(batch) for batch in dataset])


def of_folder(root, resize, **options):
    """Return the pixels of the first class's files, in the order of their names."""
    data = ImageFolder(root, image_size=SIZE, resize=resize, val_fraction=0.0, **options)
    data.setup("fit")
    return inputs(data.splits["train"].source.inputs(np.arange(len(FILES)), 3))


def by_name(root, resize):
    return dict(zip(sorted(FILES), of_folder(root, resize), strict=True))


@pytest.mark.parametrize(
    "resize", [pytest.param(r, marks=[pytest.mark.slow] * (r != "draft")) for r in RESIZE_METHODS]
)
def test_every_path_gives_the_same_pixels(root, resize, tmp_path):
    expected = of_folder(root, resize)
    np.testing.assert_array_equal(of_folder(root, resize, in_memory=True), expected)

    options = {"image_size": SIZE, "resize": resize, "data_options": {"val_fraction": 0.5}}
    task = ImageClassification(str(root), "linear", **options)
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False)
    trainer.fit(task)
    trainer.save_checkpoint(tmp_path / "it.ckpt")

    task = ImageClassification.from_checkpoint(tmp_path / "it.ckpt", data=None)
    assert task.hparams["resize"] == resize
    paths = [root / "a" / name for name in sorted(FILES)]
    encoded = [path.read_bytes() for path in paths]
    for data in (root / "a", paths, encoded, [*encoded, paths[0]]):
        given = inputs(task.new_examples(data).batches(2))
        np.testing.assert_array_equal(given[: len(FILES)], expected)
    tested = images_like(task, str(root), task._image_options)
    np.testing.assert_array_equal(inputs(x for x, _ in tested.test_dataset())[:7], expected)

    task.export(tmp_path / "exported")
    outputs = task.predict(root / "a").frame.set_index("file").loc[IN_A_GRAPH, "probability_a"]
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    exported = loaded.signatures["encoded"](tf.constant([FILES[name] for name in IN_A_GRAPH]))
    np.testing.assert_allclose(exported["probabilities"][:, 0], outputs, rtol=1e-4)
    pixels = np.asarray(Image.open(paths[sorted(FILES).index("plain.png")]), "float32")[np.newaxis]
    same = loaded.signatures["serving_default"](tf.constant(pixels))
    np.testing.assert_allclose(same["probabilities"][0, 0], outputs["plain.png"], rtol=1e-2)

    with served(serving_app(task)) as client:
        status, answer = client.predict(*[b64(FILES[name]) for name in IN_A_GRAPH])[:2]
    assert status == 200
    served_ones = [row["probability_a"] for row in answer["predictions"]]
    np.testing.assert_allclose(served_ones, outputs, rtol=1e-4)


def test_large_jpeg_files_alone_differ_by_the_draft_and_all_larger_ones_without_antialiasing(root):
    default, bilinear, draft = (by_name(root, resize) for resize in RESIZE_METHODS)
    changed = {name for name in FILES if (draft[name] != default[name]).any()}
    assert changed == {"color.jpg", "gray.jpg", "turned.jpg", "on_its_side.jpg"}
    # Lines of a pixel and a half become gray, and something else without antialiasing.
    for name in ("color.jpg", "gray.jpg", "turned.jpg"):
        assert draft[name].std() < 20
        assert default[name].std() < 20
        assert bilinear[name].std() > 25
    # What is made larger has nothing to average.
    np.testing.assert_array_equal(bilinear["small.jpg"], default["small.jpg"])


@pytest.mark.parametrize(
    ("least", "turned", "size"),
    [
        (None, False, (170, 330)),
        ((86, 20), False, (170, 330)),
        ((85, 165), False, (85, 165)),
        ((42, 83), False, (85, 165)),
        ((42, 82), False, (43, 83)),
        ((42, 82), True, (85, 165)),
        ((82, 42), True, (43, 83)),
        ((2, 2), False, (22, 42)),
    ],
)
def test_a_draft_leaves_both_sides_as_long_as_wanted(least, turned, size):
    assert decode_jpeg(FILES["color.jpg"], least, turned).shape[:2] == size
    assert decode_jpeg(FILES["plain.png"], least, turned).shape[:2] == (HEIGHT, WIDTH)


def test_files_without_classes_have_the_option_and_arrays_have_not(root):
    mean = {}
    for resize in RESIZE_METHODS:
        data = UnlabeledImageFolder(root, image_size=24, resize=resize)
        data.setup("fit")
        mean[resize] = inputs(data.splits["train"].source.inputs(np.arange(7), 7)).std()
    assert len(set(mean.values())) == 3
    with pytest.raises(ConfigurationError, match="Did you mean 'draft'"):
        image_data(str(root), resize="darft")
    with pytest.raises(ConfigurationError, match="resize='draft' has no meaning"):
        image_data("digits", resize="draft")
