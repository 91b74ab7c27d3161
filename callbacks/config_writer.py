"""ConfigWriter: the options of a run as a file beside its checkpoints."""

from pathlib import Path

from lightning_tf.callback import Callback
from lightning_tf.task import Task
from lightning_tf.trainer import Trainer

NAME = "config.yaml"


class ConfigWriter(Callback):
    """Writes a text as ``config.yaml`` into the run's folder when fit starts.

    ``lightning-tf fit`` adds it, so that ``lightning-tf test --config .../config.yaml`` knows what
    was trained. It replaces an earlier file.

    Args:
        text: What to write.

    Attributes:
        config_file: What was written; None before.

    Example:
        >>> trainer = Trainer(max_epochs=1, callbacks=[ConfigWriter("task: mine")])
    """

    logs_metrics = False

    def __init__(self, text: str) -> None:
        self.text = text
        self.config_file: Path | None = None

    def on_fit_start(self, trainer: Trainer, task: Task) -> None:
        """Write the file, once in a cluster."""
        if trainer.is_global_zero and not trainer.fast_dev_run:
            folder = Path(trainer.log_dir or trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self.config_file = folder / NAME
            self.config_file.write_text(self.text)
