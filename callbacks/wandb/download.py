"""Download of a checkpoint that is an artifact of W&B."""

import re
from pathlib import Path
from typing import Any

from lightning_tf.exceptions import CheckpointError

REFERENCE = re.compile(r"(?:[^/:]+/){0,2}[^/:]+(?::[^/:]+)?")
SECONDS = 30


def download(reference: str, root: str) -> str:
    """Download a checkpoint that a WandbLogger uploaded.

    The version of an alias is asked for each time; files that are there already are not downloaded
    again.

    Args:
        reference: ``entity/project/name:alias``; entity and project may be left out where W&B has
            defaults, the alias where ``latest`` is meant.
        root: Folder for downloads; the checkpoint goes to ``artifacts/<name>-<version>`` in it.

    Returns:
        The checkpoint's directory.

    Raises:
        CheckpointError: The reference is malformed, there is no such artifact, or W&B does not
            answer.

    Example:
        >>> download("me/digits/model-ab12cd34:best", ".")
        './artifacts/model-ab12cd34-v3'
    """
    if not REFERENCE.fullmatch(reference):
        raise CheckpointError(
            f"ckpt_path='wandb:{reference}': give wandb:entity/project/name:alias."
        )
    import wandb  # slow: only where it is needed

    name = reference if ":" in reference else f"{reference}:latest"
    try:
        artifact = _find_artifact(wandb, name)
        folder = Path(root) / "artifacts" / f"{artifact.name.replace(':', '-')}"
        return str(artifact.download(root=str(folder)))
    except Exception as error:  # wandb raises many kinds, not only its own
        raise CheckpointError(
            f"ckpt_path='wandb:{reference}': {type(error).__name__}: {error}. Check the name, "
            "your W&B key and the network; a run that was kept offline has its checkpoints on "
            "this disk."
        ) from error


def _find_artifact(wandb: Any, name: str) -> Any:
    if wandb.run is not None and not wandb.run.offline:
        return wandb.run.use_artifact(name, type="model")  # also records where the weights are from
    return wandb.Api(timeout=SECONDS).artifact(name, type="model")
