"""WandbArtifactLogger: artifacts of W&B that a run reads."""

from __future__ import annotations

import os
from typing import Any

from lightning_tf.exceptions import ConfigurationError
from lightning_tf.logger import Logger

SECONDS = 30


class WandbArtifactLogger(Logger):
    """Reads artifacts, such as a data set or another run's weights.

    Example:
        >>> folder = logger.download_artifact("me/digits/photos:latest", save_dir="photos")
    """

    @property
    def experiment(self) -> Any:
        """Return the wandb.Run; None where there is none."""
        return None

    def use_artifact(self, artifact: str, artifact_type: str | None = None) -> Any:
        """Return an artifact, noted as an input of this run; waits for the server.

        Args:
            artifact: ``entity/project/name:alias``.
            artifact_type: Such as ``dataset``; any where it is None.

        Raises:
            ConfigurationError: There is no run now, or it is kept on this disk.
        """
        run = self.experiment
        if run is None or run.offline:
            raise ConfigurationError(
                f"use_artifact({artifact!r}): no run is open online; call it in a hook of fit, "
                "validate, test or predict, or give download_artifact use_artifact=False."
            )
        return run.use_artifact(artifact, type=artifact_type)

    def download_artifact(
        self,
        artifact: str,
        save_dir: str | os.PathLike[str] | None = None,
        artifact_type: str | None = None,
        use_artifact: bool = True,
    ) -> str:
        """Download an artifact and return its folder; waits for the server.

        Args:
            artifact: ``entity/project/name:alias``.
            save_dir: The folder; W&B's own where it is None.
            artifact_type: Such as ``dataset``; any where it is None.
            use_artifact: Note it as an input of the run that is open.

        Raises:
            ConfigurationError: See `use_artifact`.
        """
        if use_artifact:
            source = self.use_artifact(artifact, artifact_type)
        else:
            import wandb

            source = wandb.Api(timeout=SECONDS).artifact(artifact, type=artifact_type)
        return str(source.download(root=None if save_dir is None else str(save_dir)))
