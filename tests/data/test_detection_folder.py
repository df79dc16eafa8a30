import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data import DetectionFolder
from firstlight.data.store import Split
from firstlight.spec import NO_OBJECT
from helpers.generate import write_voc

SIZE = (40, 20)  # width and height
OBJECTS = {
    "a": [("cat", (4, 2, 12, 10)), ("dog", (20, 6, 40, 18))],
    "b": [],
    "c": [("dog", (0, 0, 10, 10))],
    "d": [("cat", (10, 10, 20, 20))],
}


def write_image(path: Path, objects: list[Any]) -> None:
    """Write a black image with bright objects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.stem)).integers(0, 9, SIZE[::-1], dtype=np.uint8)
    for _, (left, top, right, bottom) in objects:
        pixels[top:bottom, left:right] = 255
    Image.fromarray(pixels).save(path)


def coco(objects: dict[str, Any], **entries: Any) -> dict[str, Any]:
    """Return objects in the form of COCO, with gaps between the ids."""
    ids = {"dog": 18, "cat": 3}
    annotations = [
        {"id": 1, "image_id": 10 * number, "category_id": ids[name], "iscrowd": 0, "bbox": [x, y, x2 - x, y2 - y]}
        for number, found in enumerate(objects.values())
        for name, (x, y, x2, y2) in found
    ]
    images = [
        {"id": 10 * number, "file_name": f"{name}.png", "width": SIZE[0], "height": SIZE[1]}
        for number, name in enumerate(objects)
    ]
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories} | entries


def write_coco(folder: Path, name: str, content: Any) -> Path:
    path = folder / "annotations" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def read(folder: Path, **options: Any) -> Any:
    small: dict[str, Any] = {"image_size": 20, "fit": "stretch"}
    return DetectionFolder(str(folder), **small | options).store()


def check_objects(split: Split) -> None:
    """Check that the boxes are those of `OBJECTS` at half the width, and lie where the pixels are bright."""
    empty = [0, 0, 0, 0, NO_OBJECT]
    expected = [[[2, 2, 6, 10, 0], [10, 6, 20, 18, 1]], [empty, empty], [[0, 0, 5, 10, 1], empty]]
    assert split.targets[:3].tolist() == expected
    bright = split.inputs[0, 0] > 127
    assert bright[2:10, 2:6].all()
    assert bright.sum() == 8 * 4 + 10 * 12


def test_a_voc_folder_is_read(tmp_path: Path) -> None:
    for name, objects in OBJECTS.items():
        write_image(tmp_path / "JPEGImages" / f"{name}.png", objects)
        write_voc(tmp_path / "Annotations" / f"{name}.xml", SIZE, objects)
    lists = {"train": "a\nb\nc\n", "test": "d\n"}
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for split, names in lists.items():
        (tmp_path / "ImageSets" / "Main" / f"{split}.txt").write_text(names)
    write_image(tmp_path / "JPEGImages" / "unused.png", [])
    store = read(tmp_path)
    assert (store.spec.labels, store.spec.targets) == (("cat", "dog"), "boxes")
    check_objects(store.splits["train"])
    assert store.splits["test"].targets[0, 0].tolist() == [5, 10, 10, 20, 0]
    assert "left out: 1 image without an annotation, such as unused.png" in store.remarks
    assert "1 of 4 images have no object" in store.remarks


def test_a_coco_folder_is_read_as_pycocotools_reads_it(tmp_path: Path) -> None:
    crowd = {"id": 9, "image_id": 10, "category_id": 3, "iscrowd": 1, "bbox": [0, 0, 40, 20]}
    for split, names in {"train": "abc", "val": "d"}.items():
        objects = {name: OBJECTS[name] for name in names}
        content = coco(objects)
        content["annotations"] += [crowd] if split == "train" else []
        write_coco(tmp_path, f"instances_{split}2017.json", content)
        for name in names:
            write_image(tmp_path / f"{split}2017" / f"{name}.png", OBJECTS[name])
    write_coco(tmp_path, "captions_train2017.json", {})
    store = read(tmp_path)
    assert store.spec.labels == ("cat", "dog")  # in the order of their ids, 3 and 18
    check_objects(store.stored["train"])
    assert store.splits["val"].targets[0, 0].tolist() == [5, 10, 10, 20, 0]
    assert "left out: 1 annotations of crowds in instances_train2017.json" in store.remarks


def test_boxes_outside_and_without_area_are_counted(tmp_path: Path) -> None:
    objects = {
        "a": [("cat", (-5, 2, 12, 30)), ("dog", (50, 2, 60, 10)), ("dog", (5, 5, 5, 9)), ("cat", (-0.5, 2, 8, 8))],
        **{name: [] for name in "bcdefg"},
    }
    for name in objects:
        write_image(tmp_path / "images" / f"{name}.png", [])
    write_coco(tmp_path, "all.json", coco(objects))
    store = read(tmp_path)
    assert store.stored["train"].targets[0].tolist() == [[0, 2, 6, 20, 0], [0, 2, 4, 8, 0]]
    assert "cut at the edge of their image: 1 box" in store.remarks
    assert "left out: boxes, 1 without area, 1 outside of its image" in store.remarks


def test_what_does_not_fit_together_has_a_sentence(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png", [])
    note = {"id": 1, "image_id": 0, "category_id": 3, "bbox": [0, 0, 4, 4]}
    twice = [{"id": number, "name": "cat"} for number in (1, 2)]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"annotations": [note | {"category_id": 4}]}, "category_id 4 of annotation 1 is unknown"),
        ({"annotations": [note | {"image_id": 5}]}, "image_id 5 of annotation 1 is unknown"),
        ({"annotations": [{"image_id": 0, "category_id": 3}]}, "an entry is missing or has another type: 'bbox'"),
        (
            {"annotations": [note | {"bbox": [1, 2, "c"]}]},
            "the bbox of annotation 1 is not left, top",
        ),
        ({"categories": twice, "annotations": []}, "it has the category cat twice"),
        ({"images": [{"id": 0, "file_name": "../a.png"}]}, "the file name ../a.png leads out of the folder"),
        ({"images": [{"id": 0, "file_name": "z.png"}]}, "its image z.png is missing; searched in"),
        ({"images": [{"id": 0, "file_name": "a.png", "width": 9, "height": 9}]}, "an image of 9 x 9 pixels, and its"),
    ]
    for entries, message in cases:
        path = write_coco(tmp_path, "all.json", coco({"a": []}, **{"annotations": [note]} | entries))
        with pytest.raises(ValueError, match=f"{path}.*: cannot read .*{message}"):
            read(tmp_path)
    path.unlink()
    voc = tmp_path / "annotations" / "a.xml"
    for content, message in {
        "<annotation><object><name>cat</name></object></annotation>": "an object has no bndbox/xmin",
        "<annotation>": "no element found",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>": "it defines types or entities",
    }.items():
        voc.write_text(content)
        with pytest.raises(ValueError, match=rf"{voc}: cannot read \({message}"):
            read(tmp_path)
