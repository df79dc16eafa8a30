import pytest
import torch

from firstlight.transfer.imagenet import imagenet_labels
from firstlight.transfer.imagenet_groups import GROUPS, check_group, check_labels, verdicts


def probabilities(**classes: float) -> torch.Tensor:
    """Return the class probabilities of one image; a hundred fish and birds have what remains."""
    found = torch.zeros(1000)
    for name, probability in classes.items():
        found[imagenet_labels().index(name.replace("_", " "))] = probability
    found[:100] = (1 - found.sum()) / 100
    return found


def test_the_groups_contain_all_breeds_of_dogs_and_cats_and_no_wild_animals() -> None:
    labels, names = imagenet_labels(), GROUPS["dog_cat"]
    assert [labels[i] for i in names["cat"]] == ["tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"]
    dogs = [labels[i] for i in names["dog"]]
    assert (len(dogs), dogs[0], dogs[-1]) == (118, "Chihuahua", "Mexican hairless")
    assert not {"timber wolf", "hyena", "cougar", "red fox"} & set(dogs)


def test_the_verdict_is_the_name_of_the_most_likely_class_with_the_sums_beside_it() -> None:
    images = [
        probabilities(beagle=0.3, basset=0.25, tabby=0.1),
        probabilities(beagle=0.2, basset=0.2, tabby=0.3, Egyptian_cat=0.05),  # dogs have the larger sum
        probabilities(tabby=0.16, beagle=0.02, **dict.fromkeys(("daisy", "barn", "mask", "maze", "vase"), 0.15)),
        probabilities(beagle=0.3, tabby=0.3, daisy=0.35),
        probabilities(),
    ]
    found = verdicts("dog_cat", torch.stack(images))
    assert [row["dog_cat"] for row in found] == ["dog", "cat", "cat", "neither", "neither"]
    assert [row["dog_cat_probability"] for row in found] == pytest.approx([0.55, 0.35, 0.16, 0.4, 1.0])
    sums = [[row[name] for name in ("dog", "cat", "neither")] for row in found]
    assert sums[2] == pytest.approx([0.02, 0.16, 0.82])
    assert [sum(map(float, values)) for values in sums] == pytest.approx([1] * 5)


def test_an_unknown_group_raises_an_error_with_a_suggestion() -> None:
    check_group("dog_cat")
    with pytest.raises(ValueError, match=r"^predict\.group=dogcat: unknown group, did you mean 'dog_cat'\?$"):
        check_group("dogcat")


def test_a_group_needs_the_classes_of_imagenet() -> None:
    check_labels("dog_cat", imagenet_labels())
    with pytest.raises(
        ValueError, match=r"^predict\.group=dog_cat: must be null, because the network does not predict"
    ):
        check_labels("dog_cat", ("dog", "cat"))
