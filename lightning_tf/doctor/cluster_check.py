"""check_cluster: the workers that the environment tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.doctor.finding import Finding, ok, problem, warning
from lightning_tf.exceptions import ConfigurationError


def check_cluster(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which workers the environment tells of, and which this one is.

    Args:
        environment: Such as ``os.environ``.
    """
    try:
        cluster = Cluster.from_environment(environment)
    except (ConfigurationError, ValueError) as error:
        yield problem("cluster", str(error), "correct the variables, or unset them")
        return
    if cluster is None:
        yield ok("cluster", "neither TF_CONFIG nor SLURM tells of several workers: one process")
    else:
        source = "TF_CONFIG" if "TF_CONFIG" in environment else "SLURM"
        place = f"{cluster.index} of {len(cluster.addresses)}, {cluster.address}"
        local = f"{cluster.count_on_host} on this machine"
        yield ok("cluster", f"{source}: this is worker {place}; {local}")
    if cluster is None and "SLURM_JOB_ID" in environment and "SLURM_PROCID" not in environment:
        text = "inside a SLURM job, but outside srun: this process is no worker"
        yield warning("cluster", text, "srun lightning-tf doctor asks each of the workers")
