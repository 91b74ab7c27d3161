"""What TensorFlow and Keras say of themselves, read in a child: an import may crash or hang."""

from __future__ import annotations

import os
import re
from typing import Any

# Of TensorFlow's log, which tells why it registers no GPU.
TELLING = re.compile(
    r"Could not find cuda drivers|Cannot dlopen some GPU|failed call to cuInit|"
    r"jit-compiled from PTX|Could not load dynamic library|Skipping registering|"
    r"version does not match DSO|kernel reported driver version|Ignoring visible gpu device"
)
PREFIX = re.compile(r"^.*?\.cc:\d+\]\s*")


def main() -> dict[str, Any]:
    """Return versions, the build, the GPUs and their details, as plain data."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"  # what it tells is read

    import keras
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "folder": os.path.dirname(os.path.dirname(tf.__file__)),
        "build": dict(tf.sysconfig.get_build_info()),
        "gpus": [_details(tf, gpu) for gpu in gpus],
        "tf32": bool(tf.config.experimental.tensor_float_32_execution_enabled()),
    }


def _details(tf: Any, gpu: Any) -> dict[str, Any]:
    details = tf.config.experimental.get_device_details(gpu)
    return {
        "name": details.get("device_name", gpu.name),
        "capability": list(details.get("compute_capability", ())),
    }


def own_words(said: str) -> list[str]:
    """Return the lines of TensorFlow's log that tell about GPUs, without their prefix."""
    lines = [PREFIX.sub("", line).strip() for line in said.splitlines() if TELLING.search(line)]
    return list(dict.fromkeys(lines))
