"""choose_placement: accelerator, devices and strategy, as a user names them, to a placement."""

from functools import partial
from typing import Any

import tensorflow as tf

from lightning_tf.distribute.central_replicas import CentralReplicas
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.custom_strategy import (
    check_strategy,
    is_default,
    is_strategy,
    shares_variables,
)
from lightning_tf.distribute.devices import choose_devices
from lightning_tf.distribute.gradient_reduction import GradientReduction
from lightning_tf.distribute.mirrored_strategy import get_mirrored_strategy
from lightning_tf.distribute.multi_worker_strategy import join_workers
from lightning_tf.distribute.placement import Placement
from lightning_tf.distribute.replicas import Replicas
from lightning_tf.distribute.single_device import SingleDevice
from lightning_tf.distribute.workers import HEARTBEAT_SECONDS, SINGLE_WORKER, Workers
from lightning_tf.exceptions import ConfigurationError, nearest

STRATEGIES = ("auto", "mirrored", "multi_worker")


def choose_placement(
    accelerator: str,
    devices: Any,
    strategy: Any,
    reduction: GradientReduction = GradientReduction(),  # noqa: B008 -- frozen
    heartbeat_timeout: float = HEARTBEAT_SECONDS,
) -> Placement:
    """Choose where a run computes.

    Args:
        accelerator: ``auto`` takes GPUs where there are any; ``cpu`` or ``gpu``.
        devices: How many; ``auto`` (all GPUs, or one CPU), -1 (all), or a list of GPU numbers.
            Several CPUs are logical devices of the one that there is.
        strategy: ``auto`` (the strategy whose scope is open, ``multi_worker`` where the environment
            tells of several workers, else none on one device and ``mirrored`` on several),
            ``mirrored``, ``multi_worker``, or any `tf.distribute.Strategy` whose replicas train in
            step, which brings its own devices.
        reduction: How gradients travel between replicas.
        heartbeat_timeout: Seconds of silence after which a worker is lost to the others.

    Raises:
        ConfigurationError: There is no such device, a name is unknown, or the strategy cannot
            train.

    Example:
        >>> choose_placement("cpu", 1, "auto").num_replicas
        1
    """
    if strategy == "auto" and tf.distribute.has_strategy():  # around all, as fit is told of it
        strategy = tf.distribute.get_strategy()
    if is_strategy(strategy):
        check_strategy(strategy, accelerator, devices)
        if heartbeat_timeout != HEARTBEAT_SECONDS:
            raise ConfigurationError(
                f"heartbeat_timeout={heartbeat_timeout:g} with a strategy of your own, which has "
                "joined its workers already: give strategy='multi_worker', or leave it out."
            )
        if is_default(strategy):  # TensorFlow's object for no strategy
            return SingleDevice(*choose_devices("auto", 1))

        return _place_replicas(strategy, Cluster.from_strategy(strategy), reduction)

    if strategy not in STRATEGIES:
        raise ConfigurationError(
            f"strategy={strategy!r} is unknown.{nearest(str(strategy), STRATEGIES)} A "
            "tf.distribute.Strategy object works too."
        )
    cluster = None if strategy == "mirrored" else Cluster.from_environment()
    if cluster is None and strategy == "multi_worker":
        raise ConfigurationError(
            "strategy='multi_worker': neither TF_CONFIG nor SLURM nor LIGHTNING_TF_WORKERS tells "
            "of several workers; "
            "start the script with `lightning-tf launch --workers 2 -- script.py`, with srun, "
            "or with TF_CONFIG set."
        )

    names = choose_devices(accelerator, devices, cluster)
    if cluster is not None:
        # At once: TensorFlow joins workers before it runs anything, or never.
        joined = join_workers(cluster, names, heartbeat_timeout)
        return _place_replicas(joined, cluster, reduction, heartbeat_timeout)
    if len(names) == 1 and strategy == "auto":
        return SingleDevice(*names)
    make_strategy = partial(get_mirrored_strategy, names)
    return Replicas(names, len(names), SINGLE_WORKER, make_strategy, reduction)


def _place_replicas(
    strategy: tf.distribute.Strategy,
    cluster: Cluster | None,
    reduction: GradientReduction,
    heartbeat_timeout: float = HEARTBEAT_SECONDS,
) -> Replicas:
    # Central only where one process has all replicas: on workers a variable takes a sum over all.
    is_central = cluster is None and shares_variables(strategy)
    return (CentralReplicas if is_central else Replicas)(
        tuple(strategy.extended.worker_devices),
        int(strategy.num_replicas_in_sync),
        Workers(cluster, strategy, heartbeat_timeout),
        lambda: strategy,
        reduction,
    )
