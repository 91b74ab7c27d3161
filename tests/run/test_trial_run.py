import pytest
from helpers.boring import NumberData, NumberTask, fitted
from helpers.resumable import TwoParts, bits, everything

from lightning_tf import Callback
from lightning_tf.callbacks import EMA
from lightning_tf.run.run_state import everything as variables_of


class TriesOut(Callback):
    """Does some updates at a hook that leave no trace."""

    logs_metrics = False

    def __init__(self, hook, error=None):
        self.error, self.moved, self.losses = error, 0, []
        setattr(self, hook, self._try_out)

    def _try_out(self, trainer, task, *args):
        with trainer.trial_run(task) as trial_run:
            before = bits(variables_of(trainer, task))
            batches = trial_run.batches()
            self.losses = [trial_run.update(batches)["loss"] for _ in range(12)]
            after = bits(variables_of(trainer, task))
            self.moved = sum(before[name] != after[name] for name in before)
            self.examples = trial_run.examples
            if self.error:
                raise self.error


@pytest.mark.parametrize("hook", [pytest.param("setup", marks=pytest.mark.slow), "on_train_start"])
def test_a_run_with_a_trial_run_equals_one_without(hook):
    arguments = {"max_epochs": 2, "seed": 3, "log_every_n_steps": 2}
    plain = fitted(TwoParts(), callbacks=[EMA(0.9)], **arguments)
    trial = TriesOut(hook)
    after = fitted(TwoParts(), callbacks=[EMA(0.9), trial], **arguments)
    assert trial.moved > 10
    state = everything(after)
    del state["callbacks"]["TriesOut"]
    assert state == everything(plain)


@pytest.mark.slow
def test_what_an_exception_leaves_is_put_back_too():
    class Catches(TriesOut):
        def _try_out(self, trainer, task, *args):
            with pytest.raises(RuntimeError, match="on purpose"):
                super()._try_out(trainer, task, *args)

    plain = fitted(TwoParts(), max_epochs=1, seed=3)
    for hook in ("setup", "on_train_start"):
        catches = Catches(hook, RuntimeError("on purpose"))
        after = fitted(TwoParts(), max_epochs=1, seed=3, callbacks=[catches])
        assert everything(after)["weights"] == everything(plain)["weights"]


def test_an_update_takes_as_many_batches_as_the_trainer_accumulates():
    trial = TriesOut("on_train_start")
    task = NumberTask(NumberData([1.0, 3.0]))
    fitted(task, max_epochs=1, accumulate_grad_batches=2, callbacks=[trial])
    # The mean of an update is 2, and so is its gradient.
    assert trial.losses[:3] == [2.0, -2.0, -6.0]
    assert trial.examples == 2
    assert task.traced["training"] == 1
    assert float(task.weight) == -2.0


def test_schedules_see_the_number_of_updates_to_come():
    seen = []

    class Looks(NumberTask):
        def configure_optimizers(self):
            seen.append(self.trainer.estimated_stepping_batches)
            return super().configure_optimizers()

    fitted(Looks(NumberData([1.0, 2.0])), max_epochs=3, callbacks=[TriesOut("setup")])
    assert seen == [6, 6]
