"""What a notebook shows of a task, at every time of its life."""

import numpy as np
from helpers.boring import BoringTask, quiet

from lightning_tf import Task, Trainer
from lightning_tf.tasks import ImageClassification


class Named(BoringTask):
    """Does <i>nothing</i>.

    And says more.
    """

    def __init__(self, units=3, name="<b>"):
        super().__init__()
        self.units, self.name = units, name


def test_a_card_names_the_task_its_arguments_and_what_is_missing():
    card = Named(units=8)._repr_html_()
    assert "<strong>Named</strong>" in card
    assert "Does &lt;i&gt;nothing&lt;/i&gt;." in card
    assert "says more" not in card
    assert '">units</td>' in card  # a row of its own, unlike what is as by default
    assert "by default" in card
    assert "name=&#x27;&lt;b&gt;&#x27;" in card
    assert "none yet" in card


def test_a_card_tells_models_and_whether_they_have_learned():
    task = BoringTask()
    task.make_models()
    assert "not trained" in task._repr_html_()
    Trainer(**quiet(max_epochs=1)).fit(task)
    card = task._repr_html_()
    assert "Sequential, 66 weights" in card
    assert "66, trained or loaded" in card
    assert "BoringData" in card


def test_a_model_with_a_private_name_too_is_shown_once():
    task = BoringTask()
    task.make_models()
    task._again = task.model
    assert "again" not in task._repr_html_()


def test_arrays_among_arguments_are_named_and_not_printed():
    arrays = (np.zeros((32, 8, 8, 1), "uint8"), np.arange(32) % 2)
    card = ImageClassification(arrays)._repr_html_()
    assert len(card) < 5000


def test_a_task_that_cannot_tell_of_itself_is_shown_as_python_does():
    class Half(Task):
        @property
        def hparams(self):
            raise RuntimeError("half made")

        @hparams.setter
        def hparams(self, value):
            pass

    assert Half()._repr_html_() is None
