"""BackboneFinetuning: trains a head on a frozen backbone first, then both at a lower rate."""

import logging
import weakref
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lightning_tf.callback import Callback
from lightning_tf.callbacks.backbone_layers import BackboneLayers
from lightning_tf.callbacks.common.scaled_schedule import scale_schedules
from lightning_tf.checks import checked_integer, is_integer, is_number
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.optimizers.named_optimizer import NamedOptimizer
from lightning_tf.run.training_state import TrainingState
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer
from lightning_tf.variables import optimizable_variables, trainable_variables

log = logging.getLogger("lightning_tf")


class BackboneFinetuning(Callback):
    """Freezes a backbone, unfreezes it at an epoch's start, and lowers the learning rate then.

    While it is frozen, no weight of the backbone moves, and its BatchNormalization layers use their
    moving statistics, which do not move either; Dropout stays active. Layers that the task froze
    itself stay frozen. The compiled step is rebuilt once, and optimizers keep their slots. When fit
    ends, every layer is as trainable as it was before; another fit of the same task by the same
    Trainer continues.

    Why BatchNormalization stays frozen by default:
    https://keras.io/guides/transfer_learning/#finetuning.

    The rate is lowered for every optimizer that owns a weight of the backbone, for all that it
    owns: a Keras optimizer has one rate. A schedule keeps its position, and all of its later rates
    are multiplied. For two rates, use two optimizers, ``{"backbone": ..., "head": ...}``: that of
    the backbone, with its schedule, rests while it has nothing to train.

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
        unfreeze_at_epoch = checked_integer(
            "BackboneFinetuning: unfreeze_at_epoch", unfreeze_at_epoch, least=1
        )
        for name, top in (("layers", layers), ("head", head)):
            if not (top is None or isinstance(top, str) or is_integer(top, least=1)):
                raise ConfigurationError(
                    f"BackboneFinetuning({name}={top!r}): give an integer of at least 1, or the "
                    "name of a layer."
                )
        factor = learning_rate_factor
        if not (is_number(factor) and factor > 0.0):
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
        self._layers: BackboneLayers | None = None
        self._factors: dict[str, tf.Variable] = {}

    @property
    def state_key(self) -> str:
        """Return a key that differs by the backbone: several may unfreeze different parts."""
        return f"BackboneFinetuning(backbone={self.backbone!r})"

    def state_dict(self) -> dict[str, Any]:
        """Return whether the backbone is unfrozen; the rates themselves are the optimizers'."""
        return {"is_unfrozen": self.is_unfrozen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Freeze or unfreeze as the checkpoint says."""
        self.is_unfrozen = state["is_unfrozen"]
        self._apply()

    def variables(self) -> dict[str, Any]:
        """Return the factors of schedules, by optimizer."""
        return {f"factor.{name}": factor for name, factor in self._factors.items()}

    # ---- hooks

    def on_optimizers_configured(self, trainer: Trainer, task: Task) -> None:
        """Find the backbone and freeze it, or in another fit of the same task continue."""
        training = trainer.training
        if training is None:
            return

        self._layers = BackboneLayers(
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
        # Unfrozen for a moment, to see whether anything would train then.
        self._layers.unfreeze()
        if not any(variable.trainable for variable in self._layers.variables):
            raise ConfigurationError(
                f"BackboneFinetuning(backbone={self.backbone!r}) would unfreeze nothing: the task "
                "has frozen it, or always_frozen names all of it; leave the freezing to the "
                "callback."
            )

        self._apply()
        self._allow_rest(training)

    def on_train_epoch_start(self, trainer: Trainer, task: Task) -> None:
        """Unfreeze at the set epoch; the step is rebuilt after this hook."""
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
                # A plain rate is a variable of the optimizer; a schedule has its factor.
                rate = optimizer.optimizer.learning_rate
                optimizer.optimizer.learning_rate = float(rate) * self.learning_rate_factor

        log.info(
            "epoch %d: %s is unfrozen; learning rates of its weights are multiplied by %g.",
            trainer.current_epoch,
            self.backbone,
            self.learning_rate_factor,
        )

    def teardown(self, trainer: Trainer, task: Task, stage: str) -> None:
        """Make the layers as trainable as they were before."""
        self._restore()

    def on_exception(self, trainer: Trainer, task: Task, exception: BaseException) -> None:
        """Make the layers as trainable as they were before."""
        self._restore()

    # ---- layers

    def _refuse_overlap(self, trainer: Trainer) -> None:
        mine = {id(layer) for layer in self._layers.all} if self._layers else set()
        for other in trainer.callbacks:
            if other is self or not isinstance(other, BackboneFinetuning) or not other._layers:
                continue
            if mine & {id(layer) for layer in other._layers.all}:
                raise ConfigurationError(
                    f"BackboneFinetuning(backbone={self.backbone!r}) and another one of "
                    f"{other.backbone!r} have layers in common; name parts that do not overlap."
                )

    def _apply(self) -> None:
        if self._layers is None:
            return
        if self.is_unfrozen:
            self._layers.unfreeze()
        else:
            self._layers.freeze()

    def _restore(self) -> None:
        if self._layers is not None:
            self._layers.restore()
            self._layers = None

    # ---- optimizers

    def _owners(self, training: TrainingState) -> dict[str, NamedOptimizer]:
        """Return the optimizers that own a weight of the backbone."""
        inside = set() if self._layers is None else {id(v) for v in self._layers.variables}
        return {
            name: optimizer
            for name, optimizer in training.optimizers.items()
            if any(id(variable) in inside for variable in optimizable_variables(optimizer.owner))
        }

    def _scale_schedules(self, training: TrainingState) -> None:
        """Wrap schedules before the step is traced: a traced step would keep the old one."""
        if self.learning_rate_factor == 1.0:
            return
        optimizers = {name: named.optimizer for name, named in self._owners(training).items()}
        remedy = ", or pass learning_rate_factor=1.0"
        self._factors = scale_schedules("BackboneFinetuning", optimizers, remedy)
        for factor in self._factors.values():
            factor.assign(1.0)  # the schedule may have been scaled by an earlier run

    def _allow_rest(self, training: TrainingState) -> None:
        """Let an optimizer that trains only the backbone rest while another one trains."""
        optimizers = training.optimizers.values()
        if not any(trainable_variables(optimizer.owner) for optimizer in optimizers):
            raise ConfigurationError(
                f"BackboneFinetuning(backbone={self.backbone!r}) leaves nothing to train: name the "
                "part below the head, or pass head=1 where the head lies in it."
            )

        for optimizer in self._owners(training).values():
            optimizer.allow_rest()
