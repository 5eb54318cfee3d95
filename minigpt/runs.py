"""The run folder: what a run is, what it has learned, and how to take it up again after anything."""
import errno
import json
import os
import pathlib
import shlex
from dataclasses import asdict, dataclass, field

from minigpt.checkpoints import DONE, commit, finish_moving, pack, read
from minigpt.classifier import without_head
from minigpt.config import TrainConfig, TransformerConfig
from minigpt.errors import InputError
from minigpt.run_files import (
    CONFIG,
    CURVE,
    METRICS,
    MODEL,
    STATE,
    TOKENIZER,
    last_checkpoint,
    parse_config,
    read_tensors,
    read_tokenizer,
    scratch_file,
    sha256,
)
from minigpt.transformer import Transformer

OURS = "ours.jsonl"     # metrics of our functions, beside those of a run with the user's


@dataclass(frozen=True)
class RunConfig:
    """What config.json holds: all that decides how a run goes, so that it can go on, or be done again."""
    model: TransformerConfig
    train: TrainConfig                  # its steps are fixed, whatever was asked for
    corpus: dict                        # name, own_text (is the name a path?), content_hash
    asked: dict = field(default_factory=dict)   # the flags that the user gave
    implementation: str = "fused"
    mine: tuple = ()                    # names of the functions that were the user's own
    device: str = "cpu"
    made_with: dict = field(default_factory=dict)   # versions, and threads: others may round differently
    objective: str = "causal"           # causal, mlm or mlm+nsp


class Run:
    """A run folder that is being written; `begin_run` and `resume_run` make one.

    identity: a hash of config.json, which holds the tokenizer's hash; each file of tensors carries it.
    """

    def __init__(self, folder, identity, step=None, unsaved=None):
        self.folder, self.identity = pathlib.Path(folder), identity
        self.step = step                               # of the last checkpoint
        self._unsaved = unsaved or {}                  # files that go with the next checkpoint

    def save(self, step, weights, state):
        """Write a checkpoint, whole or not at all. weights, state: dicts of tensors; a head goes with the state.

        Raises InputError if it cannot be written; the one before is then still there.
        """
        model, head = without_head(weights)
        self.write(step, model, state | head)

    def write(self, step, model, state):
        """Write a checkpoint of two files: the tensors of model.safetensors and those of state.safetensors."""
        marks = {"step": str(step), "run": self.identity}
        files = {name: pack(tensors, marks | {"file": name}) for name, tensors in ((MODEL, model), (STATE, state))}
        try:
            commit(self.folder, self._unsaved | files)
        except OSError as error:
            before = "nothing is saved yet" if self.step is None else f"that of step {self.step} is whole"
            cure = "make room" if error.errno == errno.ENOSPC else "mend that"
            raise InputError(f"cannot write the checkpoint of step {step} into {self.folder}: {error.strerror}; "
                             f"{before}: {cure} and run the command again"
                             + (" with --resume" if self.step is not None else "")) from error
        self.step, self._unsaved = step, {}

    def log(self, record):
        """Add a record to metrics.jsonl."""
        with open(self.folder / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def draw(self, records):
        """Draw the losses over the steps into curve.png."""
        from minigpt.pictures import loss_curve  # matplotlib loads slowly, and only here it is needed
        loss_curve(records, self.folder / CURVE)


def require_place(folder):
    """Raise InputError unless a run can be written into this folder, which need not be there yet."""
    if not str(folder):
        raise InputError("--out is empty; give a folder")
    folder = pathlib.Path(folder)
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if nearest.is_file():
        raise InputError(f"--out {nearest} is a file; give a folder")
    if not os.access(nearest.resolve(), os.W_OK | os.X_OK):
        raise InputError(f"--out {folder}: {nearest.resolve()} may not be written; give another folder")


def refuse_other_run(folder, way_out="go on with it by --resume, replace it by --overwrite, or give another folder"):
    """Raise InputError if the folder holds a run."""
    folder = pathlib.Path(folder)
    if any((folder / name).exists() for name in (CONFIG, MODEL, STATE, TOKENIZER, METRICS, CURVE, DONE)):
        raise InputError(f"--out {folder} holds another run; {way_out}")


def begin_run(folder, config, tokenizer, kind=Run):
    """A Run in a new folder, or in the place of another run, which stays until the first `save`.

    config: a RunConfig, or what a run of another kind has.
    """
    with scratch_file(TOKENIZER) as path:
        tokenizer.save(path)
        vocabulary = path.read_bytes()
    values = asdict(config) | {"tokenizer_sha256": sha256(vocabulary)}
    content = json.dumps(values, indent=2).encode()
    return kind(folder, sha256(content), unsaved={CONFIG: content, TOKENIZER: vocabulary, METRICS: b""})


def resume_run(folder):
    """(run, model, tokenizer, config, state, records) of the last checkpoint; later records are dropped.

    Raises InputError if there is no run, or a file of it is missing, damaged or of another run.
    """
    folder = pathlib.Path(folder)
    finish_moving(folder)
    model, tokenizer, config = load_run(folder)
    identity = sha256(read(folder, CONFIG))
    step, _, state, records = last_checkpoint(folder, identity)
    return Run(folder, identity, step), model, tokenizer, config, state, records


def load_run(folder, device="cpu"):
    """(model, tokenizer, config) of a run folder, even of one that is training now. config: a RunConfig.

    Raises InputError if there is no run, or a file of it is missing, damaged or of another run.
    """
    folder = pathlib.Path(folder)
    content = read(folder, CONFIG, f"`python -m minigpt train --out {shlex.quote(str(folder))}` makes one")
    config, vocabulary_sha256 = parse_config(RunConfig, folder / CONFIG, content)
    weights, _ = read_tensors(folder, MODEL, sha256(content))
    model = Transformer(config.model)
    model.load_state_dict(weights)
    return model.eval().to(device), read_tokenizer(folder, vocabulary_sha256), config
