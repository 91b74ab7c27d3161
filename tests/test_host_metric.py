"""Metrics that Python computes from what a step collects of its examples."""

import numpy as np
import pytest
import tensorflow as tf
from helpers.boring import BoringTask, NumberData, NumberTask, Rows, fitted, quiet

from lightning_tf import Callback, FunctionMetric, HostMetric, Trainer
from lightning_tf.callbacks import EarlyStopping, ModelCheckpoint
from lightning_tf.exceptions import ConfigurationError

HELD_OUT = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0]


class Seen(HostMetric):
    """Keeps what it is given; gives a median and a count."""

    names = ("median", "count")
    batches = ()

    def reset(self):
        self.batches = []

    def update(self, outputs):
        self.batches.append(outputs["numbers"])

    def compute(self):
        numbers = np.concatenate([batch["x"] for batch in self.batches])
        return {"median": float(np.median(numbers)), "count": len(numbers)}


class Collects(NumberTask):
    """Hands the held-out numbers over."""

    def __init__(self, batch_size=2, length="known"):
        data = NumberData([1.0], batch_size, held_out=HELD_OUT)
        super().__init__(data)
        if length == "unknown":
            val = data.val_dataset()
            data.val_dataset = lambda: val.filter(lambda x: True)

    def configure_host_metrics(self):
        return {"seen": Seen()}

    def validation_step(self, batch):
        self.collect("numbers", {"x": batch, "twice": tf.stack([batch, 2 * batch], 1)})
        return super().validation_step(batch)


class Keeps(Callback):
    """Keeps the batches that the validation's metric has seen."""

    logs_metrics = False

    def on_validation_epoch_end(self, trainer, task):
        loop = trainer.state.fit_loop.validation
        self.sanity = trainer.sanity_checking
        self.batches = [batch["x"].tolist() for batch in loop.sets[0].metrics.host["seen"].batches]
        self.twice = loop.sets[0].metrics.host["seen"].batches[0]["twice"] if self.batches else None


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_host_metric_sees_every_example_once_in_the_datas_order(batch_size, length):
    keeps = Keeps()
    trainer = fitted(Collects(batch_size, length), max_epochs=2, callbacks=[keeps])
    assert np.concatenate(keeps.batches).tolist() == HELD_OUT
    assert [len(batch) for batch in keeps.batches][:-1] == [batch_size] * (len(keeps.batches) - 1)
    assert keeps.twice.tolist() == [[x, 2 * x] for x in HELD_OUT[:batch_size]]
    assert trainer.callback_metrics["val_median"] == 4.0
    assert trainer.callback_metrics["val_count"] == 7


@pytest.mark.distributed
@pytest.mark.parametrize("devices", [2, 4])
def test_a_host_metric_sees_the_examples_of_all_replicas(devices):
    keeps = Keeps()
    options = {"accelerator": "cpu", "devices": devices, "callbacks": [keeps]}
    trainer = fitted(Collects(3), max_epochs=1, **options)
    assert np.concatenate(keeps.batches).tolist() == HELD_OUT
    assert trainer.callback_metrics["val_median"] == 4.0


def test_results_stand_in_test_in_rows_and_in_monitors(tmp_path):
    rows, stops = Rows(), EarlyStopping("val_median", patience=1, mode="max")
    saves = ModelCheckpoint(tmp_path, monitor="val_median", mode="max")
    task = Collects()
    trainer = fitted(
        task, max_epochs=5, logger=rows, callbacks=[stops, saves], enable_checkpointing=True
    )
    assert trainer.current_epoch == 2
    assert saves.best_model_score == 4.0
    assert [value for _, value in rows.column("val/median")] == [4.0, 4.0]
    assert trainer.test(task)["test_median"] == 4.0
    assert trainer.validate(task)["val_count"] == 7


def test_nothing_is_computed_in_the_sanity_check():
    class Looks(Callback):
        logs_metrics = False
        computed = ()

        def on_sanity_check_end(self, trainer, task):
            self.computed = trainer.state.fit_loop.validation.sets[0].metrics.host["seen"].batches

    looks = Looks()
    fitted(Collects(), max_epochs=1, num_sanity_val_steps=2, callbacks=[looks])
    assert looks.computed == []


def test_what_hooks_log_stands_in_the_result_of_the_evaluation():
    class Logs(Collects):
        def on_test_epoch_end(self):
            self.log("test_ratio", 0.25)
            self.log("other", 1.0)

    result = Trainer(**quiet(max_epochs=1)).test(Logs())
    assert result["test_ratio"] == 0.25
    assert result["test_median"] == 4.0
    assert "other" not in result


def test_without_host_metrics_nothing_is_collected():
    class Untaken(Collects):
        def configure_host_metrics(self):
            return {}

    class Looks(Callback):
        logs_metrics = False
        outputs = None

        def on_validation_end(self, trainer, task):
            self.outputs = trainer.state.fit_loop.validation.compile()[0].collects

    looks = Looks()
    fitted(Untaken(), max_epochs=1, callbacks=[looks])
    assert looks.outputs is False


class Wrong(Collects):
    def __init__(self, mistake):
        super().__init__()
        self.mistake = mistake

    def configure_host_metrics(self):
        if self.mistake == "class":
            return {"seen": np.mean}
        metric = Seen()
        metric.names = {"names": ("other",), "clash": ("loss",)}.get(self.mistake, metric.names)
        return {"seen": metric}

    def training_step(self, batch):
        if self.mistake == "training":
            self.collect("numbers", batch)
        return super().training_step(batch)

    def validation_step(self, batch):
        if self.mistake == "nothing":
            return tf.reduce_mean(batch)
        if self.mistake == "twice":
            self.collect("numbers", batch)
        if self.mistake == "scalar":
            self.collect("scalar", tf.reduce_mean(batch))
        if self.mistake == "unknown width":
            self.collect("wide", tf.zeros([2, tf.size(batch)]))
        return super().validation_step(batch)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("class", "give a lightning_tf.HostMetric"),
        ("names", "compute gave .'count', 'median'., which its `names` lack"),
        ("clash", "are both called 'val_loss'"),
        ("training", "works only inside validation_step and test_step"),
        ("nothing", "validation_step collects nothing"),
        ("twice", "has collected 'numbers' already"),
        ("scalar", r"collect\('scalar'\): .* is of the whole batch"),
        ("unknown width", "collect dense tensors of one row"),
    ],
)
def test_what_cannot_be_collected_is_refused(mistake, message):
    with pytest.raises(ConfigurationError, match=message):
        fitted(Wrong(mistake), max_epochs=1)


class Batches(Callback):
    """Keeps what its hook gets."""

    logs_metrics = False

    def __init__(self, reads_batches=True):
        self.reads_batches, self.seen = reads_batches, []

    def on_validation_batch_end(self, trainer, task, outputs, batch, batch_idx):
        if not trainer.sanity_checking:
            self.seen.append((outputs, batch, batch_idx))


class Returns(Collects):
    """Returns the held-out numbers beside the loss; nobody computes metrics of them."""

    def configure_host_metrics(self):
        return {}

    def validation_step(self, batch):
        self.log("mean", tf.reduce_mean(batch))
        return {"loss": tf.reduce_mean(batch), "twice": 2 * batch}


@pytest.mark.parametrize(
    "devices", [1, *(pytest.param(n, marks=pytest.mark.distributed) for n in (2, 4))]
)
def test_a_hook_gets_values_examples_and_the_batch_in_the_datas_order(devices):
    hook = Batches()
    fitted(Returns(3), max_epochs=1, accelerator="cpu", devices=devices, callbacks=[hook])
    outputs, batches, numbers = zip(*hook.seen, strict=True)
    assert numbers == (0, 1, 2)
    assert np.concatenate(batches).tolist() == HELD_OUT
    assert all(isinstance(batch, np.ndarray) for batch in batches)
    assert np.concatenate([o["twice"] for o in outputs]).tolist() == [2 * x for x in HELD_OUT]
    assert [o["val_mean"] for o in outputs] == pytest.approx([10 / 3, 14 / 3, 7.0])
    assert [sorted(o) for o in outputs] == [["twice", "val_loss", "val_mean"]] * 3


def test_a_tasks_own_hook_gets_the_same():
    class Own(Returns):
        def on_validation_batch_end(self, outputs, batch, batch_idx):
            self.last = outputs["twice"].tolist(), batch.tolist(), batch_idx

    task = Own(3)
    fitted(task, max_epochs=1)
    assert task.last == ([14.0], [7.0], 2)


def test_a_batch_that_nobody_reads_stays_on_the_device():
    hook, watched = Batches(reads_batches=False), []

    class Looks(Callback):
        logs_metrics = False

        def on_validation_end(self, trainer, task):
            watched.append(trainer.state.fit_loop.validation.compile()[0].keeps_batches)

    fitted(Returns(3), max_epochs=1, callbacks=[hook, Looks()])
    assert [batch for _, batch, _ in hook.seen] == [None] * 3
    assert len(hook.seen[0][0]["twice"]) == 3
    assert set(watched) == {False}


def test_what_is_collected_of_a_part_of_the_examples_is_refused():
    task = Returns(3)
    task.validation_step = lambda batch: {"loss": None, "first": batch[:1]}
    message = "validation_step collected 3 rows of 'first' for 7 examples; collect one row for each"
    with pytest.raises(ConfigurationError, match=message):
        fitted(task, max_epochs=1, callbacks=[Batches()], num_sanity_val_steps=0)


@pytest.mark.slow
def test_a_batch_of_ragged_rows_cannot_be_read():
    class Ragged(NumberTask):
        def validation_step(self, batch):
            return tf.reduce_mean(tf.cast(tf.reduce_sum(batch, axis=1), tf.float32))

    task = Ragged(NumberData([1.0], held_out=[1.0]))
    rows = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [1, 2]])).batch(2)
    task.data.val_dataset = lambda: rows
    fitted(task, max_epochs=1, callbacks=[Batches(reads_batches=False)])
    with pytest.raises(ConfigurationError, match=r"only dense tensors.*reads_batches = False"):
        fitted(task, max_epochs=1, callbacks=[Batches()])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"loss": 0.0, "twice": 1.0}, "returned 'twice': .* is of the whole batch"),
        ({"loss": 0.0, "val_loss": np.ones(1)}, "collects 'val_loss', which is"),
        ({"val_loss": 0.0}, "with the key 'val_loss'"),
        ({"loss": 0.0, "words": tf.ragged.constant([[1], [1, 2]])}, "collect dense tensors"),
    ],
)
def test_what_a_step_cannot_return_beside_its_loss_is_refused(returned, message):
    task = Returns()
    task.validation_step = lambda batch: returned
    with pytest.raises(ConfigurationError, match=message):
        fitted(task, max_epochs=1, callbacks=[Batches()])


def test_a_loss_that_is_none_leaves_the_examples():
    hook, task = Batches(), Returns(7)
    task.validation_step = lambda batch: {"loss": None, "twice": batch}
    trainer = fitted(task, max_epochs=1, callbacks=[hook])
    assert "val_loss" not in trainer.callback_metrics
    assert hook.seen[0][0]["twice"].tolist() == HELD_OUT


def test_a_function_of_all_examples_is_a_metric():
    task = Returns(3)
    task.configure_host_metrics = lambda: {
        "median": FunctionMetric(np.median, "twice"),
        "shares": FunctionMetric(
            lambda twice, above: {"above": float((twice > above).mean())},
            "twice",
            names=["above"],
            above=8.0,
        ),
    }
    values = fitted(task, max_epochs=1).callback_metrics
    assert values["val_median"] == 8.0
    assert values["val_above"] == pytest.approx(3 / 7)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda: FunctionMetric(np.median, "twise"), "wants 'twise'.*Did you mean 'twice'"),
        (lambda: FunctionMetric(np.median), "the names of what the step collects"),
        (lambda: FunctionMetric("median", "twice"), "FunctionMetric got 'median'"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(metric, message):
    task = Returns(3)
    task.configure_host_metrics = lambda: {"median": metric()}
    with pytest.raises(ConfigurationError, match=message):
        fitted(task, max_epochs=1)


def test_collect_outside_a_step_is_refused():
    with pytest.raises(ConfigurationError, match="works only inside"):
        BoringTask().collect("x", tf.zeros([1]))


def test_every_stage_has_a_metric_of_its_own():
    task = Collects()
    template = Seen()
    task.configure_host_metrics = lambda: {"seen": template}
    trainer = fitted(task, max_epochs=1)
    trainer.test(task)
    assert template.batches == ()


def test_a_single_number_has_the_metrics_name():
    class Last(HostMetric):
        def reset(self):
            self.value = None

        def update(self, outputs):
            self.value = outputs["numbers"]["x"][-1]

        def compute(self):
            return self.value

    task = Collects()
    task.configure_host_metrics = lambda: {"last": Last()}
    assert fitted(task, max_epochs=1).callback_metrics["val_last"] == 7.0


def test_the_task_has_the_copies_of_the_latest_evaluation():
    class Looks(Callback):
        logs_metrics = False
        seen = ()

        def on_sanity_check_end(self, trainer, task):
            self.seen = [("sanity", task.host_metrics["seen"])]
            assert task.host_metrics["seen"].batches == []

        def on_validation_epoch_end(self, trainer, task):
            if not trainer.sanity_checking:
                self.seen.append(("val", task.host_metrics["seen"]))

        def on_train_epoch_end(self, trainer, task):
            self.seen.append(("train", task.host_metrics["seen"]))

        def on_test_end(self, trainer, task):
            self.seen.append(("test", task.host_metrics["seen"]))

    looks, task = Looks(), Collects()
    assert task.host_metrics == {}
    trainer = fitted(task, max_epochs=1, num_sanity_val_steps=1, callbacks=[looks])
    trainer.test(task)
    names, metrics = zip(*looks.seen, strict=True)
    assert names == ("sanity", "val", "train", "test")
    assert metrics[0] is metrics[1] is metrics[2]
    assert metrics[3] is not metrics[0]
    assert sum(map(len, (batch["x"] for batch in metrics[0].batches))) == len(HELD_OUT)
