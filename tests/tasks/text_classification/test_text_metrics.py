"""F1 and the area under the curve against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from lightning_tf.tasks.common.metrics import F1, AreaUnderCurve


def labels_and_logits(classes):
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, 500)
    logits = random.normal(size=(500, classes)) + 1.5 * np.eye(classes)[labels]
    return labels.astype("int32"), logits.astype("float32")


@pytest.mark.parametrize("classes", [2, 4])
def test_f1_is_that_of_scikit_learn(classes):
    labels, logits = labels_and_logits(classes)
    metric = F1(classes)
    for start in range(0, 500, 70):
        metric.update_state(labels[start : start + 70], logits[start : start + 70])
    average = "binary" if classes == 2 else "macro"
    expected = f1_score(labels, logits.argmax(axis=-1), average=average)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_area_under_the_curve_is_that_of_scikit_learn(classes):
    labels, logits = labels_and_logits(classes)
    metric = AreaUnderCurve(classes)
    for start in range(0, 500, 70):
        metric.update_state(labels[start : start + 70], logits[start : start + 70])
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = roc_auc_score(labels, p[:, 1] if classes == 2 else p, multi_class="ovr")
    assert float(metric.result()) == pytest.approx(expected, abs=2e-3)
    assert AreaUnderCurve.from_config(metric.get_config()).classes == classes


def test_a_class_that_never_occurs_counts_as_zero():
    metric = F1(3)
    metric.update_state([0, 1], np.eye(3)[[0, 1]])
    assert float(metric.result()) == pytest.approx(2 / 3)
