"""OBJECTIVES: what image tasks learn, by the name that data say it with."""

from lightning_tf.tasks.image_classification.objectives.numbers import Numbers
from lightning_tf.tasks.image_classification.objectives.objective import Objective
from lightning_tf.tasks.image_classification.objectives.one_class import OneClass
from lightning_tf.tasks.image_classification.objectives.several_labels import SeveralLabels

OBJECTIVES: dict[str, type[Objective]] = {
    objective.name: objective for objective in (OneClass, SeveralLabels, Numbers)
}
