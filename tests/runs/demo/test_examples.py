from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from firstlight.runs import RunFolder
from firstlight.runs.demo.examples import Examples
from firstlight.runs.demo.subject import Subject


def test_examples_are_samples_of_all_classes(subject: Callable[..., Subject], tmp_path: Path) -> None:
    found = subject("data=digits", "model=linear").examples
    assert len(found.raw) <= 200
    assert set(found.targets[found.shown()]) == set(range(10))
    paths = found.write_images(tmp_path)
    assert len(paths) == 12
    assert np.array_equal(np.asarray(Image.open(paths[0])), found.raw[found.shown()[0], 0])


def test_a_run_whose_data_is_gone_has_none_and_downloads_nothing(tmp_path: Path, mnist_dir: Path) -> None:
    from firstlight.config.compose import compose
    from firstlight.training.run import train

    words = ["data=mnist", f"data.dir={mnist_dir}", "model=linear", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    train(compose(*words), run_dir=tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    assert len(Examples.of(folder, folder.spec()).raw) == 50
    (mnist_dir / "MNIST").rename(mnist_dir / "gone")
    (mnist_dir / ".firstlight").rename(mnist_dir / "gone" / "store")
    assert Examples.of(folder, folder.spec()).raw.shape == (0, 1, 28, 28)
    assert not (mnist_dir / "MNIST").exists()
