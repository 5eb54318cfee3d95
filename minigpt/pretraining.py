"""From a text to a trained model in a folder: the tokenizer, the model, the run, and how good it became."""
import platform
from dataclasses import replace

import numpy as np
import torch

import minigpt
from minigpt.data.corpus import load_corpus, load_text
from minigpt.devices import choose_device
from minigpt.errors import InputError
from minigpt.jobs import Job
from minigpt.masked_jobs import MaskedJob, PairJob
from minigpt.runs import RunConfig, resume_run
from minigpt.tokenizer import BPETokenizer, CharTokenizer
from minigpt.wordpiece import WordPieceTokenizer

TOKENIZERS = {"bpe": BPETokenizer, "char": CharTokenizer, "wordpiece": WordPieceTokenizer}
JOBS = {"causal": Job, "mlm": MaskedJob, "mlm+nsp": PairJob}


def new_job(corpus, model, settings, *, tokenizer=None, vocab_size=None, own_text=False, implementation="fused",
            device="cpu", asked=None, objective="causal"):
    """A Job from the beginning: trains the tokenizer, and draws the model's weights from settings.seed.

    model: a TransformerConfig, whose vocab_size gives way to the tokenizer's. settings: a TrainConfig.
    tokenizer: bpe, char or wordpiece, or one that is trained already; None means the usual one of the objective.
    objective: causal, mlm or mlm+nsp.
    """
    if tokenizer is None or isinstance(tokenizer, str):
        usual = "bpe" if objective == "causal" else "wordpiece"
        tokenizer = TOKENIZERS[tokenizer or usual].train(corpus.train, vocab_size)
    model = replace(model, vocab_size=tokenizer.vocab_size)
    source = {"name": corpus.name, "own_text": own_text, "content_hash": corpus.content_hash}
    config = RunConfig(model, settings, source, asked or {}, implementation, device=device, made_with=here(),
                       objective=objective)
    kind = JOBS[objective]
    return kind(corpus, tokenizer, kind.new_model(config), config)


def resumed_job(folder, *, text=None, device=None):
    """The Job of a run folder, to go on from its last checkpoint. text: where the user's text is now.

    Raises InputError if the text is not the same, or the folder is not whole.
    """
    run, model, tokenizer, config, state, records = resume_run(folder)
    if config.objective not in JOBS:
        raise InputError(f"{folder} was trained with the objective {config.objective!r}, which is not one of "
                         f"{', '.join(JOBS)}; it was made by another version: use that")
    device = choose_device(device or config.device)
    name, own = config.corpus["name"], config.corpus["own_text"]
    try:
        corpus = load_text(name if text is None else text) if own else load_corpus(name)
    except InputError as error:
        raise InputError(f"{error}; or say where the text of {folder} is now, with --text" if own else error) from error
    if corpus.content_hash != config.corpus["content_hash"]:
        raise InputError(f"the text {corpus.name} is not the one that {folder} was trained on; bring that back, or "
                         "begin again with --overwrite")
    kind = JOBS[config.objective]
    model = kind.on_top(model)
    weights = model.state_dict()
    model.load_state_dict(weights | {name: state[name] for name in weights if name.startswith("head.")})
    return kind(corpus, tokenizer, model.to(device), config, run, state, tuple(records))


def here():
    """What decides the last digits of a result, beside the machine."""
    return {"minigpt": minigpt.__version__, "python": platform.python_version(), "torch": torch.__version__,
            "numpy": np.__version__, "threads": torch.get_num_threads()}
