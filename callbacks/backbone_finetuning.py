"""BackboneFinetuning: trains a head on a frozen backbone first, then both at a lower rate."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.callbacks.backbone_layers import BackboneLayers
from lightning_tf.callbacks.scaled_schedule import ScaledSchedule
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.variables import optimizable_variables, trainable_variables

if TYPE_CHECKING:
    from lightning_tf.optimizers.named_optimizer import NamedOptimizer
    from lightning_tf.run.training_state import TrainingState
    from lightning_tf.task import Task
    from lightning_tf.trainer import Trainer

log = logging.getLogger("lightning_tf")


class BackboneFinetuning(Callback):
    """Freezes a backbone, unfreezes it at an epoch's start, and lowers the learning rate then.

    While it is frozen, no weight of the backbone moves, and its BatchNormalization layers compute
    with their moving statistics, which do not move either; Dropout works as ever. Layers that the
    task froze itself stay frozen. The compiled step is rebuilt once, and optimizers keep their
    slots. When fit ends, every layer is as trainable as it was before; another fit of the same task
    by the same Trainer goes on.

    Why BatchNormalization stays frozen by default:
    https://keras.io/guides/transfer_learning/#finetuning.

    The rate is lowered for every optimizer that owns a weight of the backbone, for all that it
    owns: Keras optimizers have one rate. A schedule goes on counting where it is, and all that it
    gives from then on is multiplied. For two rates, give two optimizers,
    ``{"backbone": ..., "head": ...}``: that of the backbone rests, its own schedule too, while
    there is nothing for it to train.

    Args:
        backbone: Where the backbone is, from the task: attributes, keys, positions and names of
            layers, such as ``backbone``, ``model.backbone`` or ``networks.0``.
        unfreeze_at_epoch: The epoch, from 0, at whose start it is unfrozen; at least 1.
        layers: What to unfreeze: None for all, the top so many layers (those without weights are
            not counted), or the name of the first that trains.
        learning_rate_factor: What rates are multiplied by; 1.0 leaves them.
        train_batch_norm: Unfreeze BatchNormalization layers, too.
        always_frozen: Names of layers, anywhere in the backbone, that stay frozen.
        head: Where the backbone's model has its head inside, the top so many layers with weights,
            or the name of the first one; it is never frozen.

    Raises:
        ConfigurationError: A number is out of range; before training, a name is unknown or nothing
            is left to train.

    Example:
        >>> task = ImageClassification(data="cifar10", network="keras_hub:resnet_50_imagenet")
        >>> thaw = BackboneFinetuning("model.backbone", unfreeze_at_epoch=5, layers=10)
        >>> Trainer(max_epochs=10, callbacks=[thaw]).fit(task)
    """

    logs_metrics = False

    def __init__(
        self,
        backbone: str = "backbone",
        unfreeze_at_epoch: int = 10,
        *,
        layers: int | str | None = None,
        learning_rate_factor: float = 0.1,
        train_batch_norm: bool = False,
        always_frozen: Sequence[str] = (),
        head: int | str | None = None,
    ) -> None:
        _check_count("unfreeze_at_epoch", unfreeze_at_epoch)
        for name, top in (("layers", layers), ("head", head)):
            if top is not None and not isinstance(top, str):
                _check_count(name, top)
        factor = learning_rate_factor
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not factor > 0.0:
            raise ConfigurationError(
                f"BackboneFinetuning(learning_rate_factor={factor!r}): give a number above 0."
            )
        if isinstance(always_frozen, str):
            raise ConfigurationError(
                f"BackboneFinetuning(always_frozen={always_frozen!r}): give a list of names."
            )
        self.backbone, self.unfreeze_at_epoch = backbone, unfreeze_at_epoch
        self.layers, self.head = layers, head
        self.learning_rate_factor, self.train_batch_norm = float(factor), train_batch_norm
        self.always_frozen = tuple(always_frozen)
        self.is_unfrozen = False
        self._training: weakref.ref[TrainingState] | None = None
        self._found: BackboneLayers | None = None
        self._factors: dict[str, tf.Variable] = {}

    @property
    def state_key(self) -> str:
        """Several may unfreeze different parts."""
        return f"BackboneFinetuning(backbone={self.backbone!r})"

    def state_dict(self) -> dict[str, Any]:
        """Whether it is unfrozen; the rates themselves are the optimizers'."""
        return {"is_unfrozen": self.is_unfrozen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Freeze or unfreeze as it was."""
        self.is_unfrozen = state["is_unfrozen"]
        self._apply()

    def variables(self) -> dict[str, Any]:
        """The factors of schedules, by optimizer."""
        return {f"factor.{name}": factor for name, factor in self._factors.items()}

    # ---- hooks

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Find the backbone and freeze it, or in another fit of the same task go on."""
        training = trainer.training
        if training is None:
            return
        self._found = BackboneLayers(
            task,
            self.backbone,
            layers=self.layers,
            head=self.head,
            always_frozen=self.always_frozen,
            train_batch_norm=self.train_batch_norm,
        )
        if self._training is None or self._training() is not training:
            self._training = weakref.ref(training)
            self.is_unfrozen = False
            self._factors = {}
            self._scale_schedules(training)
        self._refuse_overlap(trainer)
        self._found.unfreeze()
        if not any(variable.trainable for variable in self._found.variables):
            raise ConfigurationError(
                f"BackboneFinetuning(backbone={self.backbone!r}) would unfreeze nothing: the task "
                "has frozen it, or always_frozen names all of it; leave the freezing to the "
                "callback."
            )
        self._apply()
        self._allow_rest(training)

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Unfreeze where it is time; the step is rebuilt after this hook."""
        if self.is_unfrozen or trainer.current_epoch < self.unfreeze_at_epoch:
            return
        if trainer.training is None:
            return
        self.is_unfrozen = True
        self._apply()
        for name, optimizer in self._owners(trainer.training).items():
            if name in self._factors:
                factor = self._factors[name]
                factor.assign(factor * self.learning_rate_factor)
            elif self.learning_rate_factor != 1.0:
                rate = optimizer.optimizer.learning_rate
                optimizer.optimizer.learning_rate = float(rate) * self.learning_rate_factor
        log.info(
            "epoch %d: %s is unfrozen; learning rates of its weights are multiplied by %g.",
            trainer.current_epoch,
            self.backbone,
            self.learning_rate_factor,
        )

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Leave the layers as they were."""
        self._restore()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Leave the layers as they were."""
        self._restore()

    # ---- layers

    def _refuse_overlap(self, trainer: Trainer) -> None:
        mine = {id(layer) for layer in self._found.all} if self._found else set()
        for other in trainer.callbacks:
            if other is self or not isinstance(other, BackboneFinetuning) or not other._found:
                continue
            if mine & {id(layer) for layer in other._found.all}:
                raise ConfigurationError(
                    f"BackboneFinetuning(backbone={self.backbone!r}) and another one of "
                    f"{other.backbone!r} have layers in common; name parts that do not overlap."
                )

    def _apply(self) -> None:
        if self._found is None:
            return
        if self.is_unfrozen:
            self._found.unfreeze()
        else:
            self._found.freeze()

    def _restore(self) -> None:
        if self._found is not None:
            self._found.restore()
            self._found = None

    # ---- optimizers

    def _owners(self, training: TrainingState) -> dict[str, NamedOptimizer]:
        """The optimizers that own a weight of the backbone."""
        inside = set() if self._found is None else {id(v) for v in self._found.variables}
        return {
            name: optimizer
            for name, optimizer in training.optimizers.items()
            if any(id(variable) in inside for variable in optimizable_variables(optimizer.owner))
        }

    def _scale_schedules(self, training: TrainingState) -> None:
        """Wrap schedules before the step is traced: a traced step would keep the old one."""
        if self.learning_rate_factor == 1.0:
            return
        for name, named in self._owners(training).items():
            schedule = named.optimizer._learning_rate  # the property gives the rate of a step
            if isinstance(schedule, ScaledSchedule):  # another one's, or of a run before
                schedule.factor.assign(1.0)
                self._factors[name] = schedule.factor
            elif isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
                scaled = ScaledSchedule(schedule)
                named.optimizer.learning_rate = scaled
                self._factors[name] = scaled.factor
            elif not isinstance(schedule, keras.Variable):
                raise ConfigurationError(
                    f"BackboneFinetuning: the learning rate of optimizer {name or 'of the task'!r} "
                    f"is {schedule!r}; give a float or a keras LearningRateSchedule, or pass "
                    "learning_rate_factor=1.0."
                )

    def _allow_rest(self, training: TrainingState) -> None:
        """Let an optimizer of the backbone alone rest, where another one trains meanwhile."""
        optimizers = training.optimizers.values()
        if not any(trainable_variables(optimizer.owner) for optimizer in optimizers):
            raise ConfigurationError(
                f"BackboneFinetuning(backbone={self.backbone!r}) leaves nothing to train: name the "
                "part below the head, or pass head=1 where the head lies in it."
            )
        for optimizer in self._owners(training).values():
            optimizer.may_rest = True


def _check_count(name: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(
            f"BackboneFinetuning({name}={count!r}): give an integer of at least 1"
            + ("." if name == "unfreeze_at_epoch" else ", or the name of a layer.")
        )
