"""NVIDIA's driver, by stand-ins for what the system tells of it."""

import pytest

from lightning_tf.doctor import driver as room
from lightning_tf.doctor.driver import check_driver, read_driver

KERNEL = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
    "GCC version:  gcc version 12.3.0\n"
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that makes a machine and returns what is read of it."""

    def make(cards=0, kernel="", smi=None):
        module, bus, programs = tmp_path / "version", tmp_path / "pci", tmp_path / "bin"
        if kernel:
            module.write_text(kernel)
        for number in range(cards):
            for name, text in (("vendor", "0x10de\n"), ("class", "0x030200\n")):
                (bus / str(number)).mkdir(parents=True, exist_ok=True)
                (bus / str(number) / name).write_text(text)
        (bus / "audio").mkdir(parents=True)  # a card's own sound device
        (bus / "audio" / "vendor").write_text("0x10de\n")
        (bus / "audio" / "class").write_text("0x040300\n")
        programs.mkdir()
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        if smi is not None:
            (programs / "nvidia-smi").write_text(f"#!/bin/sh\n{smi}\n")
            (programs / "nvidia-smi").chmod(0o755)
        return read_driver(module, bus)

    return make


def test_a_machine_without_a_card_needs_no_driver(machine):
    driver = machine()
    (found,) = check_driver(driver)
    assert found.status == "ok"
    assert not driver.is_expected


def test_a_card_without_a_driver_is_a_problem(machine):
    (found,) = check_driver(machine(cards=2))
    assert found.status == "problem"
    assert "NVIDIA cards on the bus: 2; no kernel module" in found.text
    assert "install NVIDIA's driver" in found.remedy


def test_a_container_without_the_toolkit_has_a_module_and_no_driver(machine):
    (found,) = check_driver(machine(cards=1, kernel=KERNEL))
    assert "kernel module 550.54.15" in found.text
    assert "docker run --gpus all" in found.remedy


def test_a_driver_that_was_updated_under_a_loaded_module_asks_for_a_restart(machine):
    smi = "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18"
    (found,) = check_driver(machine(cards=1, kernel=KERNEL, smi=smi))
    assert found.status == "problem"
    assert "restart the machine" in found.remedy


def test_nvidia_smi_that_hangs_is_given_up(machine, monkeypatch):
    monkeypatch.setattr(room, "SMI_SECONDS", 0.2)
    assert "did not end within" in machine(cards=1, smi="exec sleep 100").trouble


def test_cards_are_read_also_where_memory_is_not_told(machine):
    row = "NVIDIA H100, 560.35.03, [N/A], [N/A]"
    header = "| NVIDIA-SMI 560.35.03  Driver Version: 560.35.03  CUDA Version: 12.6 |"
    smi = f'case "$1" in --query*) echo "{row}";; *) echo "{header}";; esac'
    driver = machine(cards=1, kernel=KERNEL, smi=smi)
    assert (driver.cuda, driver.version, driver.kernel) == ("12.6", "560.35.03", "550.54.15")
    (found,) = check_driver(driver)
    assert found.status == "ok"
    assert "NVIDIA H100" in found.text
