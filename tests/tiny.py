"""The smallest model, text and run that the tests of training share."""
import pathlib

import numpy as np
import torch

from minigpt.__main__ import main
from minigpt.config import TrainConfig, TransformerConfig
from minigpt.data.batches import TokenBatches, validation_batches
from minigpt.evaluation import next_token
from minigpt.runs import RunConfig, begin_run, load_run, resume_run
from minigpt.tokenizer import CharTokenizer
from minigpt.training import train
from minigpt.transformer import Transformer

T = 8                                                  # tokens, the context
IDS = np.tile(np.random.default_rng(0).integers(12, size=40), 10).astype(np.int32)
LETTERS = "abcdefghij"                                 # with U+FFFD and <|endoftext|> the 12 tokens of the model
TEXT = "".join(f"{k} men went to mow, went to mow a meadow.\n" for k in range(60))
FLAGS = ["--tokenizer", "char", "--d-model", "16", "--n-head", "2", "--n-layer", "1", "--context-length", "8",
         "--batch-size", "4", "--dropout", "0.1", "--steps", "3"]


def new_model(dropout=0.0, dtype=torch.float32):
    """A Transformer, always with the same weights."""
    config = TransformerConfig(vocab_size=12, context_length=T, n_layer=1, n_head=2, d_model=16, dropout=dropout)
    return Transformer(config, generator=torch.Generator().manual_seed(0)).to(dtype)


def same(a, b):
    """Whether two models have the same weights, bit for bit."""
    return all(map(torch.equal, a.parameters(), b.parameters()))


def poisoned(step, value):
    """An objective whose loss becomes `value` in a step."""
    count = iter(range(10**6))

    def objective(model, batch):
        loss, n = next_token(model, batch)
        bad = model.training and next(count) == step
        return (loss * value if bad else loss), n

    return objective


def start(folder, dropout=0.2, letters=LETTERS, **changes):
    """(run, model, config) of a run that has not been saved yet."""
    model, config = new_model(dropout), TrainConfig(**{
        "steps": 12, "batch_size": 4, "lr": 1e-2, "evaluate_every": 5, "checkpoint_minutes": 0.0} | changes)
    run = begin_run(folder, RunConfig(model.config, config, {"name": letters}), CharTokenizer.train([letters]))
    return run, model, config


def learn(run, model, config, objective=next_token, draw=False, **options):
    """Train a run to its end, or until something happens; the Result."""
    if not draw:
        run.draw = lambda records: None                # a picture takes longer than the training
    batches = TokenBatches(IDS, T, config.batch_size, config.seed)
    return train(model, objective, batches, config, run=run, validation=validation_batches(IDS[:50], T, 4),
                 progress=False, **options)


def resumed(folder):
    """The model of a run that was taken up again and trained to its end."""
    run, model, _, config, state, records = resume_run(folder)
    learn(run, model, config.train, state=state, records=records)
    return model


def numbered(k):
    """What a checkpoint of step k saves, as numbers that can be told apart."""
    return {name: torch.full_like(p, k) for name, p in new_model().state_dict().items()}, {"k": torch.tensor(k)}


def number_in(folder):
    """The step of the checkpoint in a folder, after checking that all of its parts are of that step."""
    run, model, _, _, state, _ = resume_run(folder)
    assert {int(value) for p in model.parameters() for value in p.flatten()} == {run.step} == {int(state["k"])}
    return run.step


def record(step):
    """What a line of metrics.jsonl holds."""
    return {"step": step, "seconds": 0.5, "train_loss": 2.0, "val_loss": None, "tokens_per_second": 9.0}


def make_home(folder, monkeypatch):
    """Be in a folder with a text; pictures take longer than all the rest, so none are drawn."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("minigpt.runs.Run.draw", lambda run, records: None)
    pathlib.Path("my.txt").write_text(TEXT)
    return folder


def make_run(folder):
    """A run folder, from a text to its end."""
    (folder / "my.txt").write_text(TEXT)
    assert main(["train", "--text", str(folder / "my.txt"), "--out", str(folder / "out"), *FLAGS]) == 0
    return folder / "out"


def weights(folder):
    """The weights in a run folder, by name."""
    return load_run(folder)[0].state_dict()


def refused(arguments, capsys):
    """The one line with which a command is refused."""
    capsys.readouterr()
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    return error[0]
