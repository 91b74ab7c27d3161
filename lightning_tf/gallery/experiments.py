"""EXPERIMENTS: every experiment of the gallery, in the order of the courses' chapters."""

from lightning_tf.gallery.experiment import Experiment

IMAGES = "Images: overfitting and transfer learning"

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in ()}
