"""ConfusionMatrix: the figure and table of what was really evaluated, and nothing else."""

import numpy as np
import pytest
from helpers.boring import Rows, quiet

from lightning_tf import Trainer
from lightning_tf.tasks import ImageClassification
from lightning_tf.tasks.common.confusion_matrix import confusion_figure


def sent(rows, kind):
    return {name: value for what, name, _, value in rows.sent if what == kind}


@pytest.fixture(scope="module")
def images():
    x = np.random.default_rng(0).uniform(0, 255, (60, 6, 6, 1)).astype("uint8")
    return x, np.arange(60) % 3


def task_of(images, **options):
    return ImageClassification(
        images, "linear", data_options={"val_fraction": 0.2, "test_fraction": 0.3}, **options
    )


def test_fit_logs_the_last_validation_alone_and_test_the_whole_test(images):
    rows = Rows()
    trainer = Trainer(**quiet(logger=rows, max_epochs=3))
    task = task_of(images)
    trainer.fit(task)
    tables = sent(rows, "table")
    assert list(tables) == ["val/confusion_matrix"]
    matrix = np.array([row[1:] for row in tables["val/confusion_matrix"]])
    assert matrix.sum() == 12
    accuracy = trainer.callback_metrics["val_accuracy"]
    assert np.trace(matrix) / matrix.sum() == pytest.approx(accuracy)

    metrics = trainer.test(task)
    table = sent(rows, "table")["test/confusion_matrix"]
    assert [row[0] for row in table] == ["0", "1", "2"]
    matrix = np.array([row[1:] for row in table])
    assert matrix.sum(axis=1).tolist() == [6, 6, 6]
    assert np.trace(matrix) / 18 == pytest.approx(metrics["test_accuracy"])
    assert set(sent(rows, "figure")) >= {"val/confusion_matrix", "test/confusion_matrix"}


def test_a_sanity_check_alone_leaves_nothing_to_log(images):
    rows = Rows()
    trainer = Trainer(**quiet(logger=rows, max_epochs=1, check_val_every_n_epoch=2))
    trainer.fit(task_of(images))
    assert "val_loss" not in trainer.callback_metrics
    assert "table" not in {what for what, *_ in rows.sent}


def test_a_matrix_too_large_to_read_is_not_counted():
    x = np.zeros((303, 4, 4, 1), "uint8")
    rows = Rows()
    task = ImageClassification((x, np.arange(303) % 101), "linear")
    Trainer(**quiet(logger=rows, max_epochs=1)).fit(task)
    assert task.confusion_counts is None
    assert "val/confusion_matrix" not in sent(rows, "figure")


def test_the_figure_writes_counts_and_names_of_few_classes_and_only_names_of_many():
    few = confusion_figure(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
    axes = few.axes[0]
    assert [text.get_text() for text in axes.texts] == ["9", "1", "10"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    assert axes.get_title() == "19 of 20 right (95.0%)"
    many = confusion_figure(np.eye(30, dtype=int), [str(number) for number in range(30)])
    assert not many.axes[0].texts
