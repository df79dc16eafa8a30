"""Steps that replace, insert, delete and swap tokens of texts (Wei & Zou 2019, "EDA")."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from firstlight.augment.step import Step
from firstlight.checks import check_range
from firstlight.files import read_text, user_path
from firstlight.spec import DataSpec


class TokenStep(Step, ABC):
    """A step on windows of token ids.

    Args:
        rate: probability that a token is selected, in a window that is changed.
        p: probability that a window is changed.

    Raises:
        ValueError: `rate` or `p` is outside 0 to 1.
    """

    accepts = "tokens"

    def __init__(self, *, rate: float = 0.05, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("rate", rate, at_least=0, at_most=1)
        self.rate = rate
        self.ends = False  # whether the windows are whole texts, which end in -1 if they are short

    def prepare(self, spec: DataSpec) -> None:
        """Prepare what depends on the vocabulary, see `learn`."""
        self.ends = bool(spec.vocabulary)
        self.learn(spec.tokens)

    def apply(self, samples: Tensor) -> Tensor:
        """Return the changed windows, see `change`."""
        return self.change(samples)

    def learn(self, vocabulary: tuple[str, ...]) -> None:
        """Prepare tables that depend on the vocabulary, before the first batch.

        Args:
            vocabulary: all tokens; the index of a token is its id.
        """
        self.vocabulary_size = len(vocabulary)

    @abstractmethod
    def change(self, windows: Tensor) -> Tensor:
        """Return the changed windows: (samples, length), int64, like `windows`."""

    def selected(self, windows: Tensor) -> Tensor:
        """Draw which tokens the step selects: (samples, length), bool; never -1, the end of a short text."""
        selected = (torch.rand(windows.shape, device=windows.device) < self.rate) & (windows >= 0)
        return selected & self.chosen(len(windows), windows.device)[:, None] if self.p < 1 else selected


class ReplaceTokens(TokenStep):
    """Replace the selected tokens by random ones of the vocabulary; all are equally likely."""

    def change(self, windows: Tensor) -> Tensor:
        return torch.where(self.selected(windows), torch.randint_like(windows, self.vocabulary_size), windows)


class ReplaceSynonyms(TokenStep):
    """Replace the selected tokens by their synonyms; all synonyms of a token are equally likely.

    Tokens without synonyms are not changed.

    Args:
        file: path of the thesaurus, a UTF-8 text file. Each line holds words of the same meaning, separated by commas
            or spaces.
        rate: probability that a token is selected, in a window that is changed.
        p: probability that a window is changed.

    Raises:
        ValueError: the file does not exist. `learn` raises it if the file is not UTF-8, or if no line has two words of
            the vocabulary.
    """

    def __init__(self, *, file: str, rate: float = 0.1, p: float = 1.0) -> None:
        super().__init__(rate=rate, p=p)
        self.path = user_path(file, "file")
        if not self.path.is_file():
            raise ValueError(f"file={file}: must be an existing file.")

    def learn(self, vocabulary: tuple[str, ...]) -> None:
        """Create a table of the synonyms of each token, as far as they are in the vocabulary.

        Raises:
            ValueError: the file is no text, or no line of it has two words of the vocabulary.
        """
        super().learn(vocabulary)
        ids = {token: number for number, token in enumerate(vocabulary)}
        synonyms: list[dict[int, None]] = [{} for _ in vocabulary]  # dicts as ordered sets
        for line in read_text(self.path).splitlines():
            group = line.replace(",", " ").split()
            for space in ("", " "):  # in texts of words, a token begins with its space
                known = [ids[space + word] for word in group if space + word in ids]
                for token in known:
                    synonyms[token].update(dict.fromkeys(other for other in known if other != token))
        if not any(synonyms):
            raise ValueError(f"file={self.path}: must have a line with two words that occur in the text.")
        most_synonyms = max(map(len, synonyms))
        # A token without synonyms is replaced by itself.
        rows = [list(found) or [token] for token, found in enumerate(synonyms)]
        self.counts = torch.tensor([len(row) for row in rows])
        self.table = torch.tensor([row + [row[0]] * (most_synonyms - len(row)) for row in rows])

    def change(self, windows: Tensor) -> Tensor:
        counts, table = self.counts.to(windows.device), self.table.to(windows.device)
        draws = torch.rand(windows.shape, device=windows.device)
        choice = torch.minimum((draws * counts[windows]).long(), counts[windows] - 1)  # the product can be rounded up
        return torch.where(self.selected(windows), table[windows, choice], windows)


class InsertTokens(TokenStep):
    """Insert a random token before each selected one, and cut the window to its length."""

    def change(self, windows: Tensor) -> Tensor:
        selected = self.selected(windows)
        length = windows.shape[1]
        positions = torch.arange(length, device=windows.device) + selected.cumsum(1)
        inserted = torch.randint_like(windows, self.vocabulary_size)
        # An additional column takes all tokens that are pushed beyond the end.
        changed = torch.cat([inserted, inserted[:, :1]], 1)
        return changed.scatter(1, positions.clamp_max(length), windows)[:, :length]


class DeleteTokens(TokenStep):
    """Delete the selected tokens, and repeat the window's last token to keep its length.

    A text that is classified becomes shorter instead, but keeps its first token.
    """

    def change(self, windows: Tensor) -> Tensor:
        kept = ~self.selected(windows)
        if self.ends:
            kept[:, 0] = True
        positions = kept.cumsum(1) - 1
        length = windows.shape[1]
        last = windows.new_full((len(windows), 1), -1) if self.ends else windows[:, -1:]
        changed = last.expand(-1, length + 1)
        return changed.scatter(1, torch.where(kept, positions, length), windows)[:, :length]


class SwapTokens(TokenStep):
    """Swap the selected tokens with their right neighbours; no token moves by more than one position."""

    def change(self, windows: Tensor) -> Tensor:
        first = self.selected(windows)
        first[:, -1] = False
        first[:, :-1] &= windows[:, 1:] >= 0
        first = _starts_of_pairs(first)
        second = first.roll(1, 1)
        positions = torch.arange(windows.shape[1], device=windows.device)
        return windows.gather(1, positions + first.long() - second.long())


def _starts_of_pairs(selected: Tensor) -> Tensor:
    """Keep the first, third, fifth … token of each run of selected tokens, so that the pairs to swap do not overlap."""
    positions = torch.arange(selected.shape[1], device=selected.device)
    # The last token is never selected, so that `roll` does not join the end of a window to its beginning.
    run_starts = torch.where(selected & ~selected.roll(1, 1), positions, 0)
    index_in_run = positions - run_starts.cummax(1).values
    return selected & (index_in_run % 2 == 0)
