"""Compare the bits per character of a trained language model with those of gzip -9 and of a smoothed 5-gram model.

    uv run scripts/benchmarks/text.py run=outputs/text-lstm/...

All three use the test text of the run. The 5-gram model counts the training text; gzip compresses the test text alone.
"""

import gzip
import math
import sys
from collections import Counter, defaultdict

from firstlight.data import Text
from firstlight.runs.evaluate import evaluate
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks.build import build_source

ORDER = 5
DISCOUNT = 0.75


def main() -> None:
    """Print the bits per character of all three."""
    run = dict(word.split("=", 1) for word in sys.argv[1:])["run"]
    source = build_source(RunFolder.open(run).config())
    assert isinstance(source, Text)
    parts = source.parts()
    ours = evaluate(run)["test/bits_per_character"]
    print(f"{'gzip -9':12} {len(gzip.compress(parts['test'].encode(), 9)) * 8 / len(parts['test']):6.3f}")
    print(f"{'5-gram':12} {n_gram_bits(parts['train'], parts['test']):6.3f}")
    print(f"{'firstlight':12} {ours:6.3f}")


def n_gram_bits(train: str, test: str) -> float:
    """Return the bits per character of an n-gram model with interpolated Kneser-Ney smoothing.

    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7.
    """
    followers: list[dict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(ORDER)]  # by length of context
    longest = ORDER - 1
    for end in range(longest, len(train)):
        followers[longest][train[end - longest : end]][train[end]] += 1
    for length in range(longest - 1, -1, -1):  # shorter contexts count distinct longer contexts, not occurrences
        for context, characters in followers[length + 1].items():
            followers[length][context[1:]].update(dict.fromkeys(characters, 1))
    totals = [{context: sum(counts.values()) for context, counts in level.items()} for level in followers]
    bits = 0.0
    for end, character in enumerate(test):
        probability = 1 / (len(set(train)) + 1)  # the 1 is for characters that the training text lacks
        for length in range(min(end, longest) + 1):
            context = test[end - length : end]
            if context in totals[length]:
                counts, total = followers[length][context], totals[length][context]
                kept = max(counts[character] - DISCOUNT, 0.0)
                probability = (kept + DISCOUNT * len(counts) * probability) / total
        bits -= math.log2(probability)
    return bits / len(test)


if __name__ == "__main__":
    main()
