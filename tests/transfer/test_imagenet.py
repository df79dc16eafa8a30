from firstlight.transfer.imagenet import imagenet_labels


def test_imagenet_has_1000_labels_in_order() -> None:
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert (labels[0], labels[207], labels[999]) == ("tench", "golden retriever", "toilet tissue")
