import threading

import pytest
import torch
from torch import nn

from firstlight.networks import LiveNetwork
from firstlight.networks.live import given_network
from firstlight.spec import DataSpec
from helpers.small import IMAGES, NUMBERS, TOKENS


def build(spec: DataSpec = IMAGES) -> nn.Module:
    return LiveNetwork(spec, name="mine.Net", description="")


def test_the_given_module_itself_is_returned_in_its_mode_and_in_this_thread_only() -> None:
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(3), nn.BatchNorm1d(3))
    found: list[str] = []

    def elsewhere() -> None:
        with pytest.raises(ValueError, match=r"^must be given as an object, .* the class mine\.Net\."):
            build()
        found.append("refused")

    with given_network(module):
        assert build() is module
        assert module.training
        assert module.state_dict()["2.running_mean"].tolist() == [0, 0, 0]  # the check leaves no trace
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == ["refused"]
    elsewhere()


def test_the_outputs_must_be_one_row_for_each_sample() -> None:
    for spec, fitting, wrong in (
        (IMAGES, nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), nn.Sequential(nn.Flatten(), nn.Linear(64, 4))),
        (NUMBERS, nn.Linear(2, 1), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))),
    ):
        with given_network(fitting):
            assert build(spec) is fitting
        with given_network(wrong), pytest.raises(ValueError, match=r"Sequential must return a tensor of shape 2x"):
            build(spec)
    words = nn.Embedding(6, 4)  # the outputs of networks for texts are checked by their task
    with given_network(words):
        assert build(TOKENS) is words
    with given_network(nn.LSTM(8, 8)), pytest.raises(ValueError, match=r"^LSTM must take a batch of shape 2x1x8x8 \("):
        build()
    assert torch.is_grad_enabled()
