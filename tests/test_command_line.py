"""The command line: what it lists, how it complains, and what it does not load."""
import io
import os
import pathlib
import shlex
import subprocess
import sys
from dataclasses import fields

import pytest
from tiny import refused

from minigpt import __main__, __version__
from minigpt.__main__ import main
from minigpt.config import TrainConfig, TransformerConfig
from minigpt.errors import InputError

ROOT = pathlib.Path(__file__).parents[1]


def test_help_lists_every_command_with_what_it_does(capsys):
    assert main(["--help"]) == main([]) == 0
    out = capsys.readouterr().out
    listed = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  "))
    assert listed["train"].startswith("Train a model")
    assert "flags" not in listed


@pytest.mark.parametrize("name", list(__main__.commands()))
def test_every_command_has_help_with_examples_that_it_understands(name, capsys, monkeypatch):
    assert main([name, "--help"]) == 0
    examples = capsys.readouterr().out.split("examples:\n")[1].strip().splitlines()
    monkeypatch.setattr(f"minigpt.commands.{name}.run", lambda args: 77)
    for example in examples:
        python, m, minigpt, *arguments = shlex.split(example)
        assert (python, m, minigpt) == ("python", "-m", "minigpt")
        assert main(arguments) == 77, example


def test_help_does_not_load_torch():
    code = ("import sys; from minigpt.__main__ import main; main(['--help']); main(['train', '--help']);"
            "main(['generate', '--help']); sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


def test_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"minigpt {__version__}\n"


def test_every_field_of_the_configurations_is_a_flag(capsys):
    main(["train", "--help"])
    out = capsys.readouterr().out
    for field in (*fields(TransformerConfig), *fields(TrainConfig)):
        if field.name != "causal":                     # next-token prediction is causal
            assert f"--{field.name.replace('_', '-')}" in out


def test_a_flag_is_explained_by_the_comment_of_its_field(capsys):
    main(["train", "--help"])
    assert "sequences per forward pass (default: 32)" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_command_is_refused_with_a_suggestion(capsys):
    assert refused(["trian"], capsys).startswith("minigpt: error: no command 'trian'; did you mean train?")


def test_an_unknown_flag_is_refused_with_a_suggestion(capsys):
    assert "unrecognized arguments: --minuets 3; did you mean --minutes?" in refused(
        ["train", "--minuets", "3"], capsys)


def test_a_value_of_the_wrong_kind_is_refused(capsys):
    assert "argument --steps: invalid int value: 'many'" in refused(["train", "--steps", "many"], capsys)


@pytest.mark.parametrize("value", ["nan", "inf", "fast"])
def test_a_number_that_is_none_is_refused(capsys, value):
    assert f"argument --lr: {value!r} is no finite number" in refused(["train", "--lr", value], capsys)


@pytest.mark.parametrize(("error", "status", "line"), [
    (InputError("two\nlines"), 2, "minigpt: error: two lines"),
    (FileNotFoundError(2, "No such file or directory", "a.txt"), 2,
     "minigpt: error: a.txt: No such file or directory"),
    (OSError(28, "No space left on device", "runs/x"), 2,
     "minigpt: error: the disk is full (runs/x); make room and try again"),
    (KeyboardInterrupt(), 130, "minigpt: interrupted"),
])
def test_errors_are_one_line_and_a_status(error, status, line, capsys, monkeypatch):
    def fail(args):
        raise error
    monkeypatch.setattr("minigpt.commands.data.run", fail)
    assert main(["data", "list"]) == status
    assert capsys.readouterr().err == line + "\n"


def test_a_reader_who_has_seen_enough_gets_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run([sys.executable, "-m", "minigpt", "--help"], cwd=ROOT, stdout=writer,
                             stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (process.returncode, process.stderr) == (141, "")


def test_a_sign_that_the_terminal_lacks_is_a_question_mark(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr("minigpt.commands.data.run", lambda args: print("ä") or 0)
    assert main(["data", "list"]) == 0
    assert narrow.buffer.getvalue() == b"?\n"
