"""MistakeTable: the texts that a task got wrong and was most sure of."""

from typing import Any

import numpy as np
import tensorflow as tf

from lightning_tf.tasks.common.prediction_grid import take_examples
from lightning_tf.tasks.common.stage_report import StageReport
from lightning_tf.trainer import Trainer

COLUMNS = ["text", "true", "predicted", "probability", "probability of true"]
LONGEST = 500  # characters of a text that are shown
CHUNK = 64  # texts predicted at once


class MistakeTable(StageReport):
    """Logs the most confident mistakes when training ends and after every test.

    Loggers get a table of the name ``val/mistakes`` or ``test/mistakes``: the beginning of the
    text, its class, the predicted one and the two probabilities, the most confident mistake first.
    At most `examples` texts are predicted, in one forward pass: spread evenly over the validation
    or test data where these can be read by index, otherwise the first ones.

    Works with every task that has `class_names`, `texts` (a DataModule of strings and labels) and a
    `predict_step` from strings to probabilities.

    Args:
        count: How many rows at most.
        examples: How many texts are predicted at most.
    """

    def __init__(self, count: int = 25, examples: int = 2000) -> None:
        self.count, self.examples = count, examples

    def report(self, trainer: Trainer, task: Any, stage: str) -> None:
        """Log the mistakes in a stage's texts."""
        examples = take_examples(task.texts, stage, self.examples)
        if examples is not None:
            trainer.log_table(f"{stage}/mistakes", COLUMNS, self.rows(task, *examples))

    def rows(self, task: Any, texts: Any, labels: Any) -> list[list[Any]]:
        """Return the rows of the table for texts and their labels."""
        # Traced once for any number of texts, the smaller last chunk included.
        step = tf.function(task.predict_step, autograph=False)
        predict = step.get_concrete_function(tf.TensorSpec([None], tf.string))
        starts = range(0, len(texts), CHUNK)
        parts = [predict(tf.constant(texts[i : i + CHUNK])).numpy() for i in starts]

        probabilities = np.concatenate(parts)  # (texts, classes)
        predicted = probabilities.argmax(axis=-1)
        confidence = probabilities.max(axis=-1)
        wrong = np.flatnonzero(predicted != labels)

        names = task.class_names
        return [
            [
                texts[i].decode("utf-8")[:LONGEST],
                names[labels[i]],
                names[predicted[i]],
                round(float(confidence[i]), 4),
                round(float(probabilities[i, labels[i]]), 4),
            ]
            for i in wrong[np.argsort(-confidence[wrong], kind="stable")][: self.count]
        ]
