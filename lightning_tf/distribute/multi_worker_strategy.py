"""join_workers: the strategy of a cluster's workers, made before TensorFlow runs anything."""

import logging

import tensorflow as tf

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.workers import HEARTBEAT_SECONDS
from lightning_tf.exceptions import ConfigurationError
from lightning_tf.tensorflow_internals import has_started, make_multi_worker_strategy

log = logging.getLogger("lightning_tf")

REGISTER_MS = 10 * 60_000  # workers of a job need not start at the same moment
SHUTDOWN_MS = 5_000  # how long a worker that ends waits for others to end too


_joined: dict[tuple[Cluster, tuple[str, ...]], tuple[tf.distribute.Strategy, float]] = {}


def join_workers(
    cluster: Cluster, devices: tuple[str, ...], heartbeat_timeout: float = HEARTBEAT_SECONDS
) -> tf.distribute.Strategy:
    """Return the one strategy of a process that is a worker, once every worker is there.

    Args:
        cluster: All workers.
        devices: Of this worker, such as ``/GPU:0``; every worker needs as many.
        heartbeat_timeout: Seconds of silence after which a worker is lost to the others.

    Raises:
        ConfigurationError: TensorFlow runs already, or runs for another cluster, other devices or
            another timeout.
    """
    strategy, timeout = _joined.get((cluster, devices), (None, heartbeat_timeout))
    if timeout != heartbeat_timeout:
        raise ConfigurationError(
            f"heartbeat_timeout={heartbeat_timeout:g}, but this process has joined the others with "
            f"{timeout:g}, which holds until it ends: give every Trainer the same."
        )
    if strategy is None:
        strategy = _join(cluster, devices, heartbeat_timeout)
        _joined[cluster, devices] = strategy, heartbeat_timeout
    return strategy


def _join(
    cluster: Cluster, devices: tuple[str, ...], heartbeat_timeout: float
) -> tf.distribute.Strategy:
    spec = tf.train.ClusterSpec({"worker": list(cluster.addresses)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type="worker", task_id=cluster.index, rpc_layer="grpc"
    )
    if has_started():
        raise ConfigurationError(
            f"there are {len(cluster.addresses)} workers, but TensorFlow runs already in this one "
            "and cannot join them any more: make the Trainer before anything that computes, such "
            "as a model, an optimizer or a tensor, and once with the same devices in a process."
        )

    log.info("worker %d of %d waits for the others", cluster.index, len(cluster.addresses))
    return make_multi_worker_strategy(
        resolver,
        len(cluster.addresses),
        devices,
        cluster_register_timeout_in_ms=REGISTER_MS,
        heartbeat_timeout_in_ms=round(1000 * heartbeat_timeout),
        shutdown_barrier_timeout_in_ms=SHUTDOWN_MS,
    )
