"""Dogs and cats of 37 breeds, from the Oxford-IIIT Pet data set."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from firstlight.checks import choose
from firstlight.data.annotations.pets import FOLDERS, TRIMAP_LABELS, annotation_of, heads, trimaps
from firstlight.data.files.archive import tar_files
from firstlight.data.files.download import download
from firstlight.data.files.near_miss import refuse_near_misses
from firstlight.data.image_files import ImageFiles
from firstlight.data.images.decode import AnyTarget
from firstlight.data.store import Arrays
from firstlight.files import cannot_read, read_bounded

_LISTS = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
_LINE = re.compile(r"(?P<name>(?P<breed>\w+)_\d+) +(?P<number>\d+) +(?P<species>[12]) +\d+")
_NUM_BREEDS = 37
_MAX_LIST = 2**24  # bytes; the official lists have 130 kB
_SPECIES = ("cat", "dog")


class _Pet(NamedTuple):
    path: Path
    origin: str  # file and line of the list, for error messages
    breed: str
    number: int  # number of the breed, 1 to 37
    species: int  # 1: cat, 2: dog


class Dogs(ImageFiles):
    """The 25 breeds of dogs of Oxford-IIIT Pet (Parkhi et al. 2012), with the official trainval and test splits.

    The source reads the folders `images` and `annotations` in `dir`/oxford-iiit-pet or in `dir`, or images.tar.gz and
    annotations.tar.gz there without unpacking them. Labels are the names of the files without their numbers, such as
    "american bulldog"; names of cats begin with a capital, such as "Abyssinian".

    Args:
        dir: the folder that contains the data, or into which they are downloaded.
        target: "breed" classifies the 25 breeds of dogs, "all_breeds" adds the 12 of cats, "species" separates dogs
            from cats. "trimap" has masks of pet and background, "head" boxes around the heads of dogs and cats.
        border: of trimaps: "ignore" leaves the pixels at the border of a pet without a class, because they belong to
            both; "class" makes them a third class.
        head_classes: classes of the boxes: "species" or "breed".
        test_fraction: fraction of the images with boxes that is held out for testing, because the official boxes are
            those of trainval. If half of the official test images have boxes, these are for testing.
        split_seed: seed that selects these images.
        kwargs: see `ImageFiles` and `Source`.

    Raises:
        ValueError: the target or another word is unknown.
    """

    name = "dogs"
    url: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
    hashes: ClassVar[dict[str, str]] = {
        "images.tar.gz": "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "annotations.tar.gz": "md5:95a8c909bbe2e81eed6a22bccdf3f68f",
    }

    def __init__(
        self,
        dir: str,
        *,
        target: str = "breed",
        border: str = "ignore",
        head_classes: str = "species",
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        self.target = choose("data.target", target, ("breed", "all_breeds", "species", *FOLDERS), "target")
        self.border = choose("data.border", border, TRIMAP_LABELS, "way to treat the border")
        choose("data.head_classes", head_classes, ("species", "breed"), "classes of heads")
        self.has_species = target == "species" or (target == "head" and head_classes == "species")
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"target": target}
        if target in FOLDERS:
            self.options |= {"border": border, "head_classes": head_classes}

    def files(self) -> list[Path]:
        """Return the paths of the two split lists and of the images that they name, or of the two archives.

        Raises:
            ValueError: an image is missing.
        """
        images, lists = self._places()
        if not images.is_dir():
            return [images, lists]
        pets = [pet for split in self._pets(images, lists).values() for pet in split]
        places = [annotation_of(pet.path, lists, self.target) for pet in pets] if self.target in FOLDERS else []
        for pet, path in [*((pet, pet.path) for pet in pets), *zip(pets, places, strict=False)]:
            if not path.is_file():
                raise _missing(path, pet)
        return [*(lists / name for name in _LISTS.values()), *(pet.path for pet in pets), *places]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images; the official files have 3,680 of both species for training and 3,669 for testing."""
        images, lists = self._places()
        pets = self._pets(images, lists)
        contents = None if images.is_dir() else _in_archive(images, pets)
        labels: tuple[str, ...] = _SPECIES
        if not self.has_species:
            ranked = sorted((pet for found in pets.values() for pet in found), key=lambda pet: pet.number)
            labels = tuple(dict.fromkeys(self._label(pet) for pet in ranked))
        if self.target in FOLDERS:
            return self._read_places(pets, lists, labels, contents)
        splits = {split: [(pet.path, labels.index(self._label(pet))) for pet in found] for split, found in pets.items()}
        return labels, self._decode(splits, contents)

    def _read_places(
        self,
        pets: Mapping[str, list[_Pet]],
        lists: Path,
        labels: tuple[str, ...],
        images: Iterator[tuple[Path, bytes]] | None,
    ) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images with their masks or boxes."""
        listed = [pet for found in pets.values() for pet in found]
        files = {pet.path: annotation_of(pet.path, lists, self.target) for pet in listed}
        contents: dict[Path, bytes] = {}
        if not lists.is_dir():
            wanted = set(files.values())
            contents = {lists / name: content for name, content in tar_files(lists) if lists / name in wanted}
            for pet in listed:
                if files[pet.path] not in contents:
                    raise _missing(files[pet.path], pet)
        found: Mapping[Path, AnyTarget]
        if self.target == "trimap":
            labels, found = TRIMAP_LABELS[self.border], trimaps(files, contents, self.border)
        else:
            if "test" not in pets:
                self.remarks.append("held out for testing: a part of trainval, because test has no boxes of heads")
            found = heads(files, contents, {pet.path: self._label(pet) for pet in listed}, labels, self.remarks)
        splits = {split: [(pet.path, found[pet.path]) for pet in part] for split, part in pets.items()}
        return labels, self._decode(splits, images)

    def _places(self) -> tuple[Path, Path]:
        """Return where the images and where the split lists are: the unpacked folder for both, or two archives."""
        places = (self.dir / "oxford-iiit-pet", self.dir)
        for place in places:
            if all((place / name).exists() for name in ("images", *_LISTS.values())):
                return place, place
        for place in places:
            if all((place / name).is_file() for name in self.hashes):
                return place / "images.tar.gz", place / "annotations.tar.gz"
        refuse_near_misses(places, self.hashes)
        hint = (
            f"To fix: put {' and '.join(self.hashes)} into {places[0]}, unpacked or not,"
            " or name the folder with data.dir="
        )
        download(self.hashes, self.url, places[0], hint)
        return places[0] / "images.tar.gz", places[0] / "annotations.tar.gz"

    def _pets(self, images: Path, lists: Path) -> dict[str, list[_Pet]]:
        """Return the pets of each split that the target concerns."""
        names = _LISTS.values()
        if lists.is_dir():
            contents = {name: read_bounded(lists / name, _MAX_LIST, "get the lists again.") for name in names}
        else:
            contents = {name: content for name, content in tar_files(lists) if name in names}
        pets: dict[str, list[_Pet]] = {}
        for split, name in _LISTS.items():
            if name not in contents:
                raise cannot_read(lists, f"{name} is missing", "get this archive again.")
            pets[split] = _parse(contents[name].decode(errors="replace"), lists / name, images)
        _check_unique([pet for found in pets.values() for pet in found])
        for split, name in _LISTS.items():
            pets[split] = [pet for pet in pets[split] if pet.species == 2 or self.target != "breed"]
            if not pets[split]:
                why = f"it lists no image for data.target={self.target}"
                raise cannot_read(lists / name, why, "get the lists again.")
        if self.target == "head":
            return self._with_heads(pets, lists)
        known = {self._label(pet) for pet in pets["train"]}
        for pet in pets["test"]:
            if self._label(pet) not in known:
                raise _line_error(pet.origin, f"{_LISTS['train']} lists no image of {self._label(pet)}")
        return pets

    def _with_heads(self, pets: Mapping[str, list[_Pet]], lists: Path) -> dict[str, list[_Pet]]:
        """Return the pets whose heads have boxes; the test split only if half of its pets have."""
        archived = set() if lists.is_dir() else {lists / name for name, _ in tar_files(lists)}

        def has_head(pet: _Pet) -> bool:
            path = annotation_of(pet.path, lists, "head")
            return path in archived or path.is_file()

        found = {split: list(filter(has_head, listed)) for split, listed in pets.items()}
        if not found["train"]:
            raise cannot_read(lists, "it has no box around a head", "get the annotations again.")
        return found if 2 * len(found["test"]) >= len(pets["test"]) else {"train": found["train"]}

    def _label(self, pet: _Pet) -> str:
        return _SPECIES[pet.species - 1] if self.has_species else pet.breed.replace("_", " ")


def _parse(text: str, origin: Path, root: Path) -> list[_Pet]:
    """Return the pets in the text of a list; their images are in `root`/images."""
    pets: list[_Pet] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{origin}, line {number}"
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise _line_error(where, f"'{line}' is not a name, class, species and breed, as in 'Abyssinian_100 1 1 1'")
        breed, breed_number = match["breed"], int(match["number"])
        if not 1 <= breed_number <= _NUM_BREEDS:
            raise _line_error(where, f"the class is {breed_number}, not 1 to {_NUM_BREEDS}")
        path = root / "images" / f"{match['name']}.jpg"
        pets.append(_Pet(path, where, breed, breed_number, int(match["species"])))
    return pets


def _check_unique(pets: list[_Pet]) -> None:
    """Raise an error if the lists name an image twice, or if a class has two names."""
    origins: dict[Path, str] = {}
    breeds: dict[int, str] = {}
    for pet in pets:
        if pet.path in origins:
            raise _line_error(pet.origin, f"{pet.path.stem} is already in {origins[pet.path]}")
        origins[pet.path] = pet.origin
        if breeds.setdefault(pet.number, pet.breed) != pet.breed:
            raise _line_error(pet.origin, f"class {pet.number} is {pet.breed}, but was {breeds[pet.number]} before")


def _in_archive(archive: Path, pets: dict[str, list[_Pet]]) -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the content of each image, in the order of the archive.

    Raises:
        ValueError: an image is missing; raised after the last image.
    """
    missing = {str(pet.path.relative_to(archive)): pet for split in pets.values() for pet in split}
    for name, content in tar_files(archive):
        pet = missing.pop(name, None)
        if pet is not None:
            yield pet.path, content
    for name, pet in missing.items():
        raise _missing(archive / name, pet)


def _line_error(origin: str, why: str) -> ValueError:
    return cannot_read(origin, why, "get the lists of Oxford-IIIT Pet again.")


def _missing(path: Path, pet: _Pet) -> ValueError:
    return cannot_read(path, f"it is missing, but {pet.origin} names it", "get the images again.")
