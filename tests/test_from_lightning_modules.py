"""docs/from_lightning.md, row by row of its first table: what a LightningModule becomes."""

import sys
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet
from helpers.paths import ROOT
from helpers.several_sets import OnTwoSets, TwoSets

import lightning_tf
from lightning_tf import Callback, DataModule, HostMetric, Trainer
from lightning_tf.callbacks import (
    BackboneFinetuning,
    PredictionWriter,
    StochasticWeightAveraging,
)
from lightning_tf.cli.main import main
from lightning_tf.exceptions import ConfigurationError


def numbers(*values):
    return NumberData(values or (1, 2, 3, 4), held_out=[1.0, 2.0, 3.0])


class Deep(BoringTask):
    def configure_model(self):
        layers = [keras.layers.Dense(4), keras.layers.Dense(2)]
        self.model = keras.Sequential([keras.Input((32,)), *layers])


class Wide(BoringTask):
    def __init__(self, units=3):
        super().__init__()
        self.units = units

    def configure_model(self):
        self.model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(self.units)])


def constructor(tmp_path):
    task = Wide(units=5)
    assert task.hparams == {"units": 5}
    assert not hasattr(task, "model")
    fitted(task, max_epochs=1)
    assert task.model.output_shape == (None, 5)
    with pytest.raises(AttributeError, match=r"become self\.hparams by themselves"):
        task.save_hyperparameters()


def training_step(tmp_path):
    task = NumberTask(numbers())
    fitted(task, max_epochs=3)
    assert task.traced["training"] <= 2  # once to find the variables

    class Several(NumberTask):
        def training_step(self, batch):
            return {"weight": super().training_step(batch)}

        def configure_optimizers(self):
            return {"weight": keras.optimizers.SGD(1.0)}

    assert "weight_loss" in fitted(Several(numbers()), max_epochs=1).callback_metrics

    class WithIndex(NumberTask):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match="batch_idx"):
        fitted(WithIndex(numbers()), max_epochs=1)


def counters(tmp_path):
    class Counts(NumberTask):
        def training_step(self, batch):
            self.log("at", tf.cast(self.trainer.global_step, "float32"))
            self.log("epoch_is", tf.cast(self.trainer.current_epoch, "float32"))
            return super().training_step(batch)

    values = fitted(Counts(numbers()), max_epochs=2).callback_metrics
    assert (values["at"], values["epoch_is"]) == ((4 + 5 + 6 + 7) / 4, 1.0)


def annealing(tmp_path):
    class Anneals(NumberTask):
        def configure_model(self):
            super().configure_model()
            self.variable, self.number = keras.Variable(0.0, trainable=False), 0.0

        def on_train_epoch_start(self):
            self.variable.assign(self.trainer.current_epoch)
            self.number = float(self.trainer.current_epoch)

        def training_step(self, batch):
            self.log("variable", self.variable)
            self.log("number", tf.constant(self.number))
            return super().training_step(batch)

    values = fitted(Anneals(numbers()), max_epochs=2).callback_metrics
    assert (values["variable"], values["number"]) == (1.0, 1.0)


def optimizers(tmp_path):
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.0])
    task = NumberTask(numbers(), keras.optimizers.SGD(rate))
    fitted(task, max_epochs=1)
    assert float(task.weight) == -3.0  # the rate is 0 after two updates

    class Named(NumberTask):
        def configure_optimizers(self):
            return {"weights": keras.optimizers.SGD(1.0)}

    with pytest.raises(ConfigurationError, match="weights"):
        fitted(Named(numbers()), max_epochs=1)

    class Scheduled(NumberTask):
        def configure_optimizers(self):
            scheduler = {"scheduler": lambda epoch: 0.5**epoch, "interval": "epoch"}
            return {"optimizer": keras.optimizers.SGD(9.0), "lr_scheduler": scheduler}

    task = Scheduled(numbers(1, 2))
    fitted(task, max_epochs=2)
    assert float(task.weight) == -(3.0 + 1.5)


def parameter_groups(tmp_path):
    class Grouped(NumberTask):
        def configure_optimizers(self):
            return {"optimizer": keras.optimizers.SGD(1.0), "learning_rates": {"weight": 0.5}}

    task = Grouped(numbers(1, 2))
    fitted(task, max_epochs=1)
    assert float(task.weight) == -1.5


def skipping(tmp_path):
    class Skips(NumberTask):
        def training_step(self, batch):
            return {"loss": super().training_step(batch), "weight": batch[0] > 1.0}

    task = Skips(numbers(1, 2))
    assert fitted(task, max_epochs=1).global_step == 2
    assert float(task.weight) == -2.0


def weight_averaging(tmp_path):
    task = NumberTask(numbers(1))
    fitted(task, max_epochs=2, callbacks=[StochasticWeightAveraging(1.0, swa_epoch_start=1)])
    assert float(task.weight) == -1.5


class Manual(NumberTask):
    def configure_optimizers(self):
        return {"weight": keras.optimizers.SGD(1.0)}

    def training_step(self, batch):
        self.minimize("weight", lambda: tf.reduce_mean(batch) * self.weight)


def manual(tmp_path):
    task = Manual(numbers(1, 2))
    fitted(task, max_epochs=1)
    assert float(task.weight) == -3.0


def logged(tmp_path):
    class Logs(NumberTask):
        def training_step(self, batch):
            self.log("q", tf.reduce_mean(batch), prog_bar=True)
            return super().training_step(batch)

        def validation_step(self, batch):
            self.log("q", tf.reduce_mean(batch))

    rows = Rows()
    trainer = fitted(Logs(numbers()), max_epochs=1, logger=rows, log_every_n_steps=2)
    assert rows.column("train/q") == [(2, 1.5), (4, 3.5)]
    assert rows.column("train/q_epoch") == [(4, 2.5)]
    assert trainer.callback_metrics["val_q"] == 2.0
    assert "q" in trainer.prog_bar_metrics

    class Options(NumberTask):
        def training_step(self, batch):
            self.log("q", 1.0, on_step=True)

    with pytest.raises(ConfigurationError, match="on_step"):
        fitted(Options(numbers()), max_epochs=1)


class Largest(HostMetric):
    def reset(self):
        self.largest = -np.inf

    def update(self, outputs):
        self.largest = max(self.largest, float(np.max(outputs["largest"])))

    def compute(self):
        return self.largest


def metrics(tmp_path):
    class Measures(BoringTask):
        def validation_step(self, batch):
            self.collect("largest", batch[1])
            return super().validation_step(batch)

        def configure_host_metrics(self):
            return {"largest": Largest()}

    values = fitted(Measures(), max_epochs=1).callback_metrics
    assert {"accuracy", "val_accuracy"} <= values.keys()
    assert values["val_largest"] == 1.0


def freezing(tmp_path):
    class Freezes(Callback):
        def on_train_epoch_start(self, trainer, task):
            task.model.layers[0].trainable = trainer.current_epoch != 1

    seen = []

    class Looks(Callback):
        def on_train_epoch_end(self, trainer, task):
            seen.append(task.model.get_weights()[0].copy())

    fitted(Deep(), max_epochs=3, callbacks=[Freezes(), Looks()])
    assert (seen[0] == seen[1]).all()
    assert (seen[1] != seen[2]).any()
    assert BackboneFinetuning(unfreeze_at_epoch=2)


def checkpointed(tmp_path):
    task = Wide(units=4)
    trainer = fitted(task, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "end")
    return task, tmp_path / "end"


def from_checkpoint(tmp_path):
    task, path = checkpointed(tmp_path)
    again = Wide.from_checkpoint(path)
    assert again.hparams == {"units": 4}
    np.testing.assert_array_equal(again.model.get_weights()[0], task.model.get_weights()[0])


def weights_only(tmp_path):
    task, path = checkpointed(tmp_path)
    seen = []

    class Looks(Callback):
        def on_train_start(self, trainer, task):
            seen.append((trainer.global_step, task.model.get_weights()[0].copy()))

    trainer = Trainer(**quiet(max_epochs=1, callbacks=Looks()))
    trainer.fit(Wide(units=4), ckpt_path=path, weights_only=True)
    assert seen[0][0] == 0
    np.testing.assert_array_equal(seen[0][1], task.model.get_weights()[0])


def export(tmp_path):
    task, _ = checkpointed(tmp_path)
    with pytest.MonkeyPatch.context() as patch:  # what it writes, tests/test_export.py shows
        patch.setitem(sys.modules, "tf2onnx", None)
        patch.setitem(sys.modules, "onnx", ModuleType("onnx"))
        with pytest.raises(ConfigurationError, match="tf2onnx"):
            task.export(tmp_path / "model", format="onnx")
    with pytest.raises(AttributeError, match="format='onnx'"):
        task.to_onnx(tmp_path / "model")


def datamodule(tmp_path):
    task = NumberTask(numbers())
    with pytest.raises(TypeError, match="train_data, which takes a DataModule"):
        Trainer(**quiet(max_epochs=1)).fit(task, datamodule=numbers())
    task.data = numbers(5)
    assert fitted(task, max_epochs=1).global_step == 1

    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(NumberTask(None), numbers(5))
    assert trainer.global_step == 1


def loaders(tmp_path):
    arrays, task = np.ones(3, "float32"), NumberTask(None)
    trainer = Trainer(**quiet(max_epochs=1))
    trainer.fit(task, arrays, tf.data.Dataset.from_tensor_slices(arrays).batch(2))
    assert trainer.callback_metrics["val_loss"] == 1.0
    assert trainer.test(task, 2.0 * arrays) == {"test_loss": 2.0}
    assert np.concatenate(trainer.predict(task, arrays, collect=True)).tolist() == [2.0] * 3
    with pytest.raises(ConfigurationError, match="ckpt_path='last'"):
        trainer.fit(task, "last")


def several_loaders(tmp_path):
    batches = tf.data.Dataset.from_tensor_slices(np.ones(3, "float32")).batch(2)
    values = Trainer(**quiet()).validate(NumberTask(None), {"clean": batches})
    assert values == {"val_clean_loss": 1.0}
    assert Trainer(**quiet()).validate(NumberTask(None), [batches]) == {"val_0_loss": 1.0}

    class Indexed(NumberTask):
        def validation_step(self, batch, batch_idx, dataloader_idx):
            return tf.reduce_mean(batch)

    with pytest.raises(ConfigurationError, match=r"self\.trainer\.dataset_name"):
        Trainer(**quiet()).validate(Indexed(numbers()))


def combined_loader(tmp_path):
    assert DataModule.combine == "max_size_cycle"
    fitted(OnTwoSets(TwoSets("sequential")), max_epochs=1)


def tested(tmp_path):
    assert Trainer(**quiet()).test(NumberTask(numbers())) == {"test_loss": 2.0}


def predicted(tmp_path):
    task = NumberTask(numbers())
    iterator = Trainer(**quiet()).predict(task)
    assert not isinstance(iterator, list)
    expected = [float(batch[0]) for batch in iterator]
    as_list = Trainer(**quiet()).predict(task, collect=True)
    assert isinstance(as_list, list)
    assert [float(batch[0]) for batch in as_list] == expected == [2.0, 4.0, 6.0]
    Trainer(**quiet(callbacks=[PredictionWriter(tmp_path / "out")])).predict(task)
    assert list((tmp_path / "out").iterdir())


def should_stop(tmp_path):
    class Asks(Callback):
        def __init__(self, takes_back):
            self.takes_back = takes_back

        def on_train_epoch_end(self, trainer, task):
            if trainer.current_epoch == 0:
                trainer.request_stop("enough")
            elif self.takes_back:
                trainer.withdraw_stop("enough")

    for takes_back, epochs in ((False, 3), (True, 5)):
        limits = {"max_epochs": 5, "min_epochs": 3, "callbacks": Asks(takes_back)}
        assert fitted(NumberTask(numbers()), **limits).current_epoch == epochs

    class Sets(Callback):
        def on_train_epoch_end(self, trainer, task):
            trainer.should_stop = True

    trainer = fitted(NumberTask(numbers()), max_epochs=5, callbacks=Sets())
    assert (trainer.current_epoch, trainer.should_stop) == (1, True)


def end_of_an_epoch(tmp_path):
    class Ends(Callback):
        def __init__(self, value):
            self.value = value

        def on_train_batch_start(self, trainer, task, batch_idx):
            return self.value if batch_idx == 1 else None

    for value in (-1, lightning_tf.END_EPOCH):
        trainer = fitted(NumberTask(numbers()), max_epochs=2, callbacks=Ends(value))
        assert (trainer.global_step, trainer.current_epoch) == (2, 2)


def interrupted(tmp_path):
    told = []

    class Data(NumberData):
        def on_exception(self, exception):
            told.append(type(exception))

    class Interrupts(Callback):
        def on_train_epoch_end(self, trainer, task):
            raise KeyboardInterrupt

    trainer = Trainer(**quiet(max_epochs=1, callbacks=Interrupts()))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(NumberTask(Data([1])))
    assert (trainer.interrupted, told) == (True, [KeyboardInterrupt])


def prediction_writers(tmp_path):
    task = NumberTask(numbers())
    writer = PredictionWriter(tmp_path / "out", interval="batch_and_epoch")
    Trainer(**quiet(callbacks=writer)).predict(task)
    assert len(list((tmp_path / "out").rglob("*.*"))) > 1

    class Sums(Callback):
        consumes_predictions = True
        total = 0.0

        def on_predict_batch_end(self, trainer, task, outputs, batch_idx):
            self.total += float(outputs[0])

    sums = Sums()
    Trainer(**quiet(callbacks=sums)).predict(task)
    assert sums.total == 12.0


def setup(tmp_path):
    calls = []

    class Data(NumberData):
        def setup(self, stage):
            calls.append(f"setup {stage}")

    class Releases(Data):
        def teardown(self, stage):
            calls.append(f"teardown {stage}")

    for kind, times in ((Data, 1), (Releases, 2)):
        calls.clear()
        data = kind([1, 2])
        for _ in range(2):
            fitted(NumberTask(data), max_epochs=1)
        assert (calls.count("setup fit"), "teardown fit" in calls) == (times, kind is Releases)


def command(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        shown = [f"--trainer.enable_{what}" for what in ("progress_bar", "model_summary")]
        words = [word for name in shown for word in (name, "false")]
        task = ["--task", "ImageClassification", "--task.data", "digits"]
        network = ["--task.network", "linear", "--trainer.limit_val_batches", "1"]
        assert main(["fit", *task, *network, *words, "--trainer.max_steps", "2"]) == 0
        assert (tmp_path / "runs/version_0/config.yaml").exists()


ROWS = {
    "`LightningModule.__init__` makes modules, `save_hyperparameters()`": constructor,
    "`training_step(batch, batch_idx)`": training_step,
    "`self.global_step`, `self.current_epoch` inside a step": counters,
    "`self.beta = ...` in a hook, read by the step": annealing,
    "`configure_optimizers` returns optimizers and schedulers": optimizers,
    "parameter groups with rates of their own": parameter_groups,
    "manual optimization": manual,
    "`return None` in `training_step` skips the batch": skipping,
    "`StochasticWeightAveraging(swa_lrs, ...)`": weight_averaging,
    "`self.log(name, value, on_step, on_epoch, ...)`": logged,
    "torchmetrics": metrics,
    "`freeze()`": freezing,
    "`load_from_checkpoint`": from_checkpoint,
    "weights of a checkpoint in a new run": weights_only,
    "`to_onnx`": export,
    "`trainer.fit(model, datamodule=dm)`": datamodule,
    "`trainer.fit(model, train_loader, val_loader)`, `trainer.test(model, loader)`": loaders,
    "several loaders in `val_dataloader`, `dataloader_idx`": several_loaders,
    "`CombinedLoader(loaders, mode)`": combined_loader,
    "`trainer.test(...)` gives a list of dicts": tested,
    "`trainer.predict(...)` gives a list": predicted,
    "`trainer.should_stop = True`": should_stop,
    "`return -1` in `on_train_batch_start`": end_of_an_epoch,
    "`trainer.interrupted`, `LightningDataModule.on_exception`": interrupted,
    "`BasePredictionWriter(write_interval=...)`": prediction_writers,
    "`setup` of a LightningDataModule at every entry point": setup,
    "LightningCLI": command,
}


def test_every_row_of_the_table_is_run():
    table = (ROOT / "docs/from_lightning.md").read_text().split("| Lightning | here |")[1]
    rows = [line for line in table.split("\n\n")[0].splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(ROWS)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("row", ROWS, ids=[check.__name__ for check in ROWS.values()])
def test_a_row_says_what_happens(row, tmp_path):
    ROWS[row](tmp_path)
