"""Training: one loop for every objective.

    result = train(model, next_token, batches, TrainConfig(steps=200), validation=validation)
"""
import math
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from tqdm import tqdm

from minigpt.compiled import compiled
from minigpt.config import LARGEST
from minigpt.evaluation import evaluate
from minigpt.interrupts import ctrl_c
from minigpt.learner import Diverged, Learner, own_generators
from minigpt.swap import implementation as functions_of
from minigpt.swap import use

MEASURED = 20           # steps that turn minutes into a number of steps


@dataclass(frozen=True)
class Result:
    """How a training ended. seconds: of training, without evaluating and saving."""
    steps: int
    tokens: int
    seconds: float
    records: list       # dicts: step, seconds, train_loss, val_loss, tokens_per_second
    interrupted: bool   # by Ctrl-C


def train(model, objective, batches, config, *, validation=(), implementation="fused", compile=False, run=None,
          state=None, records=(), log=None, sample=None, sample_at=(0.0, 0.1, 0.4, 1.0), stopping=None,
          progress=True):
    """Train a model in place until its steps are done or Ctrl-C is pressed; leaves it in eval mode.

    objective: (model, batch) -> (mean loss in nats, number of targets), such as minigpt.evaluation.next_token.
    batches: step -> list of batches, with tokens_per_step. validation: batches to judge on.
    run: a minigpt.runs.Run, kept up to date. state, records: what `resume_run` gave, to go on from there.
    compile: with PyTorch's compiler; the first step then takes half a minute. log: called with every new record.
    sample: called as sample(model, step) when these shares of the run are done.
    stopping: an EarlyStopping, which sees every record and may end the training; its best weights are left to it.
    Returns a Result. The same arguments give the same weights, on one machine with one number of threads.
    Raises Diverged, an InputError, when the loss is no longer a number.
    """
    config = fix_steps(model, objective, batches, config, implementation)
    moments = {round(share * config.steps) for share in sample_at} if sample else ()
    with use(**functions_of(implementation)), own_generators(model, config.seed), ctrl_c() as pressed:
        learner = Learner(model, compiled(objective) if compile else objective, batches, config)
        books = Books(learner, validation, run, records, state, log, stopping)
        with tqdm(total=config.steps, initial=books.learner.step, unit="step",
                  disable=None if progress else True) as bar:
            for step in books.steps():
                bar.set_postfix_str(books.news(), refresh=False)
                bar.update(step - bar.n)
                if progress and bar.disable and books.records[-1]["step"] == step:
                    print(f"step {step:,} of {config.steps:,}: {books.news()}", file=sys.stderr, flush=True)
                if step in moments:
                    bar.clear()
                    _show(model, sample, step)
                if pressed:
                    break
        books.save()
    model.eval()
    return Result(step, step * batches.tokens_per_step, books.seconds, books.records, bool(pressed))


def fix_steps(model, objective, batches, config, implementation="fused"):
    """The TrainConfig with a number of steps in the place of minutes or tokens.

    Minutes are divided by the mean time of 20 steps of the real model, or of fewer where they would take more
    than a tenth of the minutes. The weights and PyTorch's generators are then put back as they were.
    """
    if config.steps is not None:
        return config
    if config.tokens is not None:
        return replace(config, tokens=None, steps=math.ceil(config.tokens / batches.tokens_per_step))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    times = []
    with use(**functions_of(implementation)), own_generators(model, config.seed):
        learner = Learner(model, objective, batches, replace(config, minutes=None, steps=MEASURED))
        while len(times) < 3 or (len(times) < MEASURED and sum(times) < config.minutes * 60 / 10):
            started = time.perf_counter()
            learner.take_step()
            times.append(time.perf_counter() - started)
    model.load_state_dict(before)
    usual = sum(times[1:]) / len(times[1:])            # the first step also sets things up
    return replace(config, minutes=None, steps=max(1, round(min(config.minutes * 60 / usual, LARGEST))))


class Books:
    """What is written down while a learner learns: time, records, checkpoints."""

    def __init__(self, learner, validation=(), run=None, records=(), state=None, log=None, stopping=None):
        self.learner, self.validation, self.run, self.records, self.log = learner, validation, run, list(records), log
        self.stopping = stopping
        self.seconds = self.saved_at = 0.0             # of training; the same at the last checkpoint
        self.nats, self.targets, self.page_seconds = 0.0, 0, 0.0   # since the last record
        self._drawn = len(self.records)
        if state:
            learner.load_state(state)
            self.seconds, self.nats, targets, self.page_seconds = state["books"].tolist()
            self.saved_at, self.targets = self.seconds, int(targets)
            if stopping:
                stopping.load_state(state)

    def steps(self):
        """Take the steps that are left, write down what is due, and give the number of steps done so far."""
        learner, config = self.learner, self.learner.config
        if learner.step == 0:
            self.save()
        if not self.records:
            self._record(evaluate(learner.model, learner.objective, learner.batches(learner.step))[0], None)
        yield learner.step
        while learner.step < config.steps and not (self.stopping and self.stopping.stopped):
            self._take_step()
            if learner.step % config.evaluate_every == 0 or learner.step == config.steps:
                self._record(self.nats / max(self.targets, 1), self._speed())
                self.nats, self.targets, self.page_seconds = 0.0, 0, 0.0
            if self.seconds - self.saved_at >= config.checkpoint_minutes * 60:
                self.save()
            yield learner.step

    def save(self):
        """A checkpoint of this step, unless there is one or nowhere to put it; weights that give no number never."""
        learner = self.learner
        if self.run is None or self.run.step == learner.step:
            return
        with self._naming_the_last_checkpoint():
            first = learner.batches(learner.step)[:1]
            learner.require_finite(evaluate(learner.model, learner.objective, first)[0], "loss")
        books = torch.tensor([self.seconds, self.nats, self.targets, self.page_seconds], dtype=torch.float64)
        state = learner.state() | {"books": books} | (self.stopping.state() if self.stopping else {})
        self.run.save(learner.step, learner.model.state_dict(), state)
        self.saved_at = self.seconds
        if len(self.records) > self._drawn:
            with self._naming_the_last_checkpoint():
                self.run.draw(self.records)
            self._drawn = len(self.records)

    def news(self):
        """The last losses and the speed, for the progress bar."""
        last = self.records[-1]
        loss = self.nats / self.targets if self.targets else last["train_loss"]
        speed = self._speed() if self.targets else last["tokens_per_second"]
        unit = getattr(self.learner.objective, "unit", "tokens")
        judged = [] if last["val_loss"] is None else [f"validation {last['val_loss']:.3f}"]
        return ", ".join([f"loss {loss:.3f}", *judged, *([f"{speed:,.0f} {unit}/s"] if speed else [])])

    def _speed(self):
        """Tokens read per second since the last record."""
        steps = self.learner.step - self.records[-1]["step"]
        return steps * self.learner.batches.tokens_per_step / self.page_seconds

    def _take_step(self):
        started = time.perf_counter()
        with self._naming_the_last_checkpoint():
            loss, targets = self.learner.take_step()
        spent = time.perf_counter() - started
        self.seconds, self.page_seconds = self.seconds + spent, self.page_seconds + spent
        self.nats, self.targets = self.nats + loss * targets, self.targets + targets

    def _record(self, train_loss, tokens_per_second):
        learner = self.learner
        val_loss = evaluate(learner.model, learner.objective, self.validation)[0] if self.validation else None
        self.records.append({"step": learner.step, "seconds": self.seconds, "train_loss": train_loss,
                             "val_loss": val_loss, "tokens_per_second": tokens_per_second})
        for log in filter(None, (self.run and self.run.log, self.log)):
            log(self.records[-1])
        if self.stopping:
            self.stopping.see(self.records[-1], learner.model)

    @contextmanager
    def _naming_the_last_checkpoint(self):
        try:
            yield
        except (Diverged, KeyboardInterrupt) as error:
            if self.run is None or self.run.step is None:
                raise
            raise type(error)(f"{str(error) or 'interrupted'}; {self.run.folder} keeps the checkpoint of step "
                              f"{self.run.step}") from None


@torch.no_grad()
def _show(model, sample, step):
    """Let the caller look at the model, without a trace in the training."""
    model.eval()
    with own_generators(model, step):
        sample(model, step)
    model.train()
