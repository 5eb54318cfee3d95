"""From a text to a trained model in a folder: the tokenizer, the model, the run, and how good it became."""
import platform
from dataclasses import dataclass, replace

import numpy as np
import torch

import minigpt
from minigpt.data.batches import TokenBatches, token_stream, validation_batches
from minigpt.data.corpus import Corpus, load_corpus, load_text
from minigpt.devices import choose_device
from minigpt.errors import InputError
from minigpt.evaluation import bits_per_character, evaluate, next_token
from minigpt.runs import Run, RunConfig, begin_run, resume_run
from minigpt.swap import implementation, use
from minigpt.tokenizer import BPETokenizer, CharTokenizer, Tokenizer
from minigpt.training import fix_steps, train
from minigpt.transformer import Transformer

TOKENIZERS = {"bpe": BPETokenizer, "char": CharTokenizer}


@dataclass
class Job:
    """A model, the text it learns from, and how far it has come."""
    corpus: Corpus
    tokenizer: Tokenizer
    model: Transformer
    config: RunConfig
    run: Run | None = None
    state: dict | None = None           # of a run that is resumed
    records: tuple = ()

    def __post_init__(self):
        config = self.config
        self.batches = TokenBatches(token_stream(self.corpus.train, self.tokenizer), config.model.context_length,
                                    config.train.batch_size, config.train.seed, config.train.accumulation)
        self.held_out = token_stream(self.corpus.validation, self.tokenizer)

    objective = staticmethod(next_token)

    @property
    def finished(self):
        """Whether all steps are done already."""
        return self.run is not None and self.run.step == self.config.train.steps

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

    def _validation(self, n_batches):
        settings = self.config.train
        return validation_batches(self.held_out, self.config.model.context_length, settings.batch_size, n_batches,
                                  settings.seed)


def new_job(corpus, model, settings, *, tokenizer="bpe", vocab_size=None, own_text=False, implementation="fused",
            device="cpu", asked=None):
    """A Job from the beginning: trains the tokenizer, and draws the model's weights from settings.seed.

    model: a TransformerConfig, whose vocab_size gives way to the tokenizer's. settings: a TrainConfig.
    """
    made = TOKENIZERS[tokenizer].train(corpus.train, vocab_size)
    model = replace(model, vocab_size=made.vocab_size)
    weights = Transformer(model, generator=torch.Generator().manual_seed(settings.seed))
    source = {"name": corpus.name, "own_text": own_text, "content_hash": corpus.content_hash}
    config = RunConfig(model, settings, source, asked or {}, implementation, device=device, made_with=here())
    return Job(corpus, made, weights.to(device), config)


def resumed_job(folder, *, text=None, device=None):
    """The Job of a run folder, to go on from its last checkpoint. text: where the user's text is now.

    Raises InputError if the text is not the same, or the folder is not whole.
    """
    run, model, tokenizer, config, state, records = resume_run(folder)
    device = choose_device(device or config.device)
    name, own = config.corpus["name"], config.corpus["own_text"]
    try:
        corpus = load_text(name if text is None else text) if own else load_corpus(name)
    except InputError as error:
        raise InputError(f"{error}; or say where the text of {folder} is now, with --text" if own else error) from error
    if corpus.content_hash != config.corpus["content_hash"]:
        raise InputError(f"the text {corpus.name} is not the one that {folder} was trained on; bring that back, or "
                         "begin again with --overwrite")
    return Job(corpus, tokenizer, model.to(device), config, run, state, tuple(records))


def here():
    """What decides the last digits of a result, beside the machine."""
    return {"minigpt": minigpt.__version__, "python": platform.python_version(), "torch": torch.__version__,
            "numpy": np.__version__, "threads": torch.get_num_threads()}
