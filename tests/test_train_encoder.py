"""The command `train` with hidden tokens: an encoder in a run folder, stopped and taken up again, used and refused."""
import dataclasses
import json
import os
import pathlib
import re
import shlex

import pytest
import torch
from safetensors.torch import load_file
from tiny import FLAGS, make_home, refused, weights

from minigpt.__main__ import main
from minigpt.objectives import masked_tokens, masked_tokens_and_next_sentence
from minigpt.runs import load_run

SIZE = ["--d-model", "16", "--n-head", "2", "--n-layer", "1", "--context-length", "24", "--batch-size", "4",
        "--dropout", "0.1", "--steps", "3", "--vocab-size", "60"]
OBJECTIVES = {"mlm": ("MaskedJob", masked_tokens), "mlm+nsp": ("PairJob", masked_tokens_and_next_sentence)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def train(out, objective="mlm+nsp", *more):
    return main(["train", "--text", "my.txt", "--objective", objective, "--out", out, *SIZE, *more])


def head(folder):
    return {name: tensor for name, tensor in load_file(f"{folder}/state.safetensors").items() if "head" in name}


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_the_same_command_twice_gives_the_same_encoder(home, objective):
    assert train("a", objective) == train("b", objective) == 0
    assert all(torch.equal(weights("a")[name], tensor) for name, tensor in weights("b").items())


def test_a_run_is_a_transformer_that_reads_both_ways_whatever_was_on_top(home):
    train("out")
    model, tokenizer, config = load_run("out")
    assert (model.config.causal, model.config.token_types, config.objective) == (False, 2, "mlm+nsp")
    assert tokenizer.decode(tokenizer.encode("men went to mow")) == "men went to mow"
    assert {name: tuple(tensor.shape) for name, tensor in head("out").items()} == {
        "head.weight": (2, 16), "head.bias": (2,)}


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_stopped_and_taken_up_again_gives_the_weights_of_not_stopping_those_of_the_head_too(home, capsys, monkeypatch,
                                                                                           objective):
    job, original = OBJECTIVES[objective]

    def interrupted(model, batch):
        if model.training:
            os.kill(os.getpid(), 2)
        return original(model, batch)

    train("whole", objective)
    with monkeypatch.context() as patch:
        patch.setattr(f"minigpt.masked_jobs.{job}.objective", staticmethod(interrupted))
        assert train("out", objective) == 130
    assert main(shlex.split(capsys.readouterr().out.splitlines()[-1])[3:]) == 0
    for name in ("model", "state"):
        one, other = (load_file(f"{folder}/{name}.safetensors") for folder in ("whole", "out"))
        one.pop("books", None)                         # holds seconds
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert (len(head("out")) == 2) == (objective == "mlm+nsp")


def test_it_ends_with_what_was_guessed_beside_what_counting_and_a_coin_would(home, capsys):
    train("out")
    out = capsys.readouterr().out
    shares = [float(x) for x in re.findall(r"(\d+\.\d)%", out.partition("validation:")[2])]
    guessed, by_count, right, low, high = shares
    assert 0 <= guessed <= 100
    assert 0 <= by_count < 100
    assert low <= right <= high
    assert "(a coin: 50%)" in out
    assert out.splitlines()[-1] == "  python -m minigpt finetune --from out --task docstrings"


def test_the_most_frequent_token_is_what_it_is_measured_against(home, capsys):
    pathlib.Path("my.txt").write_text("cow cow cow cow. " * 200 + "cow mow. " * 5)
    train("out", "mlm", "--vocab-size", "30")
    by_count = float(re.search(r"most frequent token: (\d+\.\d)%", capsys.readouterr().out)[1])
    assert by_count > 60


def test_an_encoder_learns(home, capsys):
    train("out", "mlm", "--steps", "120", "--lr", "0.01", "--evaluate-every", "120", "--dropout", "0")
    records = [json.loads(line) for line in pathlib.Path("out/metrics.jsonl").read_text().splitlines()]
    assert records[-1]["val_loss"] < records[0]["val_loss"] - 1
    guessed, by_count = (float(x) for x in re.findall(r"(\d+\.\d)%", capsys.readouterr().out)[:2])
    assert guessed > by_count + 10


def test_an_encoder_of_another_preset_reads_both_ways_as_well(home):
    train("out", "mlm", "--preset", "fast")
    config = load_run("out")[2]
    assert (config.model.causal, config.model.positions, config.train.optimiser) == (False, "rope", "muon")


def test_functions_of_yours_train_an_encoder(home, capsys):
    pathlib.Path("mine.py").write_text(
        "import torch\n\ndef masked_lm(logits, targets, ignore_index=-100):\n"
        "    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())\n")
    assert train("out", "mlm+nsp", "--mine", "mine.py") == 0
    out = capsys.readouterr().out
    assert "parts of this model are yours: masked_lm" in out
    assert "checked against finite differences: the gradient of masked_lm" in out
    assert "validation: yours " in out


def test_a_wrong_gradient_of_yours_is_found_in_an_encoder_too(home, capsys):
    pathlib.Path("mine.py").write_text(
        "import torch\n\ndef masked_lm(logits, targets, ignore_index=-100):\n"
        "    logits = 2 * logits - logits.detach()\n"
        "    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())\n")
    said = refused(["train", "--text", "my.txt", "--objective", "mlm", "--mine", "mine.py", *SIZE], capsys)
    assert "the gradient of masked_lm" in said


def test_an_encoder_cannot_write_and_says_what_it_can_do(home, capsys):
    train("out")
    said = refused(["generate", "--model", "out"], capsys)
    assert "cannot write" in said
    assert "--objective causal" in said
    assert "finetune --from out" in said


BAD = {"--tokenizer bpe": "do not fit", "--compile": "leave --compile out", "--token-types 1": "take 2",
       "--context-length 4": "no room"}


@pytest.mark.parametrize("flags", list(BAD))
def test_what_an_encoder_cannot_do_is_one_line(home, capsys, flags):
    assert BAD[flags] in refused(["train", "--text", "my.txt", "--objective", "mlm+nsp", *SIZE, *flags.split()], capsys)


def test_a_text_is_not_put_together_again_from_wordpiece(home, capsys):
    assert "do not fit" in refused(["train", "--text", "my.txt", "--tokenizer", "wordpiece"], capsys)


def test_resuming_keeps_the_objective(home, capsys):
    train("out", "mlm")
    assert main(["train", "--resume", "--out", "out", "--objective", "mlm", "--tokenizer", "wordpiece"]) == 0
    said = refused(["train", "--resume", "--out", "out", "--objective", "mlm+nsp"], capsys)
    assert "would change the run" in said


def test_a_run_from_before_there_were_objectives_is_one_that_writes(home, monkeypatch):
    def without_objective(config):
        return {name: value for name, value in dataclasses.asdict(config).items() if name != "objective"}

    monkeypatch.setattr("minigpt.runs.asdict", without_objective)
    main(["train", "--text", "my.txt", "--out", "out", *FLAGS])
    assert "objective" not in json.loads(pathlib.Path("out/config.json").read_text())
    assert load_run("out")[2].objective == "causal"
    assert main(["train", "--resume", "--out", "out"]) == 0
