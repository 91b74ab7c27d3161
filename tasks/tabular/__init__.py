"""Classification and regression of tables."""

from lightning_tf.tasks.tabular.regression import Regression as Regression
from lightning_tf.tasks.tabular.tabular_classification import (
    TabularClassification as TabularClassification,
)
