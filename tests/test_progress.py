"""What has passed `check` counts in the list of lessons; a damaged record costs one line, and stays as it is."""
import inspect
import json
import linecache
from types import SimpleNamespace

import pytest

from minigpt import progress
from minigpt.__main__ import main
from minigpt.commands import start
from minigpt.errors import InputError
from minigpt.grading import check
from minigpt.grading.keep import FLAGS, possible
from minigpt.listing import ROOT
from minigpt.reference.softmax import softmax_forward
from minigpt.swap import known_names

MIN_P = '''
def min_p(probabilities, min_p):
    kept = probabilities * (probabilities >= min_p * probabilities.max(axis=-1, keepdims=True))
    return kept / kept.sum(axis=-1, keepdims=True)
'''


@pytest.fixture
def my(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_MY", str(tmp_path / "my"))
    return tmp_path / "my"


def written(code, name="<cell>"):
    """The functions of a cell of a notebook."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    space = {"__name__": "__main__"}
    exec(compile(code, name, "exec"), space)
    return SimpleNamespace(**space)


def listed(capsys):
    assert start.run(SimpleNamespace(name=None)) == 0
    return capsys.readouterr().out


def line_of(lesson, text):
    return next(line for line in text.splitlines() if line.startswith(f"{lesson} "))


def test_a_pass_counts_in_the_list(my, capsys):
    assert "0 of 3 exercises" in line_of("first_model", listed(capsys))
    assert check("min_p", min_p=written(MIN_P).min_p)
    assert json.loads((my / "progress.json").read_text()) == {"passed": ["first_model.3"]}
    assert "1 of 3 exercises  What does a language model do?" in line_of("first_model", listed(capsys))
    assert "0 of 4 exercises" in line_of("attention", listed(capsys))


def test_a_second_pass_of_another_exercise_is_added(my):
    check("min_p", min_p=written(MIN_P).min_p)
    source = inspect.getsource(inspect.getmodule(softmax_forward))
    check("softmax", written(source, "<other>").softmax_forward)
    assert progress.passed(my) == {"first_model.1", "first_model.3"}


@pytest.mark.parametrize("code", ["def min_p(probabilities, min_p):\n    ...\n",
                                  "def min_p(probabilities, min_p):\n    return probabilities\n"])
def test_a_stub_and_what_fails_do_not_count(my, code):
    check("min_p", min_p=written(code).min_p)
    assert not my.exists()


def test_ours_does_not_count(my):
    assert check("softmax", softmax_forward)
    assert not my.exists()


@pytest.mark.parametrize("damage", ["", "{", '{"passed": ["first_model.1"', "[]", '{"passed": 3}', '{"passed": [3]}',
                                    "3", '"passed"', '{"passed": "first_model.1"}', "\x00", "[" * 9999], ids=range(11))
def test_a_damaged_record_costs_one_line_and_stays_as_it_is(my, capsys, damage):
    my.mkdir()
    (my / "progress.json").write_text(damage)
    text = listed(capsys)
    assert text.splitlines()[-1] == (f"{my / 'progress.json'} cannot be read (it is damaged), and it holds your "
                                     "progress: move it away, and each check that passes counts anew")
    assert "  3 exercises" in line_of("first_model", text)
    verdict = check("min_p", min_p=written(MIN_P).min_p)
    assert verdict
    assert f"\nNot counted: {my / 'progress.json'} cannot be read" in str(verdict)
    assert (my / "progress.json").read_text() == damage


def test_a_record_that_is_not_text_or_not_a_file_costs_one_line_too(my, capsys):
    my.mkdir()
    (my / "progress.json").write_bytes(b"\xff\xfe\x00")
    assert "it is damaged" in listed(capsys)
    (my / "progress.json").unlink()
    (my / "progress.json").mkdir()
    assert "cannot be read (Is a directory)" in listed(capsys).splitlines()[-1]


def test_a_folder_that_cannot_be_written_costs_one_line(my, capsys):
    my.write_text("a file")
    assert "Not counted in" in str(check("min_p", min_p=written(MIN_P).min_p))
    assert "0 of 3 exercises" in listed(capsys)


def test_an_exercise_that_is_gone_does_not_count(my, capsys):
    my.mkdir()
    (my / "progress.json").write_text('{"passed": ["first_model.99", "gone.1", "first_model.1"]}')
    assert "1 of 3 exercises" in line_of("first_model", listed(capsys))
    check("min_p", min_p=written(MIN_P).min_p)
    assert {"first_model.99", "gone.1", "first_model.1", "first_model.3"} == progress.passed(my)


def test_nothing_is_left_beside_the_record(my):
    check("min_p", min_p=written(MIN_P).min_p)
    assert [path.name for path in my.iterdir()] == ["progress.json"]


def test_tests_and_builds_of_lessons_note_nothing(monkeypatch):
    monkeypatch.delenv("MINIGPT_MY", raising=False)
    assert progress.folder() is None
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert progress.folder() == ROOT / "my"
    monkeypatch.setenv("MINIGPT_MY", "")
    assert progress.folder() is None
    assert progress.note(["first_model.1"]) == ""


def test_a_record_is_never_half_written(my, monkeypatch):
    my.mkdir()
    (my / "progress.json").write_text('{"passed": ["first_model.1"]}')

    def interrupted(*paths):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(progress.os, "replace", interrupted)
    assert progress.note(["first_model.3"]).endswith("progress.json: No space left on device.")
    assert progress.passed(my) == {"first_model.1"}


def test_a_refusal_of_the_record_is_one_line(my):
    my.mkdir()
    (my / "progress.json").write_text("{")
    with pytest.raises(InputError) as error:
        progress.passed(my)
    assert "\n" not in str(error.value)


# What is kept can train what it is said to train

def test_a_part_that_no_training_calls_is_not_said_to_train():
    assert set(FLAGS) < set(known_names())
    assert "train --mine" not in possible("lora", "my/lora.py")
    assert "minigpt.use(lora=...)" in possible("lora", "my/lora.py")


@pytest.mark.slow
@pytest.mark.parametrize("concept", FLAGS)
def test_what_is_kept_trains_with_the_flags_that_are_said(concept, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("\n\n".join(
        f"the cat number {n} sat on the mat. it was {n} years old.\n\nthen a dog came. all ran." for n in range(400)))
    file, ours = tmp_path / f"{concept}.py", ROOT / f"minigpt/reference/{concept}.py"
    file.write_text(ours.read_text(encoding="utf-8"), encoding="utf-8")
    command = possible(concept, file).partition("python -m minigpt ")[2]
    words = (f"{command} --text {tmp_path / 'text.txt'} --out {tmp_path / 'run'} --steps 1 --no-compare "
             "--n-layer 1 --d-model 32 --n-head 2 --context-length 32 --vocab-size 300 --batch-size 2")
    assert main(words.split()) == 0
    assert f" parts of this model are yours: {concept}\n" in capsys.readouterr().out
