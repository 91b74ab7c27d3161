"""TextClassification: texts are learnt, and what was learnt outlives the process."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import Rows, fitted, named, quiet
from helpers.extras import NEWS
from helpers.resumable import assert_resume_is_exact
from helpers.texts import texts

from lightning_tf import DataModule, Trainer
from lightning_tf.data import TextArrays
from lightning_tf.exceptions import ConfigurationError, DataError
from lightning_tf.tasks import TextClassification
from lightning_tf.tasks.networks.text.build import TEXT_NETWORKS

SMALL = {"vocabulary_size": 40, "embedding_size": 8, "units": 8, "batch_size": 8}


def small_task(network="bag_of_words", classes=2, **options):
    return TextClassification(texts(48, classes), network, **{**SMALL, **options})


def weights(task):
    return [weight.numpy() for weight in task.model.weights]


def differ(one, other):
    return any(not np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


# ---- it learns


CASES = [*((name, 2) for name in TEXT_NETWORKS), ("bag_of_words", 3), ("gru", 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("network", "classes"), CASES)
def test_every_network_tells_kinds_of_texts_apart(network, classes):
    held_out = {"test_fraction": 0.25}
    data = texts(96, classes)
    task = TextClassification(data, network, **SMALL, learning_rate=0.05, data_options=held_out)
    trainer = fitted(task, max_epochs=12, seed=0)
    metrics = trainer.test(task)
    assert metrics["test_accuracy"] >= 0.9
    assert metrics["test_auc"] >= 0.95
    assert metrics["test_f1"] >= 0.9


@NEWS
@pytest.mark.slow
def test_the_news_are_learnt():
    task = TextClassification("bbc_news")
    trainer = fitted(task, max_epochs=8, seed=0)
    assert trainer.test(task)["test_accuracy"] >= 0.9


def test_a_table_with_names_for_labels_is_learnt(tmp_path):
    import pandas as pd

    x, y = texts(192)
    names = ["bad" if label == 0 else "good" for label in y]
    pd.DataFrame({"review": x, "kind": names}).to_csv(tmp_path / "t.csv", index=False)
    columns = {"text_column": "review", "label_column": "kind"}
    task = TextClassification(tmp_path / "t.csv", data_options=columns, **SMALL, learning_rate=0.05)
    trainer = fitted(task, max_epochs=25, seed=0)
    assert task.class_names == ["bad", "good"]
    assert trainer.callback_metrics["val_accuracy"] == 1.0
    assert json.loads(json.dumps(task.hparams))["data"] == str(tmp_path / "t.csv")


def test_texts_of_every_script_are_told_apart():
    x = ["映画は最高", "映画は最悪", "Прекрасный фильм", "Ужасный фильм", "😀", "😡"] * 4
    task = TextClassification((x, [1, 0] * 12), **SMALL, learning_rate=0.1)
    trainer = fitted(task, max_epochs=20, seed=0, limit_val_batches=0)
    assert trainer.callback_metrics["accuracy"] == 1.0


@pytest.mark.slow
def test_very_long_and_wordless_texts_do_no_harm():
    x, y = texts()
    x[0], x[1] = "film " * 200_000, "?!"
    for network in ("bag_of_words", "gru"):
        task = TextClassification((x, y), network, **SMALL)
        assert np.isfinite(fitted(task, max_epochs=1).callback_metrics["loss"])


def test_a_model_that_reads_strings_gets_the_texts():
    class Length(keras.layers.Layer):
        def call(self, strings):
            length = tf.cast(tf.strings.length(strings), tf.float32)[:, tf.newaxis]
            return tf.concat([length / 10, 1 - length / 10], axis=1)

        def compute_output_shape(self, shape):
            return (*shape, 2)

    model = keras.Sequential([keras.Input((), dtype="string"), Length(), keras.layers.Dense(2)])
    x = ["aa", "b" * 18] * 12
    task = TextClassification((x, [0, 1] * 12), model, batch_size=8, learning_rate=0.1)
    trainer = fitted(task, max_epochs=20, seed=0)
    assert trainer.callback_metrics["val_accuracy"] == 1.0
    assert task.vocabulary is None


@pytest.mark.slow
def test_a_model_of_ones_own_reads_numbers_of_words():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(40, 8),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    task = TextClassification(texts(), model, vocabulary_size=40, batch_size=8, learning_rate=0.05)
    assert fitted(task, max_epochs=12, seed=0).callback_metrics["val_accuracy"] == 1.0


# ---- the vocabulary


def test_the_vocabulary_is_of_training_texts_alone():
    x, y = texts(20)
    held_out = ([text + " unheard" for text in x], y)
    task = TextClassification((x, y), **SMALL, data_options={"val": held_out, "test": held_out})
    fitted(task, max_epochs=1)
    assert "unheard" not in task.vocabulary.words()
    assert set(task.vocabulary.words()) == {word for text in x for word in text.split()}


@pytest.mark.slow
def test_a_second_fit_keeps_the_vocabulary_of_the_first():
    task = small_task()
    fitted(task, max_epochs=1)
    before = task.vocabulary.words()
    task.texts = None
    task.class_names = ["0", "1"]
    others = TextArrays((["new words"] * 8, [0, 1] * 4), batch_size=4)
    task.data = task.classifier.encode_data(others)
    fitted(task, max_epochs=1)
    assert task.vocabulary.words() == before


QUESTIONS = ["a superb film", "what an awful dull story", "unheard of", "日本"]
FRESH = """
import json, sys
import numpy as np, tensorflow as tf
from lightning_tf.tasks import TextClassification
task = TextClassification.from_checkpoint(sys.argv[1], data=None)
answers = task.predict_step(tf.constant(json.loads(sys.argv[2])))
print(json.dumps([task.class_names, task.vocabulary.words(), np.asarray(answers).tolist()]))
"""


def in_a_fresh_process(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_checkpoint_answers_without_data_in_a_fresh_process(tmp_path):
    task = small_task()
    fitted(task, max_epochs=3, seed=0).save_checkpoint(tmp_path / "c", weights_only=True)
    names, words, answers = in_a_fresh_process(FRESH, tmp_path / "c", json.dumps(QUESTIONS))
    assert names == task.class_names == ["0", "1"]
    assert words == task.vocabulary.words()
    np.testing.assert_array_equal(np.float32(answers), task.predict_step(tf.constant(QUESTIONS)))


@pytest.mark.slow
def test_a_fresh_task_is_tested_with_the_words_of_the_checkpoint(tmp_path):
    task = small_task(data_options={"test_fraction": 0.25})
    trainer = fitted(task, max_epochs=5, seed=0)
    expected = trainer.test(task)
    trainer.save_checkpoint(tmp_path / "c")
    again = small_task(data_options={"test_fraction": 0.25})
    assert Trainer(**quiet(max_epochs=1)).test(again, ckpt_path=tmp_path / "c") == expected


@pytest.mark.slow
@pytest.mark.parametrize("network", ["bag_of_words", "bidirectional_lstm"])
def test_training_goes_on_exactly_where_a_checkpoint_stopped(tmp_path, network):
    assert_resume_is_exact(
        tmp_path, lambda: small_task(network, schedule="constant"), list, stop=4, end=14
    )


# ---- with the rest of the house


@pytest.mark.distributed
@pytest.mark.parametrize(
    "network", ["bag_of_words", "convolution", pytest.param("gru", marks=pytest.mark.slow)]
)
def test_two_devices_learn_what_one_learns(network):
    def run(devices):
        task = small_task(network, dropout=0.0, batch_size=7)
        trainer = fitted(task, max_epochs=2, seed=0, accelerator="cpu", devices=devices)
        return task, trainer.callback_metrics

    (one, first), (two, second) = run(1), run(2)
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for name in ("val_loss", "val_accuracy", "val_auc", "val_f1", "auc", "f1"):
        assert second[name] == pytest.approx(first[name], abs=1e-5)
    assert two.vocabulary.words() == one.vocabulary.words()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize(
    "network",
    [
        "bag_of_words",
        "convolution",
        "lstm",
    ],
)
def test_mixed_precision_trains_with_float32_logits(network, precision):
    task = small_task(network, learning_rate=0.03)
    trainer = fitted(task, max_epochs=12, precision=precision, seed=0)
    assert trainer.callback_metrics["val_accuracy"] >= 0.75
    assert task.predict_step(tf.constant(["a film"])).dtype == tf.float32


@pytest.mark.slow
def test_the_loggers_get_the_surest_mistakes():
    x, y = texts(48)
    y = [1 - label if number in (7, 8, 20) else label for number, label in enumerate(y)]
    rows = Rows()
    task = TextClassification((x, y), **SMALL, learning_rate=0.03, data_options={"val": (x, y)})
    trainer = Trainer(**quiet(max_epochs=8, logger=rows, seed=0))
    trainer.fit(task)
    sent = {name: rows for kind, name, _, rows in rows.sent if kind == "table"}
    assert set(sent) == {"val/mistakes", "val/confusion_matrix"}
    mistakes = sent["val/mistakes"]
    probabilities = task.predict_step(tf.constant(x)).numpy()
    wrong = [i for i in range(48) if probabilities[i].argmax() != y[i]]
    assert {row[0] for row in mistakes} == {x[i] for i in wrong}
    assert wrong
    assert [row[3] for row in mistakes] == sorted((row[3] for row in mistakes), reverse=True)
    text, true, predicted, sure, of_true = mistakes[0]
    row = probabilities[x.index(text)]
    assert sure == pytest.approx(row.max(), abs=1e-4)
    assert of_true == pytest.approx(row[int(true)], abs=1e-4)
    assert predicted == str(row.argmax()) != true


@pytest.mark.slow
def test_strings_are_classified_as_their_encoded_batches_are():
    task = small_task("convolution", data_options={"test_fraction": 0.25})
    trainer = fitted(task, max_epochs=1)
    predicted = np.concatenate(trainer.predict(task, collect=True))
    strings = tf.concat(list(task.texts.predict_dataset()), axis=0)
    np.testing.assert_allclose(predicted, task.predict_step(strings), atol=1e-6)


SERVED = """
import json, sys
import tensorflow as tf
exported = tf.saved_model.load(sys.argv[1])
answers = exported.serve(tf.constant(json.loads(sys.argv[2])))
print(json.dumps([[label.decode() for label in answers["label"].numpy()],
                  answers["probabilities"].numpy().tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("network", ["bag_of_words", "gru"])
def test_an_exported_model_takes_strings_in_a_process_without_this_package(tmp_path, network):
    task = small_task(network, class_names=["bad", "good"], learning_rate=0.05)
    fitted(task, max_epochs=20, seed=0)
    task.export(tmp_path / "model")
    labels, answers = in_a_fresh_process(SERVED, tmp_path / "model", json.dumps(QUESTIONS))
    assert labels[:2] == ["good", "bad"]
    np.testing.assert_allclose(answers, task.predict_step(tf.constant(QUESTIONS)), atol=1e-6)


def test_nothing_can_be_exported_before_there_is_a_model(tmp_path):
    with pytest.raises(ConfigurationError, match="export before the models are made"):
        small_task().export(tmp_path / "model")


# ---- options


@pytest.mark.parametrize(
    "option",
    [
        {"label_smoothing": 0.2},
        pytest.param({"weight_decay": 0.5}, marks=pytest.mark.slow),
        pytest.param({"optimizer": "momentum"}, marks=pytest.mark.slow),
        pytest.param({"learning_rate": 2e-3}, marks=pytest.mark.slow),
        {"schedule": "constant"},
        pytest.param({"warmup_steps": 2}, marks=pytest.mark.slow),
        pytest.param({"batch_size": 4}, marks=pytest.mark.slow),
        pytest.param({"dropout": 0.0}, marks=pytest.mark.slow),
        pytest.param({"max_length": 2}, marks=pytest.mark.slow),
        {"ngrams": 2},
        pytest.param(
            {"vocabulary_size": 40, "network": "convolution", "max_length": 3},
            marks=pytest.mark.slow,
        ),
    ],
    ids=named,
)
def test_every_option_changes_what_is_learnt(option):
    shared = {key: option[key] for key in ("network",) if key in option}
    plain, other = small_task(**shared), small_task(**option)
    for task in (plain, other):
        fitted(task, max_epochs=2, seed=0, limit_val_batches=0)
    assert differ(plain, other)


def test_classes_keep_the_order_that_they_are_given_in():
    x, y = texts()
    names = ["good" if label else "bad" for label in y]
    task = TextClassification((x, names), class_names=["good", "bad"], **SMALL)
    fitted(task, max_epochs=1)
    labels = np.concatenate([batch[1] for batch in task.texts.train_dataset(0)])
    drawn = [n for n, _ in zip(names, y, strict=True)]
    assert task.class_names == ["good", "bad"]
    assert abs(int(labels.sum()) - drawn.count("bad")) <= 5
    assert task.hparams["data"] == {"type": "builtins.tuple"}


def test_hyperparameters_are_plain_and_make_the_same_task_again():
    task = TextClassification("bbc_news", "bag_of_words", ngrams=2, schedule="linear")
    again = TextClassification(**json.loads(json.dumps(task.hparams)))
    assert again.hparams == task.hparams


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "bbc_new"}, "Did you mean 'bbc_news'"),
        ({"network": "lstn"}, "Did you mean 'lstm'"),
        ({"network": 3}, "network is a int"),
        ({"network": "gru", "ngrams": 2}, "ngrams=2 is for 'bag_of_words' and 'embedding_bag'"),
        ({"max_length": 0}, "max_length"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"optimizer": "momentun"}, "Did you mean 'momentum'"),
        ({"optimizer": keras.optimizers.Adam(), "schedule": "cosine"}, "schedule='cosine'"),
        ({"data_options": {"text_column": "x"}}, "text_column='x' has no meaning"),
        ({"network": keras.Sequential(), "units": 8}, "units=8 is for the package's own"),
    ],
    ids=named,
)
def test_what_cannot_be_is_refused_when_it_is_named(options, message):
    with pytest.raises(ConfigurationError, match=message):
        TextClassification(**options)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (["a", "", "b", "c"], [0, 1, 0, 1], {}, "empty, the first at index 1"),
        (["a", "b", "c"], [0, 0, 1], {}, "Class '1' has 1 training"),
        (["a", "b"], [0, 0], {}, "two or more"),
        (["a", "b", "c", "d"], [0, 0, 1, 1], {"test": (["e"], [5])}, "'5'"),
        (["a", "b"], [0], {}, "one label for each"),
    ],
    ids=["empty text", "one example", "one class", "unknown label", "length"],
)
def test_bad_texts_are_told_before_training(x, y, options, message):
    with pytest.raises(DataError, match=message):
        fitted(TextClassification((x, y), data_options=options), max_epochs=1)


def test_a_model_of_another_size_is_told_before_training():
    model = keras.Sequential(
        [keras.Input((None,), dtype="int32"), keras.layers.Embedding(40, 3)], name="short"
    )
    with pytest.raises(ConfigurationError, match="'short' gives an output of shape"):
        fitted(TextClassification(texts(), model, vocabulary_size=40), max_epochs=1)


def test_a_task_without_data_needs_the_names_of_its_classes():
    with pytest.raises(ConfigurationError, match="class_names"):
        TextClassification(None).configure_model()


def test_numbers_in_the_place_of_texts_are_told():
    class Numbers(DataModule):
        def train_dataset(self, epoch):
            return tf.data.Dataset.from_tensor_slices(([1.0, 2.0], [0, 1])).batch(2)

    with pytest.raises((DataError, TypeError, ValueError), match="strings"):
        fitted(TextClassification(Numbers()), max_epochs=1)
