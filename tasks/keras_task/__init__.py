"""Train a model that is compiled and fitted with Keras already."""

from lightning_tf.tasks.keras_task.keras_task import KerasTask as KerasTask
