"""The demo goes the whole path, with the text it fetches, without a network, and on the user's own text."""
import json
import re

import pytest

from minigpt.__main__ import main
from minigpt.data.corpus import load_text
from minigpt.data.fetch import Unavailable, fetch
from minigpt.data.labelled import Row, make_task
from minigpt.data.sources import find_source
from minigpt.errors import InputError
from minigpt.runs import load_run

SHORT = ["--steps", "20", "--no-encoder"]                   # the docs of Python take seconds to read


def bits(output):
    """{row of the table: bits per character}."""
    return {what.strip(): float(value) for what, value in re.findall(r"^     (\S.*?)\s{2,}(\d+\.\d{3}) ", output, re.M)}


def assert_whole(folder, output):
    names = {"model.safetensors", "state.safetensors", "config.json", "tokenizer.json", "metrics.jsonl", "curve.png"}
    assert names <= {path.name for path in folder.iterdir()}
    table = bits(output)
    assert len(table) == 4
    assert all(0 < value < 9 for value in table.values())
    assert table["how often each character occurs"] > table["character 6-gram, Witten-Bell smoothing"]
    assert output.count("steps it writes:") == 4
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["val_loss"] > 0


@pytest.mark.slow
@pytest.mark.download
def test_the_demo_runs_whole_on_the_text_it_fetches(tmp_path, capsys, require_data):
    try:
        fetch(find_source("shakespeare"))
    except Unavailable as error:
        require_data(error)
    assert main(["demo", *SHORT, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "shakespeare, split by document" in output
    assert_whole(tmp_path / "run", output)


@pytest.mark.slow
def test_the_demo_runs_whole_without_a_network_and_says_what_stands_in(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    assert main(["demo", *SHORT, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "python-docs stands in for shakespeare" in output
    assert_whole(tmp_path / "run", output)


def own_text(folder):
    path = folder / "mine.txt"
    animals = ("dog", "cat", "cat")
    path.write_text("".join(f"Line {i}: the {animals[i % 3]} sat on mat {i * i % 17}.\n" for i in range(900)))
    return path


def test_the_demo_runs_whole_on_your_own_text(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["demo", *SHORT, "--text", str(own_text(tmp_path)), "--out", str(folder), "--vocab-size", "300"]) == 0
    assert_whole(folder, capsys.readouterr().out)


def test_a_defeat_is_shown_as_one(tmp_path, capsys):
    main(["demo", "--steps", "1", "--no-encoder", "--text", str(own_text(tmp_path)), "--out", str(tmp_path / "run"),
          "--vocab-size", "300"])
    assert "Beaten by: " in capsys.readouterr().out


def test_the_demo_does_not_replace_a_run_of_yours(tmp_path, capsys):
    path = own_text(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert main(["demo", *SHORT, "--text", str(path), "--out", str(tmp_path)]) == 2
    assert "holds another run" in capsys.readouterr().err
    assert (tmp_path / "config.json").read_text() == "{}"


@pytest.mark.slow
def test_the_encoder_is_pre_trained_taught_and_shown_beside_one_from_scratch(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("minigpt.commands.demo_encoder.PER_CLASS", (2, 4))
    folder = tmp_path / "run"
    arguments = ["--steps", "30", "--text", str(own_text(tmp_path)), "--out", str(folder), "--vocab-size", "600"]
    assert main(["demo", *arguments]) == 0
    output = capsys.readouterr().out
    lines = output.partition("7/7")[2].splitlines()
    rows = {line[5:37].strip(): re.findall(r"(\d+\.\d)%", line[37:]) for line in lines}
    for name in ("pre-trained, then taught", "taught from scratch", "TF-IDF, naive Bayes", "always the same class"):
        assert len(rows[name]) == 2
        assert all(0 < float(share) < 100 for share in rows[name])
    assert rows["TF-IDF, naive Bayes"][0] != rows["TF-IDF, naive Bayes"][1]
    assert (folder / "transfer.png").read_bytes().startswith(b"\x89PNG")
    encoder, _, config = load_run(folder / "encoder")
    assert not encoder.config.causal
    assert (config.objective, config.corpus["name"]) == ("mlm", "python-docs-apart")


@pytest.mark.parametrize("objective", ["mlm", "mlm+nsp"])
def test_either_objective_pre_trains_the_encoder(tmp_path, capsys, monkeypatch, objective):
    corpus = load_text(own_text(tmp_path))
    rows = [[Row(f"the {animal} sat on mat {i} {part}", animal) for i in range(9) for animal in ("dog", "cat")]
            for part in ("first", "second", "third")]
    monkeypatch.setattr("minigpt.data.corpus.load_corpus", lambda name: corpus)
    monkeypatch.setattr("minigpt.data.tasks.load_task", lambda name: make_task(name, rows, "", "", "", True))
    monkeypatch.setattr("minigpt.commands.demo_encoder.PER_CLASS", (2, 4))
    arguments = ["--steps", "3", "--text", str(tmp_path / "mine.txt"), "--out", str(tmp_path / "run")]
    assert main(["demo", *arguments, "--vocab-size", "300", "--objective", objective]) == 0
    output = capsys.readouterr().out
    assert "always the same class              50.0%   50.0%" in output
    assert re.search("is ahead of all others with (2|4|2, 4|none of these) labels", output)
    assert ("(a coin: 50%)" in output) == (objective == "mlm+nsp")


def test_a_python_without_its_library_still_has_a_demo(tmp_path, capsys, monkeypatch):
    def missing(name):
        raise InputError(f"this Python has no {name}")

    monkeypatch.setattr("minigpt.data.corpus.load_corpus", missing)
    arguments = ["--steps", "1", "--text", str(own_text(tmp_path)), "--out", str(tmp_path / "run")]
    assert main(["demo", *arguments, "--vocab-size", "300"]) == 0
    output = capsys.readouterr().out
    assert "Left out: the encoder (this Python has no python-docs-apart)" in output
    assert "All in " in output


BAD = [["--minutes", "0"], ["--minutes", "inf"], ["--minutes", "nan"], ["--minutes", "-1"], ["--steps", "0"],
       ["--steps", "2", "--minutes", "1"], ["--corpus", "shakespear"], ["--text", "nowhere.txt"]]


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_line(arguments, capsys, tmp_path):
    assert main(["demo", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_a_text_of_two_hundred_lines_is_enough(tmp_path, capsys):
    path = tmp_path / "small.txt"
    path.write_text("".join(own_text(tmp_path).read_text().splitlines(keepends=True)[:200]))
    assert main(["demo", "--steps", "1", "--no-encoder", "--text", str(path), "--out", str(tmp_path / "my run")]) == 0
    output = capsys.readouterr().out
    assert len(bits(output)) == 4
    assert f"--model '{tmp_path}/my run' --prompt" in output


def test_the_demo_names_no_flag_that_it_does_not_have(tmp_path, capsys):
    path = tmp_path / "small.txt"
    path.write_text("abcdefghijklm nopqrstuvwxyz\n" * 20)
    assert main(["demo", *SHORT, "--text", str(path), "--out", str(tmp_path / "run")]) == 2
    assert "`train` with --context-length" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    assert main(["demo", *SHORT, "--text", str(path), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("holds another run; give another folder\n")
