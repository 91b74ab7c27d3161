"""Which CUDA libraries the wheel of TensorFlow opens, and which of them are missing."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_tf.doctor.finding import Finding, ok, problem, warning

# The sonames by CUDA's major version. Without any of `NEEDED` TensorFlow registers no GPU; the
# others are opened when they are used: NCCL by several GPUs, CUPTI by the profiler.
NEEDED = {
    12: ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11",
         "cusparse.so.12"),
    13: ("cudart.so.13", "cublas.so.13", "cublasLt.so.13", "cufft.so.12", "cusolver.so.12",
         "cusparse.so.12"),
}  # fmt: skip
LATER = {12: ("nccl.so.2", "cupti.so.12"), 13: ("nccl.so.2", "cupti.so.13")}
LIBDEVICE = "nvidia/*/nvvm/libdevice/libdevice.10.bc"  # XLA's functions, of nvcc's package
INSTALL = "pip install 'lightning-tf[cuda]', which brings them beside TensorFlow"


def wanted_libraries(build: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the libraries without which there is no GPU, and those that are opened later.

    Args:
        build: ``tf.sysconfig.get_build_info()``.
    """
    major = int(str(build.get("cuda_version", "0")).split(".")[0] or 0)
    if major not in NEEDED:
        return [], []
    cudnn = str(build.get("cudnn_version", "9")).split(".")[0]
    needed = [*NEEDED[major], f"cudnn.so.{cudnn}"]
    return [f"lib{name}" for name in needed], [f"lib{name}" for name in LATER[major]]


def main(names: Sequence[str], folder: str) -> dict[str, str]:
    """Try to open libraries as the wheel would: beside it first, then where the system looks.

    Args:
        names: Of files.
        folder: The one that holds the package tensorflow.

    Returns:
        Why each that is missing cannot be opened.
    """
    missing = {}
    for name in names:
        beside = sorted(Path(folder).glob(f"nvidia/*/lib/{name}"))
        try:
            ctypes.CDLL(str(beside[0]) if beside else name)
        except OSError as error:
            missing[name] = str(error)
    return missing


def check_libraries(
    build: Mapping[str, Any], missing: Mapping[str, str], folder: str, is_gpu_expected: bool
) -> Iterator[Finding]:
    """Yield whether the wheel's CUDA libraries are there.

    Args:
        build: ``tf.sysconfig.get_build_info()``.
        missing: Of `main`.
        folder: The one that holds the package tensorflow.
        is_gpu_expected: A card without them is a problem; a machine without one needs none.
    """
    if not build.get("is_cuda_build"):
        yield ok("CUDA libraries", "this TensorFlow was built without CUDA and opens none")
        return
    needed, later = wanted_libraries(build)
    version = f"CUDA {build.get('cuda_version')}, cuDNN {build.get('cudnn_version')}"
    if not needed:
        text = f"not known which files {version} needs: they were not looked for"
        yield warning("CUDA libraries", text, "update lightning_tf")
        return

    lacking = [name for name in needed if name in missing]
    if lacking and not is_gpu_expected:
        yield ok("CUDA libraries", f"not installed ({', '.join(lacking)}); a CPU needs none")
        return
    if lacking:
        broken = [missing[name] for name in lacking if "cannot open shared object" in missing[name]]
        why = "" if len(broken) == len(lacking) else f"; {missing[lacking[0]]}"
        yield problem(
            "CUDA libraries", f"missing for {version}: {', '.join(lacking)}{why}", INSTALL
        )
    else:
        yield ok("CUDA libraries", f"all {len(needed)} of {version} can be opened")
    for name in later:
        if name in missing and is_gpu_expected:
            use = "several GPUs" if "nccl" in name else "the profiler"
            yield warning("CUDA libraries", f"{name} is missing, for {use}", INSTALL)
    if is_gpu_expected and not any(Path(folder).glob(LIBDEVICE)):
        text = "libdevice.10.bc is not beside TensorFlow: XLA (jit_compile) may not find it"
        remedy = f"{INSTALL}; or XLA_FLAGS=--xla_gpu_cuda_data_dir=/usr/local/cuda"
        yield warning("CUDA libraries", text, remedy)
