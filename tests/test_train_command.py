"""The command `train`: from a text to a run folder, twice the same, stopped and taken up again."""
import json
import os
import pathlib
import shlex
import sys
import types

import pytest
import torch
from tiny import FLAGS, make_home, refused, weights

from minigpt.__main__ import main
from minigpt.evaluation import next_token
from minigpt.runs import load_run

MINE = """
import numpy as np

def softmax_forward(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, y

def softmax_backward(dy, y):
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def same_weights(a, b):
    return all(torch.equal(weights(a)[name], tensor) for name, tensor in weights(b).items())


def test_the_same_command_twice_gives_the_same_weights(home):
    for out in ("a", "b"):
        assert main(["train", "--text", "my.txt", "--out", out, *FLAGS]) == 0
    assert same_weights("a", "b")


def test_another_seed_gives_other_weights(home):
    for seed in ("1", "2"):
        assert main(["train", "--text", "my.txt", "--out", seed, "--seed", seed, *FLAGS]) == 0
    assert not same_weights("1", "2")


def test_minutes_are_stored_as_steps_that_give_the_same_weights(home):
    arguments = ["train", "--text", "my.txt", *FLAGS[:-2]]
    assert main([*arguments, "--out", "minutes", "--minutes", "0.002"]) == 0
    values = json.loads(pathlib.Path("minutes/config.json").read_text())
    assert values["train"]["minutes"] is None
    assert main([*arguments, "--out", "steps", "--steps", str(values["train"]["steps"])]) == 0
    assert same_weights("minutes", "steps")


def test_training_ends_with_bits_per_character_and_the_command_to_generate(home, capsys):
    main(["train", "--text", "my.txt", "--out", "out", *FLAGS])
    lines = capsys.readouterr().out.splitlines()
    nats, bits = (float(lines[-3].split(word)[0].split()[-1]) for word in (" nats per token", " bits per character"))
    assert bits == pytest.approx(nats / 0.6931, abs=2e-3)       # a token is a character here
    capsys.readouterr()
    assert main(shlex.split(lines[-1])[3:]) == 0
    assert capsys.readouterr().out.strip()


def test_a_preset_can_be_changed_by_flags(home):
    assert main(["train", "--text", "my.txt", "--preset", "gpt2-micro", "--out", "out", *FLAGS]) == 0
    config = load_run("out")[2].model
    assert (config.n_layer, config.d_model, config.d_ff) == (1, 16, 64)


def test_a_bpe_run_has_the_vocabulary_it_asked_for(home):
    arguments = ["bpe" if word == "char" else word for word in FLAGS]
    assert main(["train", "--text", "my.txt", "--vocab-size", "270", "--out", "out", *arguments]) == 0
    assert load_run("out")[0].config.vocab_size == load_run("out")[1].vocab_size == 270


def test_a_run_that_is_done_says_so_when_resumed(home, capsys):
    main(["train", "--text", "my.txt", "--out", "out", *FLAGS])
    before = weights("out")
    assert main(["train", "--resume", "--out", "out"]) == 0
    assert "out has done all of its 3 steps" in capsys.readouterr().out
    assert all(torch.equal(before[name], tensor) for name, tensor in weights("out").items())


def test_ctrl_c_saves_says_how_to_go_on_and_that_gives_the_weights_of_not_stopping(home, capsys, monkeypatch):
    def objective(model, batch):
        if model.training:
            os.kill(os.getpid(), 2)
        return next_token(model, batch)

    main(["train", "--text", "my.txt", "--out", "whole", *FLAGS])
    with monkeypatch.context() as patch:
        patch.setattr("minigpt.pretraining.Job.objective", staticmethod(objective))
        assert main(["train", "--text", "my.txt", "--out", "out", *FLAGS]) == 130
    out = capsys.readouterr().out.splitlines()
    assert out[-2] == "stopped after 1 of 3 steps, and saved; go on with"
    assert main(shlex.split(out[-1])[3:]) == 0
    assert same_weights("whole", "out")


def test_the_command_that_began_a_run_resumes_it_too(home):
    arguments = ["train", "--text", "my.txt", "--out", "out", *FLAGS]
    assert main(arguments) == 0
    assert main([*arguments, "--resume"]) == 0


def test_overwriting_gives_the_run_that_was_asked_for_and_its_metrics_only(home):
    main(["train", "--text", "my.txt", "--out", "out", *FLAGS])
    assert main(["train", "--text", "my.txt", "--out", "out", "--overwrite", *FLAGS, "--steps", "2"]) == 0
    assert load_run("out")[2].train.steps == 2
    assert [json.loads(line)["step"] for line in pathlib.Path("out/metrics.jsonl").read_text().splitlines()] == [
        0, 2]


def test_functions_of_yours_train_the_model_and_are_announced(home, capsys):
    pathlib.Path("mine.py").write_text(MINE + "\ndef gelu(x):\n    return x\n")
    assert main(["train", "--text", "my.txt", "--out", "mine", "--mine", "mine.py", *FLAGS]) == 0
    out = capsys.readouterr().out
    assert " parts of this model are yours: softmax" in out
    assert "not called by this model, or only inside another part of yours: gelu" in out
    main(["train", "--text", "my.txt", "--out", "ours", *FLAGS])
    for name, tensor in weights("ours").items():
        torch.testing.assert_close(weights("mine")[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_wrong_function_of_yours_changes_the_model(home):
    pathlib.Path("mine.py").write_text(MINE.replace("return y, y", "return 3 * y, y"))
    for out, more in (("mine", ["--mine", "mine.py", "--no-check"]), ("ours", [])):
        main(["train", "--text", "my.txt", "--out", out, *FLAGS, *more])
    assert not same_weights("mine", "ours")


def test_a_compiled_run_with_functions_of_the_user_s_is_refused(home, capsys):
    (home / "softmax.py").write_text("def softmax(x):\n    return x\n")
    said = refused(["train", "--text", "my.txt", "--compile", "--mine", "softmax.py", *FLAGS], capsys)
    assert said.endswith("leave out --mine, or --compile")


def test_the_losses_are_handed_to_another_program_too(home, capsys, monkeypatch):
    seen = []
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **options: types.SimpleNamespace(
        log=lambda numbers, step: seen.append((step, sorted(numbers))))))
    assert main(["train", "--text", "my.txt", "--out", "out", "--log", "wandb", *FLAGS]) == 0
    assert [step for step, _ in seen] == [0, 3]
    assert seen[1][1] == ["seconds", "tokens_per_second", "train_loss", "val_loss"]


def test_the_fast_preset_brings_its_recipe_and_flags_change_it(home, capsys):
    assert main(["train", "--text", "my.txt", "--out", "out", "--preset", "fast", "--lr", "0.5", *FLAGS]) == 0
    config = json.loads((home / "out" / "config.json").read_text())
    assert (config["train"]["optimiser"], config["train"]["schedule"], config["train"]["lr"]) == ("muon", "linear", 0.5)
    assert (config["model"]["norm"], config["model"]["positions"]) == ("rms_norm", "rope")
