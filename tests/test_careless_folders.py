"""A run folder that somebody tidied up or edited, and a resume that asks for something else."""
import pathlib
import shutil
from dataclasses import replace

import pytest
from tiny import FLAGS, make_home, make_run, refused

from minigpt import pictures
from minigpt.__main__ import main
from minigpt.data.corpus import load_text
from minigpt.runs import resume_run

BEGIN = "minigpt: error: "
WAY_OUT = "restore the folder from a copy, or begin again with --overwrite"
RESUME = ["train", "--resume", "--out", "out"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def run(tmp_path, monkeypatch, finished):
    """A copy of a run that a test may damage, under the name `out`."""
    make_home(tmp_path, monkeypatch)
    shutil.copytree(finished, "out")
    return pathlib.Path("out")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["model.safetensors", "state.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_not_to_be_begun_again_unasked(run, capsys, name):
    (run / name).unlink()
    assert refused(RESUME, capsys) == f"{BEGIN}out holds no run: there is no {name} in it; {WAY_OUT}"


def test_a_name_with_a_space_is_quoted_in_the_command_that_we_suggest(run, capsys):
    assert refused(["generate", "--model", "my run"], capsys).endswith(
        "`python -m minigpt train --out 'my run'` makes one")


def test_a_config_that_is_brackets_all_the_way_down(run, capsys):
    (run / "config.json").write_text("[" * 100_000)
    assert refused(RESUME, capsys).startswith(f"{BEGIN}out/config.json is damaged (RecursionError")


@pytest.mark.parametrize(("source", "target"), [("model", "state"), ("state", "model")])
def test_a_file_of_the_same_run_under_another_name(run, capsys, source, target):
    shutil.copy(run / f"{source}.safetensors", run / f"{target}.safetensors")
    assert f"out/{target}.safetensors does not belong to out/config.json" in refused(RESUME, capsys)


@pytest.mark.parametrize("line", ["hello", "[1]", "3", "{}", '{"step": 1}', '{"step": "x"}', "\udc80"])
def test_a_line_of_metrics_that_is_no_record_is_named_and_nothing_is_dropped(run, capsys, line):
    metrics = run / "metrics.jsonl"
    metrics.write_bytes(line.encode(errors="surrogateescape") + b"\n" + metrics.read_bytes())
    before = contents(run)
    assert refused(RESUME, capsys) == (f"{BEGIN}out/metrics.jsonl, line 1 is not what a run writes; restore it from a "
                                       "copy, or delete the file: only the curve needs it")
    assert contents(run) == before


def test_a_run_goes_on_without_its_metrics(run):
    (run / "metrics.jsonl").unlink()
    assert main(RESUME) == 0


@pytest.mark.parametrize("corpus", ["basic-english", "nope"])
def test_a_run_on_ones_own_text_does_not_go_on_with_a_corpus(run, capsys, corpus):
    assert refused([*RESUME, "--corpus", corpus], capsys).startswith(
        f"{BEGIN}--corpus {corpus} would change the run in out")


def test_a_run_on_a_corpus_does_not_go_on_with_a_text(run, capsys, monkeypatch):
    parts = list(resume_run("out"))
    parts[3] = replace(parts[3], corpus=parts[3].corpus | {"name": "python-docs", "own_text": False})
    monkeypatch.setattr("minigpt.pretraining.load_corpus", lambda name: load_text("my.txt"))
    monkeypatch.setattr("minigpt.pretraining.resume_run", lambda folder: parts)
    assert refused([*RESUME, "--text", "my.txt"], capsys).startswith(
        f"{BEGIN}--text my.txt would change the run in out (it has the corpus python-docs)")


def test_a_text_that_has_moved_can_be_shown(run, finished, capsys):
    here, there = finished.parent / "my.txt", finished.parent / "moved.txt"
    here.rename(there)
    try:
        line = refused(RESUME, capsys)
    finally:
        there.rename(here)
    assert line.startswith(f"{BEGIN}no file or folder")
    assert line.endswith("or say where the text of out is now, with --text")
    assert main([*RESUME, "--text", "my.txt"]) == 0


def test_a_picture_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "curve.png").mkdir()
    with pytest.raises(OSError, match=r"curve\.png"):
        pictures.loss_curve([], tmp_path / "curve.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


def test_what_could_not_be_written_says_why_and_what_helps(run, capsys, monkeypatch):
    def not_allowed(path, data):
        raise OSError(13, "Permission denied", str(path))
    monkeypatch.setattr("minigpt.checkpoints.write_durably", not_allowed)
    line = refused(["train", "--text", "my.txt", "--out", "out", "--overwrite", *FLAGS], capsys)
    assert line == BEGIN + ("cannot write the checkpoint of step 0 into out: Permission denied; nothing is saved yet: "
                            "mend that and run the command again")
