"""Seeds are drawn on the host where a GPU would wait for them; every number stays."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gpu_plan import StandIn

from lightning_tf import Callback, Task, Trainer, seed_everything
from lightning_tf.data import ArrayData
from lightning_tf.tasks import GAN, TextClassification

TEXTS = (["good film here", "bad film", "not so bad", "so so"] * 20, ["p", "n", "p", "n"] * 20)


class Noisy(Task):
    """A step that draws with a layer's generator, its own, one that no task holds, and Keras' own.

    The last example of an epoch can be made to fail.
    """

    def __init__(self, bad_value=0.0):
        self.model = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        self.generator = keras.random.SeedGenerator(5)
        self.bad_value = bad_value
        x = np.arange(32, dtype="float32").reshape(16, 2)
        self.data = ArrayData(x, batch_size=2, val_fraction=0.0)

    def training_step(self, batch):

        noise = keras.random.normal([2, 1], seed=self.generator)
        noise += keras.random.uniform([2, 1], seed=ELSEWHERE) + keras.random.normal([2, 1])
        if self.bad_value:
            with tf.control_dependencies([tf.debugging.assert_less(batch, self.bad_value)]):
                batch = tf.identity(batch)
        return keras.ops.mean(keras.ops.square(self.model(batch, training=True) - noise))

    def configure_optimizers(self):
        return keras.optimizers.SGD(1e-4)


ELSEWHERE = keras.random.SeedGenerator(9)


def fit(make_task, *, on_host, max_epochs=2, ckpt_path=None, **arguments):
    """Return a trained task and its Trainer, whose draws wait for no device where `on_host`."""
    seed_everything(3)
    ELSEWHERE.state.assign([9, 0])
    trainer = Trainer(
        max_epochs=max_epochs, logger=False, enable_progress_bar=False, jit_compile=False,
        enable_model_summary=False, **{"enable_checkpointing": False, **arguments},
    )  # fmt: skip
    if on_host:
        trainer.placement = StandIn("/CPU:0")
    task = make_task()
    trainer.fit(task, ckpt_path=ckpt_path)
    return task, trainer


def weights(task):
    return [v.numpy() for v in task.model.variables]


def assert_equal(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_on_the_host_are_those_of_the_device_and_leave_the_generators_there():
    there, _ = fit(Noisy, on_host=False)
    states = [there.generator.state.numpy(), ELSEWHERE.state.numpy()]
    here, trainer = fit(Noisy, on_host=True)

    assert trainer.state.fit_loop.window._seeds.variables()  # not as before by leaving it out
    assert_equal(weights(there), weights(here))
    assert_equal(states, [here.generator.state.numpy(), ELSEWHERE.state.numpy()])


@pytest.mark.parametrize(
    "make_task",
    [
        lambda: GAN("digits"),
        pytest.param(
            lambda: TextClassification(TEXTS, network="lstm"), marks=pytest.mark.slow, id="lstm"
        ),
    ],
)
def test_tasks_that_draw_keep_their_numbers(make_task):
    def variables(on_host):
        task, _ = fit(make_task, on_host=on_host, max_epochs=1, limit_val_batches=0)
        models = [m for m in vars(task).values() if isinstance(m, keras.Model)]
        return [v.numpy() for m in models for v in m.variables]

    assert_equal(variables(False), variables(True))


def test_a_run_that_drew_on_the_host_is_resumed_exactly_where_it_is_not(tmp_path):
    whole, _ = fit(Noisy, on_host=False, max_epochs=4)
    elsewhere = ELSEWHERE.state.numpy()

    folder = {"default_root_dir": tmp_path, "enable_checkpointing": True}
    _, trainer = fit(Noisy, on_host=True, **folder)
    path = trainer.checkpoint_callback.best_model_path
    resumed, _ = fit(Noisy, on_host=False, max_epochs=4, ckpt_path=path)

    assert_equal(weights(whole), weights(resumed))
    assert_equal([elsewhere], [ELSEWHERE.state.numpy()])


class UsesState(Noisy):
    """A step that reads a generator's state, and begins another one anew in every batch."""

    def training_step(self, batch):
        ELSEWHERE.state.assign([11, 0])
        loss = super().training_step(batch)
        self.log("state", keras.ops.cast(self.generator.state[1], "float32"))
        return loss


def test_a_state_that_the_step_reads_or_assigns_itself_is_the_one_that_is_drawn_from():
    (there, first), (here, second) = (fit(UsesState, on_host=host) for host in (False, True))

    assert_equal(weights(there), weights(here))
    assert first.callback_metrics["state"] == second.callback_metrics["state"]
    assert second.state.fit_loop.window._seeds.variables()  # of the layer's, as before


class Catches(Callback):
    """Reads the generator where a step has failed."""

    logs_metrics = False

    def on_exception(self, trainer, task, exception):
        self.state = task.generator.state.numpy()


def test_a_batch_that_fails_leaves_the_draws_before_it_in_the_generators():
    def state(on_host):
        catches = Catches()
        with pytest.raises(Exception, match="batch"):
            fit(lambda: Noisy(bad_value=20.0), on_host=on_host, callbacks=catches)
        assert catches.state[1] > 0
        return catches.state

    assert_equal([state(False)], [state(True)])
