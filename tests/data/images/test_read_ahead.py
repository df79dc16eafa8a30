import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.data.images import read_ahead as module
from firstlight.data.images.read_ahead import read_ahead, read_batches
from firstlight.data.images.reading import read_image
from helpers.generate import write_image

SHAPE = (3, 8, 8)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(found):
        write_image(path, 30 * number)
    return found


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_keep_the_order_of_the_paths(paths: list[Path], batch_size: int) -> None:
    problems: list[str] = []
    with ThreadPoolExecutor() as pool:
        names, batches = zip(*read_ahead(pool, paths, SHAPE, batch_size, problems), strict=True)
    assert [name for batch in names for name in batch] == paths
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    expected = torch.stack([torch.tensor(read_image(path, SHAPE)) for path in paths])
    assert torch.equal(torch.cat(batches), expected)
    assert problems == []


def test_images_that_cannot_be_read_are_left_out_and_reported(paths: list[Path]) -> None:
    problems: list[str] = []
    for number in (0, 1, 4):
        paths[number].write_bytes(b"no image")
    with ThreadPoolExecutor() as pool:
        found = [names for names, _ in read_ahead(pool, paths, SHAPE, 2, problems)]
    assert found == [[paths[2], paths[3]], [paths[5]], [paths[6]]]
    assert [problem.split(":")[0] for problem in problems] == [str(paths[number]) for number in (0, 1, 4)]


def test_only_the_next_batch_is_read_while_the_caller_has_the_current_one(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, second = [], threading.Event()

    def read(path: Path, *args: Any) -> object:
        begun.append(path)
        if path == paths[3]:
            second.set()
        return read_image(path, *args)

    monkeypatch.setattr(module, "read_image", read)
    with ThreadPoolExecutor(1) as pool:
        batches = read_ahead(pool, paths, SHAPE, 2, [])
        next(batches)
        assert second.wait(10)  # before the caller asks for the second batch
        pool.submit(int).result()  # queued last: all submitted reads have finished
        assert begun == paths[:4]
        assert len(list(batches)) == 3


def test_images_are_resized_with_the_given_interpolation(tmp_path: Path) -> None:
    path = tmp_path / "edge.png"
    image = Image.new("L", (64, 64))
    image.paste(255, (20, 0, 64, 64))
    image.save(path)
    with ThreadPoolExecutor() as pool:
        for interpolation in ("bilinear", "bicubic"):
            ((_, found),) = read_ahead(pool, [path], (1, 7, 7), 1, [], interpolation)
            expected = image.resize((7, 7), Image.Resampling[interpolation.upper()])
            assert found.flatten().tolist() == list(expected.tobytes())


def test_contents_take_the_place_of_files_and_errors_come_in_their_place(paths: list[Path]) -> None:
    images = [(Path("archive/a.png"), paths[0].read_bytes()), (Path("archive/b.png"), b"no image"), (paths[1], None)]
    with ThreadPoolExecutor() as pool:
        ((first, second), (third,)) = read_batches(pool, images, SHAPE, 2)
    assert [path for path, _ in (first, second, third)] == [path for path, _ in images]
    assert np.array_equal(np.asarray(first[1]), read_image(paths[0], SHAPE))
    assert "archive/b.png" in str(second[1])
    assert np.array_equal(np.asarray(third[1]), read_image(paths[1], SHAPE))
