"""Small folders of images with boxes, in the formats that are read."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from lightning_tf.data import DataModule

SIZE = (30, 40)  # height, width
BOX = (3, 4, 23, 14)


def write_image(path, size=SIZE, color=(90, 90, 90), **options):
    """Write a plain image and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], color).save(path, **options)
    return path


def voc_object(name="cat", box=BOX, extra=""):
    sides = "".join(
        f"<{side}>{value}</{side}>"
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name>{extra}<bndbox>{sides}</bndbox></object>"


def voc_xml(*objects, size=SIZE, filename="a.png", source="Unknown"):
    height, width = size
    return (
        f"<annotation><filename>{filename}</filename>"
        f"<source><database>{source}</database></source>"
        f"<size><width>{width}</width><height>{height}</height></size>{''.join(objects)}"
        "</annotation>"
    )


def write_voc_item(root, stem="a", xml=None, size=SIZE, ending="png"):
    """Write an image with its annotation."""
    write_image(Path(root, "images", f"{stem}.{ending}"), size)
    text = voc_xml(voc_object(), size=size, filename=f"{stem}.{ending}") if xml is None else xml
    path = Path(root, "annotations", f"{stem}.xml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def coco_content(count=2, **changes):
    """COCO's three lists for images 0.png, 1.png, ...; an object in each."""
    content = {
        "images": [
            {"id": 10 + n, "file_name": f"{n}.png", "height": SIZE[0], "width": SIZE[1]}
            for n in range(count)
        ],
        "annotations": [
            {"id": n, "image_id": 10 + n, "category_id": 90, "bbox": [3, 4, 20, 10], "iscrowd": 0}
            for n in range(count)
        ],
        "categories": [{"id": 90, "name": "dog"}, {"id": 1, "name": "cat"}],
    }
    return {**content, **changes}


def write_coco_file(root, content=None, count=2):
    for number in range(count):
        write_image(Path(root, f"{number}.png"))
    path = Path(root, "boxes.json")
    path.write_text(json.dumps(coco_content(count) if content is None else content))
    return path


def write_yolo_item(root, stem="a", text="0 0.5 0.5 0.25 0.5\n", split=""):
    write_image(Path(root, "images", split, f"{stem}.png"))
    path = Path(root, "labels", split, f"{stem}.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_text(text)
    return path


def ready(data: DataModule):
    data.setup("fit")
    return data


def examples(dataset):
    """All images and objects of a dataset, in its order."""
    batches = list(dataset.as_numpy_iterator())
    images = np.concatenate([images for images, _ in batches])
    return images, {
        name: np.concatenate([objects[name] for _, objects in batches]) for name in batches[0][1]
    }


def boxes_of(data, place=0):
    return data.annotations[place].boxes.tolist()
