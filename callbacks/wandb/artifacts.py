"""WandbModels: which checkpoints of a run become artifacts, and under which aliases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_tf.callback import CheckpointCallback

LOG_MODEL = (False, "best", "last", "all")


@dataclass(frozen=True)
class Model:
    """A checkpoint that shall become an artifact.

    Attributes:
        path: Its directory.
        name: Of the artifact.
        aliases: Of this version.
        metadata: Plain data.
    """

    path: str
    name: str
    aliases: list[str]
    metadata: dict[str, Any]


class WandbModels:
    """Remembers who writes checkpoints, and asks them for the best and the last.

    Args:
        log_model: ``best`` and ``last`` are sent when fit ends, ``all`` as they are written; False
            sends none.

    Example:
        >>> models = WandbModels("best")
        >>> models.written(checkpoint_callback, "model-ab12cd34")
        []
        >>> models.at_the_end("model-ab12cd34")[0].aliases
        ['latest', 'best']
    """

    def __init__(self, log_model: bool | str) -> None:
        self.log_model = log_model
        self._writers: list[CheckpointCallback] = []
        self._sent_best: dict[int, str] = {}

    def written(self, writer: CheckpointCallback, name: str) -> list[Model]:
        """What to send now that a callback has written a checkpoint.

        Args:
            writer: The callback.
            name: Of the artifact; a second callback's gets a number.
        """
        if not any(writer is known for known in self._writers):
            self._writers.append(writer)
        return self._models(writer, name) if self.log_model == "all" else []

    def at_the_end(self, name: str) -> list[Model]:
        """What to send when fit ends, however it ends."""
        if self.log_model not in ("best", "last"):
            return []
        return [model for writer in self._writers for model in self._models(writer, name)]

    def _models(self, writer: CheckpointCallback, name: str) -> list[Model]:
        best = getattr(writer, "best_model_path", "")
        path = best if self.log_model == "best" else getattr(writer, "last_model_path", "")
        if not path:
            return []
        # With save_last, the last one has a name of its own though it may be the best as well.
        is_best = best == path or (
            self.log_model == "all" and best != self._sent_best.get(id(writer))
        )
        self._sent_best[id(writer)] = best
        score = getattr(writer, "best_model_score", None) if is_best else None
        metadata = {
            "monitor": getattr(writer, "monitor", None),
            "mode": getattr(writer, "mode", None),
            "score": score,
            "original_path": path,
        }
        position = next(i for i, known in enumerate(self._writers) if known is writer)
        full_name = f"{name}-{position}" if position else name
        return [Model(path, full_name, ["latest", "best"] if is_best else ["latest"], metadata)]
