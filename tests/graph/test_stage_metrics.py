import logging
import math

import keras
import pytest
import tensorflow as tf
from helpers.boring import NumberData, NumberTask, Rows, fitted

from lightning_tf.distribute.choose_placement import choose_placement
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.graph.stage_metrics import StageMetrics

ONE_DEVICE = choose_placement("cpu", 1, "auto")


class Measured(NumberTask):
    """Counts and averages the numbers it sees."""

    def configure_metrics(self):
        return {"mean_number": keras.metrics.Mean()}

    def training_step(self, batch):
        self.metrics["mean_number"].update_state(batch)
        return super().training_step(batch)

    def validation_step(self, batch):
        self.metrics["mean_number"].update_state(batch)
        return super().validation_step(batch)


def test_train_and_validation_keep_separate_copies(tmp_path):
    rows = Rows()
    task = Measured(NumberData([1, 2, 3, 4], held_out=[10, 20]), keras.optimizers.SGD(0.0))
    fitted(task, max_epochs=2, val_check_interval=2, logger=rows, default_root_dir=tmp_path)
    assert [value for _, value in rows.column("val/mean_number")] == [15.0] * 4
    assert [value for _, value in rows.column("train/mean_number_epoch")] == [2.5, 2.5]


def test_a_metric_object_that_is_given_twice_is_copied():
    shared = keras.metrics.Mean(name="shared")

    class Sharing:
        def configure_host_metrics(self):
            return {}

        def configure_metrics(self):
            return {"mean": shared}

    first, second = (StageMetrics(Sharing(), ONE_DEVICE) for _ in range(2))
    first.metrics["mean"].update_state(3.0)
    assert float(first.metrics["mean"].result()) == 3.0
    assert float(second.metrics["mean"].result()) == float(shared.result()) == 0.0


def test_a_score_for_each_class_gives_a_name_for_each(tmp_path):
    class Scored(NumberTask):
        def configure_metrics(self):
            return {"f1": keras.metrics.F1Score(average=None)}

        def training_step(self, batch):
            truth = tf.one_hot(tf.zeros_like(batch, tf.int32), 2)
            self.update_metrics(truth, truth)
            return super().training_step(batch)

    task = Scored(NumberData([1, 2, 3]), keras.optimizers.SGD(0.0))
    metrics = fitted(task, max_epochs=1, default_root_dir=tmp_path).callback_metrics
    assert metrics["f1_0"] == 1.0
    assert metrics["f1_1"] == 0.0


@pytest.mark.parametrize("configured", [[keras.metrics.Mean()], {"mean": "mean"}, None])
def test_what_is_no_dict_of_metrics_is_refused(configured):
    class Wrong:
        def configure_metrics(self):
            return configured

    with pytest.raises(ConfigurationError, match="configure_metrics"):
        StageMetrics(Wrong(), ONE_DEVICE)


class Forgetful(NumberTask):
    """Updates its metrics where it is told, in a way that it is told."""

    def __init__(self, data, where=(), way="update_state", metric=None):
        super().__init__(data, keras.optimizers.SGD(0.0))
        self.where, self.way, self.metric = where, way, metric or keras.metrics.Mean

    def configure_metrics(self):
        return {"score": self.metric()}

    def training_step(self, batch):
        self._update("train", batch)
        return super().training_step(batch)

    def validation_step(self, batch):
        self._update("val", batch)
        return super().validation_step(batch)

    def _update(self, stage, batch):
        score = self.metrics["score"]
        if stage not in self.where:
            return
        if self.way == "update_state":
            score.update_state(batch)
        elif self.way == "call":
            score(batch)
        elif self.way == "cond":
            tf.cond(batch[0] > 1.0, lambda: [score.update_state(batch), 0][1], lambda: 0)
        elif self.way == "never in a cond":
            tf.cond(batch[0] > 99.0, lambda: [score.update_state(batch), 0][1], lambda: 0)
        else:
            score.total.assign_add(tf.reduce_sum(batch))
            score.count.assign_add(1.0)


def numbers():
    return NumberData([1, 2, 3, 4], held_out=[10, 20])


@pytest.mark.parametrize(
    ("where", "metric"),
    [
        *((where, keras.metrics.Mean) for where in [(), ("train",), ("val",), ("train", "val")]),
        # What is built by its first update never is, here.
        ((), keras.metrics.F1Score),
        ((), lambda: keras.metrics.AUC(multi_label=True)),
    ],
)
def test_a_metric_that_a_stage_never_updates_is_nan_and_told_once(where, metric, caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        metrics = fitted(
            Forgetful(numbers(), where, metric=metric), max_epochs=3, val_check_interval=2
        ).callback_metrics
    told = [r.getMessage() for r in caplog.records if "never updates" in r.getMessage()]
    for stage, name, step, value in [
        ("train", "score", "training_step", 2.5),
        ("val", "val_score", "validation_step", 15.0),
    ]:
        if stage in where:
            assert metrics[name] == value
        else:
            assert math.isnan(metrics[name])
        assert sum(f"{step} never updates metric 'score'" in t for t in told) == (
            stage not in where
        )


@pytest.mark.parametrize("way", ["update_state", "call", "cond", "never in a cond", "by hand"])
def test_an_update_of_any_kind_is_no_forgotten_one(way, caplog):
    with caplog.at_level(logging.WARNING, "lightning_tf"):
        task = Forgetful(numbers(), ("train", "val"), way)
        metrics = fitted(task, max_epochs=1).callback_metrics
    assert not [r for r in caplog.records if "never updates" in r.getMessage()]
    expected = {"cond": 3.0, "never in a cond": 0.0}.get(way, 2.5)
    assert metrics["score"] == expected


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2,), (2, 2)])
def test_a_result_of_one_number_keeps_its_name(shape):
    class Shaped(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.count = self.add_variable((), "zeros")

        def update_state(self, values):
            self.count.assign_add(1.0)

        def result(self):
            return tf.fill(shape, tf.convert_to_tensor(self.count))

    task = Forgetful(numbers(), ("train", "val"), metric=Shaped)
    names = set(fitted(task, max_epochs=1).callback_metrics)
    size = math.prod(shape)
    scores = {"score"} if size == 1 else {f"score_{i}" for i in range(size)}
    assert names == {"loss", "val_loss", *scores, *(f"val_{name}" for name in scores)}


@pytest.mark.parametrize("given", ["one object", "two names", "a new one each time"])
def test_every_stage_counts_by_itself_whatever_is_given(given, tmp_path):
    mean = keras.metrics.Mean()

    class Gives(Measured):
        def configure_metrics(self):
            one = keras.metrics.Mean() if given == "a new one each time" else mean
            return {"mean_number": one, **({"again": one} if given == "two names" else {})}

        def training_step(self, batch):
            for name in self.metrics:
                self.metrics[name].update_state(batch)
            return NumberTask.training_step(self, batch)

        validation_step = training_step

    rows = Rows()
    task = Gives(NumberData([1, 2, 3, 4], held_out=[10, 20]), keras.optimizers.SGD(0.0))
    arguments = {"max_epochs": 2, "val_check_interval": 2, "default_root_dir": tmp_path}
    fitted(task, logger=rows, log_every_n_steps=1, **arguments)
    assert [value for _, value in rows.column("train/mean_number")] == [1.0, 1.5, 2.0, 2.5] * 2
    assert [value for _, value in rows.column("val/mean_number")] == [15.0] * 4
    assert given != "two names" or len(rows.column("train/again")) == 8


def test_a_metric_that_no_copy_can_part_is_made_anew_or_refused():
    class Hidden:
        """Keeps variables where nobody looks."""

        def __init__(self):
            self.mean = keras.metrics.Mean()

    class Holds(keras.metrics.Metric):
        def __init__(self, hidden):
            super().__init__()
            self.hidden = hidden

        @property
        def variables(self):
            return self.hidden.mean.variables

        def result(self):
            return self.hidden.mean.result()

    class Template:
        def configure_host_metrics(self):
            return {}

        def __init__(self, make):
            self.configure_metrics = lambda: {"held": make()}

    anew = Template(lambda: Holds(Hidden()))
    one, two = (StageMetrics(anew, ONE_DEVICE).metrics["held"] for _ in range(2))
    assert {id(v) for v in one.variables}.isdisjoint(map(id, two.variables))
    same = Holds(Hidden())
    with pytest.raises(ConfigurationError, match=r"'held' is a Holds that.*make a new one"):
        StageMetrics(Template(lambda: same), ONE_DEVICE)


class Counter(tf.Module):
    def __init__(self):
        self.total = tf.Variable(0.0, name="counted")


class CountsElsewhere(keras.metrics.Metric):
    """Its state is in an object that no copy of the metric has for itself."""

    def __init__(self):
        super().__init__()
        self.held = Counter()

    def update_state(self, values):
        self.held.total.assign_add(tf.reduce_sum(values))

    def result(self):
        return tf.convert_to_tensor(self.held.total)

    def reset_state(self):
        self.held.total.assign(0.0)


@pytest.mark.parametrize("anew", [True, False])
def test_state_that_two_stages_would_share_is_refused(anew):
    one = CountsElsewhere()
    task = Forgetful(numbers(), ("train", "val"), metric=CountsElsewhere if anew else lambda: one)
    if anew:
        assert fitted(task, max_epochs=1, val_check_interval=2).callback_metrics["score"] == 10.0
        return
    with pytest.raises(ConfigurationError, match=r"'score', a CountsE.*'counted'.*a new object"):
        fitted(task, max_epochs=1)
    # One stage alone shares it with none.
    task = Forgetful(numbers(), ("train",), metric=lambda: one)
    assert fitted(task, max_epochs=1).callback_metrics["score"] == 10.0


def test_a_copy_that_counts_in_its_original_is_refused():
    class Helper:
        def __init__(self, metric):
            self.metric = metric

        def __call__(self, values):
            self.metric.total.assign_add(tf.reduce_sum(values))

    class Helped(keras.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.total, self.helper = self.add_variable((), "zeros", name="sum"), Helper(self)

        def update_state(self, values):
            self.helper(values)

        def result(self):
            return self.total

    task = Forgetful(numbers(), ("train",), metric=Helped)
    with pytest.raises(ConfigurationError, match=r"'score', a Helped.*sum.*self.add_variable"):
        fitted(task, max_epochs=1)


def test_a_step_that_builds_its_layers_finds_its_metrics():
    class Builds(Measured):
        def configure_model(self):
            super().configure_model()
            self.dense = keras.layers.Dense(1)

        def training_step(self, batch):
            return super().training_step(batch) + tf.reduce_mean(self.dense(batch[:, None]))

    values = fitted(Builds(numbers()), max_epochs=1).callback_metrics
    assert (values["mean_number"], values["val_mean_number"]) == (2.5, 15.0)
