import numpy as np
import pytest

from firstlight.data.tokens import UNITS, build_vocabulary, cut, decode, encode, encode_known

TEXTS = [
    "",
    "A word, another one; and so on…",
    "def f(x):\n    return x ** 2  # two  spaces\n\n\ttab\r\n",
    "  leading and trailing  ",
    "Grüße 你好 🙂 e\u0301",
    "don't <unk> snake_case 3.14",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("text", TEXTS)
def test_joined_tokens_are_the_text(text: str, unit: str) -> None:
    assert "".join(cut(text, unit)) == text


def test_words_include_the_space_before_them_and_punctuation_is_separate() -> None:
    assert cut("So (it) goes.\n\n  On", "words") == ["So", " (", "it", ")", " goes", ".", "\n\n  ", "On"]


def test_the_vocabulary_is_sorted_by_frequency_then_by_character() -> None:
    assert build_vocabulary("abbcca d", 10) == ("<unk>", "a", "b", "c", " ", "d")


def test_the_vocabulary_has_at_most_the_given_size() -> None:
    assert build_vocabulary(cut("b b b a a c", "words"), 3) == ("<unk>", " a", " b")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("text", TEXTS)
def test_decoding_restores_the_encoded_text(text: str, unit: str) -> None:
    vocabulary = build_vocabulary([*cut(text, unit), *cut(" word", unit)], 1000)
    numbers = encode(cut(text, unit), vocabulary)
    assert numbers.dtype == np.int32
    assert decode(numbers.tolist(), vocabulary) == text
    assert encode_known(text, vocabulary) == (numbers.tolist(), [])


def test_tokens_outside_the_vocabulary_are_unknown() -> None:
    vocabulary = build_vocabulary(cut("one two", "words"), 10)
    assert decode(encode(cut("one three", "words"), vocabulary), vocabulary) == "one<unk>"
    assert encode_known("one three <unk>", vocabulary) == ([vocabulary.index("one")], [" three", " <", "unk", ">"])
    assert encode("axb", ("<unk>", "a", "b")).tolist() == [1, 0, 2]


def test_a_word_of_a_prompt_is_known_with_or_without_the_space_before_it() -> None:
    vocabulary = build_vocabulary(cut("one two", "words"), 10)
    known, unknown = encode_known("two one", vocabulary)
    assert ([vocabulary[number] for number in known], unknown) == ([" two", "one"], [])
