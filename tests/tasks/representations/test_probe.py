import torch

from firstlight.tasks.representations.probe import Probe


def test_separable_features_are_classified_without_a_mistake() -> None:
    random = torch.Generator().manual_seed(0)
    centres = 4 * torch.randn(3, 5, generator=random)
    classes = torch.arange(90) % 3
    features = centres[classes] + 0.3 * torch.randn(90, 5, generator=random)
    with torch.inference_mode():  # as in an evaluation
        probe = Probe(features[:60], classes[:60], 3, neighbours=1000)  # more than there are
        assert torch.equal(probe.linear(features[60:]), classes[60:])
        assert torch.equal(probe.nearest(features[60:]), classes[60:])


def test_one_class_beside_another_is_linear_but_has_no_near_neighbours() -> None:
    """The cosine similarity ignores lengths: points on one line are all neighbours, and a threshold divides them."""
    features = torch.arange(1.0, 21)[:, None] * torch.tensor([[1.0, 2.0]])
    classes = (torch.arange(20) >= 15).long()
    probe = Probe(features, classes, 2, neighbours=20)
    assert torch.equal(probe.linear(features), classes)
    assert probe.nearest(features).tolist() == [0] * 20  # the majority


def test_votes_are_weighted_by_similarity() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.05, 1.0]])
    probe = Probe(features, torch.tensor([1, 0, 0, 0]), 2, neighbours=4)
    assert probe.nearest(torch.tensor([[1.0, 0.1], [0.1, 1.0]])).tolist() == [1, 0]
