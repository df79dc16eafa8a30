import pytest
import torch

from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.imagenet_groups import GROUPS, check_group, check_labels, verdicts


def probabilities(**shares: float) -> torch.Tensor:
    """One image, with these shares of the classes of these names, and what is left for "tench"."""
    found = torch.zeros(1000)
    for name, share in shares.items():
        found[imagenet_labels().index(name.replace("_", " "))] = share
    found[0] = 1 - found.sum()
    return found


def test_the_classes_of_dogs_and_cats_are_theirs() -> None:
    labels, names = imagenet_labels(), GROUPS["dog_cat"]
    assert [labels[i] for i in names["cat"]] == ["tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"]
    dogs = [labels[i] for i in names["dog"]]
    assert (len(dogs), dogs[0], dogs[-1]) == (118, "Chihuahua", "Mexican hairless")
    assert not {"timber wolf", "hyena", "cougar", "red fox"} & set(dogs)


def test_the_likeliest_name_is_told_with_the_sum_of_its_classes() -> None:
    images = [
        probabilities(beagle=0.3, basset=0.25, tabby=0.1),
        probabilities(beagle=0.1, tabby=0.3, Egyptian_cat=0.15),
        probabilities(beagle=0.3, tabby=0.2, daisy=0.2),
        probabilities(),
    ]
    found = verdicts("dog_cat", torch.stack(images))
    assert [name for name, _ in found] == ["dog", "cat", "neither", "neither"]
    assert [share for _, share in found] == pytest.approx([0.55, 0.45, 0.5, 1.0])


def test_an_unknown_group_is_refused_with_the_nearest() -> None:
    check_group("dog_cat")
    with pytest.raises(ValueError, match=r"predict\.group=dogcat: .*did you mean 'dog_cat'\?"):
        check_group("dogcat")


def test_other_classes_than_those_of_imagenet_are_refused() -> None:
    check_labels("dog_cat", imagenet_labels())
    with pytest.raises(ValueError, match=r"predict\.group=dog_cat: it is made of the 1000 classes of ImageNet"):
        check_labels("dog_cat", ("dog", "cat"))
