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
