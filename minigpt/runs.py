"""The run folder: what a run is, what it has learned, and how to take it up again after anything."""
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shlex
import tempfile
from dataclasses import asdict, dataclass, field

from minigpt.checkpoints import DONE, WAY_OUT, commit, finish_moving, pack, read, unpack, write_durably
from minigpt.classifier import without_head
from minigpt.config import TrainConfig, TransformerConfig, from_dict
from minigpt.errors import InputError
from minigpt.tokenizer import load_tokenizer
from minigpt.transformer import Transformer

CONFIG, MODEL, STATE = "config.json", "model.safetensors", "state.safetensors"
TOKENIZER, METRICS, CURVE = "tokenizer.json", "metrics.jsonl", "curve.png"
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
        marks, (model, head) = {"step": str(step), "run": self.identity}, without_head(weights)
        parts = ((MODEL, model), (STATE, state | head))
        files = {name: pack(tensors, marks | {"file": name}) for name, tensors in parts}
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


def begin_run(folder, config, tokenizer):
    """A Run in a new folder, or in the place of another run, which stays until the first `save`."""
    with _scratch_file(TOKENIZER) as path:
        tokenizer.save(path)
        vocabulary = path.read_bytes()
    values = asdict(config) | {"tokenizer_sha256": _sha256(vocabulary)}
    content = json.dumps(values, indent=2).encode()
    return Run(folder, _sha256(content), unsaved={CONFIG: content, TOKENIZER: vocabulary, METRICS: b""})


def resume_run(folder):
    """(run, model, tokenizer, config, state, records) of the last checkpoint; later records are dropped.

    Raises InputError if there is no run, or a file of it is missing, damaged or of another run.
    """
    folder = pathlib.Path(folder)
    finish_moving(folder)
    model, tokenizer, config = load_run(folder)
    identity = _sha256(read(folder, CONFIG))
    (_, model_step), (state, step) = (_tensors(folder, name, identity) for name in (MODEL, STATE))
    if model_step != step:
        raise InputError(f"{folder / MODEL} is of step {model_step} and {folder / STATE} of step {step}; {WAY_OUT}")
    records = read_records(folder / METRICS, step)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_durably(folder / f"part.{METRICS}", lines.encode())
    os.replace(folder / f"part.{METRICS}", folder / METRICS)
    return Run(folder, identity, step), model, tokenizer, config, state, records


def load_run(folder, device="cpu"):
    """(model, tokenizer, config) of a run folder, even of one that is training now. config: a RunConfig.

    Raises InputError if there is no run, or a file of it is missing, damaged or of another run.
    """
    folder = pathlib.Path(folder)
    content = read(folder, CONFIG, f"`python -m minigpt train --out {shlex.quote(str(folder))}` makes one")
    config, vocabulary_sha256 = _config(folder / CONFIG, content)
    weights, _ = _tensors(folder, MODEL, _sha256(content))
    model = Transformer(config.model)
    model.load_state_dict(weights)
    vocabulary = read(folder, TOKENIZER)
    if _sha256(vocabulary) != vocabulary_sha256:
        raise InputError(f"{folder / TOKENIZER} is not the tokenizer that this model was trained with; {WAY_OUT}")
    with _scratch_file(TOKENIZER) as path:
        path.write_bytes(vocabulary)
        return model.eval().to(device), load_tokenizer(path), config


def read_records(path, step):
    """The records of a metrics.jsonl up to a step; a last line that was cut off is left out.

    Raises InputError if any other line is not a record.
    """
    records, lines = [], path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is None and number < len(lines):
            raise InputError(f"{path}, line {number} is not what a run writes; restore it from a copy, or delete the "
                             "file: only the curve needs it")
        if record is None or record["step"] > step:
            break
        records.append(record)
    return records


def _record(line):
    """The record in a line of a metrics.jsonl, or None."""
    with contextlib.suppress(KeyError, RecursionError, TypeError, ValueError):
        record = json.loads(line)
        numbers = [record[name] for name in ("seconds", "train_loss", "val_loss", "tokens_per_second")]
        if isinstance(record["step"], int) and all(isinstance(n, float | None) for n in numbers):
            return record
    return None


def _config(path, content):
    """(RunConfig, hash of the tokenizer) from the bytes of a config.json."""
    try:
        values = json.loads(content)
        vocabulary_sha256 = values.pop("tokenizer_sha256")
        parts = {"model": from_dict(TransformerConfig, values["model"]),
                 "train": from_dict(TrainConfig, values["train"]), "mine": tuple(values["mine"])}
        return RunConfig(**values | parts), vocabulary_sha256
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); {WAY_OUT}") from error


def _tensors(folder, name, identity):
    """(tensors, step) of a file of the run with that identity."""
    tensors, marks = unpack(read(folder, name), folder / name)
    if (marks.get("run"), marks.get("file")) != (identity, name):
        raise InputError(f"{folder / name} does not belong to {folder / CONFIG}: one of them is of another run or "
                         f"was changed; {WAY_OUT}")
    return tensors, int(marks["step"])


@contextlib.contextmanager
def _scratch_file(name):
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder) / name


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
