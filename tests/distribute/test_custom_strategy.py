"""Any strategy object whose replicas train in step: the same numbers as on one device."""

import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, quiet
from helpers.replica_tasks import FewData, KerasNormalized, Minimizing, Normalized, TwoOptimizers
from helpers.replicated import central, furthest, outcome
from helpers.small_gan import few_images, small_gan
from helpers.strategies import HandsOutNothing, OutOfStep, OwnMirrored, ThirdParty, cpus

from lightning_tf import Trainer
from lightning_tf.callbacks.ema import EMA
from lightning_tf.distribute.central_replicas import CentralReplicas
from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tasks import ImageClassification
from lightning_tf.variables import all_variables

KINDS = {
    "own class": OwnMirrored,
    "third party": ThirdParty,
    "central storage": central,
    "default": lambda count: tf.distribute.get_strategy(),
    "one device": lambda count: tf.distribute.OneDeviceStrategy("CPU:1"),
}
CLIPPED = {"gradient_clip_val": 0.01, "accumulate_grad_batches": 3}
thorough = pytest.mark.distributed  # left out by default, because others show the same


def assert_equal_under(strategy, make_task, **arguments):
    one = outcome(make_task, 1, **arguments)
    name, apart = furthest(one, outcome(make_task, strategy, **arguments))
    assert apart < 1e-5, f"{name} differs by {apart:.1e} under {type(strategy).__name__}"


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("central storage", 2),
        pytest.param("central storage", 1, marks=thorough),
        pytest.param("central storage", 4, marks=thorough),
        ("third party", 2),
        pytest.param("third party", 4, marks=thorough),
        pytest.param("own class", 2, marks=thorough),
        pytest.param("one device", 1, marks=thorough),
        pytest.param("default", 1, marks=thorough),
    ],
)
def test_a_last_batch_of_one_example_and_accumulation(kind, count):
    """61 examples in batches of 6: most replicas are without any in the last."""
    assert_equal_under(KINDS[kind](count), lambda: Normalized(FewData(6)), **CLIPPED)


@thorough
@pytest.mark.parametrize("kind", ["third party", "central storage"])
@pytest.mark.parametrize(
    ("make_task", "arguments"),
    [
        pytest.param(lambda: TwoOptimizers(FewData()), {}, id="two optimizers"),
        pytest.param(lambda: Minimizing(FewData()), {}, id="updates inside a step"),
        pytest.param(lambda: KerasNormalized(FewData(7)), {"sync_batchnorm": True}, id="of Keras"),
        pytest.param(lambda: BoringTask(FewData(known_length=False)), {}, id="unknown length"),
        pytest.param(
            lambda: small_gan("wgan-gp", n_critic=2, optimizer="sgd", data=few_images(37)),
            {"evaluates": False, "limit_val_batches": 0},
            id="gan",
        ),
        pytest.param(
            lambda: BoringTask(FewData()), {"max_epochs": 2, "val_check_interval": 3}, id="epochs"
        ),
    ],
)
def test_every_kind_of_step(kind, make_task, arguments):
    assert_equal_under(KINDS[kind](2), make_task, **arguments)


class Dropping(BoringTask):
    """Masks, a penalty on activations, and a metric that counts examples without weights."""

    def configure_model(self):
        hidden = keras.layers.Dense(8, activity_regularizer="l2", kernel_regularizer="l2")
        layers = [keras.Input((32,)), hidden, keras.layers.Dropout(0.5), keras.layers.Dense(2)]
        self.model = keras.Sequential(layers)

    def training_step(self, batch):
        return super().training_step(batch) + tf.add_n(self.model.losses)


@pytest.mark.distributed
def test_one_copy_of_the_variables_draws_the_masks_that_copies_on_replicas_draw():
    def make():
        return Dropping(FewData(7))

    copies, one_copy = outcome(make, 2), outcome(make, central(2))
    assert furthest(copies, one_copy)[1] < 1e-5
    assert furthest(outcome(make, 1), one_copy)[1] > 1e-2


def test_statistics_that_layers_do_not_synchronize_move_by_the_mean_over_examples():
    class Watched(NumberTask):
        def configure_model(self):
            super().configure_model()
            self.moving = keras.Variable(0.0, trainable=False, name="moving")
            self.steps = keras.Variable(0, dtype="int32", trainable=False, name="steps")

        def training_step(self, batch):
            self.moving.assign(0.5 * self.moving + 0.5 * tf.reduce_mean(batch))
            self.steps.assign_add(1)
            return super().training_step(batch)

    task = Watched(NumberData([1.0, 2.0, 6.0, 5.0], 3))  # parts of 2 and 1, then of 1 and 0
    Trainer(**quiet(max_epochs=1, strategy=central(2))).fit(task)
    assert float(task.moving.numpy()) == pytest.approx(0.5 * (0.5 * 3.0) + 0.5 * 5.0)
    assert int(task.steps.numpy()) == 2


def test_the_variables_stay_on_the_device_that_they_were_given(tmp_path):
    strategy = tf.distribute.experimental.CentralStorageStrategy(cpus(2), "CPU:3")
    task = BoringTask(FewData())
    trainer = Trainer(**quiet(max_steps=2, strategy=strategy))
    trainer.fit(task)
    assert isinstance(trainer.placement, CentralReplicas)
    assert trainer.placement.num_replicas == 2
    assert all("CPU:3" in v.value.device for v in task.model.variables)
    assert choose_placement("auto", "auto", ThirdParty(2)).copies_variables


def fit_until(make_task, strategy, path=None, **arguments):
    keras.utils.set_random_seed(0)
    task = make_task()
    where = {"accelerator": "cpu"} if strategy is None else {"strategy": strategy}
    trainer = Trainer(**quiet(**where, seed=3, accumulate_grad_batches=2, **arguments))
    trainer.fit(task, ckpt_path=path)
    variables = {name: np.asarray(v.numpy()) for name, v in all_variables(task).items()}
    return trainer, {**variables, **{k: np.asarray(v) for k, v in trainer.callback_metrics.items()}}


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("central storage", "third party"),
        pytest.param("third party", "central storage", marks=thorough),
        pytest.param("central storage", "one device", marks=thorough),
        pytest.param("one device", "central storage", marks=thorough),
    ],
)
def test_a_run_saved_under_one_strategy_goes_on_under_another(tmp_path, first, then):
    """Saved inside an epoch: metrics that are half summed move over too."""

    def make():
        return Normalized(FewData(7))

    trainer, _ = fit_until(make, KINDS[first](2), max_steps=3)
    path = trainer.save_checkpoint(tmp_path / "between")
    _, resumed = fit_until(make, KINDS[then](2), path, max_epochs=2)
    _, one = fit_until(make, None, max_epochs=2)
    name, apart = furthest(one, resumed)
    assert apart < 1e-5, f"{name} differs by {apart:.1e}"


@thorough
def test_a_run_resumed_with_one_copy_of_the_variables_is_the_same_to_the_last_bit(tmp_path):
    def make():
        return Dropping(FewData(7))

    trainer, _ = fit_until(make, central(2), max_steps=3)
    path = trainer.save_checkpoint(tmp_path / "between")
    _, resumed = fit_until(make, central(2), path, max_epochs=2)
    _, whole = fit_until(make, central(2), max_epochs=2)
    assert furthest(whole, resumed)[1] == 0.0


@thorough
def test_a_model_trained_elsewhere_moves_over_and_back(tmp_path):
    task = BoringTask(FewData())
    for strategy in (central(2), ThirdParty(2), tf.distribute.get_strategy(), central(2)):
        Trainer(**quiet(max_epochs=1, strategy=strategy)).fit(task)
    assert float(Trainer(**quiet(max_steps=1)).validate(task)["val_accuracy"]) > 0.5


@thorough
def test_images_averages_and_half_precision_with_one_copy_of_the_variables(tmp_path):
    def make():
        return ImageClassification(data="digits", network="convnet", batch_norm=True)

    arguments = {"max_steps": 4, "evaluates": False, "predicts": False}
    copies = outcome(make, 2, callbacks=[EMA(0.9)], **arguments)
    one_copy = outcome(make, central(2), callbacks=[EMA(0.9)], **arguments)
    assert furthest(copies, one_copy)[1] < 1e-5
    half = outcome(make, central(2), precision="16-mixed", **arguments)
    assert np.isfinite(float(half["loss"]))


# ---- what is refused


def test_a_strategy_object_stands_alone():
    with pytest.raises(ConfigurationError, match="brings its own devices"):
        choose_placement("cpu", 2, tf.distribute.OneDeviceStrategy("CPU:0"))


def test_a_strategy_whose_replicas_do_not_sum_is_refused():
    with pytest.raises(ConfigurationError, match=r"OutOfStep does not train in step.* is \[1, 0\]"):
        choose_placement("auto", "auto", OutOfStep(2))


def test_a_strategy_that_lacks_something_is_refused_with_what_it_lacks():
    with pytest.raises(ConfigurationError, match=r"hands out no values.*Trainer needs run"):
        choose_placement("auto", "auto", HandsOutNothing(2))


def test_a_strategy_of_tensorflow_1_is_refused():
    with pytest.raises(ConfigurationError, match=r"tf\.compat\.v1"):
        choose_placement("auto", "auto", tf.compat.v1.distribute.MirroredStrategy(cpus(2)))


PARAMETER_SERVER = """
import sys
import tensorflow as tf
from lightning_tf import Trainer

addresses = {"worker": [sys.argv[1]], "ps": [sys.argv[2]]}
spec = tf.train.ClusterSpec(addresses)
servers = [tf.distribute.Server(spec, job_name=job, task_index=0) for job in addresses]
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, rpc_layer="grpc")
strategy = tf.distribute.ParameterServerStrategy(resolver)
try:
    Trainer(max_epochs=1, strategy=strategy)
except Exception as error:
    print(type(error).__name__, error, flush=True)
import os
os._exit(0)  # servers never end by themselves
"""


@thorough
def test_parameter_servers_are_refused_with_the_reason(tmp_path):
    """A real strategy over a worker and a parameter server of one process."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        addresses = [f"127.0.0.1:{port.getsockname()[1]}" for port in (one, other)]
    ended = subprocess.run(
        [sys.executable, "-c", PARAMETER_SERVER, *addresses],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "ConfigurationError strategy=ParameterServerStrategy" in ended.stdout, ended.stderr
    assert "is asynchronous" in ended.stdout
    assert "CentralStorageStrategy()" in ended.stdout
