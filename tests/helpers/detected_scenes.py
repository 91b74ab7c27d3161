"""Random objects and detections as a detector gives them, and what pycocotools makes of them."""

import contextlib
import io

import numpy as np

KINDS = ("plain", "crowds", "tied scores", "mostly empty", "absent classes")
CLASSES, MOST_OBJECTS, MOST_DETECTIONS = 6, 9, 110
MEASURED = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
MEASURED += ("mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large")


def scenes(kind="plain", count=60, classes=CLASSES, seed=0, detections=MOST_DETECTIONS):
    """Return padded arrays of `count` images: dicts ``truth`` and ``detections``."""
    rng = np.random.default_rng(seed)
    truth = {
        "boxes": np.zeros((count, MOST_OBJECTS, 4), "float32"),
        "labels": np.full((count, MOST_OBJECTS), -1, "int32"),
        "ignored": np.zeros((count, MOST_OBJECTS), bool),
        "size": np.tile(np.array([[480, 640]], "int32"), (count, 1)),
        "index": np.arange(count, dtype="int64"),
    }
    found = {
        "boxes": np.zeros((count, detections, 4), "float32"),
        "scores": np.zeros((count, detections), "float32"),
        "labels": np.full((count, detections), -1, "int32"),
        "count": np.zeros(count, "int32"),
    }
    for row in range(count):
        objects = rng.integers(1, MOST_OBJECTS + 1)
        if kind == "mostly empty" and rng.uniform() < 0.9:
            objects = 0
        boxes, labels = some_boxes(rng, objects), rng.integers(0, classes, objects)
        if kind == "absent classes":
            labels = np.where(labels % 2, labels, 0)
        truth["boxes"][row, :objects], truth["labels"][row, :objects] = boxes, labels
        if kind == "crowds":
            truth["ignored"][row, :objects] = rng.uniform(size=objects) < 0.3
        fill_detections(rng, found, row, boxes, labels, kind, classes)
    return {"truth": truth, "detections": found}


def some_boxes(rng, count):
    """Return boxes of all of COCO's sizes, in an image of 640 x 480."""
    sides = np.exp(rng.uniform(np.log(8), np.log(250), (count, 2)))
    corners = rng.uniform(0, 1, (count, 2)) * (np.array([640, 480]) - sides)
    return np.concatenate([corners, corners + sides], axis=1)


def fill_detections(rng, found, row, boxes, labels, kind, classes):
    """Put detections into one row: near objects, some of a wrong class, and some anywhere."""
    most = found["scores"].shape[1]
    near = np.repeat(np.arange(len(boxes)), rng.integers(0, 4, len(boxes)))
    spread = 0.12 * (boxes[near, 2:] - boxes[near, :2])
    moved = boxes[near] + rng.normal(size=(len(near), 4)) * np.tile(spread, (1, 2))
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    anywhere = some_boxes(rng, rng.integers(0, most - 40))
    mistaken = rng.uniform(size=len(near)) < 0.2
    kinds = np.where(mistaken, rng.integers(0, classes, len(near)), labels[near])
    kinds = np.concatenate([kinds, rng.integers(0, classes, len(anywhere))])[:most]
    scores = np.concatenate(
        [rng.uniform(0.2, 1, len(near)), rng.uniform(0.001, 0.7, len(anywhere))]
    )[:most]
    if kind == "tied scores":
        scores = np.ceil(scores * 5) / 5
    order = np.argsort(-scores, kind="stable")
    count = len(order)
    found["boxes"][row, :count] = np.concatenate([moved, anywhere])[:most][order]
    found["scores"][row, :count] = scores[order]
    found["labels"][row, :count] = kinds[order]
    found["count"][row] = count


def in_batches(outputs, batch_size, order=None):
    """Yield what a step collects, batch by batch."""
    count = len(outputs["truth"]["index"])
    order = np.arange(count) if order is None else order
    for start in range(0, count, batch_size):
        rows = order[start : start + batch_size]
        yield {
            part: {name: array[rows] for name, array in arrays.items()}
            for part, arrays in outputs.items()
        }


def by_pycocotools(outputs, classes=CLASSES):
    """Return pycocotools' evaluation of the same objects and detections, with its ``stats``."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = outputs["truth"], outputs["detections"]
    images = [
        {"id": int(i), "height": int(h), "width": int(w)}
        for i, (h, w) in zip(truth["index"], truth["size"], strict=True)
    ]
    objects, results = [], []
    for row, image in enumerate(images):
        for place in np.flatnonzero(truth["labels"][row] >= 0):
            box = coco_box(truth["boxes"][row, place])
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": image["id"],
                    "category_id": int(truth["labels"][row, place]),
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(truth["ignored"][row, place]),
                }
            )
        results += [
            {
                "image_id": image["id"],
                "category_id": int(label),
                "bbox": coco_box(box),
                "score": float(score),
            }
            for box, label, score in zip(
                found["boxes"][row], found["labels"][row], found["scores"][row], strict=True
            )
            if label >= 0
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {
            "info": {},
            "images": images,
            "annotations": objects,
            "categories": [{"id": label, "name": str(label)} for label in range(classes)],
        }
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def coco_box(box):
    """Return an xyxy box as left, top, width, height."""
    x0, y0, x1, y1 = (float(side) for side in box)
    return [x0, y0, x1 - x0, y1 - y0]
