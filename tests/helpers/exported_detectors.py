"""Run exported detectors, and compare what they find."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import tensorflow as tf

NUMBERS = ("boxes", "scores", "labels", "count")


def assert_same(found, expected):
    """Compare detections: the same number and labels, boxes to 0.05 px, scores to 1e-4."""
    found = {name: np.asarray(found[name]) for name in NUMBERS}
    np.testing.assert_array_equal(found["count"], expected["count"])
    np.testing.assert_array_equal(found["labels"], expected["labels"])
    for name in ("boxes", "scores"):
        print(name, "differ by", np.abs(found[name] - expected[name]).max())
    np.testing.assert_allclose(found["boxes"], expected["boxes"], rtol=0, atol=0.05)
    np.testing.assert_allclose(found["scores"], expected["scores"], rtol=0, atol=1e-4)


def ran_by_onnx(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    outputs = [output.name for output in session.get_outputs()]
    return dict(zip(outputs, session.run(None, {"images": inputs}), strict=True))


def ran_by_litert(path, inputs):
    """Run image by image, by an interpreter that has TensorFlow Lite's own operations alone."""
    interpreter = tf.lite.Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN,
    )
    names = {detail["op_name"] for detail in interpreter._get_ops_details()}
    assert not {name for name in names if name.startswith("Flex")}
    run = interpreter.get_signature_runner()
    found = [run(images=inputs[k : k + 1]) for k in range(len(inputs))]
    return {name: np.concatenate([part[name] for part in found]) for name in NUMBERS}


needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxruntime", "tf2onnx"))),
    reason="onnx, onnxruntime or tf2onnx is not installed: pip install 'lightning-tf[onnx]'",
)
