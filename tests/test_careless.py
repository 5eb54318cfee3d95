"""What careless and unlucky people type: still one line that says the way out, and nothing lost."""
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

import pytest
from tiny import FLAGS, TEXT, make_home, make_run, refused

from minigpt.__main__ import main

ROOT = pathlib.Path(__file__).parents[1]
BEGIN = "minigpt: error: "
HUGE = "99999999999999999999"


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


def train(capsys, *arguments, out="new"):
    """The line with which training is refused, and that it left no run behind."""
    line = refused(["train", "--text", "my.txt", "--out", out, *FLAGS, *arguments], capsys)
    assert not pathlib.Path("new").exists()
    return line.removeprefix(BEGIN)


@pytest.mark.parametrize(("arguments", "says"), [
    (["--seed", HUGE], f"seed={HUGE} is too large; the most is {2**63 - 1}"),
    (["--batch-size", HUGE], f"batch_size={HUGE} is too large"),
    (["--norm-eps", "-1"], "norm_eps=-1.0 must be greater than 0"),
    (["--eps", "0"], "eps=0.0 must be greater than 0"),
    (["--beta1", "1"], "beta1=1.0 must be at least 0 and below 1"),
    (["--device", "meta"], "--device meta is none that PyTorch finds"),
    (["--out", ""], "--out is empty; give a folder"),
    (["--text", ""], "--text is empty; give a file or a folder"),
    (["--min-lr-ratio", "-1e-3"], "argument --min-lr-ratio: expected one argument; a value that begins with - is "
                                  "written with =, as in --seed=-1;"),
])
def test_a_value_that_nothing_can_be_done_with(home, capsys, arguments, says):
    assert train(capsys, *arguments).startswith(says)


@pytest.mark.parametrize("size", [["--d-model", "1" + 15 * "0"], ["--batch-size", "1" + 15 * "0"]])
def test_a_model_or_a_batch_that_no_memory_holds(home, capsys, size):
    assert train(capsys, *size).startswith("there is not enough memory for this")


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
@pytest.mark.parametrize("out", ["my.txt", "my.txt/new"])
def test_a_place_for_the_run_that_is_a_file(home, capsys, out, more):
    assert train(capsys, *more, out=out) == "--out my.txt is a file; give a folder"
    assert pathlib.Path("my.txt").read_text() == TEXT


def test_a_place_where_nobody_may_write_is_refused_before_anything_is_done(home, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: pathlib.Path(path) != home)
    assert train(capsys) == f"--out new: {home} may not be written; give another folder"
    assert capsys.readouterr().out == ""


def test_a_prompt_that_is_too_long_is_not_what_we_suggest(home, capsys):
    pathlib.Path("my.txt").write_text("------------ Donaudampfschifffahrtsgesellschaft\n" * 60)
    main(["train", "--text", "my.txt", "--out", "out", *FLAGS])
    assert main(shlex.split(capsys.readouterr().out.splitlines()[-1])[3:]) == 0


def test_spaces_are_not_called_an_empty_file(home, capsys):
    pathlib.Path("my.txt").write_text(" \n" * 1000)
    assert train(capsys).startswith("'my.txt': the file holds nothing but spaces; give a UTF-8 text file")


def test_show_with_an_empty_path_does_not_show_the_default(home, capsys):
    assert refused(["data", "show", "--text", ""], capsys).startswith(BEGIN + "--text is empty")


@pytest.mark.parametrize("seed", [HUGE, "-1"])
def test_generating_with_a_seed_that_is_none(finished, capsys, seed):
    assert refused(["generate", "--model", str(finished), "--seed", seed], capsys) == (
        f"{BEGIN}--seed {seed} must lie between 0 and {2**63 - 1}")


@pytest.mark.parametrize("descriptor", [1, 2])
def test_with_a_closed_output_the_rest_still_works(finished, descriptor):
    command = [sys.executable, "-m", "minigpt", "generate", "--model", str(finished), "--max-new-tokens", "2"]
    done = subprocess.run(["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *command], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_ctrl_c_held_down_says_where_the_run_is_and_nothing_else(home):
    command = [sys.executable, "-m", "minigpt", "train", "--text", "my.txt", "--out", "out", *FLAGS[:-1], "100000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    process.stderr.readline()                          # of step 0, which is saved
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    error = process.stderr.read()
    assert "Traceback" not in error
    assert process.returncode in (130, -signal.SIGINT)


def test_a_second_ctrl_c_names_the_checkpoint(home, capsys, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt
    monkeypatch.setattr("minigpt.runs.Run.draw", stopped)
    assert main(["train", "--text", "my.txt", "--out", "out", *FLAGS]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "minigpt: interrupted; out keeps the checkpoint of step 3"
