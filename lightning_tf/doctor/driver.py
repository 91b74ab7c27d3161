"""Driver: NVIDIA's cards, kernel module and driver, as the system tells of them."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_tf.doctor.finding import Finding, ok, problem, warning

KERNEL = Path("/proc/driver/nvidia/version")
PCI = Path("/sys/bus/pci/devices")
VENDOR, DISPLAY = "0x10de", "0x03"  # NVIDIA; the class of GPUs
SMI_SECONDS = 20.0  # it hangs where a GPU has fallen off the bus
FIELDS = "name,driver_version,memory.total,memory.used"
BUSY = 0.2  # share of a GPU's memory that somebody else has


@dataclass(frozen=True)
class Card:
    """A GPU as nvidia-smi tells of it; memory in MiB."""

    name: str
    total: float
    used: float


@dataclass(frozen=True)
class Driver:
    """What the system tells of NVIDIA.

    Attributes:
        on_bus: Cards on the PCI bus, with a driver or without.
        kernel: Version of the kernel module; empty where none is loaded.
        version: Of the driver, as nvidia-smi tells.
        cuda: The newest CUDA that the driver runs, such as ``12.4``.
        cards: As nvidia-smi tells.
        trouble: Why nvidia-smi tells nothing.
    """

    on_bus: int = 0
    kernel: str = ""
    version: str = ""
    cuda: str = ""
    cards: tuple[Card, ...] = ()
    trouble: str = ""

    @property
    def is_expected(self) -> bool:
        """Return whether there is any sign of a card."""
        return bool(self.on_bus or self.kernel or self.cards)


def read_driver(kernel: Path = KERNEL, pci: Path = PCI) -> Driver:
    """Read what there is.

    Args:
        kernel: The file of the kernel module.
        pci: The folder with the PCI bus's devices.
    """
    module = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", _text(kernel))
    on_bus = sum(
        _text(device / "vendor").strip() == VENDOR and _text(device / "class").startswith(DISPLAY)
        for device in (pci.iterdir() if pci.is_dir() else ())
    )
    system = Driver(on_bus, module[1] if module else "")
    if shutil.which("nvidia-smi") is None:
        return replace(system, trouble="there is no nvidia-smi")

    text, trouble = _smi(f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits")
    if trouble:
        return replace(system, trouble=trouble)
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    cards = tuple(Card(row[0], _number(row[2]), _number(row[3])) for row in rows)
    header = re.search(r"CUDA Version:\s*([\d.]+)", _smi()[0])
    version = rows[0][1] if rows else ""
    return replace(system, version=version, cuda=header[1] if header else "", cards=cards)


def check_driver(driver: Driver) -> Iterator[Finding]:
    """Yield what there is of cards and driver, and which cards others are using."""
    if not driver.is_expected:
        yield ok("driver", f"no NVIDIA GPU on this machine ({driver.trouble or 'none listed'})")
        return
    if not driver.cards:
        module = f"kernel module {driver.kernel}" if driver.kernel else "no kernel module loaded"
        text = f"NVIDIA cards on the bus: {driver.on_bus}; {module}; {driver.trouble}"
        yield problem("driver", text, _remedy(driver))
        return

    cards = ", ".join(f"{card.name} ({card.total / 1024:.0f} GiB)" for card in driver.cards)
    yield ok("driver", f"{driver.version}, runs CUDA up to {driver.cuda or 'unknown'}: {cards}")
    for number, card in enumerate(driver.cards):
        if card.total and card.used / card.total > BUSY:
            text = f"GPU {number} has {card.used / 1024:.1f} of {card.total / 1024:.0f} GiB in use"
            remedy = "nvidia-smi tells by whom; take another one: CUDA_VISIBLE_DEVICES=N"
            yield warning("driver", text, remedy)


def _remedy(driver: Driver) -> str:
    if "mismatch" in driver.trouble:
        return "the driver was updated while it was loaded: restart the machine"
    if driver.kernel:
        return "in a container: docker run --gpus all (nvidia-container-toolkit); else reinstall"
    return "install NVIDIA's driver: ubuntu-drivers install, or that of your distribution"


def _smi(*arguments: str) -> tuple[str, str]:
    """Return what nvidia-smi prints, and why it failed."""
    try:
        done = subprocess.run(
            ["nvidia-smi", *arguments],
            capture_output=True,
            text=True,
            timeout=SMI_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return "", f"nvidia-smi did not end within {SMI_SECONDS:.0f} s"
    except OSError as error:
        return "", f"nvidia-smi cannot be run: {error}"
    said = " ".join((done.stdout + done.stderr).split())
    return (done.stdout, "") if done.returncode == 0 else ("", f"nvidia-smi: {said[:200]}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # [N/A] of a MIG instance
        return 0.0
