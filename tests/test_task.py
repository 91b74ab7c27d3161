import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringData, BoringTask, NumberData, NumberTask, Rows, fitted, quiet

from lightning_tf import Task, Trainer
from lightning_tf.checkpoint.io import read_checkpoint, read_run
from lightning_tf.exceptions import CheckpointError, ConfigurationError
from lightning_tf.task import load_states


class Options(Task):
    def __init__(self, data, units=16, *more, rate=0.5, **rest):
        self.data = data


def test_arguments_are_kept_with_their_defaults():
    task = Options("digits", 8, "a", "b", depth=[1, {"x": (2, 3)}])
    assert task.hparams == {
        "data": "digits",
        "units": 8,
        "more": ["a", "b"],
        "rate": 0.5,
        "depth": [1, {"x": [2, 3]}],
    }
    json.dumps(task.hparams)


def test_what_is_no_plain_data_is_recorded_by_its_type_and_what_it_holds():
    task = Options(BoringData(), rate=np.zeros(3), other={1: 2}, call=keras.layers.Dense(1))
    assert task.hparams["data"]["type"].endswith("BoringData")
    assert task.hparams["rate"]["type"] == "numpy.ndarray"
    assert task.hparams["other"] == {"type": "builtins.dict", "text": "{1: 2}"}
    assert task.hparams["call"]["type"].endswith("Dense")
    json.dumps(task.hparams)


def test_hparams_are_a_copy():
    sizes = [1, 2]
    task = Options("digits", sizes)
    sizes.append(3)
    assert task.hparams["units"] == [1, 2]


def test_wrong_arguments_raise_pythons_own_error():
    with pytest.raises(TypeError, match="data"):
        Options()


def test_a_subclass_of_a_subclass_records_its_own_arguments():
    class Deeper(Options):
        def __init__(self, width):
            super().__init__("digits", units=width)

    assert Deeper(4).hparams == {"width": 4}


def test_a_task_without_super_init_works(tmp_path):
    assert not BoringTask().configured
    fitted(BoringTask(), max_steps=1, default_root_dir=tmp_path)


@pytest.mark.parametrize(
    "missing", ["training_step", "configure_optimizers", "validation_step", "predict_step"]
)
def test_what_a_task_lacks_is_named(tmp_path, missing):
    task = BoringTask()
    setattr(task, missing, getattr(super(BoringTask, task), missing))
    trainer = Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path))
    with pytest.raises(ConfigurationError, match=f"BoringTask has .*{missing}"):
        trainer.predict(task, collect=True) if missing == "predict_step" else trainer.fit(task)


def test_the_trainer_is_known_only_while_one_drives():
    with pytest.raises(ConfigurationError, match="only while a Trainer"):
        _ = BoringTask().trainer


def test_a_value_logged_in_a_step_is_weighted_by_examples(tmp_path):
    class Logs(NumberTask):
        def training_step(self, batch):
            self.log("seen", tf.reduce_mean(batch), prog_bar=True)
            return super().training_step(batch)

        def validation_step(self, batch):
            self.log("seen", tf.reduce_mean(batch))

    rows = Rows()
    ten = list(range(1, 11))
    task = Logs(NumberData(ten, 4, held_out=ten), keras.optimizers.SGD(0.0))
    trainer = fitted(
        task, max_epochs=1, log_every_n_steps=1, logger=rows, default_root_dir=tmp_path
    )
    assert [value for _, value in rows.column("train/seen")] == [2.5, 6.5, 9.5]
    assert rows.column("train/seen_epoch") == [(3, 5.5)]
    assert rows.column("val/seen") == [(3, 5.5)]
    assert trainer.callback_metrics["val_seen"] == 5.5
    assert "val_loss" not in trainer.callback_metrics
    assert "seen" in trainer.prog_bar_metrics


def test_a_value_logged_in_a_host_hook_is_a_row_and_can_be_monitored(tmp_path):
    class Logs(NumberTask):
        def on_train_epoch_end(self):
            self.log("answer", np.float64(42))

    rows = Rows()
    trainer = fitted(Logs(NumberData([1, 2])), max_epochs=2, logger=rows, default_root_dir=tmp_path)
    assert rows.column("train/answer") == [(2, 42.0), (4, 42.0)]
    assert trainer.callback_metrics["answer"] == 42.0
    assert trainer.metric_steps["answer"] == 4


def test_a_tensor_that_is_no_scalar_cannot_be_logged(tmp_path):
    class Logs(NumberTask):
        def training_step(self, batch):
            self.log("wide", batch)
            return super().training_step(batch)

    with pytest.raises(ConfigurationError, match=r"log\('wide'\)"):
        fitted(Logs(NumberData([1, 2])), max_epochs=1, default_root_dir=tmp_path)


def test_a_loss_that_is_no_scalar_is_refused(tmp_path):
    class Wide(NumberTask):
        def training_step(self, batch):
            return batch * self.weight

    with pytest.raises(ConfigurationError, match="a scalar, the mean over the batch"):
        fitted(Wide(NumberData([1, 2], 2)), max_epochs=1, default_root_dir=tmp_path)


def test_minimize_works_only_inside_a_step():
    with pytest.raises(ConfigurationError, match="inside training_step"):
        NumberTask(NumberData([1])).minimize("weight", lambda: tf.zeros([]))


def test_update_metrics_takes_predictions_in_float32(tmp_path):
    class Half(NumberTask):
        def configure_metrics(self):
            return {"mae": keras.metrics.MeanAbsoluteError()}

        def training_step(self, batch):
            self.update_metrics(batch, tf.cast(batch, tf.bfloat16))
            return super().training_step(batch)

    trainer = fitted(Half(NumberData([1.0, 2.0])), max_epochs=1, default_root_dir=tmp_path)
    assert trainer.callback_metrics["mae"] == 0.0


def test_sample_weights_reach_the_metrics(tmp_path):
    class Weighted(NumberTask):
        def configure_metrics(self):
            return {"mae": keras.metrics.MeanAbsoluteError()}

        def training_step(self, batch):
            numbers = batch[:, None]
            self.update_metrics(numbers * 0.0, numbers, tf.cast(batch > 1.5, tf.float32))
            return super().training_step(batch)

    trainer = fitted(Weighted(NumberData([1.0, 2.0], 2)), max_epochs=1, default_root_dir=tmp_path)
    assert trainer.callback_metrics["mae"] == 2.0


def test_a_test_step_defaults_to_the_validation_step(tmp_path):
    task = NumberTask(NumberData([1.0], held_out=[2.0, 4.0]))
    trainer = Trainer(**quiet(default_root_dir=tmp_path))
    assert trainer.test(task) == {"test_loss": 3.0}
    assert trainer.validate(task) == {"val_loss": 3.0}


def test_configure_model_runs_once_for_all_entry_points(tmp_path):
    calls = []

    class Counts(NumberTask):
        def configure_model(self):
            calls.append(1)
            super().configure_model()

    task = Counts(NumberData([1.0], held_out=[2.0]))
    trainer = Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path))
    trainer.test(task)
    trainer.fit(task)
    Trainer(**quiet(max_epochs=1, default_root_dir=tmp_path)).fit(task)
    assert calls == [1]


# ---- what a checkpoint holds of a task beside variables and hyperparameters


class Reader(NumberTask):
    """A weight for each word of a vocabulary that is learnt from the data."""

    words = None

    def __init__(self, data=None):
        super().__init__(data)
        self.calls = []

    def setup(self, stage):
        self.calls.append("setup")
        if self.words is None:
            self.words = ["", *(f"word {number:g}" for number in self.data.numbers)]

    def configure_model(self):
        self.calls.append("configure_model")
        self.weight = keras.Variable(tf.zeros(len(self.words)), name="weight")

    def training_step(self, batch):
        return tf.reduce_mean(batch) * tf.reduce_mean(1.0 + self.weight)

    def state_dict(self):
        return {"words": self.words}

    def load_state_dict(self, state):
        self.calls.append("load_state_dict")
        self.words = state["words"]


@pytest.mark.parametrize("weights_only", [True, False])
def test_a_task_with_a_vocabulary_comes_back_without_its_data(tmp_path, weights_only):
    trainer = fitted(task := Reader(NumberData([1, 2])), max_steps=1)
    trainer.save_checkpoint(tmp_path / "c", weights_only=weights_only)
    again = Reader.from_checkpoint(tmp_path / "c", data=None)
    assert again.words == ["", "word 1", "word 2"]
    assert again.calls == ["load_state_dict", "configure_model"]
    np.testing.assert_array_equal(again.weight, task.weight)


def test_a_resumed_run_knows_its_vocabulary_before_set_up_and_models(tmp_path):
    fitted(Reader(NumberData([1, 2])), max_epochs=1).save_checkpoint(tmp_path / "c")
    task = Reader(NumberData([3, 4, 5], held_out=[1.0]))  # alone it would know four words
    trainer = Trainer(**quiet(max_steps=4))
    trainer.fit(task, ckpt_path=tmp_path / "c")
    assert task.calls == ["load_state_dict", "setup", "configure_model"]
    assert task.words == ["", "word 1", "word 2"]
    assert trainer.global_step == 4
    tested = Reader(NumberData([3], held_out=[1.0]))
    Trainer(**quiet()).test(tested, ckpt_path=tmp_path / "c")
    assert tested.words == ["", "word 1", "word 2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"a": np.array([None])}, r"Reader\.state_dict\(\)\['words'\]\['a'\] is a ndarray"),
        ([("a", 1.5), ("b", {2})], r"\['words'\]\[1\]\[1\] is a set"),
        ({1: "a"}, r"\['words'\] is a dict; give plain data: a dict with strings as keys"),
    ],
)
def test_a_state_that_is_no_plain_data_is_refused_by_name(tmp_path, words, message):
    task = Reader(NumberData([1]))
    trainer = fitted(task, max_steps=1)
    task.words = words
    with pytest.raises(ConfigurationError, match=message):
        trainer.save_checkpoint(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_state_dict_that_returns_nothing_is_refused(tmp_path):
    class Forgets(Reader):
        def state_dict(self):
            self.words = None

    with pytest.raises(ConfigurationError, match=r"state_dict\(\) is a NoneType"):
        fitted(Forgets(NumberData([1])), max_steps=1).save_checkpoint(tmp_path / "c")


def test_a_class_that_cannot_take_the_state_says_so(tmp_path):
    class OneWay(Reader):
        load_state_dict = Task.load_state_dict

    class Other(Reader):
        def load_state_dict(self, state):
            self.words = state["vocabulary"]

    fitted(Reader(NumberData([1])), max_steps=1).save_checkpoint(tmp_path / "c")
    message = "OneWay has no load_state_dict, but the checkpoint holds words"
    with pytest.raises(CheckpointError, match=message):
        load_states(OneWay(), read_checkpoint(tmp_path / "c"))
    with pytest.raises(CheckpointError, match=r"Other cannot take its task_state.*vocabulary"):
        Trainer(**quiet(max_steps=2)).fit(Other(NumberData([1])), ckpt_path=tmp_path / "c")


def test_a_task_without_a_state_has_an_empty_one(tmp_path):
    fitted(NumberTask(NumberData([1])), max_steps=1).save_checkpoint(tmp_path / "c")
    assert read_run(tmp_path / "c")["task_state"] == {}
