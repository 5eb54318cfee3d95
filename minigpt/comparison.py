"""The user's run beside ours: the same model, trained by our functions on the same batches in the same order."""
import contextlib
import copy
import hashlib
import json
import os
from dataclasses import replace

from minigpt.checkpoints import read, write_durably
from minigpt.errors import InputError
from minigpt.pictures import ORANGE, YELLOW, loss_curve, save
from minigpt.run_files import CONFIG, CURVE, read_records
from minigpt.runs import OURS


def kept_ours(job):
    """The records of ours beside this run, or None if there are none that belong to its settings."""
    with contextlib.suppress(InputError, KeyError):
        records = read_records(job.run.folder / OURS, job.config.train.steps)
        if records and records[-1]["settings"] == _settings(job.run.folder) and "validation" in records[-1]:
            return records
    return None


def train_ours(job, **options):
    """Train ours from the same start, and keep its records as ours.jsonl in the run's folder.

    options: as in minigpt.training.train. Returns the records, or None if Ctrl-C was pressed: nothing is kept then.
    The last record has `validation`: nats per token on all of the validation text.
    """
    ours = copy.copy(job)
    ours.model = job.new_model(job.config)
    ours.config = replace(job.config, implementation="fused", mine=())
    ours.run, ours.state, ours.records = None, None, ()
    result = ours.train(**options)
    if result.interrupted:
        return None
    last = result.records[-1] | {"settings": _settings(job.run.folder), "validation": ours.quality()[0]}
    records = [*result.records[:-1], last]
    part = job.run.folder / f"part.{OURS}"
    write_durably(part, "".join(json.dumps(record) + "\n" for record in records).encode())
    os.replace(part, job.run.folder / OURS)
    return records


def draw_both(folder, yours, ours):
    """Draw the losses of the user's run over those of ours into the folder's curve.png; returns the figure."""
    fig = loss_curve(yours)
    ax = fig.axes[0]
    for line in ax.lines:
        line.set(label=f"yours, {line.get_label()}", zorder=3)
    for name, colour, label in (("train", YELLOW, "ours, training"), ("val", ORANGE, "ours, validation")):
        points = [(record["step"], record[f"{name}_loss"]) for record in ours if record[f"{name}_loss"] is not None]
        if points:
            ax.plot(*zip(*points, strict=True), color=colour, label=label, linewidth=6, alpha=0.5, zorder=2)
    ax.legend(frameon=False)
    save(fig, folder / CURVE)
    return fig


def _settings(folder):
    """A hash of all that decides how a run of ours goes: what config.json holds, but for whose functions they are."""
    values = json.loads(read(folder, CONFIG))
    chosen = [values[name] for name in ("model", "train", "tokenizer_sha256")] + [values["corpus"]["content_hash"]]
    if values.get("objective", "causal") != "causal":
        chosen.append(values["objective"])
    return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()
