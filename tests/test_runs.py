"""The run folder: what it holds, and that a run taken up again ends as if it had never stopped."""
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors import safe_open
from tiny import LETTERS, learn, numbered, poisoned, record, resumed, same, start

from minigpt.errors import InputError
from minigpt.evaluation import next_token
from minigpt.learner import Diverged
from minigpt.run_files import read_records
from minigpt.runs import RunConfig, load_run, refuse_other_run, resume_run

ROOT = pathlib.Path(__file__).parents[1]


def test_a_checkpoint_holds_what_was_saved(tmp_path):
    run, model, config = start(tmp_path)
    learn(run, model, config, draw=True)
    loaded, tokenizer, found = load_run(tmp_path)
    assert same(loaded, model)
    assert not loaded.training
    assert tokenizer.encode("abc") == [2, 3, 4]
    assert found == RunConfig(model.config, config, {"name": LETTERS})
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.safetensors", "state.safetensors", "config.json", "tokenizer.json", "metrics.jsonl", "curve.png"}


@pytest.mark.parametrize("steps", [1, 4, 5, 7])
def test_resuming_gives_the_weights_of_not_stopping_bit_for_bit(tmp_path, steps):
    whole = start(tmp_path / "whole")
    learn(*whole)
    run, model, config = start(tmp_path / "stopped")

    def objective(model, batch):
        if model.training:
            seen.append(1)
            if len(seen) == steps:
                os.kill(os.getpid(), signal.SIGINT)
        return next_token(model, batch)

    seen = []
    assert learn(run, model, config, objective).interrupted
    assert run.step == steps
    assert same(resumed(tmp_path / "stopped"), whole[1])


def test_resuming_gives_the_records_of_not_stopping(tmp_path):
    run, model, config = start(tmp_path / "whole")
    expected = learn(run, model, config).records
    run, model, config = start(tmp_path / "stopped")
    with pytest.raises(Diverged):
        learn(run, model, config, poisoned(7, math.nan))
    resumed(tmp_path / "stopped")
    records = read_records(tmp_path / "stopped/metrics.jsonl", 12)
    for key in ("step", "train_loss", "val_loss"):
        assert [record[key] for record in records] == [record[key] for record in expected]


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(tmp_path):
    whole = start(tmp_path / "whole", steps=120, checkpoint_minutes=9.0)
    learn(*whole)
    code = (f"import torch, tiny; torch.set_num_threads({torch.get_num_threads()}); "
            f"tiny.learn(*tiny.start({str(tmp_path / 'killed')!r}, steps=120))")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT / "tests",
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    state = tmp_path / "killed/state.safetensors"
    while process.poll() is None and not (state.exists() and _step_of(state) >= 5):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 5 <= resume_run(tmp_path / "killed")[0].step < 120
    assert same(resumed(tmp_path / "killed"), whole[1])


def _step_of(path):
    try:
        with safe_open(path, framework="pt") as file:
            return int(file.metadata()["step"])
    except FileNotFoundError:
        return 0


def test_records_after_the_checkpoint_and_a_torn_line_are_dropped_on_resuming(tmp_path):
    run, _, _ = start(tmp_path)
    run.save(1, *numbered(1))
    for step in (0, 1, 2):
        run.log(record(step))
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"st')
    assert resume_run(tmp_path)[-1] == [record(0), record(1)]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record(0), record(1)]


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "state.safetensors", "tokenizer.json",
                                  "metrics.jsonl", "curve.png"])
def test_a_folder_with_any_file_of_a_run_is_refused(tmp_path, file):
    refuse_other_run(tmp_path)
    (tmp_path / "notes.txt").touch()
    refuse_other_run(tmp_path)
    (tmp_path / file).touch()
    with pytest.raises(InputError, match=r"holds another run.*--resume.*--overwrite"):
        refuse_other_run(tmp_path)


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(tmp_path):
    run, model, config = start(tmp_path)
    with pytest.raises(Diverged, match="keeps the checkpoint of step 7"):
        learn(run, model, config, poisoned(7, math.nan))
    assert resume_run(tmp_path)[0].step == 7


def test_weights_that_give_no_number_are_never_saved(tmp_path):
    run, model, config = start(tmp_path, lr=1e30, warmup=0.0)       # finite weights, but far beyond use
    with pytest.raises(Diverged, match=r"at step 1, .*keeps the checkpoint of step 0"):
        learn(run, model, config)
    assert all(p.isfinite().all() for p in model.parameters())
    assert max(p.abs().max() for p in load_run(tmp_path)[0].parameters()) < 10


def test_a_checkpoint_is_made_when_its_time_has_come(tmp_path, monkeypatch):
    saved = []
    run, model, config = start(tmp_path, checkpoint_minutes=4 / 60, evaluate_every=100)
    monkeypatch.setattr(run, "save", lambda step, *_: saved.append(step))
    ticks = iter(range(10**6))
    monkeypatch.setattr("minigpt.training.time.perf_counter", lambda: float(next(ticks)))   # a step takes 1 s
    learn(run, model, config)
    assert saved[:4] == [0, 4, 8, 12]


def test_metrics_are_on_disk_while_the_run_goes_on(tmp_path):
    run, model, config = start(tmp_path, evaluate_every=5)
    seen = []
    learn(run, model, config, sample=lambda model, step: seen.append(
        [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]))
    assert seen == [[0], [0], [0, 5], [0, 5, 10, 12]]
