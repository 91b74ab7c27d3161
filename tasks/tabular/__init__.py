"""Classification and regression of tables."""

from lightning_tf.tasks.tabular.regression import Regression
from lightning_tf.tasks.tabular.tabular_classification import TabularClassification

__all__ = ["Regression", "TabularClassification"]
