"""Text for an encoder: sentences packed into segments, segments in pairs, and some tokens of each hidden."""
import copy
import re
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from minigpt.errors import InputError
from minigpt.masked_lm import mask_tokens
from minigpt.next_sentence import sentence_pairs

SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n\s*\n")
CHAPTER = 16            # segments: a single long text is cut into as many documents as that gives


@dataclass(frozen=True)
class MaskedBatch:
    """What an encoder reads, and is asked. B rows, filled up on the right to T tokens."""
    ids: torch.Tensor                   # (B,T), some tokens hidden
    targets: torch.Tensor               # (B,T) what stood there; -100 where nothing is asked
    key_mask: torch.Tensor              # (B,T) bool, True = a token, False = padding
    token_types: torch.Tensor | None    # (B,T) 0 for the first segment, 1 for the second
    labels: torch.Tensor | None         # (B,) 0 = the second segment follows the first, 1 = it does not

    @property
    def hidden(self):
        """(B,T) bool: where a token is asked that does not stand there any more."""
        return (self.targets >= 0) & (self.targets != self.ids)

    def to(self, device):
        """The same on another device."""
        return MaskedBatch(*(x if x is None else x.to(device) for x in self._parts()))

    def __getitem__(self, place):
        """The part of it in some rows, and if a second slice says so, some columns: batch[:2, :8]."""
        place = place if isinstance(place, tuple) else (place,)
        return MaskedBatch(*(x if x is None else x[place[:x.ndim]] for x in self._parts()))

    def _parts(self):
        return [getattr(self, field.name) for field in fields(self)]


class MaskedBatches:
    """Every segment of the documents, or every pair of two, in a new order each epoch, with other tokens hidden.

    documents: a list of texts. tokenizer: a WordPieceTokenizer. context_length, batch_size, accumulation: as in
    TokenBatches. pairs: whether two segments make a row (next sentence), or one.
    What step s sees depends on (seed, s) alone: resuming needs no replay.
    Raises InputError if there is too little text.
    """

    def __init__(self, documents, tokenizer, context_length, batch_size, seed, accumulation=1, *, pairs=False):
        self.tokenizer, self.context_length, self.pairs = tokenizer, context_length, pairs
        self.batch_size, self.accumulation, self.seed = batch_size, accumulation, seed
        longest = (context_length - 3) // 2 if pairs else context_length - 2
        if longest < 1:
            raise InputError(f"context_length={context_length} leaves no room beside [CLS] and [SEP]; try 128")
        cut = [segments(text, tokenizer, longest) for text in documents]
        self.documents = [document for document in cut if document]
        if pairs:
            self.documents = _several(self.documents)
        self._rows = {}                                # epoch: its rows; of the last epoch that was asked for
        if not self._epoch(0):
            raise InputError("the text has too little to hide tokens in; give more text")

    @cached_property
    def tokens_per_step(self):
        """How many tokens one step reads, about: rows differ in length."""
        rows = self._epoch(0)
        each = sum(len(first) + len(second or ()) for first, second, _ in rows) / len(rows) + (3 if self.pairs else 2)
        return round(each * self.batch_size * self.accumulation)

    def __call__(self, step):
        """The batches of a step: `accumulation` MaskedBatches."""
        size, n = self.batch_size * self.accumulation, len(self._epoch(0))
        rows = [self._epoch(i // n)[i % n] for i in range(step * size, (step + 1) * size)]
        rng = _generator(self.seed, step)
        return [self._batch(rows[at:at + self.batch_size], rng) for at in range(0, size, self.batch_size)]

    def again(self, seed):
        """The same documents in the order of another seed, with other tokens hidden; they are not encoded anew."""
        other = copy.copy(self)
        other.seed, other._rows = seed, {}
        return other

    def once(self, n_batches=0):
        """Batches of the first epoch, the same each time, to judge a model on; n_batches: at most, 0 means all."""
        rows, rng = self._epoch(0), _generator(self.seed, 0)
        starts = range(0, len(rows), self.batch_size)
        return [self._batch(rows[at:at + self.batch_size], rng) for at in starts[:n_batches or None]]

    def _epoch(self, epoch):
        """[(first, second or None, label or None)] in the order of an epoch."""
        if epoch not in self._rows:
            rng = _generator(self.seed, epoch, 1)
            rows = (sentence_pairs(self.documents, rng) if self.pairs
                    else [(segment, None, None) for document in self.documents for segment in document])
            order = torch.randperm(len(rows), generator=rng).tolist()
            self._rows = {0: self._rows.get(0)} if epoch and 0 in self._rows else {}
            self._rows[epoch] = [rows[i] for i in order]
        return self._rows[epoch]

    def _batch(self, rows, rng):
        made = [self.tokenizer.pair(first, second) for first, second, _ in rows]
        ids = _padded([ids for ids, _ in made], self.tokenizer.special_ids["[PAD]"])
        key_mask = torch.arange(ids.shape[1]) < torch.tensor([len(ids) for ids, _ in made])[:, None]
        special = self.tokenizer.special_ids
        masked, targets = mask_tokens(ids, rng, mask_id=special["[MASK]"], special_ids=special.values(),
                                      vocab_size=self.tokenizer.vocab_size)
        if not self.pairs:
            return MaskedBatch(masked, targets, key_mask, None, None)
        types = _padded([types for _, types in made], 0)
        return MaskedBatch(masked, targets, key_mask, types, torch.tensor([label for _, _, label in rows]))


def segments(text, tokenizer, longest):
    """Token ids of a text in pieces of at most `longest`, cut between sentences wherever that is possible."""
    pieces, piece = [], []
    for sentence in SENTENCE_ENDS.split(text):
        ids = tokenizer.encode(sentence)
        if piece and len(piece) + len(ids) > longest:
            pieces.append(piece)
            piece = []
        piece = piece + ids
        while len(piece) > longest:
            pieces.append(piece[:longest])
            piece = piece[longest:]
    return [*pieces, piece] if piece else pieces


def _several(documents):
    """At least two documents: of a single one, its chapters."""
    if len(documents) == 1:
        [whole] = documents
        size = max(1, min(CHAPTER, len(whole) // 2))
        documents = [whole[at:at + size] for at in range(0, len(whole), size)]
    if len(documents) < 2 or max(map(len, documents)) < 2:
        raise InputError("the text is too short for pairs of which one follows the other, and one is from elsewhere; "
                         "give more text, or take --objective mlm, which needs no pairs")
    return documents


def _padded(rows, value):
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def _generator(*numbers):
    """A generator that depends on these numbers alone."""
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed))
