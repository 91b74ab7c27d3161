"""An experiment that tests put into the gallery, as quick as they need it."""

import sys
from types import ModuleType

from lightning_tf.gallery.experiment import Experiment
from lightning_tf.gallery.experiments import EXPERIMENTS


def add_experiment(monkeypatch, name, run):
    """Put an experiment into the table until the test ends; `run` is that of its module."""
    module = ModuleType(f"lightning_tf.gallery.{name}")
    module.run = run
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entry = Experiment(name, "Tests", f"What {name} shows", "accuracy", 1.0, 0.1, 5)
    monkeypatch.setitem(EXPERIMENTS, name, entry)
