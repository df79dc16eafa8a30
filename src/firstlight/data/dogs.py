"""Dogs and cats of 37 breeds, from the Oxford-IIIT Pet data set."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from firstlight.data.archive import tar_files
from firstlight.data.download import download
from firstlight.data.image_files import ImageFiles
from firstlight.data.store import Arrays

_LISTS = {"train": "annotations/trainval.txt", "test": "annotations/test.txt"}
_LINE = re.compile(r"(?P<name>(?P<breed>\w+)_\d+) +(?P<number>\d+) +(?P<species>[12]) +\d+")
_NUM_BREEDS = 37
_SPECIES = ("cat", "dog")


class _Pet(NamedTuple):
    path: Path
    origin: str  # list and line
    breed: str
    number: int  # of the breed, 1 to 37
    species: int  # of `_SPECIES`, counted from 1


class Dogs(ImageFiles):
    """The 25 breeds of dogs of Oxford-IIIT Pet (Parkhi et al. 2012), with the official trainval and test splits.

    Read from the folders `images` and `annotations` in `dir`/oxford-iiit-pet or in `dir`, or from images.tar.gz and
    annotations.tar.gz there, which need not be unpacked. Labels are the names of the files without their numbers:
    "american bulldog", and cats with a capital, "Abyssinian".

    Args:
        dir: where the folder lies or is downloaded to.
        target: what is to be told: "breed" of dogs, "all_breeds" with the 12 of cats, or "species", dog or cat.
        kwargs: as for `ImageFiles` and every source.

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
        """The two lists and the images that they name, or the two archives."""
        images, lists = self._places()
        if not images.is_dir():
            return [images, lists]
        pets = [pet for split in self._pets(images, lists).values() for pet in split]
        for pet in pets:
            if not pet.path.is_file():
                raise ValueError(f"{pet.path}: missing; {pet.origin} names it.")
        return [*(lists / name for name in _LISTS.values()), *(pet.path for pet in pets)]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """3,680 images of both species to train on and 3,669 to test on, where the files are the official ones."""
        images, lists = self._places()
        pets = self._pets(images, lists)
        labels: tuple[str, ...] = _SPECIES
        if self.target != "species":
            ranked = sorted((pet for found in pets.values() for pet in found), key=lambda pet: pet.number)
            labels = tuple(dict.fromkeys(self._label(pet) for pet in ranked))
        splits = {split: [(pet.path, labels.index(self._label(pet))) for pet in found] for split, found in pets.items()}
        return labels, self._decode(splits, None if images.is_dir() else _in_archive(images, pets))

    def _places(self) -> tuple[Path, Path]:
        """What holds the images and what holds the lists: one folder, or an archive each."""
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

    def _pets(self, images: Path, lists: Path) -> dict[str, list[_Pet]]:
        """Those that the target is about, as the lists name them."""
        names = _LISTS.values()
        if lists.is_dir():
            contents = {name: (lists / name).read_bytes() for name in names}
        else:
            contents = {name: content for name, content in tar_files(lists) if name in names}
        pets: dict[str, list[_Pet]] = {}
        for split, name in _LISTS.items():
            if name not in contents:
                raise ValueError(f"{lists}: there is no {name} in it.")
            pets[split] = _parse(contents[name].decode(errors="replace"), lists / name, images)
        _check_together([pet for found in pets.values() for pet in found])
        for split, name in _LISTS.items():
            pets[split] = [pet for pet in pets[split] if pet.species == 2 or self.target != "breed"]
            if not pets[split]:
                raise ValueError(f"{lists / name}: there is nothing in it to learn from.")
        learnt = {self._label(pet) for pet in pets["train"]}
        for pet in pets["test"]:
            if self._label(pet) not in learnt:
                raise ValueError(
                    f"{pet.origin}: {self._label(pet)}, of which {_LISTS['train']} names none to learn from."
                )
        return pets

    def _label(self, pet: _Pet) -> str:
        return _SPECIES[pet.species - 1] if self.target == "species" else pet.breed.replace("_", " ")


def _parse(text: str, origin: Path, root: Path) -> list[_Pet]:
    """The pets of a list, whose images lie in `root`/images."""
    pets: list[_Pet] = []
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
        path = root / "images" / f"{match['name']}.jpg"
        pets.append(_Pet(path, where, breed, breed_number, int(match["species"])))
    return pets


def _check_together(pets: list[_Pet]) -> None:
    """Refuse lists that name an image twice, or a class in two ways."""
    origins: dict[Path, str] = {}
    breeds: dict[int, str] = {}
    for pet in pets:
        if pet.path in origins:
            raise ValueError(f"{pet.origin}: {pet.path.stem} again, which {origins[pet.path]} names.")
        origins[pet.path] = pet.origin
        if breeds.setdefault(pet.number, pet.breed) != pet.breed:
            raise ValueError(f"{pet.origin}: class {pet.number} is {pet.breed} here, but {breeds[pet.number]} before.")


def _in_archive(archive: Path, pets: dict[str, list[_Pet]]) -> Iterator[tuple[Path, bytes]]:
    """The contents of the images, as they come.

    Raises:
        ValueError: at the end, where one has not come.
    """
    missing = {str(pet.path.relative_to(archive)): pet for split in pets.values() for pet in split}
    for name, content in tar_files(archive):
        pet = missing.pop(name, None)
        if pet is not None:
            yield pet.path, content
    for name, pet in missing.items():
        raise ValueError(f"{archive}: there is no {name} in it; {pet.origin} names it.")
