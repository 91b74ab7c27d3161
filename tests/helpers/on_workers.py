"""Start worker processes on this machine that run a function of a test module."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from helpers.paths import SEARCHED

NOISE = ("oneDNN", "cudart", "absl::", "cpu_feature_guard", "To enable the following", "cuInit")


def start(function, folder, *arguments, workers=2, logical_cpus=1, launch=(), **popen):
    """Start workers that call ``module:function(folder, *arguments)`` and return the process."""
    script = [__file__, function, str(folder), str(logical_cpus), json.dumps(arguments)]
    command = [sys.executable, "-m", "lightning_tf", "launch", "--workers", str(workers)]
    command += ["--log-dir", os.path.join(folder, "logs")]
    paths = SEARCHED
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [*command, *launch, "--", *script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **popen,
    )


def run(function, folder, *arguments, timeout=120, code=0, **options):
    """Return what each worker's function returned, in order, and what all of them printed."""
    process = start(function, folder, *arguments, **options)
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()
        printed, _ = process.communicate()
        raise AssertionError(f"the workers did not end:\n{printed[-5000:]}") from None
    printed = "\n".join(x for x in printed.splitlines() if not any(n in x for n in NOISE))
    assert process.returncode == code, f"exit code {process.returncode}:\n{printed[-5000:]}"
    files = sorted(Path(folder).glob("worker_*.pickle"))
    # Written by this test's own processes a moment ago.
    return [pickle.loads(file.read_bytes()) for file in files], printed


def main():
    function, folder, logical_cpus, arguments = sys.argv[1:]
    import tensorflow as tf

    from lightning_tf.distribute.cluster import Cluster

    if int(logical_cpus) > 1:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * int(logical_cpus),
        )
    module, _, name = function.partition(":")
    result = getattr(import_module(module), name)(folder, *json.loads(arguments))
    index = Cluster.from_environment().index
    Path(folder, f"worker_{index}.pickle").write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    main()
