"""mAP and mAR are pycocotools', whatever the batches, replicas and workers."""

import numpy as np
import pytest
from helpers import on_workers
from helpers.detected_scenes import (
    CLASSES,
    KINDS,
    MEASURED,
    by_pycocotools,
    in_batches,
    scenes,
)
from helpers.given_detections import measured_by_a_run

from lightning_tf.exceptions import DataError
from lightning_tf.tasks.object_detection.mean_average_precision import MeanAveragePrecision
from lightning_tf.tasks.object_detection.reports.box_matches import match_boxes

NAMES = [str(label) for label in range(CLASSES)]


def measured(outputs, batch_size=8, order=None, names=NAMES):
    metric = MeanAveragePrecision(names)
    for batch in in_batches(outputs, batch_size, order):
        metric.update(batch)
    return metric


@pytest.mark.parametrize("kind", KINDS)
def test_all_twelve_numbers_are_those_of_pycocotools(kind):
    outputs = scenes(kind, seed=KINDS.index(kind))
    reference = by_pycocotools(outputs)
    metric = measured(outputs)
    values = metric.compute()
    assert set(values) <= set(metric.names) == set(MEASURED)
    expected = dict(zip(MEASURED, reference.stats, strict=True))
    assert values == {name: pytest.approx(v, abs=1e-9) for name, v in expected.items() if v > -1}
    assert values["map"] > 0.05

    precision = reference.eval["precision"][:, :, :, 0, 2]
    for label, name in enumerate(NAMES):
        row, of_class = metric.per_class().get(name), precision[:, :, label]
        if row is None:
            assert (of_class == -1).all()
        else:
            assert row["map"] == pytest.approx(of_class.mean(), abs=1e-9)
            assert row["map_50"] == pytest.approx(of_class[0].mean(), abs=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 60])
@pytest.mark.parametrize("kind", ["tied scores", "crowds"])
def test_batches_and_their_order_change_nothing(kind, batch_size):
    outputs = scenes(kind)
    expected = measured(outputs).compute()
    order = np.random.default_rng(1).permutation(60)
    assert measured(outputs, batch_size).compute() == expected
    assert measured(outputs, batch_size, order).compute() == expected


# No threshold parts equal scores, so that the curves of tied ones have fewer points.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "tied scores"])
def test_curves_are_those_that_average_precision_is_the_mean_of(kind):
    outputs = scenes(kind, detections=60)  # pycocotools looks at 100 at most
    precision = by_pycocotools(outputs).eval["precision"][0, :, :, 0, 2]
    curves = {curve.name: curve for curve in measured(outputs).curves()}
    assert set(curves) == {NAMES[k] for k in range(CLASSES) if (precision[:, k] > -1).all()}
    for name, curve in curves.items():
        places = np.searchsorted(curve.recall, np.linspace(0, 1, 101), side="left")
        reached = np.append(curve.interpolated, 0.0)[places]
        np.testing.assert_allclose(reached, precision[:, int(name)], atol=1e-9)


def test_the_best_threshold_is_found_by_trying_all():
    metric = measured(scenes("crowds", 8, detections=50))
    for label, curve in enumerate(metric.curves()):
        tried = {}
        for threshold in curve.scores:
            counts = counted(metric, label, threshold)
            tried[threshold] = 2 * counts[0] / max(sum(counts[:2]) + curve.objects, 1)
        best = max(tried, key=tried.get)
        assert curve.best_f1 == pytest.approx(tried[best], abs=1e-12)
        assert curve.best_threshold == best


def counted(metric, label, threshold):
    """Return how many detections from a score on are right and wrong."""
    right = wrong = 0
    for image in metric.images.values():
        match = match_boxes(image.above(threshold))
        mine = image.above(threshold).found_labels == label
        right += int((mine & (match.object_of >= 0)).sum())
        wrong += int((mine & (match.object_of < 0) & ~match.is_ignored).sum())
    return right, wrong


def one_image(boxes, labels, found, ignored=None):
    count = len(labels)
    truth = {
        "boxes": np.array([boxes], "float32").reshape(1, count, 4),
        "labels": np.array([labels], "int32"),
        "ignored": np.array([ignored or [False] * count]),
        "size": np.array([[100, 100]], "int32"),
        "index": np.array([5]),
    }
    detections = {
        "boxes": np.array([[box for box, _, _ in found]], "float32").reshape(1, -1, 4),
        "labels": np.array([[label for _, label, _ in found]], "int32"),
        "scores": np.array([[score for _, _, score in found]], "float32"),
        "count": np.array([len(found)], "int32"),
    }
    return {"truth": truth, "detections": detections}


LEFT, RIGHT, BELOW = [0, 0, 20, 20], [50, 0, 90, 40], [0, 60, 30, 90]


def test_what_no_object_has_a_say_in_is_left_out():
    metric = MeanAveragePrecision(["cat", "dog"])
    assert metric.compute() == {} == metric.per_class()
    assert metric.curves() == []
    metric.update(one_image([], [], [(LEFT, 0, 0.9)]))
    assert metric.compute() == {}
    metric.reset()
    metric.update(one_image([LEFT], [0], [(LEFT, 0, 0.9)], ignored=[True]))
    assert metric.compute() == {}
    metric.reset()
    metric.update(one_image([LEFT], [1], []))
    values = metric.compute()
    assert values.pop("map") == values["mar_100"] == 0.0
    assert {"map_medium", "map_large", "mar_medium", "mar_large"}.isdisjoint(values)
    assert list(metric.per_class()) == ["dog"]
    (curve,) = metric.curves()
    assert (curve.best_f1, curve.best_threshold) == (0.0, None)


def test_confusion_knows_wrong_classes_background_and_misses():
    found = [(LEFT, 0, 0.9), (RIGHT, 0, 0.8), ([50, 50, 60, 60], 1, 0.7), (LEFT, 0, 0.1)]
    metric = MeanAveragePrecision(["cat", "dog"])
    metric.update(one_image([LEFT, RIGHT, BELOW], [0, 1, 1], found))
    assert metric.confusion(0.3).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert metric.confusion(0.05).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 0]]


def test_what_lies_in_an_ignored_object_counts_nowhere():
    inside = [(LEFT, 0, 0.9), ([2, 2, 8, 8], 0, 0.8)]
    metric = MeanAveragePrecision(["cat"])
    metric.update(one_image([LEFT, RIGHT], [0, 0], [*inside, (RIGHT, 0, 0.5)], [True, False]))
    assert metric.confusion(0.0).tolist() == [[1, 0], [0, 0]]
    assert metric.compute()["map"] == pytest.approx(1.0)
    assert metric.curves()[0].precision.tolist() == [1.0]


def test_an_image_that_comes_twice_is_refused():
    metric = MeanAveragePrecision(["cat"])
    metric.update(one_image([LEFT], [0], []))
    with pytest.raises(DataError, match="image 5 is measured twice"):
        metric.update(one_image([LEFT], [0], []))


@pytest.mark.parametrize(("labels", "found"), [([3], []), ([0], [(LEFT, 3, 0.5)])])
def test_a_label_that_no_class_has_is_refused(labels, found):
    with pytest.raises(DataError, match="image 5 has the label 3; there are 1 classes"):
        MeanAveragePrecision(["cat"]).update(one_image([LEFT], labels, found))


def test_detections_of_a_network_that_has_diverged_are_left_out():
    nan = float("nan")
    metric = MeanAveragePrecision(["cat"])
    metric.update(one_image([LEFT], [0], [([nan] * 4, 0, 0.9), (RIGHT, 0, nan), (LEFT, 0, 0.5)]))
    assert metric.compute()["map"] == pytest.approx(1.0)


@pytest.fixture(scope="module")
def expected():
    values = measured(scenes("tied scores", 30)).compute()
    return {f"{stage}_{name}": value for stage in ("val", "test") for name, value in values.items()}


@pytest.mark.parametrize("batch_size", [1, 8])
def test_validation_and_test_of_a_run_measure_it(expected, batch_size):
    assert measured_by_a_run(batch_size=batch_size) == expected


@pytest.mark.distributed
@pytest.mark.parametrize("devices", [2, 4])
def test_replicas_change_nothing(expected, devices):
    assert measured_by_a_run(devices=devices) == expected


@pytest.mark.distributed
def test_workers_change_nothing(expected, tmp_path):
    results, _ = on_workers.run("helpers.given_detections:measured_by_a_run", tmp_path)
    assert results == [expected, expected]


@pytest.mark.parametrize("kind", KINDS)
def test_detections_take_the_objects_that_pycocotools_gives_them(kind):
    outputs = scenes(kind, 20, detections=60)
    reference = by_pycocotools(outputs)
    first = np.cumsum([0, *(outputs["truth"]["labels"] >= 0).sum(axis=1)])
    images = measured(outputs).images
    for entry in reference.evalImgs:
        if entry is None or entry["aRng"][1] < 1e6 or entry["aRng"][0] > 0:
            continue
        image, label = images[entry["image_id"]], entry["category_id"]
        for iou, place in ((0.5, 0), (0.75, 5)):
            match = match_boxes(image, iou)
            mine = image.found_labels == label
            objects, ignored = match.object_of[mine], match.is_ignored[mine]
            # Theirs name the ignored object too; ours say that there is one.
            ids = entry["dtMatches"][place] - 1 - first[entry["image_id"]]
            expected = np.where(entry["dtIgnore"][place] | (ids < 0), -1, ids)
            assert objects.tolist() == expected.tolist()
            assert ignored.tolist() == entry["dtIgnore"][place].astype(bool).tolist()


def test_of_objects_that_overlap_alike_the_last_is_taken():
    metric = MeanAveragePrecision(["cat"])
    metric.update(one_image([LEFT, LEFT, RIGHT], [0, 0, 0], [(LEFT, 0, 0.9), (LEFT, 0, 0.8)]))
    assert match_boxes(metric.images[5]).object_of.tolist() == [1, 0]
