"""choose_devices: accelerator and devices, as a user names them, to TensorFlow's names."""

import logging
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lightning_tf.checks import checked_choice, is_integer
from lightning_tf.distribute.cluster import Cluster
from lightning_tf.distribute.visible_devices import own_gpus
from lightning_tf.exceptions import ConfigurationError

log = logging.getLogger("lightning_tf")

ACCELERATORS = ("auto", "cpu", "gpu")


def choose_devices(
    accelerator: str, devices: Any, cluster: Cluster | None = None
) -> tuple[str, ...]:
    """Choose the devices of a run, without starting TensorFlow where that can be avoided.

    GPUs get memory growth, so that a run takes what it needs and not all there is, and those that
    it does not take are hidden from TensorFlow, which would open a context on each. Workers on one
    machine that see the same GPUs take equal shares of them. Several CPUs become logical devices of
    the one that there is.

    Args:
        accelerator: ``auto``, ``cpu`` or ``gpu``.
        devices: A count, ``auto``, -1 for all, or a list of GPU numbers.
        cluster: The workers, where there are several.

    Raises:
        ConfigurationError: There is no such device, or TensorFlow runs already with other ones.

    Example:
        >>> choose_devices("cpu", 1)
        ('/CPU:0',)
    """
    checked_choice("accelerator", accelerator, ACCELERATORS)

    # Listing GPUs starts nothing; listing logical devices would.
    gpus = [] if accelerator == "cpu" else _gpus()
    if accelerator == "gpu" and not gpus:
        raise ConfigurationError(
            "accelerator='gpu': TensorFlow sees no GPU; install a build with CUDA, or pass "
            "accelerator='cpu'."
        )

    is_list = isinstance(devices, Sequence) and not isinstance(devices, str)
    if is_list and not gpus:
        why = "accelerator='cpu' takes none" if accelerator == "cpu" else "TensorFlow sees none"
        raise ConfigurationError(
            f"devices={devices!r}: a list takes GPUs by number, and {why}; give a count, such as 1."
        )
    everything = list(range(len(gpus)))
    own = everything if cluster is None or is_list else own_gpus(cluster, everything)
    numbers = _numbers(devices, len(own))
    if not gpus:
        # One CPU needs no configuration, and so none that comes too late.
        if len(numbers) > 1:
            _configure_logical_cpus(len(numbers))
        return tuple(f"/CPU:{number}" for number in numbers)

    missing = [number for number in numbers if number >= len(own)]
    if missing:
        sees = "TensorFlow sees" if len(own) == len(gpus) else "this worker's share is"
        raise ConfigurationError(
            f"devices={devices!r}: {sees} {len(own)} GPUs, numbered from 0; there is no GPU "
            f"{missing[0]}."
        )
    chosen = [own[number] for number in numbers]
    if len(own) < len(gpus):
        log.info("this worker takes GPUs %s of %d that it sees.", chosen, len(gpus))
    _grow_memory(gpus)
    return _show_only([gpus[number] for number in chosen])


def _numbers(devices: Any, gpus: int) -> list[int]:
    """Return the numbers of the devices; `gpus` is 0 where the run is on the CPU."""
    if isinstance(devices, str) and devices.lstrip("-").isdigit():
        devices = int(devices)

    if devices in ("auto", -1) and not isinstance(devices, bool):
        return list(range(gpus or 1))
    if is_integer(devices, 1):
        return list(range(devices))
    if isinstance(devices, Sequence) and not isinstance(devices, str) and devices:
        numbers = list(devices)
        if all(is_integer(n, 0) for n in numbers) and len(set(numbers)) == len(numbers):
            return numbers

    raise ConfigurationError(
        f"devices={devices!r}: give a count from 1, 'auto', -1 for all, or a list of different GPU "
        "numbers."
    )


def _configure_logical_cpus(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    configured = tf.config.get_logical_device_configuration(cpu)
    if configured is not None and len(configured) >= count:
        return

    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError:  # TensorFlow runs already, and says so in its own words
        running = len(tf.config.list_logical_devices("CPU"))
        if running >= count:
            return

        raise ConfigurationError(
            f"devices={count}: TensorFlow runs already, with {running} logical CPU device"
            f"{'s' if running > 1 else ''}, and cannot add any. Make the Trainer before anything "
            "that computes, or call tf.config.set_logical_device_configuration at the start."
        ) from None


_shown: list[Any] = []  # the GPUs that a Trainer shows, and so not a user's choice


def _gpus() -> list[Any]:
    """Return all GPUs, or those that the user has chosen by `tf.config.set_visible_devices`."""
    gpus: list[Any] = tf.config.list_physical_devices("GPU")
    visible = tf.config.get_visible_devices("GPU") if gpus else []
    return visible if visible not in (gpus, _shown) else gpus


def _show_only(gpus: list[Any]) -> tuple[str, ...]:
    """Hide all other GPUs, and return the names of these, which count the visible ones.

    Raises:
        ConfigurationError: TensorFlow runs already, and one of them is hidden.
    """
    try:
        tf.config.set_visible_devices(gpus, "GPU")
        _shown[:] = gpus
    except RuntimeError:  # TensorFlow runs already, and may show more: no harm but their contexts
        log.debug("TensorFlow runs already: other GPUs stay visible")
    visible = tf.config.get_visible_devices("GPU")
    hidden = [gpu.name for gpu in gpus if gpu not in visible]
    if hidden:
        raise ConfigurationError(
            f"{hidden[0]} was hidden when TensorFlow began to run; make the Trainer that takes "
            "most GPUs first, or start a new process."
        )
    return tuple(f"/GPU:{visible.index(gpu)}" for gpu in gpus)


def _grow_memory(gpus: list[Any]) -> None:
    try:
        for gpu in gpus:  # TensorFlow wants the same for all of them
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        log.debug("memory growth stays as it is: %s", error)
