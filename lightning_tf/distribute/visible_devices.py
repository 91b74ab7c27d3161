"""Visible devices: the GPUs that an environment shows, and each worker's share of them."""

import os
from collections.abc import Mapping, Sequence

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.exceptions import ConfigurationError

VISIBLE = "CUDA_VISIBLE_DEVICES"
# Set by the launcher: 1 where a worker sees its share alone, 0 where all see the same.
OWN = "LIGHTNING_TF_OWN_GPUS"


def shown_gpus(environment: Mapping[str, str]) -> list[str] | None:
    """Return the GPUs that an environment names; None where it names none and all are shown.

    They may be numbers, UUIDs or names of MIG instances, and stay as they are written.

    Example:
        >>> shown_gpus({"CUDA_VISIBLE_DEVICES": "4,GPU-8932f937"})
        ['4', 'GPU-8932f937']
    """
    text = environment.get(VISIBLE)
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    return names[: names.index("-1")] if "-1" in names else names  # CUDA ends its list there


def shares_of_gpus(
    workers: int, each: int | None, environment: Mapping[str, str]
) -> list[str | None]:
    """Return what ``CUDA_VISIBLE_DEVICES`` is for each of several workers on this machine.

    Args:
        workers: How many.
        each: GPUs for each; None is an equal share of those that the environment names.
        environment: Such as ``os.environ``; what it shows is split and never replaced.

    Returns:
        A text for each worker, or None for one whose environment stays as it is.

    Raises:
        ConfigurationError: The environment shows fewer GPUs than are asked for.

    Example:
        >>> shares_of_gpus(2, 1, {"CUDA_VISIBLE_DEVICES": "4,5"})
        ['4', '5']
    """
    shown = shown_gpus(environment)
    if each is None:
        each = len(shown or ()) // workers
        if not each:
            return [None] * workers
    if shown is None:
        shown = [str(number) for number in range(workers * each)]
    if len(shown) < workers * each:
        raise ConfigurationError(
            f"{workers} workers with {each} GPUs each need {workers * each}, and "
            f"{VISIBLE}={environment[VISIBLE]} shows {len(shown)}; ask for fewer."
        )
    return [",".join(shown[i * each : (i + 1) * each]) for i in range(workers)]


def own_gpus(
    cluster: Cluster, gpus: Sequence[int], environment: Mapping[str, str] | None = None
) -> list[int]:
    """Return the GPUs that a worker takes of those that its process sees.

    Where several workers run on one machine and all see the same GPUs, each takes an equal share,
    in the order of the workers. SLURM tells by ``SLURM_GPUS_ON_NODE`` whether a task sees all GPUs
    of its node; where ``TF_CONFIG`` was written by hand, ``CUDA_VISIBLE_DEVICES`` means that
    somebody has chosen for this process.

    Args:
        cluster: The workers.
        gpus: The numbers of those that TensorFlow sees.
        environment: Such as ``os.environ``, which it is where None.

    Raises:
        ConfigurationError: There are fewer GPUs than workers that share them.
    """
    environment = os.environ if environment is None else environment
    rank, count = cluster.rank_on_host, cluster.count_on_host
    if count == 1 or not gpus or not _sees_those_of_others(len(gpus), environment):
        return list(gpus)

    each = len(gpus) // count
    if not each:
        raise ConfigurationError(
            f"{count} workers share a machine where TensorFlow sees {len(gpus)} GPUs: start no "
            "more workers than GPUs, or pass accelerator='cpu'."
        )
    return list(gpus[rank * each : (rank + 1) * each])


def _sees_those_of_others(seen: int, environment: Mapping[str, str]) -> bool:
    if OWN in environment:
        return environment[OWN] == "0"
    if "TF_CONFIG" in environment:
        return VISIBLE not in environment
    on_node = environment.get("SLURM_GPUS_ON_NODE", "")
    return not on_node.isdigit() or seen >= int(on_node)
