"""StageData: data for each stage from a place of its own, as one DataModule."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from lightning_tf.data.data_module import DataModule
from lightning_tf.data.named_sets import NamedSets
from lightning_tf.distribute.input_shard import InputShard
from lightning_tf.distribute.workers import Workers


class StageData(DataModule):
    """Data modules that each give one stage's batches, and datasets that are given as they are.

    Args:
        modules: By ``train``, ``val``, ``test`` and ``predict``, a module and which of its stages
            to ask for.
        datasets: By the same, what a dataset method may return.

    Example:
        >>> batches = tf.data.Dataset.range(4).batch(2)
        >>> len(StageData({}, {"test": batches}).test_dataset())
        2
    """

    def __init__(
        self, modules: Mapping[str, tuple[DataModule, str]], datasets: Mapping[str, Any]
    ) -> None:
        """Keep the arguments."""
        train = modules["train"][0] if "train" in modules else DataModule()
        super().__init__(train.batch_size, train.seed)
        self.split_seed, self.resume_by = train.split_seed, train.resume_by
        self.modules, self.datasets = dict(modules), dict(datasets)

    def _first_stages(self) -> list[str]:
        stages = {id(module): stage for stage, (module, _) in reversed(self.modules.items())}
        return list(reversed(stages.values()))

    def _parts(self) -> list[DataModule]:
        return [self.modules[stage][0] for stage in self._first_stages()]

    def setup(self, stage: str) -> None:
        """Set each module up, unless it is."""
        for module in self._parts():
            module.ensure_setup(stage)

    def teardown(self, stage: str) -> None:
        """Release what the modules took."""
        for module in self._parts():
            module.release(stage)

    def on_exception(self, exception: BaseException) -> None:
        """Tell each module."""
        for module in self._parts():
            module.on_exception(exception)

    def join(self, workers: Workers) -> None:
        """Join the workers, and let each module do so."""
        super().join(workers)
        for module in self._parts():
            module.join(workers)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the modules, by the first stage of each."""
        states = {stage: self.modules[stage][0].state_dict() for stage in self._first_stages()}
        return {stage: state for stage, state in states.items() if state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give each module its own."""
        for stage in state:
            self.modules[stage][0].load_state_dict(state[stage])

    @property
    def is_stream(self) -> bool:
        """Whether the training data know their position."""
        return "train" in self.modules and self.modules["train"][0].is_stream

    def reads_before(self, epoch: int, batch: int) -> bool:
        """Return whether the training data can only be read from their beginning."""
        if "train" in self.modules:
            return self.modules["train"][0].reads_before(epoch, batch)
        return True

    def position_at(self, epoch: int, batch: int) -> str | None:
        """Return the position of the training data."""
        if "train" in self.modules:
            return self.modules["train"][0].position_at(epoch, batch)
        return super().position_at(epoch, batch)

    def take_position(self, epoch: int, batch: int, state: str) -> None:
        """Let the training data go on from it."""
        if "train" in self.modules:
            self.modules["train"][0].take_position(epoch, batch, state)
        else:
            super().take_position(epoch, batch, state)

    def train_dataset(self, epoch: int) -> Any:
        """Return the training batches of one epoch."""
        return self._of("train", epoch)

    def train_dataset_from(self, epoch: int, batch: int) -> Any:
        """Return the rest of an epoch."""
        if "train" in self.modules:
            return self._of("train", epoch, batch)
        return super().train_dataset_from(epoch, batch)

    def val_dataset(self) -> Any:
        """Return the validation batches."""
        return self._of("val")

    def test_dataset(self) -> Any:
        """Return the test batches."""
        return self._of("test")

    def predict_dataset(self) -> Any:
        """Return the batches to predict."""
        return self._of("predict")

    def dataset_for(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> tf.data.Dataset | NamedSets | None:
        """Return the dataset of a stage; a module's shard is read as the module reads it."""
        if stage not in self.modules or self.batch_check is not None:
            return super().dataset_for(stage, epoch, batch, input_shard)
        return self._of(stage, epoch, batch, input_shard)

    def _of(
        self, stage: str, epoch: int = 0, batch: int = 0, input_shard: InputShard | None = None
    ) -> Any:
        if stage not in self.modules:
            return self.datasets.get(stage)
        module, asked = self.modules[stage]
        module.trainer_seed = self.trainer_seed
        return module.dataset_for(asked, epoch, batch, input_shard)
