"""What `grade` writes for other programs keeps to their documented formats; a sample of each is in tests/samples."""
import json
import pathlib

import gradescope_rules
import junit_rules
import pytest
from test_grade import RIGHT, grade

from minigpt.grading.formats import as_gradescope, as_junit
from minigpt.grading.marking import Marked
from minigpt.grading.score import Result

SAMPLES = pathlib.Path(__file__).parent / "samples"
HOSTILE = '<a href="x">&amp;\x00\x1b[31m\ud800\u202e ]]>'
ANA = Marked("Ana", [
    Result("attention.1", 15.0, 15.0, {"rows sum to one": (3, 3), "hidden: a long text": (1, 1)}, "", ""),
    Result("attention.2", 6.25, 15.0, {"gradient is right": (2, 4), "hidden: a long text": (0, 2)},
           "Gradient is right: dq[0, 1] is 0.5, and should be 0.25.", "dq is not divided by sqrt(D)"),
    Result("attention.3", 5.0, 10.0, {"a window": (2, 2), "hidden: one token": (0, 1)},
           "Hidden: one token: it raised IndexError", ""),
    Result("training.1", 0.0, 0.0, {}, "not marked here: it is handed a PyTorch model", "")], [], 12.345)
BO = Marked(HOSTILE, [
    Result("attention.1", 0.0, 15.0, {}, "still the stub: attention_forward", ""),
    Result("attention.2", 0.0, 15.0, {}, f"missing: attention_backward ({HOSTILE})", HOSTILE),
    Result("attention.3", 0.0, 10.0, {}, "given up after 600 s", ""),
    Result("training.1", 0.0, 0.0, {}, "not marked here: it is handed a PyTorch model", "")],
    [f"{HOSTILE}.py cannot be read: line 3"], 4000.0)
CLASSES = {"nobody": [], "nothing to mark": [Marked("Ana", [])], "one": [ANA], "two": [ANA, BO]}
JUNIT = (SAMPLES / "junit.xml").read_text(encoding="utf-8")
RESULTS = (SAMPLES / "results.json").read_text(encoding="utf-8")


def test_the_samples_are_what_is_written():
    """After a change of the format that is wanted: tests/samples has what as_junit and as_gradescope write of these."""
    assert as_junit([ANA, BO]) == JUNIT
    assert as_gradescope([ANA]) == RESULTS


@pytest.mark.parametrize("marked", CLASSES.values(), ids=CLASSES)
def test_junit_keeps_to_the_rules(marked):
    assert junit_rules.faults(as_junit(marked)) == []


@pytest.mark.parametrize("student", [ANA, BO, Marked("Ana", [])], ids=["Ana", "hostile", "nothing"])
def test_gradescope_keeps_to_the_rules(student):
    assert gradescope_rules.faults(as_gradescope([student])) == []


def test_gradescope_is_told_that_what_students_write_is_no_html():
    """The output of the whole would be taken for HTML."""
    assert json.loads(as_gradescope([BO]))["output_format"] == "text"


def test_hidden_tests_that_fail_are_not_marked_as_passed():
    """0 of 0 points count as passed, unless the status is said."""
    status = {test["name"]: test["status"] for test in json.loads(RESULTS)["tests"] if "hidden" in test["name"]}
    assert list(status.values()) == ["passed", "failed", "failed"]


@pytest.mark.parametrize("text", [JUNIT, RESULTS])
def test_what_a_hidden_test_says_is_for_instructors(text):
    visible = text if text == JUNIT else json.dumps(
        [test for test in json.loads(text)["tests"] if test["visibility"] != "hidden"])
    assert "IndexError" not in visible
    assert "a long text" not in visible


@pytest.mark.slow
def test_the_files_of_a_student_who_was_marked_keep_to_the_rules(tmp_path):
    (tmp_path / "a.py").write_text(RIGHT.replace("p >= ", "p > "))
    assert grade(tmp_path / "a.py", "--lessons", "first_model,masked_lm", "--junit", tmp_path / "junit.xml",
                 "--gradescope", tmp_path / "results.json") == 1
    assert junit_rules.faults((tmp_path / "junit.xml").read_text(encoding="utf-8")) == []
    assert gradescope_rules.faults((tmp_path / "results.json").read_text(encoding="utf-8")) == []


# ours, wrong, and what is said of it
@pytest.mark.parametrize(("ours", "wrong", "said"), [
    ("<testsuites", "<testsuite2", "no XML"),
    ('tests="8"', 'tests="eight"', "which is no count"),
    ('tests="8"', 'tests="9"', "there are 8"),
    ('tests="8"', 'tests="²"', "which is no count"),
    ('failures="5"', 'failures="4"', "there are 5"),
    ('skipped="1"', 'skipped="2"', "there are 1"),
    (' failures="2"', "", "<testsuite> has no failures"),
    (' name="Ana"', "", "<testsuite> has no name"),
    ('errors="0" skipped', 'disabled="0" errors="0" skipped', "may have no disabled"),
    ('time="12.345"', 'time="12,34 s"', "no number of seconds"),
    ('time="12.345"', 'time="-1"', "no number of seconds"),
    ('<testcase name="attention.1"', '<testcase name="attention.1" status="run"', "<testcase> may have no status"),
    ('<testcase name="attention.1"', "<testcase", "<testcase> has no name"),
    ('<testcase name="attention.1" classname="Ana" />', "<test />", "may hold no <test>"),
    ('<testcase name="attention.1" classname="Ana" />', "passed", "may have no text, and has 'passed'"),
    ('<skipped message', "<properties><property name='x' /></properties><skipped message", "may hold no <properties>"),
    ('<skipped message', "<rerunFailure message='x' /><skipped message", "<rerunFailure> has no type"),
    ('<skipped message', "<rerunError type='x'><system-err /><stackTrace /></rerunError><skipped message", "the order"),
    ('<skipped message', "<flakyError type='x'><stackTrace /><stackTrace /></flakyError><skipped message", "one twice"),
    ('type="points"', 'kind="points"', "<failure> may have no kind"),
    ("<system-out>", "<system-out><b />", "<system-out> may hold no <b>")])
def test_a_wrong_junit_file_is_noticed(ours, wrong, said):
    assert ours in JUNIT
    assert said in "; ".join(junit_rules.faults(JUNIT.replace(ours, wrong, 1)))


def test_a_junit_file_of_another_kind_is_noticed():
    assert "the root is <testcase>" in junit_rules.faults('<testcase name="x" />')[0]
    assert "may hold no <testcase>" in junit_rules.faults('<testsuites><testcase name="x" /></testsuites>')[0]


@pytest.mark.parametrize("text", [
    '<testsuite name="a" tests="1" failures="0" errors="0" time="1,234.5"><properties><property name="x" value="y" />'
    '</properties><testcase name="t" time="0"><system-err>x</system-err><rerunFailure type="x">text<stackTrace />'
    '<system-out /></rerunFailure></testcase></testsuite>',
    '<testsuites><testsuite name="a" tests="1" failures="0" errors="1"><testsuite name="b" tests="1" failures="0" '
    'errors="1"><testcase name="t"><error /></testcase></testsuite></testsuite></testsuites>', "<testsuites />"])
def test_a_right_junit_file_that_we_would_not_write_is_let_through(text):
    assert junit_rules.faults(text) == []


@pytest.mark.parametrize(("ours", "wrong", "said"), [
    ('"score": 26.25', '"score": "26.25"', "score of the file is '26.25', not a number"),
    ('"score": 26.25', '"score": true', "not a number"),
    ('"score": 26.25', '"score": NaN', "no JSON"),
    ('"score": 26.25', '"score": null', "not a number"),
    ('"score": 26.25,', "", None),
    ('"score": 26.25', '"points": 26.25', "may have no field points"),
    ('"execution_time": 12', '"execution_time": "12 s"', "not a number, at least 0"),
    ('"execution_time": 12', '"execution_time": -1', "not a number, at least 0"),
    ('"visibility": "hidden"', '"visibility": "never"', "not one of hidden, after_due_date"),
    ('"stdout_visibility": "hidden"', '"stdout_visibility": false', "not one of hidden"),
    ('"output_format": "text"', '"output_format": "markdown"', "not one of text, html"),
    ('"status": "failed"', '"status": "wrong"', "not one of passed, failed"),
    ('"max_score": 15.0', '"max_score": [15]', "not a number"),
    ('"max_score": 15.0', '"max": 15', "may have no field max"),
    ('"name": "attention.1"', '"name": 1', "not a text"),
    ('"name": "attention.1"', '"name": "x", "number": 1.1', "number of test 'x' is 1.1, not a text"),
    ('"name": "attention.1"', '"name": "x", "tags": "one"', "not a list of texts"),
    ('"name": "attention.1"', '"name": "x", "extra_data": []', "not an object"),
    ('"tests": [', '"tests": [1, ', "not a list of objects"),
    ('"tests": [', '"tests": {}, "x": [', "not a list of objects"),
    ('"output": ""', '"output": []', "not a text"),
    ('"output": ""', '"leaderboard": {}', "not a list of objects"),
    ('"output": ""', '"leaderboard": [{"name": "speed"}]', "a leader has no value"),
    ('"output": ""', '"leaderboard": [{"name": "speed", "value": 1, "order": "up"}]', "not one of asc, desc"),
    ('"output": ""', '"leaderboard": [{"name": "speed", "value": []}]', "not a number or a text")])
def test_a_wrong_results_file_is_noticed(ours, wrong, said):
    assert ours in RESULTS
    found = "; ".join(gradescope_rules.faults(RESULTS.replace(ours, wrong, 1)))
    assert said in found if said else found == ""      # a score of each test is enough


def test_a_results_file_without_any_score_is_noticed():
    for text in ("{}", '{"tests": []}', '{"tests": [{"name": "a", "status": "passed"}]}'):
        assert gradescope_rules.faults(text) == ["there is no score, neither of the whole nor of a test"]
    assert gradescope_rules.faults("[]") == ["it is no object"]


def test_a_right_results_file_that_we_would_not_write_is_let_through():
    results = {"tests": [{"score": 1, "max_score": 2.5, "number": "1.1", "tags": ["a"], "extra_data": {}}],
               "leaderboard": [{"name": "speed", "value": 15.1, "order": "asc"}, {"name": "stars", "value": "***"}]}
    assert gradescope_rules.faults(json.dumps(results)) == []
