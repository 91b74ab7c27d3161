"""Stage: training, validation, test or prediction, and how each is spelled where."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """What a run does at a time; the one table of its spellings.

    Attributes:
        name: As `trainer.stage` has it: ``validate``.
        hook: As in ``on_validation_start``.
        step: The Task's method: ``validation_step``.
        prefix: As in ``val_loss``, ``val/loss``, ``val_dataset`` and ``limit_val_batches``.

    Example:
        >>> VALIDATE.metric("loss"), VALIDATE.dataset, VALIDATE.limit
        ('val_loss', 'val_dataset', 'limit_val_batches')
    """

    name: str
    hook: str
    step: str
    prefix: str

    @property
    def dataset(self) -> str:
        """The DataModule's method."""
        return f"{self.prefix}_dataset"

    @property
    def limit(self) -> str:
        """The Trainer's argument."""
        return f"limit_{self.prefix}_batches"

    def metric(self, name: str) -> str:
        """Return the name under which users see a value of this stage."""
        is_bare = self is TRAIN or name.startswith(f"{self.prefix}_")
        return name if is_bare else f"{self.prefix}_{name}"


TRAIN = Stage("train", "train", "training_step", "train")
VALIDATE = Stage("validate", "validation", "validation_step", "val")
TEST = Stage("test", "test", "test_step", "test")
PREDICT = Stage("predict", "predict", "predict_step", "predict")
STAGES = (TRAIN, VALIDATE, TEST)  # those that measure


def stage_of_step(method: str) -> Stage:
    """Return the stage of a Task's method, such as ``validation_step``."""
    return next(stage for stage in STAGES if stage.step == method)


def stage_of_name(name: str | None) -> Stage:
    """Return the stage that `trainer.stage` names; of a sanity check, validation."""
    return next((stage for stage in (*STAGES, PREDICT) if stage.name == name), VALIDATE)


def split_metric(metric: str) -> tuple[Stage, str]:
    """Return the stage that a metric's name tells, and the name without it.

    Example:
        >>> split_metric("val_loss") == (VALIDATE, "loss"), split_metric("loss") == (TRAIN, "loss")
        (True, True)
    """
    for stage in (VALIDATE, TEST):
        if metric.startswith(f"{stage.prefix}_"):
            return stage, metric.removeprefix(f"{stage.prefix}_")
    return TRAIN, metric


def row_name(metric: str) -> str:
    """Return the name under which loggers get a metric.

    Example:
        >>> row_name("val_loss"), row_name("loss"), row_name("lr/adam")
        ('val/loss', 'train/loss', 'lr/adam')
    """
    stage, name = split_metric(metric)
    return metric if "/" in metric else f"{stage.prefix}/{name}"


def spellings(stage: Stage, name: str) -> tuple[str, ...]:
    """Return every spelling under which users and loggers see a value of a stage.

    Example:
        >>> spellings(VALIDATE, "loss"), spellings(TRAIN, "loss")
        (('val_loss', 'val/loss'), ('loss', 'train/loss', 'train/loss_epoch'))
    """
    metric = stage.metric(name)
    epoch = (f"{TRAIN.prefix}/{name}_epoch",) if stage is TRAIN else ()
    return tuple(dict.fromkeys((metric, row_name(metric), *epoch)))
