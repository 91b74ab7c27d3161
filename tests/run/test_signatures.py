"""Steps that take something else are refused before any work."""

import re

import pytest
from helpers.boring import BoringTask, NumberData, NumberTask, quiet

from lightning_tf import Trainer
from lightning_tf.exceptions import ConfigurationError


def refusal(task, callbacks=None, entry_point="fit"):
    with pytest.raises(ConfigurationError) as caught:
        getattr(Trainer(**quiet(max_epochs=1, callbacks=callbacks)), entry_point)(task)
    return str(caught.value)


@pytest.mark.parametrize(
    ("entry_point", "step"),
    [
        ("fit", "training_step"),
        ("fit", "validation_step"),
        ("validate", "validation_step"),
        ("test", "test_step"),
        ("predict", "predict_step"),
    ],
)
def test_a_step_that_takes_the_batchs_number(entry_point, step):
    kind = type("Mine", (BoringTask,), {step: lambda self, batch, batch_idx: None})
    message = refusal(kind(), entry_point=entry_point)
    assert f"Mine.{step} takes (batch, batch_idx), and is called as {step}(batch)." in message
    assert ("self.trainer.batch_idx" in message) == (step == "training_step")


def test_a_step_with_defaults_is_no_mistake():
    class Mine(BoringTask):
        def predict_step(self, batch, batch_idx=0, dataloader_idx=0):
            return self.model(batch)

    assert len(Trainer(**quiet()).predict(Mine(), collect=True)) == 4


def test_prediction_without_a_step_is_refused_at_the_call():
    class Mine(NumberTask):
        predict_step = NumberTask.__mro__[1].predict_step

    assert re.search("Mine has no predict_step", refusal(Mine(NumberData([1])), None, "predict"))
