"""The run folder of a fine-tuning: what was learned, and the name and the hash of the weights that it began from."""
import json
import pathlib
import shlex
from dataclasses import dataclass, field

import torch

from minigpt import pretrained
from minigpt.checkpoints import finish_moving, hash_of, read
from minigpt.config import TrainConfig, TransformerConfig, preset
from minigpt.errors import InputError
from minigpt.finetuning import new_classifier
from minigpt.run_files import CONFIG, CURVE, MODEL, last_checkpoint, parse_config, read_tensors, read_tokenizer, sha256
from minigpt.runs import Run, load_run
from minigpt.tokenizer import WordPieceTokenizer
from minigpt.transformer import Transformer

RESULTS, CONFUSION = "results.json", "confusion.png"
SCRATCH = "scratch"
SCRATCH_VOCABULARY = 8192      # the most pieces of a tokenizer that is trained on a task's own texts
FINISHED = "finished"          # alone in the state of a run that is done: nothing is learned any more
TEMPERATURE = "temperature"    # beside the weights: divides the scores, so that probabilities are calibrated


@dataclass(frozen=True)
class FinetuneConfig:
    """What config.json holds: all that decides how a fine-tuning goes."""
    model: TransformerConfig            # of the trunk
    train: TrainConfig
    task: dict                          # name, own_file (is the name a path?), content_hash, seed, per_class
    labels: tuple                       # the names of the classes, in the order of the scores
    start: dict                         # name: minilm, scratch or a run's folder; identity: hash of its weights
    method: str
    how: str                            # pooling
    longest: int                        # tokens of a text that are read
    rank: int = 8
    alpha: float = 16
    class_weights: bool = False
    patience: int = 0
    unit: bool = False                  # whether the head reads vectors of length 1
    asked: dict = field(default_factory=dict)
    implementation: str = "fused"
    device: str = "cpu"
    made_with: dict = field(default_factory=dict)


class FinetunedRun(Run):
    """A run folder that keeps what is trained, and nothing that others can give back: with LoRA a small file."""

    kept = ()                           # names of the weights of a Classifier

    def save(self, step, weights, state):
        """Write a checkpoint, whole or not at all. weights: of a Classifier, or of its head alone."""
        self.write(step, {name: weights[name] for name in self.kept} | {TEMPERATURE: torch.ones(())}, state)

    def finish(self, step, weights, temperature, files):
        """The last checkpoint: the best weights, with a temperature and other files, {name: bytes}."""
        self._unsaved = self._unsaved | files
        kept = {name: weights[name] for name in self.kept} | {TEMPERATURE: torch.tensor(temperature)}
        self.write(step, kept, {FINISHED: torch.ones(())})

    def draw(self, records):
        """Draw the losses over the steps into curve.png."""
        from minigpt.pictures import loss_curve, save  # matplotlib loads slowly
        figure = loss_curve(records)
        figure.axes[0].set_ylabel("loss (nats per text)")
        save(figure, self.folder / CURVE)


def load_start(name, texts=(), *, vocab_size=SCRATCH_VOCABULARY, size="bert-nano", seed=0, device="cpu"):
    """(trunk, tokenizer, {"name", "identity"}) of what a fine-tuning begins from.

    name: published weights (minilm), a folder of `train`, or scratch: weights of chance of the preset `size`, and a
    WordPiece tokenizer that is trained on `texts`. Raises InputError if there is no such thing.
    """
    if name == SCRATCH:
        tokenizer = WordPieceTokenizer.train(texts, vocab_size)
        config = preset(size, vocab_size=tokenizer.vocab_size)
        trunk = Transformer(config, generator=torch.Generator().manual_seed(seed))
    elif name in pretrained.PUBLISHED:
        trunk, tokenizer = pretrained.load(name)
    elif pathlib.Path(name).is_dir():
        trunk, tokenizer, _ = load_run(name)
        name = str(pathlib.Path(name).resolve())
    else:
        raise InputError(f"--from {name} is neither {', '.join(pretrained.PUBLISHED)} nor scratch nor a folder; give "
                         "the folder of a run, such as --from runs/mine")
    identity = hash_of(trunk.state_dict())
    return trunk.to(device).eval(), tokenizer, {"name": name, "identity": identity}


def load_classifier(folder, *, start=None, device="cpu"):
    """(Classifier, tokenizer, FinetuneConfig, temperature) of a folder that finetune made, ready to be used.

    start: where the run is now that it began from, if it was moved.
    Raises InputError if there is no such folder, a file of it is damaged, or what it began from is not there.
    """
    folder = pathlib.Path(folder)
    finish_moving(folder)
    config, vocabulary_sha256, identity = _read_config(folder)
    weights, _ = read_tensors(folder, MODEL, identity)
    model = _rebuilt(folder, config, weights, start)
    tokenizer = read_tokenizer(folder, vocabulary_sha256)
    return model.eval().to(device), tokenizer, config, float(weights[TEMPERATURE])


def resume_finetuned(folder, start=None):
    """(run, Classifier, tokenizer, config, state, records) of the last checkpoint; later records are dropped."""
    folder = pathlib.Path(folder)
    finish_moving(folder)
    config, vocabulary_sha256, identity = _read_config(folder)
    step, weights, state, records = last_checkpoint(folder, identity)
    model, tokenizer = _rebuilt(folder, config, weights, start), read_tokenizer(folder, vocabulary_sha256)
    return FinetunedRun(folder, identity, step), model, tokenizer, config, state, records


def read_results(folder):
    """What results.json of a finished fine-tuning says."""
    return json.loads(read(pathlib.Path(folder), RESULTS))


def _read_config(folder):
    content = read(folder, CONFIG, f"`python -m minigpt finetune --out {shlex.quote(str(folder))}` makes one")
    return *parse_config(FinetuneConfig, folder / CONFIG, content), sha256(content)


def _rebuilt(folder, config, weights, start):
    """The Classifier of a run: the weights that it began from, and over them what it has learned."""
    weights = {name: weight for name, weight in weights.items() if name != TEMPERATURE}
    if config.method == "full":
        trunk = Transformer(config.model)
    else:
        trunk = _same_start(folder, config, start)
    model = new_classifier(trunk, len(config.labels), config.method, how=config.how, unit=config.unit,
                           rank=config.rank, alpha=config.alpha)
    model.load_state_dict(model.state_dict() | weights)
    return model


def _same_start(folder, config, start):
    name, identity = config.start["name"], config.start["identity"]
    way_out = f"it is needed beside {folder}; if it was moved, say where it is with --from"
    try:
        trunk, _, found = load_start(start or name)
    except InputError as error:
        raise InputError(f"{error}: {way_out}") from error
    if found["identity"] != identity:
        raise InputError(f"{start or name} is not what {folder} began from, or was trained since: {way_out}")
    return trunk
