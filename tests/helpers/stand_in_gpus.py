"""GPUs for the list that TensorFlow gives of them: nothing can compute on them."""

from collections import namedtuple

import tensorflow as tf

Device = namedtuple("Device", "name device_type")


class StandInGpus:
    """What `tf.config` says of GPUs, and remembers of those that are visible."""

    def __init__(self, count):
        self.physical = [Device(f"/physical_device:GPU:{i}", "GPU") for i in range(count)]
        self.visible = list(self.physical)
        self.is_running = False

    def install(self, monkeypatch):
        """Let `tf.config` tell of these."""
        list_devices = tf.config.list_physical_devices
        monkeypatch.setattr(
            tf.config,
            "list_physical_devices",
            lambda kind=None: list(self.physical) if kind == "GPU" else list_devices(kind),
        )
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: list(self.visible))
        monkeypatch.setattr(tf.config, "set_visible_devices", self._show)
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: None)

    def _show(self, devices, kind):
        if self.is_running and list(devices) != self.visible:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        self.visible = list(devices)
