"""Reading the files of a run folder: each whole, unchanged, and of the same run as the others."""
import contextlib
import hashlib
import json
import os
import pathlib
import tempfile
from dataclasses import fields

from minigpt.checkpoints import WAY_OUT, read, unpack, write_durably
from minigpt.config import TrainConfig, TransformerConfig, from_dict
from minigpt.errors import InputError
from minigpt.tokenizer import load_tokenizer

CONFIG, MODEL, STATE = "config.json", "model.safetensors", "state.safetensors"
TOKENIZER, METRICS, CURVE = "tokenizer.json", "metrics.jsonl", "curve.png"


def parse_config(kind, path, content):
    """(configuration of that kind, hash of the tokenizer) from the bytes of a config.json.

    kind: a dataclass with the fields model and train. Raises InputError if it is damaged, or of another kind.
    """
    try:
        values = json.loads(content)
        vocabulary_sha256 = values.pop("tokenizer_sha256")
        classifies = "labels" in values
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        if classifies == ("labels" in {field.name for field in fields(kind)}):
            parts = {"model": from_dict(TransformerConfig, values["model"]),
                     "train": from_dict(TrainConfig, values["train"])}
            return kind(**values | parts), vocabulary_sha256
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}); {WAY_OUT}") from error
    if classifies:
        raise InputError(f"{path.parent} holds a classifier that finetune made, for classify; give a run of train")
    raise InputError(f"{path.parent} holds a run of train, which has no labels; "
                     f"`finetune --from {path.parent}` makes a classifier of it")


def last_checkpoint(folder, identity):
    """(step, weights, state, records) of the last checkpoint; later records are dropped."""
    (weights, step), (state, state_step) = (read_tensors(folder, name, identity) for name in (MODEL, STATE))
    if step != state_step:
        raise InputError(f"{folder / MODEL} is of step {step} and {folder / STATE} of step {state_step}; {WAY_OUT}")
    records = read_records(folder / METRICS, step)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_durably(folder / f"part.{METRICS}", lines.encode())
    os.replace(folder / f"part.{METRICS}", folder / METRICS)
    return step, weights, state, records


def read_tensors(folder, name, identity):
    """(tensors, step) of a file of the run with that identity."""
    tensors, marks = unpack(read(folder, name), folder / name)
    if (marks.get("run"), marks.get("file")) != (identity, name):
        raise InputError(f"{folder / name} does not belong to {folder / CONFIG}: one of them is of another run or "
                         f"was changed; {WAY_OUT}")
    return tensors, int(marks["step"])


def read_tokenizer(folder, vocabulary_sha256):
    """The tokenizer of a run. Raises InputError if it is not the one with that hash."""
    vocabulary = read(folder, TOKENIZER)
    if sha256(vocabulary) != vocabulary_sha256:
        raise InputError(f"{folder / TOKENIZER} is not the tokenizer that this model was trained with; {WAY_OUT}")
    with scratch_file(TOKENIZER) as path:
        path.write_bytes(vocabulary)
        return load_tokenizer(path)


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


@contextlib.contextmanager
def scratch_file(name):
    """A path of that name in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder) / name


def sha256(data):
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
