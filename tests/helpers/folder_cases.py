"""Folders that workers scan together, and texts that they share; run by `on_workers`."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from helpers.boring import quiet
from helpers.replicated import outcome
from helpers.texts import texts
from PIL import Image

from lightning_tf import Callback, Trainer
from lightning_tf.data import ImageFolder, TextArrays, TextFolder, UnlabeledImageFolder
from lightning_tf.data.text import text_folder
from lightning_tf.data.text.encoded_texts import EncodedTexts
from lightning_tf.distribute import workers as workers_room
from lightning_tf.exceptions import DataError
from lightning_tf.tasks import ImageClassification, TextClassification
from lightning_tf.tasks.text_classification.spelled_words import spelled_words
from lightning_tf.tasks.text_classification.vocabulary import Vocabulary
from lightning_tf.tasks.text_classification.words import Words

TEXTS, IMAGES = 31, 13  # odd: the parts of two workers are unlike


def write_texts(root):
    """Write class folders of short texts."""
    for number, (text, label) in enumerate(zip(*texts(TEXTS), strict=True)):
        folder = Path(root, "texts", ("bad", "good")[label])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}.txt").write_text(text)
    return Path(root, "texts")


def write_images(root):
    """Write class folders of plain images of different sizes."""
    for number in range(IMAGES):
        folder = Path(root, "images", ("dark", "light")[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        shade = 10 * number + 100 * (number % 2)
        image = Image.new("RGB", (10 + number, 20 - number), (shade, 90, 30))
        image.save(folder / f"{number:02d}.png")
    return Path(root, "images")


def text_task(root):
    """Return a task on text files: scanned, counted and encoded."""
    data = TextFolder(Path(root, "texts"), val_fraction=0.2, test_fraction=0.2, batch_size=5)
    return TextClassification(data, "bag_of_words", dropout=0.0)


def pipeline_text_task(root):
    """Return a task on the same files, encoded batch by batch: each worker its own rows."""
    task = text_task(root)
    task.data = EncodedTexts(
        task.texts, lambda strings: task.classifier.words.padded(strings, 8), keeps_rows=False
    )
    return task


def image_task(root, in_memory=False):
    """Return a small network on the images."""
    options = {"image_size": 8, "batch_size": 5, "val_fraction": 0.2, "test_fraction": 0.2}
    data = ImageFolder(Path(root, "images"), in_memory=in_memory, **options)
    return ImageClassification(data=data, network="mlp", optimizer="sgd")


CASES = {
    "texts": text_task,
    "texts encoded in the pipeline": pipeline_text_task,
    "images": image_task,
    "images in memory": lambda root: image_task(root, in_memory=True),
}


# Enough batches for windows of several, whose embeddings have gradients of unlike lengths.
EPOCHS = {"texts": 5, "texts encoded in the pipeline": 5}


class AfterSetUp(Callback):
    """Records which files were opened until the data are set up."""

    logs_metrics = False

    def __init__(self, opened):
        self.opened, self.entries = opened, None

    def setup(self, trainer, task, stage):
        if self.entries is None:
            self.entries = list(self.opened)


def watch_files(root):
    """Return a list to which every file that is opened below a folder is added from now on."""
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
    """Fit every case; return its outcome and the files opened until its data were set up."""
    Trainer(**quiet(max_steps=1, accelerator="cpu"))  # joins the others
    opened, outcomes = watch_files(root), {}
    for name, make in CASES.items():
        opened.clear()
        after_set_up = AfterSetUp(opened)
        ends = outcome(
            lambda make=make: make(root),
            1,
            callbacks=[after_set_up],
            max_epochs=EPOCHS.get(name, 1),
        )
        outcomes[name] = (after_set_up.entries, ends)
    return outcomes


def with_log(encode, log):
    """Return the same encoding, which adds every text that it encodes to a list."""

    def note(strings):
        log.extend(text.decode() for text in strings)
        return strings

    def encoded(strings):
        return encode(tf.ensure_shape(tf.numpy_function(note, [strings], tf.string), [None]))

    return encoded


def letters(strings):
    """Return the code points of each text: rows whose text is known."""
    return tf.cast(tf.strings.unicode_decode(strings, "UTF-8"), tf.int64)


def shared(folder):
    """Return rows and a vocabulary that workers make together, and what each of them encoded."""
    workers = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers
    workers_room.TABLE_BYTES = 128  # so that it takes many exchanges
    log, outcomes = [], {}
    strings, labels = texts(TEXTS)
    numbered = [f"{text} {number}" for number, text in enumerate(strings)]
    data = EncodedTexts(
        TextArrays((numbered, labels), predict=["just one"]), with_log(letters, log)
    )
    data.join(workers)
    data.setup("fit")
    stages = {stage: data.dataset_for(stage, 1) for stage in ("train", "val", "predict")}
    outcomes["rows"] = {n: list(d.as_numpy_iterator()) for n, d in stages.items()}
    outcomes["encoded"] = list(log)
    data.join(workers_room.SINGLE_WORKER)
    if workers.is_chief:  # asks for what the others do not know of, alone
        data.texts.splits["test"] = data.texts.splits["val"]
        outcomes["alone"] = len(list(data.test_dataset()))
    data.texts.splits["test"] = data.texts.splits["val"]
    data.join(workers)
    outcomes["again together"] = len(list(data.test_dataset()))
    vocabulary, words = Vocabulary(30), Words(2)
    split = EncodedTexts(TextArrays((strings, labels), val_fraction=0.0), words)
    split.join(workers)
    rows = split.training_rows()
    vocabulary.fit_rows(rows.values, partial(spelled_words, words, split, rows.ends))
    outcomes["vocabulary"] = [np.asarray(w) for w in vocabulary.get_weights()]
    return outcomes


def error_message(work):
    """Return the message of the error that a call ends with."""
    try:
        work()
    except (DataError, MemoryError) as error:
        return str(error)
    return "nothing went wrong"


def failures(folder, root):
    """Return each worker's message for every failure of one of them; all go on to the next."""
    workers = Trainer(**quiet(max_steps=1, accelerator="cpu")).workers
    is_second = workers.index == 1

    def fit(make):
        return error_message(lambda: Trainer(**quiet(max_steps=1, accelerator="cpu")).fit(make()))

    def loaded(data):
        data.join(workers)
        return error_message(lambda: data.setup("fit"))

    own_copy = Path(folder, str(workers.index), "texts")
    shutil.copytree(Path(root, "texts"), own_copy)
    outcomes = {}
    workers.barrier()
    if is_second:
        (own_copy / "good" / "last.txt").write_text("one more")
    outcomes["other files"] = loaded(TextFolder(own_copy))
    here = Path(root, "gone") if is_second else Path(root)  # a disk that one of them lacks
    outcomes["gone"] = [
        loaded(TextFolder(here / "texts")),
        loaded(ImageFolder(here / "images", image_size=8)),
        loaded(UnlabeledImageFolder(here / "images", image_size=8)),
    ]
    workers.barrier()
    if is_second:
        Path(root, "texts", "good", "999.txt").write_bytes(b"caf\xe9")
        Path(root, "images", "light", "99.png").write_bytes(b"no image")
    workers.barrier()
    outcomes["another encoding"] = fit(lambda: text_task(root))
    outcomes["a broken image"] = fit(lambda: image_task(root))
    skipping = ImageFolder(Path(root, "images"), image_size=8, broken="skip")
    outcomes["skipped"] = loaded(skipping), skipping.broken_files
    unlabeled = UnlabeledImageFolder(Path(root, "images"), image_size=8, broken="skip")
    outcomes["unlabeled"] = loaded(unlabeled), unlabeled.broken_files
    gray = unlabeled.splits["train"].source.inputs(np.arange(IMAGES), 4)
    outcomes["images"] = np.concatenate(list(gray.as_numpy_iterator()))
    read_text = text_folder.read_text

    def read_or_fail(path, encoding):
        if is_second:
            raise MemoryError("the disk is on fire")
        return read_text(path, "latin-1")

    text_folder.read_text = read_or_fail
    outcomes["on one alone"] = loaded(TextFolder(Path(root, "texts")))
    return outcomes
