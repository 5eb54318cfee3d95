"""A folder that cannot be used: one line on stderr that says which file and the way out; nothing lost."""
import errno
import json
import os
import pathlib
import shutil

import pytest
from tiny import FLAGS, TEXT, make_home, make_run, refused

BEGIN = "minigpt: error: "


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def run(home, finished):
    """A copy of a run that a test may damage, under the name `out`."""
    shutil.copytree(finished, "out")
    return pathlib.Path("out")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_out_folder_that_holds_another_run(run, capsys):
    before = contents(run)
    line = refused(["train", "--text", "my.txt", "--out", "out", *FLAGS], capsys)
    assert line == BEGIN + ("--out out holds another run; go on with it by --resume, replace it by --overwrite, or "
                            "give another folder")
    assert contents(run) == before


def test_overwriting_with_input_that_is_refused_loses_nothing(run, capsys):
    before = contents(run)
    refused(["train", "--text", "my.txt", "--out", "out", "--overwrite", *FLAGS, "--context-length", "5000"], capsys)
    assert contents(run) == before


def test_resuming_with_another_setting(run, capsys):
    line = refused(["train", "--resume", "--out", "out", "--lr", "0.5"], capsys)
    assert line.startswith(BEGIN + "--lr 0.5 would change the run in out (it has 0.001); leave the flag out")


def test_resuming_with_another_text(run, capsys):
    pathlib.Path("my.txt").write_text(TEXT.replace("mow", "row"))
    line = refused(["train", "--resume", "--out", "out", "--text", "my.txt"], capsys)
    assert line.startswith(BEGIN + "the text my.txt is not the one that out was trained on")


@pytest.mark.parametrize("command", [["generate", "--model", "out"], ["train", "--resume", "--out", "out"]])
@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_file_of_a_run_that_was_cut_off(run, capsys, file, command):
    (run / file).write_bytes((run / file).read_bytes()[:-20])
    before = contents(run)
    line = refused(command, capsys)
    assert f"out/{file}" in line
    assert "restore the folder from a copy, or begin again with --overwrite" in line
    assert contents(run) == before


def test_a_tokenizer_that_was_changed(run, capsys):
    (run / "tokenizer.json").write_text((run / "tokenizer.json").read_text().replace('"m"', '"M"'))
    assert "out/tokenizer.json is not the tokenizer that this model was trained with" in refused(
        ["generate", "--model", "out"], capsys)


def test_a_config_that_was_changed(run, capsys):
    values = json.loads((run / "config.json").read_text())
    values["model"]["d_model"] = 32
    (run / "config.json").write_text(json.dumps(values))
    assert "out/model.safetensors does not belong to out/config.json" in refused(
        ["generate", "--model", "out"], capsys)


def test_a_config_with_a_setting_that_we_do_not_know(run, capsys):
    values = json.loads((run / "config.json").read_text())
    values["model"]["n_wheels"] = 4
    (run / "config.json").write_text(json.dumps(values))
    line = refused(["generate", "--model", "out"], capsys)
    assert "out/config.json is damaged (ValueError: TransformerConfig has no field n_wheels" in line


def test_a_file_that_is_not_ours(run, capsys):
    (run / "model.safetensors").write_text("hello, I am not a model")
    assert "out/model.safetensors is damaged or cut off" in refused(["generate", "--model", "out"], capsys)


def test_a_full_disk_at_a_checkpoint_loses_nothing(run, capsys, monkeypatch):
    before = contents(run)

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("minigpt.checkpoints.write_durably", full)
    line = refused(["train", "--text", "my.txt", "--out", "out", "--overwrite", *FLAGS], capsys)
    assert line == BEGIN + ("cannot write the checkpoint of step 0 into out: No space left on device; nothing is "
                            "saved yet: make room and run the command again")
    assert contents(run) == before


def test_a_prompt_longer_than_the_context(finished, capsys):
    assert refused(["generate", "--model", str(finished), "--prompt", "went to mow"], capsys) == (
        BEGIN + "the prompt has 11 tokens, more than the model's context_length=8; shorten it, or let the model see "
        "only its end with --window")


@pytest.mark.parametrize(("arguments", "says"), [
    (["--temperature", "-1"], "temperature=-1.0 must be at least 0"),
    (["--top-k", "0"], "top_k=0 must be at least 1"),
    (["--top-p", "1.5"], "top_p=1.5 must lie above 0 and at most at 1"),
    (["--max-new-tokens", "0"], "--max-new-tokens 0 must be at least 1"),
    (["--n", "0"], "--n 0 must be at least 1"),
    (["--model", "nowhere"], "nowhere holds no run: there is no such folder"),
    (["--device", "abacus"], "--device abacus is none that PyTorch finds"),
])
def test_generating_with_a_flag_that_makes_no_sense(finished, capsys, arguments, says):
    assert refused(["generate", "--model", str(finished), *arguments], capsys).startswith(BEGIN + says)


def test_resuming_where_there_is_no_run(home, capsys):
    assert refused(["train", "--resume", "--out", "none"], capsys) == (
        BEGIN + "none holds no run: there is no such folder; `python -m minigpt train --out none` makes one")
