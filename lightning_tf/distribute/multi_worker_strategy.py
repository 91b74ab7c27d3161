"""join_workers: the strategy of a cluster's workers, made before TensorFlow runs anything."""

from __future__ import annotations

import logging
from functools import cache

import tensorflow as tf

# TensorFlow has no public names for these: what a worker computes on, and when it counts as lost.
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
from tensorflow.python.eager import context

from lightning_tf.distribute.cluster import Cluster
from lightning_tf.exceptions import ConfigurationError

log = logging.getLogger("lightning_tf")

REGISTER_MS = 10 * 60_000  # workers of a job need not start at the same moment
HEARTBEAT_MS = 20_000  # a worker that is silent for so long is lost to the others
SHUTDOWN_MS = 5_000  # how long a worker that ends waits for others to end too


class _Extended(CollectiveAllReduceExtended):  # type: ignore[misc]
    """TensorFlow's, on the devices that were asked for; it takes all GPUs itself, or one CPU."""

    local_devices: tuple[str, ...] = ()

    def _initialize_local_devices(
        self, cluster_resolver: object, worker_device: str
    ) -> tuple[tuple[str, ...], str]:
        kind = "GPU" if "GPU" in self.local_devices[0] else "CPU"
        numbers = [name.rsplit(":", 1)[-1] for name in self.local_devices]
        return tuple(f"{worker_device}/device:{kind}:{number}" for number in numbers), kind


@cache
def join_workers(cluster: Cluster, devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Return the one strategy of a process that is a worker, once every worker is there.

    Args:
        cluster: All workers.
        devices: Of this worker, such as ``/GPU:0``; every worker needs as many.

    Raises:
        ConfigurationError: TensorFlow runs already, or runs for another cluster or other devices.
    """
    spec = tf.train.ClusterSpec({"worker": list(cluster.addresses)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type="worker", task_id=cluster.index, rpc_layer="grpc"
    )
    if context.context()._context_handle is not None:
        raise ConfigurationError(
            f"there are {len(cluster.addresses)} workers, but TensorFlow runs already in this one "
            "and cannot join them any more: make the Trainer before anything that computes, such "
            "as a model, an optimizer or a tensor, and once with the same devices in a process."
        )

    jobs = [coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=len(cluster.addresses))]
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=REGISTER_MS,
        heartbeat_timeout_in_ms=HEARTBEAT_MS,
        shutdown_barrier_timeout_in_ms=SHUTDOWN_MS,
        coordinated_jobs=jobs,
    )

    log.info("worker %d of %d waits for the others", cluster.index, len(cluster.addresses))

    # Past MultiWorkerMirroredStrategy.__init__, which makes an extended object of its own.
    kind = type("_Extended", (_Extended,), {"local_devices": devices})
    strategy = tf.distribute.MultiWorkerMirroredStrategy.__new__(
        tf.distribute.MultiWorkerMirroredStrategy
    )
    options = tf.distribute.experimental.CommunicationOptions()
    tf.distribute.Strategy.__init__(
        strategy, kind(strategy, cluster_resolver=resolver, communication_options=options)
    )
    return strategy
