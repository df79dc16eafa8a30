"""Find annotated images in a folder: VOC XML beside images, or COCO JSON in `annotations`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstlight.data.annotations.coco import read_coco
from firstlight.data.annotations.objects import Annotated, class_names
from firstlight.data.annotations.voc import read_voc
from firstlight.data.files.left_out import counted
from firstlight.data.files.litter import is_litter
from firstlight.data.files.split_folders import SPLITS, find_folder, named_splits, split_folders
from firstlight.data.files.split_names import split_names
from firstlight.data.images.reading import images_in
from firstlight.files import cannot_read, read_text

ARRANGE = (
    "arrange the files as Annotations/NAME.xml and JPEGImages/NAME.jpg (VOC), or as annotations/train.json, val.json"
    " and test.json and images/NAME.jpg (COCO)."
)
_IMAGES = ("jpegimages", "images", "image", "imgs", "img")
_NOTES = ("annotations", "annotation", "labels", "xmls")
_SUFFIXES = (".xml", ".json", ".txt")  # of annotations, and of lists of images
_MAX_LIST = 2**26  # bytes of a list of images


@dataclass
class Found:
    """The annotated images of a folder.

    Attributes:
        labels: names of the classes.
        splits: the objects of each image, by split.
    """

    labels: tuple[str, ...]
    splits: dict[str, dict[Path, Annotated]]


def annotation_files(root: Path) -> list[Path]:
    """Return the files in a folder that may be annotations or lists; they are not read."""
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and not any(map(is_litter, path.relative_to(root).parts))
    ]


def find_annotated(root: Path, remarks: list[str]) -> Found:
    """Return the annotated images of a folder.

    Args:
        root: the folder.
        remarks: list that receives lines about what is left out.

    Raises:
        ValueError: the folder is not understood, or a file in it is wrong.
    """
    if not root.is_dir():
        raise cannot_read(root, "this folder does not exist", f"{ARRANGE} Name the folder with data.dir=")
    notes = find_folder(root, _NOTES)
    jsons = sorted(path for path in (notes or root).glob("*.json") if not is_litter(path.name))
    found = _coco(root, jsons, remarks) if jsons else _voc(root, remarks)
    if empty := [split for split, images in found.splits.items() if not images]:
        raise cannot_read(root, f"{empty[0]} has no image", "add images, or delete the split.")
    if not found.labels:
        raise cannot_read(root, "no image has an object", "annotate objects.")
    return found


def _coco(root: Path, paths: Sequence[Path], remarks: list[str]) -> Found:
    """Read a JSON file for each split; a single one is divided later."""
    if instances := [path for path in paths if path.stem.startswith("instances")]:
        paths = instances  # the official folder has captions and key points too
    named = {"train": paths[0]} if len(paths) == 1 else _named(root, paths)
    labels: tuple[str, ...] = ()
    splits = {}
    for split, path in named.items():
        names, images = read_coco(path, remarks)
        if labels and (new := set(names) - set(labels)):
            raise cannot_read(path, f"its category '{min(new)}' is missing in {named['train'].name}", "add it there.")
        labels = labels or names
        places = _image_folders(root, split)
        splits[split] = {_image(places, name, path): annotated for name, annotated in images.items()}
    return Found(labels, splits)


def _named(root: Path, paths: Sequence[Path]) -> dict[str, Path]:
    names = split_names(path.stem for path in paths)
    stems = {path.stem: path for path in paths}
    found = {split: stems[names[split][0]] for split in SPLITS if len(names.get(split, ())) == 1}
    if "train" not in found or len(found) < len(paths):
        listed = ", ".join(path.name for path in paths[:4])
        raise cannot_read(root, f"{listed} are not one JSON file for each split", ARRANGE)
    return found


def _image_folders(root: Path, split: str) -> list[Path]:
    """Return the folders that may hold the images of a split."""
    images = find_folder(root, _IMAGES)
    found = [named_splits(folder).get(split) for folder in (images, root) if folder is not None]
    return [folder for folder in (*found, images, root) if folder is not None]


def _image(places: Iterable[Path], name: str, origin: Path) -> Path:
    for place in places:
        if (place / name).is_file():
            return place / name
    searched = ", ".join(map(str, places))
    raise cannot_read(origin, f"its image {name} is missing; searched in {searched}", "add the image.")


def _voc(root: Path, remarks: list[str]) -> Found:
    """Read an XML file for each image; the lists in ImageSets/Main name the splits, if there are any."""
    splits = {}
    for split, (images, notes) in split_folders(root, (_IMAGES, _NOTES), ARRANGE).items():
        xmls = {path.stem: path for path in sorted(notes.glob("*.xml")) if not is_litter(path.name)}
        paths = {path.stem: path for path in images_in(images)}
        for stem, path in xmls.items():
            if stem not in paths:
                raise cannot_read(path, f"it has no image in {images}", "add the image, or delete the annotation.")
        if unused := paths.keys() - xmls.keys():
            remarks.append(f"left out: {counted(len(unused))} without an annotation, such as {paths[min(unused)].name}")
        splits[split] = {paths[stem]: read_voc(path) for stem, path in xmls.items()}
    lists = root / "ImageSets" / "Main"
    if list(splits) == ["train"] and (lists / "train.txt").is_file():
        splits = _listed(splits["train"], lists)
    return Found(class_names(splits["train"].values()), splits)


def _listed(images: dict[Path, Annotated], lists: Path) -> dict[str, dict[Path, Annotated]]:
    """Divide images by the lists of the names of each split."""
    stems = {path.stem: path for path in images}
    splits = {}
    for split in SPLITS:
        if (path := lists / f"{split}.txt").is_file():
            names = read_text(path, at_most=_MAX_LIST).split()
            if missing := [name for name in names if name not in stems]:
                raise cannot_read(path, f"its image {missing[0]} has no annotation", "correct the list.")
            splits[split] = {stems[name]: images[stems[name]] for name in names}
    return splits
