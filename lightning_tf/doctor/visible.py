"""check_visible_devices: the GPUs that the environment shows, and SLURM's share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lightning_tf.distribute.visible_devices import VISIBLE, shown_gpus
from lightning_tf.doctor.finding import Finding, ok, warning

SLURM = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE", "SLURM_LOCALID")
ORDER = "CUDA_DEVICE_ORDER"


def check_visible_devices(environment: Mapping[str, str], cards: int) -> Iterator[Finding]:
    """Yield what the environment says of GPUs.

    Args:
        environment: Such as ``os.environ``.
        cards: GPUs that the driver lists.
    """
    shown = shown_gpus(environment)
    described = "not set" if shown is None else repr(environment[VISIBLE])
    slurm = "".join(f", {name}={environment[name]}" for name in SLURM if name in environment)
    yield ok("visible devices", f"{VISIBLE} {described}{slurm}")

    beyond = [name for name in shown or () if name.isdigit() and cards and int(name) >= cards]
    if beyond:
        text = f"{VISIBLE} names GPU {beyond[0]}, which is not there: CUDA ends its list before it"
        yield warning("visible devices", text, f"name GPUs from 0 to {cards - 1}")
    if shown and cards > 1 and environment.get(ORDER) != "PCI_BUS_ID":
        text = "CUDA numbers GPUs by speed, nvidia-smi by the bus: the numbers may differ"
        yield warning("visible devices", text, f"export {ORDER}=PCI_BUS_ID")
    if "SLURM_JOB_ID" in environment and cards and shown is None:
        text = "SLURM runs this job and shows no GPU of its own: it may see those of others"
        yield warning("visible devices", text, "ask for GPUs: --gpus-per-task=N")
