"""docs/from_lightning.md against running code: what each row of its tables says, shown by a run."""

import inspect
import logging
import re
from datetime import timedelta

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.paths import ROOT

from lightning_tf import Callback, Trainer
from lightning_tf.callbacks import CSVLogger, ModelCheckpoint, ModelSummary, ProgressBar
from lightning_tf.exceptions import ConfigurationError, NonFiniteLossError
from lightning_tf.run import session

TEXT = (ROOT / "docs/from_lightning.md").read_text()


def task(batches=4, held_out=(1.0, 2.0, 3.0)):
    return NumberTask(NumberData(range(batches), held_out=held_out))


def steps(batches=4, **arguments):
    return fitted(task(batches), **arguments).global_step


class Runs(Callback):
    """Records (hook, epoch, update, arguments) of all hooks whose names begin so."""

    def __init__(self, *prefixes):
        self.calls = []
        for name in vars(Callback):
            if name.startswith(prefixes):
                setattr(self, name, self._record(name))

    def _record(self, name):
        def record(trainer, task, *args):
            self.calls.append((name, trainer.current_epoch, trainer.global_step, *args))

        return record

    def names(self):
        return [call[0] for call in self.calls]


def validations(**arguments):
    runs = Runs("on_validation_start")
    fitted(task(), callbacks=runs, **{"num_sanity_val_steps": 0, **arguments})
    return [step for _, _, step in runs.calls]


def refused(match, **arguments):
    with pytest.raises(ConfigurationError, match=match):
        Trainer(**arguments)


# ---- arguments, one check each


def accelerator():
    assert Trainer(accelerator="cpu").placement.num_replicas == 1
    refused("accelerator", accelerator="tpu")


def devices():
    assert Trainer(accelerator="cpu", devices=1).placement.num_replicas == 1
    assert Trainer(accelerator="cpu", devices="auto").placement.num_replicas == 1


def strategy():
    assert Trainer(strategy="auto").placement.num_replicas == 1
    refused("mirrored, multi_worker", strategy="ddp")


def precision():
    assert Trainer(precision="16-mixed").precision == Trainer(precision=16).precision
    assert Trainer(precision="bf16-mixed").precision == "mixed_bfloat16"


def max_epochs():
    assert steps(max_epochs=2) == 8
    with pytest.raises(ConfigurationError, match="no limit"):
        Trainer(**quiet()).fit(task())


class Stops(Callback):
    def on_train_window_end(self, trainer, task):
        trainer.should_stop = True


def min_epochs():
    assert steps(max_epochs=9, min_epochs=3, callbacks=Stops()) == 12


def max_steps():
    runs = Runs("on_train_epoch_end")
    assert steps(max_steps=6, callbacks=runs) == 6
    assert runs.calls == [("on_train_epoch_end", 0, 4)]
    assert steps(max_steps=-1, max_epochs=1) == 4


def min_steps():
    assert steps(max_epochs=9, min_steps=6, callbacks=Stops()) == 6


def max_time():
    assert steps(max_time=timedelta(0)) == 0
    assert steps(max_time={"hours": 1}, max_epochs=1) == 4
    assert Trainer(max_time="00:01:30:00").max_time == timedelta(minutes=90)


def limit_train_batches():
    assert steps(max_epochs=2, limit_train_batches=3) == 6
    assert steps(max_epochs=2, limit_train_batches=0.5) == 4
    refused("nothing to train", limit_train_batches=0)


def seen(stage, **arguments):
    runs = Runs(f"on_{stage}_batch_end")
    trainer = Trainer(**quiet(callbacks=runs, **arguments))
    if stage == "predict":
        trainer.predict(task(), collect=True)
    else:
        {"validation": trainer.validate, "test": trainer.test}[stage](task())
    return len(runs.calls)


def limit_val_batches():
    assert (seen("validation", limit_val_batches=2), seen("validation")) == (2, 3)
    assert validations(max_epochs=2, limit_val_batches=0) == []


def limit_test_batches():
    assert seen("test", limit_test_batches=0.7) == 2
    with pytest.raises(ConfigurationError, match="limit_test_batches=0"):
        seen("test", limit_test_batches=0)


def limit_predict_batches():
    assert seen("predict", limit_predict_batches=1) == 1


def overfit_batches():
    rows = Rows()
    assert steps(max_epochs=2, overfit_batches=2, logger=rows) == 4
    assert [value for _, value in rows.column("val/loss")] == [0.5, 0.5]  # of the numbers 0 and 1


def fast_dev_run():
    assert steps(max_epochs=9, fast_dev_run=2) == 2


def val_check_interval():
    assert validations(max_epochs=2, val_check_interval=0.5) == [2, 4, 6, 8]
    assert validations(max_epochs=2, val_check_interval=3) == [3, 7]
    refused("val_check_interval", val_check_interval="00:00:01:00")


def check_val_every_n_epoch():
    assert validations(max_epochs=4, check_val_every_n_epoch=2) == [8, 16]
    every_three = {"check_val_every_n_epoch": None, "val_check_interval": 3}
    assert validations(max_epochs=2, **every_three) == [3, 6]


def num_sanity_val_steps():
    runs = Runs("on_validation_batch_end")
    fitted(task(), max_epochs=1, limit_val_batches=3, num_sanity_val_steps=2, callbacks=runs)
    assert len(runs.calls) == 2 + 3


def log_every_n_steps():
    for every, at in ((3, [3, 6]), (0, [])):
        rows = Rows()
        fitted(task(), max_epochs=2, log_every_n_steps=every, logger=rows)
        assert [step for step, _ in rows.column("train/loss")] == at


def accumulate_grad_batches():
    trainer = fitted(NumberTask(NumberData([1, 2, 3])), max_epochs=1, accumulate_grad_batches=2)
    assert (trainer.global_step, float(trainer.task.weight)) == (2, -(1.5 + 3.0))


def gradient_clip_val():
    for value, weight in ((0.5, -1.5), (0, -6.0), (None, -6.0)):
        trainer = fitted(NumberTask(NumberData([1, 2, 3])), max_epochs=1, gradient_clip_val=value)
        assert float(trainer.task.weight) == weight


def gradient_clip_algorithm():
    clips = {"gradient_clip_val": 1.0, "gradient_clip_algorithm": "value"}
    assert float(fitted(NumberTask(NumberData([3])), max_epochs=1, **clips).task.weight) == -1.0


def callbacks():
    epochs = []
    keras_own = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(epoch)
    )
    fitted(BoringTask(), max_epochs=2, callbacks=[keras_own])
    assert epochs == [0, 1]


def logger():
    assert isinstance(Trainer().logger, CSVLogger)
    assert Trainer(logger=False).logger is Trainer(logger=None).logger is None


def has(kind, **arguments):
    trainer = Trainer(**{**quiet(max_epochs=1), **arguments})
    trainer.fit(task())
    return any(isinstance(callback, kind) for callback in trainer.callbacks)


def enable_checkpointing():
    assert not has(ModelCheckpoint)
    assert has(ModelCheckpoint, enable_checkpointing=True, default_root_dir=ROOTS[-1])


def enable_progress_bar():
    assert (has(ProgressBar), has(ProgressBar, enable_progress_bar=True)) == (False, True)


def enable_model_summary():
    assert (has(ModelSummary), has(ModelSummary, enable_model_summary=True)) == (False, True)


def default_root_dir():
    trainer = Trainer(
        **{**quiet(max_epochs=1), "logger": True, "default_root_dir": ROOTS[-1] / "here"}
    )
    trainer.fit(task())
    assert trainer.log_dir.startswith(str(ROOTS[-1] / "here"))


def seed():
    drawn = []

    class Draws(Callback):
        def on_fit_start(self, trainer, task):
            drawn.append(np.random.rand())

    for _ in range(2):
        fitted(task(), max_epochs=1, seed=3, callbacks=Draws())
    assert drawn[0] == drawn[1]


def deterministic():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "get_last_seed", lambda: None)
        with pytest.raises(ConfigurationError, match="deterministic=True needs a seed"):
            fitted(task(), max_epochs=1, deterministic=True)


def jit_compile():
    assert steps(max_epochs=1, jit_compile=True) == 4


def float32_matmul_precision():
    assert steps(max_epochs=1, float32_matmul_precision="highest") == 4
    refused("float32_matmul_precision", max_epochs=1, float32_matmul_precision="medium")


def gradient_reduction_dtype():
    assert steps(max_epochs=1, gradient_reduction_dtype="bfloat16") == 4
    refused("without a loss scale", max_epochs=1, gradient_reduction_dtype="float16")


def communication_options():
    options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=2**20)
    assert steps(max_epochs=1, communication_options=options) == 4
    refused("CommunicationOptions", max_epochs=1, communication_options=2**20)


def heartbeat_timeout():
    assert steps(max_epochs=1, heartbeat_timeout=60) == 4
    refused("heartbeat_timeout", max_epochs=1, heartbeat_timeout=-1)


def step_timeout():
    assert steps(max_epochs=1, step_timeout=600) == 4
    refused("step_timeout", max_epochs=1, step_timeout=-1)


def sync_batchnorm():
    assert steps(max_epochs=1, sync_batchnorm=True) == 4


def profiler():
    assert steps(max_epochs=1, profiler="simple", default_root_dir=ROOTS[-1]) == 4
    refused("simple, trace", profiler="advanced")


def detect_anomaly():
    class Bad(NumberTask):
        def training_step(self, batch):
            return tf.math.log(tf.reduce_mean(batch) * (self.weight - 1.0))

    with pytest.raises((tf.errors.InvalidArgumentError, NonFiniteLossError), match="Log"):
        fitted(Bad(NumberData([1])), max_epochs=1, detect_anomaly=True)


def run_eagerly():
    seen = []

    class Looks(NumberTask):
        def training_step(self, batch):
            loss = super().training_step(batch)
            seen.append(float(loss))
            return loss

    fitted(Looks(NumberData([1, 2])), max_epochs=1, run_eagerly=True)
    assert len(seen) == 3  # once more before the first batch


def barebones():
    trainer = Trainer(max_epochs=1, barebones=True)
    trainer.fit(task())
    assert trainer.callbacks == []
    assert trainer.num_sanity_val_steps == 0
    refused("it leaves out", barebones=True, callbacks=ModelSummary())


ARGUMENTS = [(name, globals().get(name)) for name in inspect.signature(Trainer).parameters]
ROOTS = []


@pytest.mark.parametrize(("name", "check"), ARGUMENTS, ids=[name for name, _ in ARGUMENTS])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_argument_means_what_its_row_says(name, check, tmp_path, monkeypatch, capsys):
    assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE)
    monkeypatch.setattr(logging.getLogger("lightning_tf"), "disabled", True)
    ROOTS.append(tmp_path)
    check()


# ---- hooks

HOOKS = TEXT.split("## Hooks")[1]
TRAINING = re.findall(
    r"\w+",
    """
setup on_optimizers_configured on_fit_start on_sanity_check_start on_validation_start
on_validation_epoch_start on_validation_batch_start on_validation_batch_end
on_validation_window_end on_validation_epoch_end on_validation_end on_sanity_check_end
on_train_start on_train_epoch_start on_train_batch_start on_train_batch_end on_train_window_end
on_validation_start on_validation_epoch_start on_validation_batch_start on_validation_batch_end
on_validation_window_end on_validation_epoch_end on_validation_end on_train_epoch_end on_train_end
on_fit_end teardown
""",
)


def test_the_hooks_of_a_fit_come_in_the_order_of_lightning():
    runs = Runs("on_", "setup", "teardown")
    fitted(task(1, held_out=[1.0]), max_epochs=1, callbacks=runs)
    assert runs.names() == TRAINING


@pytest.mark.parametrize("stage", ["validation", "test", "predict"])
def test_the_hooks_of_an_evaluation_come_in_the_order_of_lightning(stage):
    runs = Runs("on_", "setup", "teardown")
    trainer, number = Trainer(**quiet(callbacks=runs)), task(held_out=[1.0])
    entry = {"validation": "validate"}.get(stage, stage)
    result = getattr(trainer, entry)(number)
    assert list(result)
    parts = ["start", "epoch_start", "batch_start", "batch_end", "epoch_end", "end"]
    expected = ["setup", *(f"on_{stage}_{part}" for part in parts), "teardown"]
    assert [name for name in runs.names() if "window" not in name] == expected


def test_batch_hooks_get_the_batchs_number_and_what_it_gave_as_their_rows_say():
    for stage in ("train", "validation", "test", "predict"):
        (row,) = re.findall(rf"^\| `on_{stage}_batch_start`.*", HOOKS, re.MULTILINE)
        assert "without `batch`" in row

    runs = Runs("on_train_batch", "on_validation_batch")
    fitted(task(2), max_epochs=1, callbacks=runs, num_sanity_val_steps=0)
    train = [call for call in runs.calls if "train" in call[0]]
    assert train[0] == ("on_train_batch_start", 0, 0, 0)
    assert train[1] == ("on_train_batch_end", 0, 1, {"loss": 0.0}, 0)
    *called, outputs, batch, number = runs.calls[-1]
    assert (called, outputs, number) == (["on_validation_batch_end", 0, 2], {"val_loss": 3.0}, 2)
    assert batch.tolist() == [3.0]

    runs = Runs("on_predict_batch_end")
    Trainer(**quiet(callbacks=runs)).predict(task(), collect=True)
    assert [(float(call[3][0]), call[4]) for call in runs.calls] == [(2.0, 0), (4.0, 1), (6.0, 2)]


def test_every_hook_has_a_row_and_is_called_somewhere():
    runs = Runs("on_", "setup", "teardown")
    trainer, number = Trainer(**quiet(max_epochs=1, callbacks=runs)), task()
    trainer.fit(number)
    trainer.test(number)
    trainer.predict(number, collect=True)

    class Fails(Callback):
        def on_test_start(self, trainer, task):
            raise KeyboardInterrupt

    trainer.add_callback(Fails())
    with pytest.raises(KeyboardInterrupt):
        trainer.test(number)
    assert runs.names().count("on_exception") == 1

    hooks = {name for name in vars(Callback) if name.startswith("on_")} | {"setup", "teardown"}
    assert set(runs.names()) == hooks
    for hook in hooks:
        assert f"`{hook}`" in HOOKS


# ---- the table of what a LightningModule becomes


def test_equal_keys_of_a_step_and_a_hook_are_refused():
    class Both(NumberTask):
        def training_step(self, batch):
            self.log("score", tf.reduce_mean(batch))
            return super().training_step(batch)

        def on_train_epoch_end(self):
            self.log("score", 1.0)

    with pytest.raises(ConfigurationError, match="score"):
        fitted(Both(NumberData([1])), max_epochs=1)


def test_dropout_drops_in_training_alone():
    class Drops(BoringTask):
        def configure_model(self):
            self.drop = keras.layers.Dropout(0.5, seed=1)
            super().configure_model()

        def training_step(self, batch):
            self.log("kept", tf.reduce_mean(self.drop(tf.ones([8, 8]), training=True) / 2.0))
            return super().training_step(batch)

        def validation_step(self, batch):
            self.log("kept", tf.reduce_mean(self.drop(tf.ones([8, 8])) / 2.0))

    values = fitted(Drops(), max_epochs=1).callback_metrics
    assert 0.0 < values["kept"] < 1.0
    assert values["kept"] != 0.5
    assert values["val_kept"] == 0.5


def test_one_dict_comes_from_test_and_an_iterator_from_predict():
    trainer = Trainer(**quiet())
    assert trainer.test(task()) == {"test_loss": 2.0}
    assert [float(batch[0]) for batch in trainer.predict(task())] == [2.0, 4.0, 6.0]
