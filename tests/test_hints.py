"""check.hint(): every exercise has three hints, none of them the answer; a check knows which exercise it is about."""
import ast
import importlib
import inspect
import textwrap

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from minigpt.errors import InputError
from minigpt.grading import check, hints
from minigpt.grading.exercises import exercises
from minigpt.grading.hints import candidates, done
from minigpt.grading.rubric import reference
from minigpt.listing import ROOT
from minigpt.reference import softmax

KNOWN = exercises(ROOT)
KERNELS = {"my_softmax_kernel": "kernels.softmax.softmax_forward_kernel",
           "my_attention_kernel": "kernels.attention.attention_forward_kernel",
           "my_dq_kernel": "kernels.attention_backward.attention_backward_dq_kernel"}


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session in which nothing was checked yet."""
    monkeypatch.setattr(hints, "session", hints.Asked())
    return hints.session


def named(name, body=lambda *args: None):
    """A function of a student's with this name."""
    space = {"body": body}
    exec(f"def {name}(*args, **options):\n    return body(*args, **options)", space)
    return space[name]


# The hints themselves

def lines_of(source):
    """The lines of a function's body, without docstring, comments, white space and the word return."""
    body = ast.parse(textwrap.dedent(source)).body[0].body
    body = body[1:] if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else body
    lines = [squeezed(line) for node in body for line in ast.unparse(node).splitlines()]
    return [line.removeprefix("return") for line in lines if line != "else:"]


def squeezed(text):
    return "".join(text.split()).replace('"', "'")


def tells_all(hint, source):
    return all(line in squeezed(hint) for line in lines_of(source))


def solutions(exercise):
    """The source of each function that the exercise asks for."""
    for role in exercise.functions.values():
        if role in KERNELS:
            module, _, name = KERNELS[role].rpartition(".")
            yield inspect.getsource(getattr(importlib.import_module(module), name).fn)
        else:
            yield inspect.getsource(reference(exercise.concept, role))


def test_every_exercise_has_three_different_hints():
    table = hints.hints()
    assert set(table) == set(KNOWN)
    wrong = [id for id, three in table.items() if len(set(three)) != 3 or not all(hint.strip() for hint in three)]
    assert wrong == []


@pytest.mark.parametrize("id", [pytest.param(id, marks=pytest.mark.skipif(
    bool(set(e.functions) & set(KERNELS)) and importlib.util.find_spec("triton") is None, reason="no Triton"))
    for id, e in KNOWN.items()])
def test_no_hint_is_the_whole_answer(id):
    for source in solutions(KNOWN[id]):
        assert not any(tells_all(hint, source) for hint in hints.hints()[id])


def test_a_hint_that_is_the_whole_answer_would_be_noticed():
    [source] = solutions(KNOWN["data.3"])
    assert tells_all("take 1 - (1 - similarity ** rows) ** bands, then", source)
    [source] = solutions(KNOWN["first_model.3"])
    assert tells_all(inspect.cleandoc("\n".join(source.splitlines()[1:])), source)


# What a student sees

def test_hints_come_one_after_the_other_and_the_last_one_stays():
    verdict = check("softmax", named("softmax_forward", lambda x: x))
    assert str(verdict).splitlines()[-1] == "A hint on first_model.1: check.hint()"
    shown = [str(check.hint()) for _ in range(5)]
    for n, text in enumerate(hints.hints()["first_model.1"]):
        assert shown[n].startswith(f"first_model.1, hint {n + 1} of 3: {text}")
    assert [text.endswith("check.hint()") for text in shown] == [True, True, False, False, False]
    assert shown[3] == shown[4] == f"{shown[2]}\nThat was the last one."


def test_another_try_goes_on_with_the_hints():
    for n in (1, 2):
        check("softmax", named("softmax_forward", lambda x: x))
        assert f"hint {n} of 3" in check.hint()


def test_a_hint_on_an_exercise_by_name_comes_without_a_check():
    assert "attention.2, hint 1 of 3" in check.hint("attention.2")
    assert "attention.2, hint 2 of 3" in check.hint()


def test_a_hint_shows_itself_without_quotation_marks():
    hint = check.hint("data.2")
    assert repr(hint) == "" + hint


def test_a_stub_can_be_asked_about():
    def min_p(probabilities, min_p):
        ...
    assert str(check("min_p", min_p=min_p)) == "min_p: your turn - replace the ... and run this cell again."
    assert "first_model.3, hint 1 of 3" in check.hint()


def test_a_pass_offers_no_hint():
    assert "hint" not in str(check("softmax", named("softmax_forward", softmax.softmax_forward)))


def test_before_any_check_the_way_out_is_said():
    with pytest.raises(InputError, match=r'nothing was checked yet: run check\(...\) first, or name an exercise'):
        check.hint()


@pytest.mark.parametrize(("id", "says"), [("atention.2", "did you mean attention.2"), ("attention", "did you mean att"),
                                          ("generation.9", "did you mean generation"), (3, "exercise 3; did you mean"),
                                          (["a"], "known")])
def test_an_unknown_exercise_is_refused_with_the_nearest_names(id, says):
    with pytest.raises(InputError, match=says) as error:
        check.hint(id)
    assert "\n" not in str(error.value)


def test_after_a_check_of_no_exercise_the_way_out_is_said():
    check("softmax", named("softmax_forward"))
    assert "hint" not in str(check("silu", named("silu_forward"), named("silu_backward")))
    with pytest.raises(InputError, match="no exercise with hints; name one"):
        check.hint()


def test_without_lessons_a_check_works_and_a_hint_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(hints, "_known", lambda: exercises(tmp_path))
    hints.hints.cache_clear()
    assert "hint" not in str(check("softmax", named("softmax_forward")))
    with pytest.raises(InputError, match="not in the installed package; get the whole repository"):
        check.hint()


def test_a_notebook_shows_a_refusal_in_one_line():
    with capture_output() as captured:
        InteractiveShell().run_cell("from minigpt.grading import check\ncheck.hint('atention.2')")
    assert captured.stdout.strip().count("\n") == 0
    assert "did you mean attention.2" in captured.stdout


# Which exercise a check is about

@pytest.mark.parametrize("exercise", KNOWN.values(), ids=lambda e: e.id)
def test_the_functions_of_a_stub_lead_to_its_exercise(exercise):
    given = {role: named(name) for name, role in exercise.functions.items()}
    assert candidates(exercise.checked, given)[0].id == exercise.id
    assert exercise.id in {e.id for e in done(exercise.checked, given)}


def launched(program):
    """A lambda of a lesson's, around a function of the student's."""
    space = {}
    exec("def launched(program):\n    return lambda x: program(x)", space)
    return space["launched"](program)


def yours(*names):
    return {name: named(name) for name in names}


FORWARD, BACKWARD = "attention_forward", "attention_backward"


@pytest.mark.parametrize(("concept", "given", "unwritten", "id"), [
    ("attention", yours(FORWARD, BACKWARD), (), "attention.2"),
    ("attention", yours(FORWARD, BACKWARD), (BACKWARD,), "attention.2"),
    ("attention", yours(FORWARD, BACKWARD), (FORWARD, BACKWARD), "attention.1"),
    ("attention", {FORWARD: named("mine"), BACKWARD: named("my_gradient")}, (), "attention.2"),
    ("attention", {FORWARD: named("tried")}, (), "attention.1"),
    ("attention", {FORWARD: reference("attention", FORWARD), BACKWARD: named("tried")}, (), "attention.2"),
    ("cross_entropy", yours("cross_entropy_forward", "cross_entropy_backward"), (), "backprop.2"),
    ("softmax", {"softmax_forward": launched(named("two_passes"))}, (), "softmax_kernel.1"),
    ("softmax", {"softmax_forward": launched(abs)}, (), "first_model.1"),
    ("tokenizer", {"bpe_encode": named("bpe_encode"), "bpe_decode": reference("tokenizer", "bpe_decode")}, (),
     "tokenizer.4"),
    ("multi_head_attention", yours("split_heads", "merge_heads", "multi_head_attention_forward"), (), "transformer.2"),
    ("quantization", {"quantize": named("somebodys")}, (), "quantisation.2"),
    ("kv_cache", {"KVCache": dict}, (), None),
    ("silu", yours("silu_forward", "silu_backward"), (), None),
])
def test_a_check_in_a_lesson_leads_to_its_exercise(concept, given, unwritten, id):
    found = candidates(concept, given, unwritten)
    assert (found[0].id if found else None) == id


@pytest.mark.parametrize(("concept", "given", "ids"), [
    ("attention", yours(FORWARD, BACKWARD), {"attention.1", "attention.2"}),
    ("attention", {FORWARD: named("first"), BACKWARD: named("second")}, {"attention.1", "attention.2"}),
    ("attention", yours(FORWARD), {"attention.1"}),
    ("attention", {FORWARD: reference("attention", FORWARD), BACKWARD: named(BACKWARD)}, {"attention.2"}),
    ("linear", yours("linear_forward"), set()),
    ("cross_entropy", yours("cross_entropy_forward", "cross_entropy_backward"), {"backprop.2"}),
    ("softmax", {"softmax_forward": launched(named("three_passes"))}, set()),
    ("softmax", {"softmax_forward": softmax.softmax_forward}, set()),
    ("tokenizer", {"bpe_encode": named("bpe_encode"), "bpe_decode": reference("tokenizer", "bpe_decode")}, set()),
])
def test_only_what_the_student_wrote_counts(concept, given, ids):
    assert {e.id for e in done(concept, given)} == ids


def test_a_pass_says_what_it_makes_possible():
    verdict = check("softmax", named("softmax_forward", softmax.softmax_forward))
    assert str(verdict).splitlines()[-1] == KNOWN["first_model.1"].then
    assert KNOWN["first_model.1"].then not in str(check("softmax", softmax.softmax_forward))


def test_every_exercise_says_what_follows_unless_it_is_kept_or_too_small():
    silent = {id for id, e in KNOWN.items() if not e.then}
    assert silent == {"tokenizer.1", "backprop.1", "backprop.2", "attention.2", "transformer.1", "masked_lm.2",
                      "transfer.1", "modern_block.1", "modern_block.3"}
    assert all(e.then.endswith(".") or "python -m" in e.then for e in KNOWN.values() if e.then)


def test_a_function_that_fails_says_nothing_of_what_follows():
    assert KNOWN["first_model.1"].then not in str(check("softmax", named("softmax_forward", np.abs)))
