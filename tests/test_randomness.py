import os
import subprocess
import sys

import torch

from firstlight.randomness import derive, generator


def test_the_seed_for_given_keys_never_changes() -> None:
    assert derive(1, "order", 0) == 299572666420262285


def test_another_process_derives_the_same_seed() -> None:
    command = [sys.executable, "-c", "from firstlight.randomness import derive; print(derive(3, 'val', 7))"]
    environment = os.environ | {"PYTHONHASHSEED": "17"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert int(printed) == derive(3, "val", 7)


def test_every_combination_of_seed_and_keys_has_its_own_seed() -> None:
    combinations = [(seed, key, epoch) for seed in range(10) for key in ("order", "val", 1, "1") for epoch in range(10)]
    assert len({derive(*combination) for combination in combinations}) == len(combinations)


def test_keys_are_not_concatenated() -> None:
    assert len({derive(1, "a", "b"), derive(1, "ab"), derive(1, "b", "a"), derive(1, 2), derive(12)}) == 5


def test_every_derived_seed_fits_in_63_bits() -> None:
    assert all(0 <= derive(seed, "step") < 2**63 for seed in (*range(200), 2**70, -1))


def test_a_generator_does_not_depend_on_earlier_draws() -> None:
    first = torch.rand(5, generator=generator(1, "order", 2))
    torch.rand(3)
    assert torch.equal(torch.rand(5, generator=generator(1, "order", 2)), first)
    assert not torch.equal(torch.rand(5, generator=generator(1, "order", 3)), first)


def test_a_generator_does_not_change_the_global_generator() -> None:
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(1, "order"))
    assert torch.equal(torch.get_rng_state(), before)
