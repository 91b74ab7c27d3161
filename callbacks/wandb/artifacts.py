"""WandbArtifacts: which checkpoints of a run become artifacts, and under which aliases."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_tf.callback import CheckpointCallback

LOG_MODEL = (False, True, "best", "last", "all")


@dataclass(frozen=True)
class CheckpointArtifact:
    """A checkpoint that becomes an artifact.

    Attributes:
        path: Its directory.
        name: The name of the artifact.
        aliases: Aliases of this version, beside those that W&B gives.
        metadata: Plain data.
    """

    path: str
    name: str
    aliases: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the bytes of all files; 0 where the directory is gone."""
        files = Path(self.path).iterdir() if Path(self.path).is_dir() else ()
        return sum(file.stat().st_size for file in files)


class WandbArtifacts:
    """Remembers which callbacks write checkpoints, and asks them for the best and the last.

    Args:
        log_model: ``best`` and ``last`` are sent when fit ends, with True all that are kept then;
            ``all`` as they are written; False sends none.

    Example:
        >>> artifacts = WandbArtifacts("best")
        >>> artifacts.after_save(checkpoint_callback, "model-ab12cd34")
        []
        >>> artifacts.at_end("model-ab12cd34")[0].aliases
        ['latest', 'best']
    """

    def __init__(self, log_model: bool | str) -> None:
        self.log_model = log_model
        self._writers: list[CheckpointCallback] = []
        self._sent_best: dict[int, str] = {}

    def after_save(self, writer: CheckpointCallback, name: str) -> list[CheckpointArtifact]:
        """Return what to send now that a callback has written a checkpoint.

        Args:
            writer: The callback.
            name: The name of the artifact; that of a second callback gets a number.
        """
        # By identity: two callbacks may compare as equal.
        if not any(writer is known for known in self._writers):
            self._writers.append(writer)
        if self.log_model != "all":
            return []
        return self._artifacts(writer, name, [getattr(writer, "last_model_path", "")])

    def at_end(self, name: str) -> list[CheckpointArtifact]:
        """Return what to send when fit ends, however it ends."""
        if self.log_model in (False, "all"):
            return []
        return [
            artifact
            for writer in self._writers
            for artifact in self._artifacts(writer, name, self._paths(writer))
        ]

    def _paths(self, writer: CheckpointCallback) -> list[str]:
        """Return what a callback's checkpoints are sent of when fit ends, the last one last."""
        last = getattr(writer, "last_model_path", "")
        if self.log_model is True:
            return [path for path in getattr(writer, "best_k_models", {}) if path != last] + [last]
        return [getattr(writer, "best_model_path", "") if self.log_model == "best" else last]

    def _artifacts(
        self, writer: CheckpointCallback, name: str, paths: list[str]
    ) -> list[CheckpointArtifact]:
        best, scores = getattr(writer, "best_model_path", ""), getattr(writer, "best_k_models", {})
        score_of = getattr(writer, "score_of", None)
        position = next(i for i, known in enumerate(self._writers) if known is writer)
        full_name = f"{name}-{position}" if position else name

        artifacts = []
        for path in filter(None, paths):
            # With save_last, the last one has its own name although it may be the best as well.
            is_best = best == path or (
                self.log_model == "all" and best != self._sent_best.get(id(writer))
            )
            score = score_of(path) if callable(score_of) else scores.get(path)
            best_score = getattr(writer, "best_model_score", None) if is_best else None
            metadata = {
                "monitor": getattr(writer, "monitor", None),
                "mode": getattr(writer, "mode", None),
                "score": best_score if score is None else score,
                "original_path": path,
            }
            aliases = ["latest", "best"] if is_best else ["latest"]
            artifacts.append(CheckpointArtifact(path, full_name, aliases, metadata))
            self._sent_best[id(writer)] = best
        return artifacts
