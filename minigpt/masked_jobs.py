"""The Jobs of an encoder: the one training loop and run folder, with hidden tokens to guess (BERT, RoBERTa)."""
from collections import Counter, namedtuple
from itertools import chain, count

from minigpt.classifier import Classifier
from minigpt.data.masked_batches import MaskedBatches
from minigpt.jobs import Job
from minigpt.objectives import judge, masked_tokens, masked_tokens_and_next_sentence, wilson_interval
from minigpt.recorded_calls import ROWS, TOKENS
from minigpt.swap import implementation, use

# judged: a Judgement; most_frequent: how many of the hidden tokens are the one that is most frequent in training
MaskedQuality = namedtuple("MaskedQuality", "nats judged most_frequent")


class MaskedJob(Job):
    """A Transformer that reads both ways, and guesses hidden tokens (RoBERTa's objective)."""

    objective = staticmethod(masked_tokens)
    pairs = False

    def __post_init__(self):
        self.batches = self._batches(self.corpus.train, self.config.train.seed)
        self.held_out = self._batches(self.corpus.validation, self.config.train.seed, accumulation=1)

    @property
    def example(self):
        """A batch that hides something in its first rows and columns."""
        batches = (self.batches(step)[0] for step in count())
        return next(batch for batch in batches if (batch[:ROWS, :TOKENS + 1].targets >= 0).any())

    def quality(self):
        """A MaskedQuality, on all of the validation text."""
        batches = self.held_out.once()
        with use(**implementation(self.config.implementation)):
            judged = judge(self.model, self.objective, batches)
        counts = Counter(chain.from_iterable(chain.from_iterable(self.batches.documents)))
        ordinary = [token for token in counts if token not in self.tokenizer.special_ids.values()]
        most_frequent = max(ordinary, key=lambda token: (counts[token], -token))
        by_count = sum(int((batch.targets[batch.hidden] == most_frequent).sum()) for batch in batches)
        return MaskedQuality(judged.nats, judged, by_count)

    def verdict(self, quality):
        """What `quality` found, in words."""
        judged, by_count = quality.judged, quality.most_frequent / max(quality.judged.tokens, 1)
        return (f"validation: {judged.tokens_right / max(judged.tokens, 1):.1%} of {judged.tokens:,} hidden tokens "
                f"guessed (always the most frequent token: {by_count:.1%}), loss {judged.nats:.3f} nats")

    def _batches(self, documents, seed, **options):
        settings = {"accumulation": self.config.train.accumulation, "pairs": self.pairs} | options
        return MaskedBatches(documents, self.tokenizer, self.config.model.context_length,
                             self.config.train.batch_size, seed, **settings)

    def _validation(self, n_batches):
        return self.held_out.once(n_batches)


class PairJob(MaskedJob):
    """The same for pairs of segments, and whether the second follows the first (BERT's objective)."""

    objective = staticmethod(masked_tokens_and_next_sentence)
    pairs = True

    @staticmethod
    def on_top(trunk, generator=None):
        """The Transformer with a head on [CLS] that has two answers."""
        return Classifier(trunk, 2, how="first", generator=generator)

    def verdict(self, quality):
        """What `quality` found, in words."""
        right, n = quality.judged.pairs_right, quality.judged.pairs
        low, high = wilson_interval(right, n)
        return (f"{super().verdict(quality)}\nnext sentence: {right / n:.1%} of {n:,} pairs right, 95% interval "
                f"{low:.1%} to {high:.1%} (a coin: 50%)")
