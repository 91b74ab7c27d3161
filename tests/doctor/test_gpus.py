"""What TensorFlow sees of GPUs and why not, told from what it and the driver say."""

import pytest

from lightning_tf.doctor.cuda_libraries import check_libraries, main, wanted_libraries
from lightning_tf.doctor.driver import Card, Driver
from lightning_tf.doctor.gpus import (
    check_capabilities,
    check_devices,
    check_driver_age,
    check_memory_growth,
    check_tf32,
)
from lightning_tf.doctor.visible import check_visible_devices

BUILD = {  # of TensorFlow 2.21's wheel
    "is_cuda_build": True,
    "cuda_version": "12.5.1",
    "cudnn_version": "9",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}
CARD = Card("NVIDIA A100", 81920.0, 10.0)
GOOD = Driver(on_bus=1, kernel="560.35", version="560.35", cuda="12.6", cards=(CARD,))


def gpu(*capability):
    return {"name": "a GPU", "capability": list(capability)}


def reasons(driver=GOOD, build=BUILD, missing=(), environment=None, words=()):
    facts = {"gpus": [], "build": build}
    return list(check_devices(facts, driver, missing, environment or {}, words))


def test_a_machine_without_a_card_misses_nothing():
    (found,) = reasons(Driver())
    assert found.status == "ok"


@pytest.mark.parametrize(
    ("given", "text", "remedy"),
    [
        ({"build": {"is_cuda_build": False}}, "built without CUDA", "lightning-tf[cuda]"),
        ({"missing": ["libcudnn.so.9"]}, "missing: libcudnn.so.9", "lightning-tf[cuda]"),
        ({"environment": {"CUDA_VISIBLE_DEVICES": ""}}, "hides all", "unset"),
        (
            {"driver": Driver(1, "470.1", "470.1", "11.4", (CARD,))},
            "driver 470.1 runs CUDA up to 11.4, the wheel has 12.5.1",
            "update NVIDIA's driver",
        ),
        ({"driver": Driver(on_bus=1, trouble="there is no nvidia-smi")}, "not answer", "driver"),
        ({"words": ["failed call to cuInit"]}, "says: failed call to cuInit", "tensorflow.org"),
    ],
)
def test_each_reason_why_no_gpu_is_seen_has_its_remedy(given, text, remedy):
    (found,) = reasons(**given)
    assert found.status == "problem"
    assert text in found.text
    assert remedy in found.remedy


def test_all_reasons_are_told_at_once():
    old = Driver(1, "470.1", "470.1", "11.4", (CARD,))
    found = reasons(old, missing=["libcudart.so.12"], environment={"CUDA_VISIBLE_DEVICES": "-1"})
    assert len(found) == 3


def test_gpus_that_tensorflow_leaves_out_are_told():
    facts = {"gpus": [gpu(8, 0)], "build": BUILD}
    two = Driver(2, "560", "560", "12.6", (CARD, CARD))
    seen, hidden = check_devices(facts, two, (), {})
    assert seen.status == "ok"
    assert "1 more than TensorFlow sees" in hidden.text
    assert len(list(check_devices(facts, two, (), {"CUDA_VISIBLE_DEVICES": "1"}))) == 1


@pytest.mark.parametrize(
    ("capability", "status"),
    [
        ((8, 0), "ok"),
        ((8, 6), "ok"),  # machine code of 8.0 runs on it
        ((7, 5), "ok"),
        ((9, 0), "ok"),
        ((12, 0), "warning"),  # PTX alone
        ((5, 2), "problem"),
    ],
)
def test_a_capability_is_compared_with_the_code_and_the_ptx_of_the_wheel(capability, status):
    (found,) = check_capabilities([gpu(*capability)], BUILD, {})
    assert found.status == status


def test_the_cache_of_compiled_ptx_is_named():
    (found,) = check_capabilities([gpu(10, 0)], BUILD, {"CUDA_CACHE_PATH": "/scratch/nv"})
    assert "/scratch/nv" in found.remedy
    assert "minutes" in found.remedy


def test_a_driver_older_within_a_major_version_warns_of_what_is_compiled_later():
    (found,) = check_driver_age(BUILD, Driver(1, "535", "535", "12.2", (CARD,)))
    assert "12.2 is older than the wheel's 12.5.1" in found.text
    assert list(check_driver_age(BUILD, GOOD)) == []


def test_the_libraries_of_the_wheel_are_named_by_its_versions():
    needed, later = wanted_libraries(BUILD)
    assert {"libcudart.so.12", "libcudnn.so.9", "libcufft.so.11"} <= set(needed)
    assert "libnccl.so.2" in later
    assert "libcudart.so.13" in wanted_libraries({**BUILD, "cuda_version": "13.0"})[0]


def test_a_missing_library_is_a_problem_only_where_there_is_a_card(tmp_path):
    missing = main(["libcudart.so.12", "libm.so.6", "libnccl.so.2"], str(tmp_path))
    assert set(missing) == {"libcudart.so.12", "libnccl.so.2"}
    (found,) = check_libraries(BUILD, missing, str(tmp_path), is_gpu_expected=False)
    assert found.status == "ok"
    first, *others = check_libraries(BUILD, missing, str(tmp_path), is_gpu_expected=True)
    assert first.status == "problem"
    assert first.text.endswith("missing for CUDA 12.5.1, cuDNN 9: libcudart.so.12")
    assert [found.status for found in others] == ["warning", "warning"]


def test_a_library_beside_tensorflow_is_the_one_that_is_opened(tmp_path):
    file = tmp_path / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no library")
    why = main(["libcudnn.so.9"], str(tmp_path))["libcudnn.so.9"]
    assert str(file) in why
    (found, *_) = check_libraries(BUILD, {"libcudnn.so.9": why}, str(tmp_path), True)
    assert str(file) in found.text


def test_growth_that_is_forced_off_is_told():
    (found,) = check_memory_growth([gpu(8, 0)], {"TF_FORCE_GPU_ALLOW_GROWTH": "false"})
    assert found.status == "warning"


def test_tf32_is_told_where_the_gpu_has_it():
    assert "on: float32 products" in next(check_tf32([gpu(8, 0)], True)).text
    assert "off" in next(check_tf32([gpu(8, 0)], False)).text
    assert "float32 is float32" in next(check_tf32([gpu(7, 5)], True)).text


def test_a_gpu_that_is_named_and_is_not_there_is_told():
    environment = {"CUDA_VISIBLE_DEVICES": "0,4", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    told, beyond = check_visible_devices(environment, 2)
    assert "'0,4'" in told.text
    assert "names GPU 4" in beyond.text
    _, numbers = check_visible_devices({"CUDA_VISIBLE_DEVICES": "1"}, 2)
    assert numbers.remedy == "export CUDA_DEVICE_ORDER=PCI_BUS_ID"
    _, slurm = check_visible_devices({"SLURM_JOB_ID": "7"}, 2)
    assert "--gpus-per-task" in slurm.remedy
