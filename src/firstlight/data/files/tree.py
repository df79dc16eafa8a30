"""A folder with its images and subfolders, read from the disk when they are needed."""

import os
from functools import cached_property
from pathlib import Path

from firstlight.data.files.formats import is_image_name
from firstlight.data.files.litter import is_litter
from firstlight.files import cannot_read


class Tree:
    """A folder, without hidden files and what else programs leave in folders.

    Links to folders are followed, except to a folder that contains the link.

    Args:
        path: path of the folder.
        chain: real paths of the folders above it, for a subfolder.
    """

    def __init__(self, path: Path, chain: tuple[str, ...] = ()) -> None:
        self.path = path
        self._chain = (*chain, os.path.realpath(path))

    @cached_property
    def _entries(self) -> tuple[list[Path], dict[str, "Tree"]]:
        images, folders = [], {}
        try:
            with os.scandir(self.path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if is_litter(entry.name):
                        continue
                    path = self.path / entry.name
                    if entry.is_dir():
                        if not (entry.is_symlink() and self._lies_below(path)):
                            folders[entry.name] = Tree(path, self._chain)
                    elif is_image_name(entry.name) and (entry.is_file() or not path.exists()):
                        # A broken link is an image, so that reading it raises an error; a named pipe would block.
                        images.append(path)
        except OSError as error:
            raise cannot_read(self.path, str(error), "make this folder readable.") from error
        return images, folders

    def _lies_below(self, link: Path) -> bool:
        target = os.path.realpath(link)
        return any(Path(folder).is_relative_to(target) for folder in self._chain)

    @property
    def images(self) -> list[Path]:
        """Images that lie directly in the folder."""
        return self._entries[0]

    @property
    def folders(self) -> dict[str, "Tree"]:
        """Subfolders by name."""
        return self._entries[1]

    @cached_property
    def has_images(self) -> bool:
        """Whether there is an image in the folder or below it."""
        return bool(self.images) or self.has_classes

    @cached_property
    def has_classes(self) -> bool:
        """Whether there is an image in a subfolder."""
        return any(tree.has_images for tree in self.folders.values())

    @cached_property
    def with_images(self) -> dict[str, "Tree"]:
        """Subfolders that contain images, by name."""
        return {name: tree for name, tree in self.folders.items() if tree.has_images}

    def all_images(self) -> list[Path]:
        """Return the images in the folder and below it, sorted."""
        found = [*self.images, *(path for tree in self.folders.values() for path in tree.all_images())]
        return sorted(found)
