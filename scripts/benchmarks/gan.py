"""Classify 10,000 generated images to evaluate the quality and variety of a GAN.

    uv run scripts/benchmarks/gan.py run=outputs/mnist-gan/... judge=outputs/mnist-lenet/...

`judge` is a run of a classifier that was trained on the same data.
"""

import sys

import torch

from firstlight.runs.load import load_task
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Adversarial, Classification

NUMBER = 10_000
CONFIDENCE = 0.9


@torch.inference_mode()
def main() -> None:
    """Print the fraction of images with a probability of at least 0.9, and the entropy of the predicted classes."""
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    gan, judge = load_task(words["run"]), load_task(words["judge"])
    assert isinstance(gan, Adversarial)
    assert isinstance(judge, Classification)
    images = (gan.generate(NUMBER) * 255).round().to(torch.uint8)
    outputs = [judge.network(judge.preprocess(batch)) for batch in images.split(500)]
    probabilities = judge.class_logits(torch.cat(outputs)).softmax(1)
    confidence, classes = probabilities.max(1)
    fractions = classes.bincount(minlength=judge.spec.num_outputs) / NUMBER
    entropy = float(torch.special.entr(fractions).sum())
    print(f"judge's test accuracy       {RunFolder.open(words['judge']).metrics()['test/accuracy']:.4f}")
    print(f"probability {CONFIDENCE} or more     {float((confidence >= CONFIDENCE).float().mean()):.4f}")
    print(f"entropy of the classes      {entropy:.3f} nats (uniform: {torch.tensor(len(fractions)).log():.3f})")


if __name__ == "__main__":
    main()
