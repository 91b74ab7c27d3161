"""Folders that workers look at together, and texts that they share; run by `on_workers`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from helpers.boring import quiet
from helpers.replicated import outcome
from helpers.texts import texts
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.data import ImageFolder, TextArrays, TextFolder, UnlabelledImageFolder
from lightning_tf.data.text import text_folder
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.distribute import workers as workers_room
from lightning_tf.exceptions import DataError
from lightning_tf.tasks import ImageClassification, TextClassification
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words

TEXTS, IMAGES = 31, 13  # odd: the parts of two workers are unlike


def write_texts(root):
    """Class folders of short texts."""
    for number, (text, label) in enumerate(zip(*texts(TEXTS), strict=True)):
        folder = Path(root, "texts", ("bad", "good")[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.txt").write_text(text)
    return Path(root, "texts")


def write_images(root):
    """Class folders of plain images of unlike sizes."""
    for number in range(IMAGES):
        folder = Path(root, "images", ("dark", "light")[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        shade = 10 * number + 100 * (number % 2)
        image = Image.new("RGB", (10 + number, 20 - number), (shade, 90, 30))
        image.save(folder / f"{number:02d}.png")
    return Path(root, "images")


def of_texts(root):
    """Words of files in their folders: looked at, counted and encoded."""
    data = TextFolder(Path(root, "texts"), val_fraction=0.2, test_fraction=0.2, batch_size=5)
    return TextClassification(data, "bag_of_words", dropout=0.0)


def in_the_pipeline(root):
    """The same files, encoded batch by batch: each worker its own rows."""
    task = of_texts(root)
    task.data = EncodedTexts(
        task.texts, lambda given: task.classifier.words.padded(given, 8), keeps_rows=False
    )
    return task


def of_images(root, in_memory=False):
    """A small network on the images."""
    options = {"image_size": 8, "batch_size": 5, "val_fraction": 0.2, "test_fraction": 0.2}
    data = ImageFolder(Path(root, "images"), in_memory=in_memory, **options)
    return ImageClassification(data=data, network="mlp", optimizer="sgd")


CASES = {
    "texts": of_texts,
    "texts encoded in the pipeline": in_the_pipeline,
    "images": of_images,
    "images in memory": lambda root: of_images(root, in_memory=True),
}


# Enough batches for windows of several, whose embeddings have gradients of unlike lengths.
EPOCHS = {"texts": 5, "texts encoded in the pipeline": 5}


class AfterSetUp(Callback):
    """Notes what was opened until the data are set up."""

    logs_metrics = False

    def __init__(self, opened):
        self.opened, self.found = opened, None

    def setup(self, trainer, task, stage):
        if self.found is None:
            self.found = list(self.opened)


def watched(root):
    """From now on, the files below a folder that this process opens, TensorFlow's among them."""
    opened = []

    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(root):
            opened.append(arguments[0])

    def read(path):
        with open(path.decode(), "rb") as file:
            return file.read()

    def read_file(path):
        return tf.ensure_shape(tf.numpy_function(read, [path], tf.string), ())

    sys.addaudithook(note)
    tf.io.read_file = read_file
    return opened


def fits(folder, root):
    """What every case ends with, and which files were opened until its data were set up."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))  # joins the others
    opened, found = watched(root), {}
    for name, make in CASES.items():
        opened.clear()
        after_set_up = AfterSetUp(opened)
        ends = outcome(
            lambda make=make: make(root),
            1,
            callbacks=[after_set_up],
            max_epochs=EPOCHS.get(name, 1),
        )
        found[name] = (after_set_up.found, ends)
    return found


def logged(encode, log):
    """The same encoding, with a list of every text that it is given."""

    def noted(given):
        log.extend(text.decode() for text in given)
        return given

    def encoded(given):
        return encode(tf.ensure_shape(tf.numpy_function(noted, [given], tf.string), [None]))

    return encoded


def letters(strings):
    """The code points of each text: rows whose text is known."""
    return tf.cast(tf.strings.unicode_decode(strings, "UTF-8"), tf.int64)


def shared(folder):
    """Rows and a vocabulary that workers make together, and what each of them split for it."""
    workers = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers
    workers_room.TABLE_BYTES = 128  # so that it takes many exchanges
    log, found = [], {}
    given, labels = texts(TEXTS)
    numbered = [f"{text} {number}" for number, text in enumerate(given)]
    data = EncodedTexts(TextArrays((numbered, labels), predict=["just one"]), logged(letters, log))
    data.join(workers)
    data.setup("fit")
    stages = {stage: data.dataset_for(stage, 1) for stage in ("train", "val", "predict")}
    found["rows"] = {n: list(d.as_numpy_iterator()) for n, d in stages.items()}
    found["encoded"] = list(log)
    data.join(workers_room.SINGLE_WORKER)
    if workers.is_chief:  # asks for what the others do not know of, alone
        data.texts.parts["test"] = data.texts.parts["val"]
        found["alone"] = len(list(data.test_dataset()))
    data.texts.parts["test"] = data.texts.parts["val"]
    data.join(workers)
    found["again together"] = len(list(data.test_dataset()))
    vocabulary = Vocabulary(30)
    part = workers.shard(TEXTS)
    vocabulary.fit(Words(2), [tf.constant(given[part])], workers)
    found["vocabulary"] = [np.asarray(w) for w in vocabulary.get_weights()]
    found["counted"] = given[part]
    return found


def said(work):
    """The error that it ends with."""
    try:
        work()
    except (DataError, MemoryError) as error:
        return str(error)
    return "nothing went wrong"


def failures(folder, root):
    """What each worker says where one of them cannot go on; all of them go on to the next."""
    workers = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers
    is_second = workers.index == 1

    def fit(make):
        return said(lambda: Trainer(**quiet(max_steps=1, accelerator="cpu")).fit(make()))

    def loaded(data):
        data.join(workers)
        return said(lambda: data.setup("fit"))

    own = Path(folder, str(workers.index), "texts")
    shutil.copytree(Path(root, "texts"), own)
    found = {}
    workers.barrier()
    if is_second:
        (own / "good" / "last.txt").write_text("one more")
    found["other files"] = loaded(TextFolder(own))
    here = Path(root, "gone") if is_second else Path(root)  # a disk that one has and one has not
    found["gone"] = [
        loaded(TextFolder(here / "texts")),
        loaded(ImageFolder(here / "images", image_size=8)),
        loaded(UnlabelledImageFolder(here / "images", image_size=8)),
    ]
    workers.barrier()
    if is_second:
        Path(root, "texts", "good", "999.txt").write_bytes(b"caf\xe9")
        Path(root, "images", "light", "99.png").write_bytes(b"no image")
    workers.barrier()
    found["another encoding"] = fit(lambda: of_texts(root))
    found["a broken image"] = fit(lambda: of_images(root))
    skipping = ImageFolder(Path(root, "images"), image_size=8, broken="skip")
    found["skipped"] = loaded(skipping), skipping.broken_files
    unlabelled = UnlabelledImageFolder(Path(root, "images"), image_size=8, broken="skip")
    found["unlabelled"] = loaded(unlabelled), unlabelled.broken_files
    greys = unlabelled.parts["train"].source.inputs(np.arange(IMAGES), 4)
    found["images"] = np.concatenate(list(greys.as_numpy_iterator()))
    usual = text_folder.text_of

    def torn(path, encoding):
        if is_second:
            raise MemoryError("the disk is on fire")
        return usual(path, "latin-1")

    text_folder.text_of = torn
    found["on one alone"] = loaded(TextFolder(Path(root, "texts")))
    return found
