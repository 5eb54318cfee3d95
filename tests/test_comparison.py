"""A run with functions of yours is drawn over one of ours: trained alike, kept, and used again where it fits."""
import json
import os
import pathlib
import shlex

import pytest
import torch
from tiny import FLAGS, make_home, record, weights

from minigpt.__main__ import main
from minigpt.comparison import draw_both
from minigpt.evaluation import next_token
from minigpt.runs import load_run

MINE = "import torch\ndef softmax(x):\n    return torch.softmax({} * x, -1)\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def train(*more, out="out", factor=1, mine=True):
    pathlib.Path("mine.py").write_text(MINE.format(factor))
    arguments = ["--mine", "mine.py"] if mine else []
    return main(["train", "--text", "my.txt", "--out", out, *FLAGS, *arguments, *more])


def losses(path):
    return [(line["step"], line["train_loss"], line["val_loss"])
            for line in map(json.loads, pathlib.Path(path).read_text().splitlines())]


def test_ours_beside_yours_has_the_losses_of_a_run_of_ours_alone(home, capsys):
    assert train(factor=3) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert train(out="alone", mine=False) == 0
    assert losses("out/ours.jsonl") == losses("alone/metrics.jsonl")
    assert losses("out/metrics.jsonl") != losses("alone/metrics.jsonl")
    alone = capsys.readouterr().out.split(" nats per token")[0].split()[-1]
    assert last.startswith("validation: yours ")
    assert f", ours {alone} nats per token" in last
    assert pathlib.Path("out/curve.png").stat().st_size > 1000


def test_a_run_with_ours_beside_it_loads_as_before(home):
    assert train() == 0
    assert load_run("out")[2].mine == ("softmax",)


def test_no_compare_leaves_ours_out_and_the_last_line_lets_yours_write(home, capsys):
    assert train("--no-compare") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "to compare" not in "".join(lines)
    assert main(shlex.split(lines[-1])[3:]) == 0
    assert "parts of this model are yours: softmax" in capsys.readouterr().err
    assert not pathlib.Path("out/ours.jsonl").exists()


def test_a_second_try_with_the_same_settings_takes_the_ours_of_the_first(home, capsys):
    train()
    capsys.readouterr()
    before = pathlib.Path("out/ours.jsonl").read_bytes()
    assert train("--overwrite", factor=2) == 0
    assert "to compare: ours, trained" not in capsys.readouterr().out
    assert pathlib.Path("out/ours.jsonl").read_bytes() == before


@pytest.mark.parametrize("damage", [None, "", "{}\n", "no json\n"])
def test_ours_of_other_settings_or_damaged_is_trained_again(home, capsys, damage):
    train()
    first = losses("out/ours.jsonl")
    if damage is not None:
        pathlib.Path("out/ours.jsonl").write_text(damage)
    capsys.readouterr()
    assert train("--overwrite", *(["--seed", "1"] if damage is None else [])) == 0
    assert "to compare: ours, trained" in capsys.readouterr().out
    assert (losses("out/ours.jsonl") == first) == (damage is not None)


def test_a_run_of_ours_in_the_same_folder_takes_the_comparison_away(home):
    train()
    assert train("--overwrite", mine=False) == 0
    assert not pathlib.Path("out/ours.jsonl").exists()


def test_ctrl_c_skips_the_comparison_and_resume_makes_up_for_it(home, capsys, monkeypatch):
    count = []

    def objective(model, batch):
        count.append(1)
        if model.training and "ours" in capsys_so_far():
            os.kill(os.getpid(), 2)
        return next_token(model, batch)

    def capsys_so_far():
        said.append(capsys.readouterr().out)
        return "".join(said).partition("to compare: ")[2]

    said = []
    with monkeypatch.context() as patch:
        patch.setattr("minigpt.pretraining.Job.objective", staticmethod(objective))
        assert train() == 0
    said.append(capsys.readouterr().out)
    lines = "".join(said).splitlines()
    assert lines[-2:] == ["skipped; make up for it with",
                          "  python -m minigpt train --resume --out out --mine mine.py"]
    assert not pathlib.Path("out/ours.jsonl").exists()
    before = weights("out")
    assert main(["train", "--resume", "--out", "out", "--mine", "mine.py"]) == 0
    assert "validation: yours " in capsys.readouterr().out
    assert pathlib.Path("out/ours.jsonl").exists()
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights("out").items())


def test_a_stopped_run_of_yours_is_compared_when_it_was_resumed(home, capsys, monkeypatch):
    def objective(model, batch):
        if model.training and pathlib.Path("out/model.safetensors").exists():
            os.kill(os.getpid(), 2)
        return next_token(model, batch)

    with monkeypatch.context() as patch:
        patch.setattr("minigpt.pretraining.Job.objective", staticmethod(objective))
        assert train() == 130
    assert not pathlib.Path("out/ours.jsonl").exists()
    assert main(["train", "--resume", "--out", "out", "--mine", "mine.py"]) == 0
    train(out="whole")
    assert losses("out/ours.jsonl") == losses("whole/ours.jsonl")
    assert losses("out/metrics.jsonl") == losses("whole/metrics.jsonl")


def test_both_losses_are_drawn_yours_on_top(tmp_path):
    yours, ours = [record(0), record(5) | {"val_loss": 1.5}], [record(0) | {"train_loss": 3.0, "val_loss": 2.5}]
    lines = {line.get_label(): line for line in draw_both(tmp_path, yours, ours).axes[0].lines}
    assert list(lines["yours, training"].get_ydata()) == [2.0, 2.0]
    assert list(lines["yours, validation"].get_ydata()) == [1.5]
    assert list(lines["ours, training"].get_ydata()) == [3.0]
    assert list(lines["ours, validation"].get_ydata()) == [2.5]
    assert lines["yours, training"].get_zorder() > lines["ours, training"].get_zorder()
    assert (tmp_path / "curve.png").exists()
