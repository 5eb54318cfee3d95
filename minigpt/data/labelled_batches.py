"""Labelled texts as batches with little padding, in an order that depends on a seed and the step alone."""
from collections import namedtuple

import numpy as np
import torch

from minigpt.tokenizer import END_OF_TEXT

POOL = 32               # batches' worth of texts that are sorted by length together

LabelledBatch = namedtuple("LabelledBatch", "ids key_mask labels")    # (B,T), (B,T) bool or None, (B,)


def text_rows(texts, tokenizer, longest):
    """A list of token ids for each text, at most `longest`; the rest of a text is not read.

    WordPiece: [CLS] text [SEP], as BERT reads it. Others: <|endoftext|> text, as a causal model learned to read it.
    """
    if hasattr(tokenizer, "pair"):
        return [tokenizer.pair(tokenizer.encode(text), longest=longest)[0] for text in texts]
    end = tokenizer.special_ids[END_OF_TEXT]
    return [[end, *tokenizer.encode(text)][:longest] for text in texts]


class LabelledBatches:
    """Batches of labelled rows. All rows come once before any comes again; those of step s depend on (seed, s) alone.

    rows: lists of token ids; labels: as many integers; batch_size: B, at most the number of rows.
    Rows of like length share a batch: in each round over all rows, those of 32 batches at a time are sorted by length.
    accumulation: batches of a step. tokens_per_step: texts of a step.
    """

    def __init__(self, rows, labels, batch_size, seed, accumulation=1):
        self.rows, self.labels, self.seed, self.accumulation = rows, labels, seed, accumulation
        self.batch_size = min(batch_size, len(rows))
        self.per_round = -(-len(rows) // self.batch_size)      # batches; the last ones may be smaller
        self.tokens_per_step = self.batch_size * accumulation
        self._round, self._order = None, []

    def __call__(self, step):
        """The batches of a step, LabelledBatches of (B,T)."""
        numbers = range(step * self.accumulation, (step + 1) * self.accumulation)
        return [self.batch(self._places(number)) for number in numbers]

    def batch(self, places):
        """The rows of these numbers as one batch."""
        return padded([self.rows[i] for i in places], [self.labels[i] for i in places])

    def _places(self, number):
        """Which rows the batch of a number holds, counted from the beginning of the training."""
        turn, place = divmod(number, self.per_round)
        if turn != self._round:
            self._round, self._order = turn, self._shuffled(turn)
        return self._order[place]

    def _shuffled(self, turn):
        rng = np.random.default_rng([self.seed, turn])
        order = rng.permutation(len(self.rows))
        pools = [order[at:at + POOL * self.batch_size] for at in range(0, len(order), POOL * self.batch_size)]
        batches = []
        for pool in pools:
            pool = sorted(pool.tolist(), key=lambda i: len(self.rows[i]))
            batches += [pool[at:at + self.batch_size] for at in range(0, len(pool), self.batch_size)]
        return [batches[i] for i in rng.permutation(len(batches))]


def batches_in_order(rows, labels=None, batch_size=16):
    """(places, batches): every row once, by length, to judge a model on; places: which rows a batch holds."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    labels = [0] * len(rows) if labels is None else labels
    places = [order[at:at + batch_size] for at in range(0, len(order), batch_size)]
    return places, [padded([rows[i] for i in chosen], [labels[i] for i in chosen]) for chosen in places]


def padded(rows, labels):
    """Rows of different lengths as one LabelledBatch; padding is behind, and there is no mask where there is none."""
    T = max(map(len, rows))
    ids = torch.tensor([row + [0] * (T - len(row)) for row in rows])                              # (B,T)
    lengths = torch.tensor([[len(row)] for row in rows])
    mask = torch.arange(T) < lengths                                                              # (B,T)
    return LabelledBatch(ids, None if bool(mask.all()) else mask, torch.tensor(labels))
