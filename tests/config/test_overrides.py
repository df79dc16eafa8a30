import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from firstlight.config.compose import compose
from firstlight.config.overrides import is_readable, quoted, replacing_files, value_of, with_quotes

PLAIN = [
    "seed=3",
    "model=mlp,lenet",
    "data.dir=/a b",
    'data.dir="/é"',
    "+model.hidden_sizes=[1,2]",
    "seed=range(1,3)",
    "~data",
]


@pytest.mark.parametrize("word", [*PLAIN, "-m", "--cfg", "job", "--config-dir=/é", "é=3"])
def test_words_that_hydra_can_read_and_words_that_quotes_do_not_help_stay_as_they_are(word: str) -> None:
    assert with_quotes([word, "seed=1"]) == [word, "seed=1"]


@pytest.mark.parametrize(
    "value",
    [
        "photos/café",
        "/tmp/日本/图",
        "tom's.png",
        "photo (1).png",
        "~/data",
        "a=b",
        "x[1].png",
        'a 27" screen',
        "C:\\é\\",
        'C:\\é\\"',
        "'half",
        "{é}",
    ],
)
def test_hydra_reads_a_quoted_value_as_the_user_typed_it(value: str) -> None:
    assert not is_readable(f"input={value}")
    (word,) = with_quotes([f"input={value}"])
    assert OverridesParser.create().parse_override(word).value() == value
    assert with_quotes([word]) == [word]


@pytest.mark.parametrize(
    ("word", "quoted_word"),
    [
        ("data.dir=/a,/é", 'data.dir=/a,"/é"'),
        ("+model.names=[é,3,tom's]", '+model.names=["é",3,"tom\'s"]'),
        ("data.dir=choice(/a,/é)", 'data.dir=choice(/a,"/é")'),
    ],
)
def test_commas_and_brackets_keep_their_meaning(word: str, quoted_word: str) -> None:
    assert with_quotes([word]) == [quoted_word]


def test_an_unreadable_value_with_a_comma_is_not_quoted_as_a_whole() -> None:
    assert with_quotes(["input=photo (1).png,b"]) == ["input=photo (1).png,b"]
    assert quoted("input=photo (1).png,b") == 'input="photo (1).png,b"'


@pytest.mark.parametrize("prompt", ["Hello, world", "12", "true", "null", "[1, 2]", "a=b", " the", "é (1)", "", "it's"])
def test_a_value_that_is_free_text_is_always_read_as_text(prompt: str) -> None:
    (word, other) = with_quotes([f"prompt={prompt}", "prompts=3"], texts=["prompt"])
    assert OverridesParser.create().parse_override(word).value() == prompt
    assert with_quotes([word], texts=["prompt"]) == [word]
    assert other == "prompts=3"


@pytest.mark.parametrize("text", ["one, two", 'a "b" c', "x=1", "", "ends in \\", "[a, b]"])
def test_notes_are_free_text_in_every_command(text: str) -> None:
    (word,) = with_quotes([f"notes={text}"])
    assert OverridesParser.create().parse_override(word).value() == text
    assert value_of(word) == text
    assert with_quotes([word]) == [word]


def test_the_value_of_a_word_without_quotes_is_what_stands_there() -> None:
    assert [value_of(word) for word in ("seed=1", "a=[1,'b']", "a='b',c", "a")] == ["1", "[1,'b']", "'b',c", ""]


NODE = "{_target_: torch.optim.lr_scheduler.StepLR, step_size: 3}"


@pytest.mark.parametrize("word", ["scheduler=step", "optimizer={lr: 1}", f"model={NODE}", f"+scheduler.own={NODE}"])
def test_words_that_replace_no_file_stay_as_they_are(word: str) -> None:
    assert replacing_files([word]) == [word]


@pytest.mark.parametrize("more", [[], ["data=line"]])
def test_a_node_replaces_the_options_of_the_file_whatever_chose_it(more: list[str]) -> None:
    config = compose(f"scheduler={NODE}", "optimizer={_target_: torch.optim.NAdam, lr: 1}", "optimizer.lr=2", *more)
    assert config.scheduler == {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3}
    options_of_all = {"decay_biases_and_norms": True, "groups": None}
    assert config.optimizer == options_of_all | {"_target_": "torch.optim.NAdam", "lr": 2}
