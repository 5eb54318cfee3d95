"""A job: a model, the text it learns from, and how far it has come. This one learns to predict the next token."""
from dataclasses import dataclass, replace

import torch

from minigpt.data.batches import TokenBatches, token_stream, validation_batches
from minigpt.data.corpus import Corpus
from minigpt.evaluation import bits_per_character, evaluate, next_token
from minigpt.runs import Run, RunConfig, begin_run
from minigpt.swap import implementation, use
from minigpt.tokenizer import Tokenizer
from minigpt.training import fix_steps, train
from minigpt.transformer import Transformer


@dataclass
class Job:
    """A model, the text it learns from, and how far it has come.

    model: a Transformer, with a head on it where the objective needs one.
    """
    corpus: Corpus
    tokenizer: Tokenizer
    model: torch.nn.Module
    config: RunConfig
    run: Run | None = None
    state: dict | None = None           # of a run that is resumed
    records: tuple = ()

    objective = staticmethod(next_token)

    def __post_init__(self):
        config = self.config
        self.batches = TokenBatches(token_stream(self.corpus.train, self.tokenizer), config.model.context_length,
                                    config.train.batch_size, config.train.seed, config.train.accumulation)
        self.held_out = token_stream(self.corpus.validation, self.tokenizer)

    @classmethod
    def new_model(cls, config):
        """The model before the first step: its weights are drawn from the seed of the RunConfig."""
        generator = torch.Generator().manual_seed(config.train.seed)
        return cls.on_top(Transformer(config.model, generator=generator), generator).to(config.device)

    @staticmethod
    def on_top(trunk, generator=None):
        """The Transformer with what the objective needs on top of it: nothing."""
        return trunk

    @property
    def finished(self):
        """Whether all steps are done already."""
        return self.run is not None and self.run.step == self.config.train.steps

    @property
    def example(self):
        """A batch to try functions on."""
        return self.batches(0)[0]

    def begin(self, folder, mine=()):
        """Fix the number of steps, and open the run's folder. What is there is replaced at the first checkpoint.

        mine: names of the user's functions that stand in.
        """
        settings = fix_steps(self.model, self.objective, self.batches, self.config.train, self.config.implementation)
        self.config = replace(self.config, train=settings, mine=tuple(mine))
        self.run = begin_run(folder, self.config, self.tokenizer)

    def train(self, **options):
        """Train to the end, or until Ctrl-C; options and Result as in minigpt.training.train."""
        settings = self.config.train
        sample = self._validation(settings.evaluate_batches)
        return train(self.model, self.objective, self.batches, settings, validation=sample, run=self.run,
                     implementation=self.config.implementation, state=self.state, records=self.records, **options)

    def quality(self):
        """(nats per token, bits per character, tokens, characters) on all of the validation text."""
        with use(**implementation(self.config.implementation)):
            nats, tokens = evaluate(self.model, self.objective, self._validation(0))
        characters = len("\n".join(self.corpus.validation))
        return nats, bits_per_character(nats * tokens, characters), tokens, characters

    def verdict(self, quality):
        """What `quality` found, in words."""
        nats, bits, tokens, characters = quality
        return (f"validation: {bits:.3f} bits per character, {nats:.3f} nats per token ({characters:,} characters, "
                f"{tokens:,} tokens)")

    def _validation(self, n_batches):
        settings = self.config.train
        return validation_batches(self.held_out, self.config.model.context_length, settings.batch_size, n_batches,
                                  settings.seed)
