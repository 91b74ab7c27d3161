"""Text embeddings as SavedModels, made on the spot, through the code that loads public ones."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import fitted
from helpers.resumable import assert_resume_is_exact
from helpers.texts import KINDS, SUBJECTS, texts

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.layers.hub_layer import saved_model_handle
from lightning_tf.tasks import TextClassification

WORDS = [*SUBJECTS, *(word for words in KINDS.values() for word in words)]
SIZE = 24


class Embedding(tf.Module):
    """As nnlm-en-dim50 is made: a table of words, their vectors, the sum over a text's words."""

    def __init__(self):
        super().__init__()
        places = tf.range(len(WORDS), dtype=tf.int64)
        initial = tf.lookup.KeyValueTensorInitializer(tf.constant(WORDS), places)
        self.table = tf.lookup.StaticHashTable(initial, len(WORDS))
        values = np.random.default_rng(0).normal(size=(len(WORDS) + 1, SIZE))
        self.vectors = tf.Variable(values, dtype=tf.float32, name="vectors")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        words = tf.strings.split(texts)
        embedded = words.with_flat_values(
            tf.gather(self.vectors, self.table.lookup(words.flat_values))
        )
        lengths = tf.cast(tf.maximum(words.row_lengths(), 1), tf.float32)
        return tf.reduce_sum(embedded, axis=1) / tf.sqrt(lengths)[:, tf.newaxis]


class Tokens(tf.Module):
    """Strings to numbers of tokens: no text embedding."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts):
        return tf.strings.length(texts)


class Images(tf.Module):
    """Takes no strings."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3])])
    def __call__(self, images):
        return tf.reduce_mean(images, axis=(1, 2))


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "embedding"
    tf.saved_model.save(Embedding(), str(folder))
    return folder


def hub_task(folder, classes=2, count=48, **options):
    arguments = {"batch_size": 8, "units": 16, "learning_rate": 0.02, **options}
    return TextClassification(texts(count, classes), f"hub:{folder}", **arguments)


def vectors(task):
    (variable,) = task.classifier.embedding.variables
    return variable.numpy()


@pytest.mark.slow
def test_an_embedding_that_trains_and_one_that_does_not_tell_texts_apart(embedding):
    before = tf.saved_model.load(str(embedding)).vectors.numpy()
    for train in ("all", "head"):
        task = hub_task(embedding, count=192, train=train, data_options={"test_fraction": 0.25})
        trainer = fitted(task, max_epochs=20, seed=0)
        assert trainer.test(task)["test_accuracy"] >= 0.9
        assert np.array_equal(vectors(task), before) == (train == "head")
        assert task.vocabulary is None


@pytest.mark.slow
def test_bare_folders_and_urls_are_saved_models_too(embedding):
    assert saved_model_handle(f"hub:{embedding}") == str(embedding)
    assert saved_model_handle("https://tfhub.dev/google/nnlm-en-dim50/2").startswith("https://")
    assert saved_model_handle("bag_of_words") is None
    for network in (str(embedding), embedding):
        task = TextClassification(texts(), network, batch_size=8)
        fitted(task, max_steps=1)
        assert task.model.output_shape == (None, 2)


def test_a_checkpoint_and_an_export_answer_strings(embedding, tmp_path):
    task = hub_task(embedding, 3)
    fitted(task, max_epochs=3, seed=0).save_checkpoint(tmp_path / "c", weights_only=True)
    question = tf.constant(["a superb film", "what an awful dull story", "", "日本"])
    expected = task.predict_step(question).numpy()
    assert expected.shape == (4, 3)
    again = TextClassification.from_checkpoint(tmp_path / "c", data=None)
    np.testing.assert_array_equal(again.predict_step(question), expected)
    again.export(tmp_path / "model")
    exported = tf.saved_model.load(str(tmp_path / "model"))  # kept: it holds the variables
    served = exported.serve(question)
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-6)
    assert [label.decode() for label in served["label"].numpy()[:2]] == ["1", "0"]


@pytest.mark.slow
def test_training_goes_on_exactly_where_a_checkpoint_stopped(embedding, tmp_path):
    options = {"schedule": "constant"}
    assert_resume_is_exact(tmp_path, lambda: hub_task(embedding, **options), list, stop=4, end=9)


@pytest.mark.distributed
def test_two_devices_learn_what_one_learns(embedding):
    outcomes = []
    for devices in (1, 2):
        task = hub_task(embedding, dropout=0.0, batch_size=7)
        trainer = fitted(task, max_epochs=2, seed=0, accelerator="cpu", devices=devices)
        outcomes.append((vectors(task), trainer.callback_metrics["val_loss"]))
    np.testing.assert_allclose(outcomes[0][0], outcomes[1][0], atol=1e-5)
    assert outcomes[0][1] == pytest.approx(outcomes[1][1], abs=1e-5)


@pytest.mark.parametrize(
    ("module", "message"),
    [(Tokens, r"gives int32 of shape \(None,\)"), (Images, "cannot take strings")],
    ids=["tokens", "images"],
)
def test_what_is_no_text_embedding_is_told(tmp_path, module, message):
    tf.saved_model.save(module(), str(tmp_path / "other"))
    with pytest.raises(ConfigurationError, match=message):
        fitted(hub_task(tmp_path / "other"), max_epochs=1)


@pytest.mark.parametrize("name", ["gone", "http://127.0.0.1:1/google/nnlm-en-dim50/2"])
def test_what_cannot_be_loaded_fails_at_once_and_says_what_to_give(name):
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"SavedModel .*give the folder"):
        fitted(hub_task(name), max_epochs=1)
    assert time.monotonic() - began < 30.0  # tensorflow_hub by itself tries for minutes


def test_a_precision_that_it_would_not_feel_is_refused(embedding):
    with pytest.raises(ConfigurationError, match="computes in float32 alone"):
        fitted(hub_task(embedding), max_epochs=1, precision="bf16-mixed")


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("hub:models", {"embedding_size": 8}, "brings its own vectors"),
        ("hub:models", {"max_length": 8}, "reads them whole"),
        ("hub:models", {"ngrams": 2}, "ngrams=2 is for 'bag_of_words' and 'embedding_bag'"),
        ("hub:models", {"pooling": "mean"}, "pooling='mean' is for 'keras_hub:<preset>'"),
        ("hub:models", {"train": "heads"}, "Did you mean 'head'"),
        ("gru", {"train": "head"}, "learns from nothing"),
        ("keras_hub:models", {"pooling": "men"}, "Did you mean 'mean'"),
        (keras.Sequential(), {"pooling": "mean"}, "pooling='mean' is for"),
    ],
    ids=["size", "length", "ngrams", "pooling", "train", "nothing", "typo", "model"],
)
def test_options_that_would_do_nothing_are_refused(network, options, message):
    with pytest.raises(ConfigurationError, match=message):
        TextClassification(texts(), network, **options)
