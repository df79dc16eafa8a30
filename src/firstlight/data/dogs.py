"""Dogs and cats of 37 breeds, from the Oxford-IIIT Pet data set."""

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from firstlight.data.download import download
from firstlight.data.picture_files import PictureFiles
from firstlight.data.store import Arrays

_LISTS = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
_LINE = re.compile(r"(?P<name>(?P<breed>\w+)_\d+) +(?P<number>\d+) +(?P<species>[12]) +\d+")
_NUM_BREEDS = 37


class _Pet(NamedTuple):
    path: Path
    origin: str  # list and line
    breed: str
    number: int  # of the breed, 1 to 37
    species: int  # 1 cat, 2 dog


class Dogs(PictureFiles):
    """The 25 breeds of dogs of Oxford-IIIT Pet (Parkhi et al. 2012), with the official trainval and test splits.

    Read from the folders `images` and `annotations` in `dir`/oxford-iiit-pet or in `dir`, or from images.tar.gz and
    annotations.tar.gz there, which need not be unpacked. Labels are the names of the files without their numbers:
    "american bulldog", and cats with a capital, "Abyssinian".

    Args:
        dir: where the folder lies or is downloaded to.
        target: what is to be told: "breed" of dogs, "all_breeds" with the 12 of cats, or "species", dog or cat.
        kwargs: as for `PictureFiles` and every source.

    Raises:
        ValueError: there is no such target.
    """

    name = "dogs"
    url: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
    hashes: ClassVar[dict[str, str]] = {
        "images.tar.gz": "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "annotations.tar.gz": "md5:95a8c909bbe2e81eed6a22bccdf3f68f",
    }

    def __init__(self, dir: str, *, target: str = "breed", **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        if target not in ("breed", "all_breeds", "species"):
            raise ValueError(f"data.target={target}: breed, all_breeds or species.")
        self.target = target
        self.options |= {"target": target}

    def files(self) -> list[Path]:
        """The two lists and the pictures that they name, or the two archives."""
        pictures, lists = self._places()
        if not pictures.is_dir():
            return [pictures, lists]
        pets = [pet for split in self._pets(pictures, lists).values() for pet in split]
        for pet in pets:
            if not pet.path.is_file():
                raise ValueError(f"{pet.path}: missing; {pet.origin} names it.")
        return [*(lists / name for name in _LISTS.values()), *(pet.path for pet in pets)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """3,680 pictures of both species to train on and 3,669 to test on, where the files are the official ones."""
        pictures, lists = self._places()
        pets = self._pets(pictures, lists)
        breeds = {pet.number: pet.breed for split in pets.values() for pet in split}
        numbers = sorted(breeds)
        labels: tuple[str, ...] = ("cat", "dog")
        if self.target == "species":
            splits = {split: [(pet.path, pet.species - 1) for pet in found] for split, found in pets.items()}
        else:
            labels = tuple(breeds[number].replace("_", " ") for number in numbers)
            splits = {split: [(pet.path, numbers.index(pet.number)) for pet in found] for split, found in pets.items()}
        return labels, self._decode(splits, None if pictures.is_dir() else _in_archive(pictures, pets))

    def _places(self) -> tuple[Path, Path]:
        """What holds the pictures and what holds the lists: one folder, or an archive each."""
        places = (self.dir / "oxford-iiit-pet", self.dir)
        for place in places:
            if all((place / name).exists() for name in ("images", *_LISTS.values())):
                return place, place
        for place in places:
            if all((place / name).is_file() for name in self.hashes):
                return place / "images.tar.gz", place / "annotations.tar.gz"
        hint = (
            f"Without a network: put {' and '.join(self.hashes)} into {places[0]}, or unpack them there,"
            " or say where they are with data.dir="
        )
        download(self.hashes, self.url, places[0], hint)
        return places[0] / "images.tar.gz", places[0] / "annotations.tar.gz"

    def _pets(self, pictures: Path, lists: Path) -> dict[str, list[_Pet]]:
        """Those that the target is about, as the lists name them."""
        pets: dict[str, list[_Pet]] = {}
        for split, name in _LISTS.items():
            content = (lists / name).read_bytes() if lists.is_dir() else _member(lists, name)
            found = _parse(content.decode(errors="replace"), lists / name, pictures)
            pets[split] = [pet for pet in found if pet.species == 2 or self.target != "breed"]
            if not pets[split]:
                raise ValueError(f"{lists / name}: there is nothing in it to learn from.")
        return pets


def _parse(text: str, origin: Path, root: Path) -> list[_Pet]:
    """The pets of a list, whose pictures lie in `root`/images."""
    pets: list[_Pet] = []
    breeds: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{origin}, line {number}"
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{where}: '{line}'; a line is like 'Abyssinian_100 1 1 1': name, class, species, breed.")
        breed, breed_number = match["breed"], int(match["number"])
        if not 1 <= breed_number <= _NUM_BREEDS:
            raise ValueError(f"{where}: class {breed_number}; there are 1 to {_NUM_BREEDS}.")
        if breeds.setdefault(breed_number, breed) != breed:
            raise ValueError(f"{where}: class {breed_number} is {breed} here, but {breeds[breed_number]} before.")
        path = root / "images" / f"{match['name']}.jpg"
        pets.append(_Pet(path, where, breed, breed_number, int(match["species"])))
    return pets


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The files in an archive with their names, one after another; nothing is unpacked to the disk."""
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                file = opened.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name.removeprefix("./"), file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{archive}: not a whole archive ({error}). Delete it and get it again.") from error


def _member(archive: Path, name: str) -> bytes:
    content = next((content for found, content in _members(archive) if found == name), None)
    if content is None:
        raise ValueError(f"{archive}: there is no {name} in it.")
    return content


def _in_archive(archive: Path, pets: dict[str, list[_Pet]]) -> Iterator[tuple[Path, bytes]]:
    """The contents of the pictures, as they come.

    Raises:
        ValueError: at the end, where one has not come.
    """
    missing = {str(pet.path.relative_to(archive)): pet for split in pets.values() for pet in split}
    for name, content in _members(archive):
        pet = missing.pop(name, None)
        if pet is not None:
            yield pet.path, content
    for name, pet in missing.items():
        raise ValueError(f"{archive}: there is no {name} in it; {pet.origin} names it.")
