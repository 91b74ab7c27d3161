"""TrainingState: what training keeps between windows and between fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lightning_tf.distribute.unsynced_statistics import UnsyncedStatistics
from lightning_tf.distribute.variable_placement import move_optimizer
from lightning_tf.graph.means import Means
from lightning_tf.run.final_weights import FinalWeights

if TYPE_CHECKING:
    from lightning_tf.distribute.placement import Placement
    from lightning_tf.graph.stage_metrics import StageMetrics
    from lightning_tf.optimizers.clipping import Clipping
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer
    from lightning_tf.task import Task


@dataclass
class TrainingState:
    """What training keeps on the device and the host between windows.

    Attributes:
        optimizers: By name.
        metrics: The training stage's copies of the task's metrics.
        statistics: What replicas keep for themselves.
        means: Of losses and logged values; None until the step is traced.
        unnamed: Variables that steps use and nothing else of the run names, by a stable name.
        told_idle: Weights without an optimizer, of which the user was told.
        final_weights: What the optimizers put into the weights where a fit ends.
    """

    optimizers: dict[str, NamedOptimizer]
    metrics: StageMetrics
    statistics: UnsyncedStatistics
    means: Means | None = None
    unnamed: dict[str, Any] = field(default_factory=dict)
    told_idle: set[str] = field(default_factory=set)
    final_weights: FinalWeights = field(default_factory=FinalWeights)

    def move_here(self, task: Task, placement: Placement, clipping: Clipping | None) -> None:
        """Take the state up in another fit, before which other Trainers may have had the task."""
        for named in self.optimizers.values():
            move_optimizer(named.optimizer)
            named.clip_by(clipping)
        self.final_weights.take_out()  # where the fit before has left them
        self.statistics = UnsyncedStatistics(task, placement)

    def mean_over(self, names: tuple[str, ...], size: int) -> None:
        """Keep running means of these names; they begin anew where the names are others.

        Args:
            names: Of the values.
            size: Of the device's sums, which tells whether they are weighted.
        """
        if self.means is None or (self.means.names, self.means.size) != (names, size):
            self.means = Means(names, size)
