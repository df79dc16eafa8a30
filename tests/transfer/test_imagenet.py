from firstlight.transfer.imagenet import imagenet_labels


def test_there_are_1000_names_by_number() -> None:
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert (labels[0], labels[207], labels[999]) == ("tench", "golden retriever", "toilet tissue")
