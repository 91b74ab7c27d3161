"""What TensorFlow sees of the GPUs, why not, and how it will run on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_tf.distribute.visible_devices import VISIBLE, shown_gpus
from lightning_tf.doctor.cuda_libraries import INSTALL
from lightning_tf.doctor.driver import Driver
from lightning_tf.doctor.finding import Finding, ok, problem, warning

GROWTH, PTX_CACHE = "TF_FORCE_GPU_ALLOW_GROWTH", "CUDA_CACHE_PATH"
FALSE = ("false", "0")
AMPERE = (8, 0)  # the first with TF32


def check_devices(
    info: Mapping[str, Any],
    driver: Driver,
    missing: Sequence[str],
    environment: Mapping[str, str],
    words: Sequence[str] = (),
) -> Iterator[Finding]:
    """Yield which GPUs TensorFlow sees; where there is none, each reason with its remedy.

    Args:
        info: Of `tensorflow_info`.
        driver: What the system tells.
        missing: CUDA libraries that cannot be opened.
        environment: Such as ``os.environ``.
        words: TensorFlow's own about it.
    """
    gpus = info["gpus"]
    if gpus:
        names = ", ".join(f"{number}: {gpu['name']}" for number, gpu in enumerate(gpus))
        yield ok("devices", f"TensorFlow sees {len(gpus)} GPU{'s' * (len(gpus) > 1)} ({names})")
        hidden = len(driver.cards) - len(gpus)
        if hidden > 0 and shown_gpus(environment) is None:
            text = f"nvidia-smi lists {len(driver.cards)} GPUs, {hidden} more than TensorFlow sees"
            yield warning("devices", text, f"TensorFlow says: {' '.join(words) or 'nothing'}")
        return
    if not driver.is_expected:
        yield ok("devices", "TensorFlow sees the CPU; there is no GPU to see")
        return

    reasons = list(_reasons(info["build"], driver, missing, environment))
    for text, remedy in reasons:
        yield problem("devices", f"TensorFlow sees no GPU: {text}", remedy)
    if not reasons:
        text = f"TensorFlow sees no GPU and says: {' '.join(words) or 'nothing'}"
        yield problem("devices", text, "see https://www.tensorflow.org/install/gpu")


def _reasons(
    build: Mapping[str, Any],
    driver: Driver,
    missing: Sequence[str],
    environment: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    if shown_gpus(environment) == []:
        yield f"{VISIBLE}={environment[VISIBLE]!r} hides all", f"unset {VISIBLE}"
    if not build.get("is_cuda_build"):
        yield "this wheel was built without CUDA", f"pip uninstall tensorflow-cpu; {INSTALL}"
    if not driver.cards:
        yield f"the driver does not answer ({driver.trouble})", "see the line 'driver'"
    if build.get("is_cuda_build") and driver.cuda:
        wheel = str(build.get("cuda_version", ""))
        if _version(driver.cuda)[:1] < _version(wheel)[:1]:
            text = f"driver {driver.version} runs CUDA up to {driver.cuda}, the wheel has {wheel}"
            yield text, f"update NVIDIA's driver to one for CUDA {wheel.split('.')[0]} or later"
    if missing:
        yield f"CUDA libraries are missing: {', '.join(missing)}", INSTALL


def check_driver_age(build: Mapping[str, Any], driver: Driver) -> Iterator[Finding]:
    """Yield a warning where the driver is older than the wheel's CUDA within a major version.

    What was compiled for the card runs by CUDA's minor version compatibility; PTX of a newer CUDA
    does not.
    """
    wheel, installed = _version(str(build.get("cuda_version", ""))), _version(driver.cuda)
    if (
        build.get("is_cuda_build")
        and installed
        and installed[:1] == wheel[:1]
        and installed[:2] < wheel[:2]
    ):
        text = f"the driver's CUDA {driver.cuda} is older than the wheel's {build['cuda_version']}"
        remedy = "what is compiled at run time (PTX, XLA) may fail: update the driver"
        yield warning("driver", text, remedy)


def check_capabilities(
    gpus: Sequence[Mapping[str, Any]], build: Mapping[str, Any], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield for each GPU whether the wheel has machine code for it, PTX, or neither.

    ``sm_80`` is machine code, which runs on 8.0 to 8.9; ``compute_90`` is that and PTX, which the
    driver of any later GPU compiles.

    Args:
        gpus: Of `tensorflow_info`.
        build: ``tf.sysconfig.get_build_info()``, with ``cuda_compute_capabilities``.
        environment: Such as ``os.environ``.
    """
    listed = [str(entry) for entry in build.get("cuda_compute_capabilities", ())]
    codes = [_capability(entry) for entry in listed]
    ptx = [_capability(entry) for entry in listed if entry.startswith("compute_")]
    for number, gpu in enumerate(gpus):
        installed = tuple(gpu["capability"])
        name = f"GPU {number} ({gpu['name']}) has {'.'.join(map(str, installed)) or 'unknown'}"
        if not installed or not listed:
            yield warning("compute capability", f"{name}; the wheel tells of none", INSTALL)
        elif any(code[0] == installed[0] and code <= installed for code in codes):
            yield ok("compute capability", f"{name}: the wheel has machine code for it")
        elif any(code <= installed for code in ptx):
            cache = environment.get(PTX_CACHE, "~/.nv/ComputeCache")
            text = f"{name}, the wheel {' '.join(listed)}: PTX is compiled at the first run"
            remedy = (
                f"that takes minutes, up to 30 by TensorFlow's word, and is kept in {cache}: let "
                "it last between runs, with CUDA_CACHE_MAXSIZE=4294967296"
            )
            yield warning("compute capability", text, remedy)
        else:
            text = f"{name}, the wheel {' '.join(listed)}: no kernel of it runs there"
            remedy = "take another GPU, or a TensorFlow that was built for this one"
            yield problem("compute capability", text, remedy)


def check_memory_growth(
    gpus: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield how a run takes a GPU's memory."""
    forced = environment.get(GROWTH, "").strip().lower()
    if forced in FALSE:
        text = f"{GROWTH}={environment[GROWTH]} outweighs the Trainer: all memory is taken at once"
        yield warning("memory growth", text, f"unset {GROWTH}")
    elif gpus:
        yield ok("memory growth", "the Trainer lets a run take memory as it needs it")
    else:
        yield ok("memory growth", "of GPUs alone; a CPU needs none")


def check_tf32(gpus: Sequence[Mapping[str, Any]], is_on: bool) -> Iterator[Finding]:
    """Yield what float32 means for matrix products and convolutions."""
    have = [gpu for gpu in gpus if tuple(gpu["capability"]) >= AMPERE]
    if not have:
        yield ok("TF32", "of GPUs from compute capability 8.0 on; float32 is float32 here")
    elif is_on:
        yield ok(
            "TF32",
            "on: float32 products keep 10 bits of their factors; Trainer("
            "float32_matmul_precision='highest') keeps all",
        )
    else:
        yield ok("TF32", "off: float32 products are float32, and slower than in TF32")


def _capability(entry: str) -> tuple[int, int]:
    digits = re.sub(r"\D", "", entry)
    return int(digits[:-1] or 0), int(digits[-1:] or 0)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
