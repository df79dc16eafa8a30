"""The batches of several replicas: those of each loader, whether the arrays are the same or not."""

from dataclasses import replace

import pytest
import torch

from firstlight.data import BatchLoader, Split
from firstlight.training.stacked.batches import stacked_batches


@pytest.mark.parametrize("copies", [False, True])
def test_each_replica_gets_the_batches_of_its_loader(copies: bool) -> None:
    whole = Split(torch.arange(20.0)[:, None], torch.arange(20))
    rows = torch.tensor([[0, 2, 4, 6, 8, 10, 12], [1, 3, 5, 7, 9, 11, 13]])
    splits = [whole.part(part) for part in rows]
    if copies:
        splits[1] = replace(splits[1], inputs=whole.inputs.clone())
    loaders = [BatchLoader(split, 3, seed=seed) for seed, split in enumerate(splits)]
    for loader in loaders:
        loader.set_epoch(1)
    alone = list(zip(*(list(loader) for loader in loaders), strict=True))
    found = list(stacked_batches(loaders))
    assert [inputs.shape[:2] for inputs, _ in found] == [(2, 3), (2, 3), (2, 1)]
    for (inputs, targets), expected in zip(found, alone, strict=True):
        for replica, (own_inputs, own_targets) in enumerate(expected):
            assert torch.equal(inputs[replica], own_inputs)
            assert torch.equal(targets[replica], own_targets)
