"""Text as one stream of tokens, and the windows of it that a model is trained and judged on."""
import numpy as np
import torch

from minigpt.errors import InputError
from minigpt.tokenizer import END_OF_TEXT


def token_stream(documents, tokenizer):
    """All documents as one array (N,) of token ids, with <|endoftext|> before each of them.

    Read from left to right it predicts every token of every document, and the <|endoftext|> between two of
    them where `"\\n".join(documents)` has a newline: as many predictions as that text has to explain.
    """
    end = tokenizer.special_ids[END_OF_TEXT]
    ids = [np.array([end, *tokenizer.encode(text)], dtype=np.int32) for text in documents]
    return np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32)


class TokenBatches:
    """Random windows of a token stream. Those of step s depend on (seed, s) alone: resuming needs no replay.

    ids: (N,) token ids. context_length: T, tokens. batch_size: B, windows per forward pass.
    accumulation: forward passes per step; the windows are those of one pass over all of them.
    Raises InputError if the stream is too short for one window.
    """

    def __init__(self, ids, context_length, batch_size, seed, accumulation=1):
        if len(ids) <= context_length:
            raise InputError(f"the training text has {len(ids)} tokens, too few for context_length="
                             f"{context_length}, which takes {context_length + 1}; "
                             + (f"`train` with --context-length {len(ids) - 1} fits, or give more text" if len(ids) > 1
                                else "give more text"))
        self.ids, self.context_length, self.seed = ids, context_length, seed
        self.batch_size, self.accumulation = batch_size, accumulation

    @property
    def tokens_per_step(self):
        """How many tokens one step learns to predict."""
        return self.batch_size * self.accumulation * self.context_length

    def __call__(self, step):
        """The batches of a step: `accumulation` int64 tensors (B, T+1)."""
        rng = np.random.default_rng([self.seed, step])
        last = len(self.ids) - self.context_length
        starts = rng.integers(last, size=self.batch_size * self.accumulation)
        return _cut(self.ids, starts, self.context_length).split(self.batch_size)


def validation_batches(ids, context_length, batch_size, n_batches=0, seed=0):
    """Batches (at most B, T+1) of windows that share no prediction, to judge a model on.

    n_batches: how many, chosen once by `seed`; 0 means all, and then every token but the first is predicted
    exactly once (the last window is shorter, and a batch of its own).
    Raises InputError if there is nothing to predict.
    """
    if len(ids) < 2:
        raise InputError(f"the validation text has {len(ids)} tokens, and it takes 2 to predict one; "
                         "give more text")
    starts = np.arange(0, len(ids) - context_length, context_length)
    if 0 < n_batches * batch_size < len(starts):
        chosen = np.random.default_rng(seed).permutation(len(starts))[:n_batches * batch_size]
        return list(_cut(ids, starts[np.sort(chosen)], context_length).split(batch_size))
    whole = _cut(ids, starts, context_length)                                      # (N // T, T+1)
    rest = torch.from_numpy(ids[len(starts) * context_length:].astype(np.int64))   # (up to T+1,)
    return [*(batch for batch in whole.split(batch_size) if len(batch)), *([rest[None]] if len(rest) > 1 else [])]


def _cut(ids, starts, context_length):
    places = starts[:, None] + np.arange(context_length + 1)
    return torch.from_numpy(ids[places].astype(np.int64))                          # (B, T+1)
