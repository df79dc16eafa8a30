"""Texts changed a little: tokens replaced, put in, left out and swapped (Wei & Zou 2019, "EDA")."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from firstlight.augment.step import Step
from firstlight.checks import check_range
from firstlight.files import read_text


class TokenStep(Step, ABC):
    """A step on windows of token ids.

    Args:
        rate: the share of the tokens that it strikes.
        p: probability that a window is changed at all.

    Raises:
        ValueError: a share or a probability is outside 0 to 1.
    """

    accepts: ClassVar[str] = "tokens"

    def __init__(self, *, rate: float = 0.05, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("rate", rate, at_least=0, at_most=1)
        self.rate = rate

    def learn(self, vocabulary: tuple[str, ...]) -> None:
        """Take note of what the ids stand for, once, before the first batch."""
        self.vocabulary_size = len(vocabulary)

    @abstractmethod
    def change(self, windows: Tensor) -> Tensor:
        """(samples, length) int64 -> the same shape."""

    def selected(self, windows: Tensor) -> Tensor:
        """Which tokens are changed: (samples, length), bool."""
        hit = torch.rand(windows.shape, device=windows.device) < self.rate
        return hit & self.chosen(len(windows), windows.device)[:, None] if self.p < 1 else hit


class ReplaceTokens(TokenStep):
    """Tokens become any others of the vocabulary."""

    def change(self, windows: Tensor) -> Tensor:
        """All tokens are equally likely."""
        return torch.where(self.selected(windows), torch.randint_like(windows, self.vocabulary_size), windows)


class ReplaceSynonyms(TokenStep):
    """Tokens become synonyms of theirs, where the thesaurus knows some.

    Args:
        file: the thesaurus: text in UTF-8 with words of the same meaning on each line, separated by commas or spaces.
        rate: the share of the tokens that have synonyms which are replaced.
        p: probability that a window is changed at all.

    Raises:
        ValueError: no such file, or `learn` finds that it is not UTF-8 or that none of its words occur in the text.
    """

    def __init__(self, *, file: str, rate: float = 0.1, p: float = 1.0) -> None:
        super().__init__(rate=rate, p=p)
        self.path = Path(file).expanduser()
        if not self.path.is_file():
            raise ValueError(f"file={file}: there is no such file.")

    def learn(self, vocabulary: tuple[str, ...]) -> None:
        """Make a table of the synonyms of each token that occur in the vocabulary."""
        super().learn(vocabulary)
        ids = {token: number for number, token in enumerate(vocabulary)}
        synonyms: list[dict[int, None]] = [{} for _ in vocabulary]  # dicts keep the order and drop what is there
        for line in read_text(self.path).splitlines():
            words = line.replace(",", " ").split()
            for space in ("", " "):  # a token of a text in words has the space before it
                known = [ids[space + word] for word in words if space + word in ids]
                for token in known:
                    synonyms[token].update(dict.fromkeys(other for other in known if other != token))
        if not any(synonyms):
            raise ValueError(f"file={self.path}: no line has two words that occur in the text.")
        most = max(map(len, synonyms))
        # A token without synonyms is its own only one.
        rows = [list(found) or [token] for token, found in enumerate(synonyms)]
        self.counts = torch.tensor([len(row) for row in rows])
        self.table = torch.tensor([row + [row[0]] * (most - len(row)) for row in rows])

    def change(self, windows: Tensor) -> Tensor:
        """All synonyms of a token are equally likely."""
        counts, table = self.counts.to(windows.device), self.table.to(windows.device)
        draws = torch.rand(windows.shape, device=windows.device)
        choice = torch.minimum((draws * counts[windows]).long(), counts[windows] - 1)  # a product can be rounded up
        return torch.where(self.selected(windows), table[windows, choice], windows)


class InsertTokens(TokenStep):
    """Random tokens are put in; what is pushed beyond the end of the window is lost."""

    def change(self, windows: Tensor) -> Tensor:
        """Before each selected token comes one that may be any of the vocabulary."""
        selected = self.selected(windows)
        length = windows.shape[1]
        places = torch.arange(length, device=windows.device) + selected.cumsum(1)
        inserted = torch.randint_like(windows, self.vocabulary_size)
        # One column more takes all that falls off the end.
        changed = torch.cat([inserted, inserted[:, :1]], 1)
        return changed.scatter(1, places.clamp_max(length), windows)[:, :length]


class DeleteTokens(TokenStep):
    """Tokens are left out; the window's last token is repeated to keep its length."""

    def change(self, windows: Tensor) -> Tensor:
        """What is kept moves to the front; behind it stands the last token."""
        kept = ~self.selected(windows)
        places = kept.cumsum(1) - 1
        length = windows.shape[1]
        changed = windows[:, -1:].expand(-1, length + 1)
        return changed.scatter(1, torch.where(kept, places, length), windows)[:, :length]


class SwapTokens(TokenStep):
    """Tokens change places with their right neighbours."""

    def change(self, windows: Tensor) -> Tensor:
        """No token moves by more than one place."""
        first = self.selected(windows)
        first[:, -1] = False
        first = _starts_of_pairs(first)
        second = first.roll(1, 1)
        places = torch.arange(windows.shape[1], device=windows.device)
        return windows.gather(1, places + first.long() - second.long())


def _starts_of_pairs(selected: Tensor) -> Tensor:
    """Of neighbours that were selected in a row, the first, the third and so on: their pairs do not overlap."""
    places = torch.arange(selected.shape[1], device=selected.device)
    # The last token was not selected, so that no run goes on around the end.
    run_starts = torch.where(selected & ~selected.roll(1, 1), places, 0)
    since = places - run_starts.cummax(1).values
    return selected & (since % 2 == 0)
