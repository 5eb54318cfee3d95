"""Learning WordPiece's pieces, with counts that are kept up to date. See minigpt.reference.wordpiece."""
import math
from collections import Counter, defaultdict
from itertools import chain, pairwise

import torch

from minigpt.errors import InputError


def learn_pieces(counts, vocab_size, special_tokens):
    """The vocabulary {piece: id} of words, {word: times}: the pair whose merging gains most becomes one, each time.

    Raises InputError if vocab_size is too small for the characters.
    """
    words = [[c if i == 0 else f"##{c}" for i, c in enumerate(word)] for word in counts]
    characters = sorted(set(chain.from_iterable(words)), key=lambda p: (p.removeprefix("##"), len(p)))
    vocabulary = {piece: i for i, piece in enumerate([*special_tokens, *characters])}
    if vocab_size < len(vocabulary):
        raise InputError(f"vocab_size={vocab_size} is too small: {len(characters)} characters and "
                         f"{len(special_tokens)} special tokens need {len(vocabulary)}; try {len(vocabulary) + 1000}")
    words = [[vocabulary[piece] for piece in word] for word in words]
    _Merging(words, list(counts.values()), vocabulary).run(vocab_size)
    return vocabulary


class _Merging:
    """Counts of pieces and of pairs, kept up to date from merge to merge. Words are lists of ids."""

    def __init__(self, words, times, vocabulary):
        self.words, self.times, self.vocabulary, self.pieces = words, times, vocabulary, list(vocabulary)
        self.pairs = {}                                # (left, right): row of the table
        self.where, self.spelled = [], defaultdict(list)           # words that hold a pair; pairs that make a piece
        self.table = torch.zeros(0, 4, dtype=torch.int64)          # left, right, what they make, count
        n_pieces = Counter()
        for word, n in zip(words, times, strict=True):
            for piece in word:
                n_pieces[piece] += n
        self.N = sum(n_pieces.values())
        self.singles = torch.zeros(len(vocabulary) + 1, dtype=torch.int64)         # the last is of no piece
        self.n_log_n = torch.arange(self.N + 1) * torch.tensor([0.0, *map(math.log, range(1, self.N + 1))],
                                                               dtype=torch.float64)
        changes = Counter()
        for i in range(len(words)):
            self._count(i, 1, changes)
        self._apply(n_pieces, changes)

    def run(self, vocab_size):
        """Merge until there are vocab_size pieces, or no merge gains anything."""
        while len(self.vocabulary) < vocab_size and (row := self._best()) is not None:
            self._merge(row)

    def _best(self):
        """The row of the pair that gains most; of equals, the lowest ids."""
        left, right, new, n = self.table.unbind(1)
        n_left, n_right, n_new, f = self.singles[left], self.singles[right], self.singles[new], self.n_log_n
        same = left == right
        gone = torch.where(same, f[(n_left - 2 * n).clamp(min=0)] - f[n_left],
                           (f[n_left - n] - f[n_left]) + (f[n_right - n] - f[n_right]))
        gain = gone + (f[n_new + n] - f[n_new]) - (f[self.N - n] - f[self.N])
        gain[(n == 0) | (same & (2 * n > n_left))] = 0
        if not len(gain) or gain.max() <= 0:
            return None
        best = torch.nonzero(gain == gain.max())[:, 0].tolist()
        return min(best, key=lambda row: (int(left[row]), int(right[row])))

    def _merge(self, row):
        left, right = self.table[row, :2].tolist()
        text = self._joined(left, right)
        new = self.vocabulary.setdefault(text, len(self.pieces))
        if new == len(self.pieces):
            self.pieces.append(text)
            self.singles = torch.cat([self.singles, self.singles[-1:]])
        self.table[self.spelled[text], 2] = new
        n_pieces, changes = Counter(), Counter()
        for i in self.where[row]:
            word = self.words[i]
            self._count(i, -1, changes)
            self.words[i] = merged = _merged(word, left, right, new)
            made = len(word) - len(merged)
            self._count(i, 1, changes)
            n_pieces.update({left: -made * self.times[i]})
            n_pieces.update({right: -made * self.times[i]})
            n_pieces.update({new: made * self.times[i]})
            self.N -= made * self.times[i]
        self._apply(n_pieces, changes)

    def _joined(self, left, right):
        return self.pieces[left] + self.pieces[right].removeprefix("##")

    def _count(self, i, sign, changes):
        """Add (or take away) a word's pairs, of which new ones get a row."""
        for pair in pairwise(self.words[i]):
            row = self.pairs.setdefault(pair, len(self.where))
            if row == len(self.where):
                self.where.append(set())
                self.spelled[self._joined(*pair)].append(row)
            self.where[row].add(i)                     # it may have lost the pair since: then merging changes nothing
            changes[row] += sign * self.times[i]

    def _apply(self, n_pieces, changes):
        fresh = list(self.pairs)[len(self.table):]
        rows = [[left, right, self.vocabulary.get(self._joined(left, right), -1), 0] for left, right in fresh]
        self.table = torch.cat([self.table, torch.tensor(rows, dtype=torch.int64).view(-1, 4)])
        for target, change in ((self.singles, n_pieces), (self.table[:, 3], changes)):
            rows, amounts = (torch.tensor(list(part), dtype=torch.int64) for part in (change, change.values()))
            target.index_add_(0, rows, amounts)


def _merged(word, left, right, new):
    merged, i = [], 0
    while i < len(word):
        fits = word[i] == left and i + 1 < len(word) and word[i + 1] == right
        merged.append(new if fits else word[i])
        i += 2 if fits else 1
    return merged
