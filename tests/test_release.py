"""`python -m minigpt grade release`: no answer is in it, and what is assigned is judged all the same."""
import ast
import csv
import html
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from minigpt.__main__ import main
from minigpt.assigned import left_out, yours
from minigpt.errors import Assigned
from minigpt.grading import given, sandbox, stored, stored_file
from minigpt.grading.answers import Answers, functions, without
from minigpt.grading.compare import REFUSALS
from minigpt.grading.contract import bound_tests, contract, mistakes, run_test
from minigpt.grading.exercises import chosen, exercises
from minigpt.grading.recording import recorded, right
from minigpt.grading.release import Release, build
from minigpt.grading.release_links import without_dead_links
from minigpt.grading.rubric import Rubric, reference
from minigpt.grading.taking_out import answers_of, tracked
from minigpt.grading.variants import variants
from minigpt.listing import ROOT

LESSONS = ["attention", "transformer"]
SHARED = {"theta=config.rope_thetaifconfig.positions=='rope'elseNone",                # the lesson hands it over
          "f,feed_forward=feed_forward_forward(h,part(params,'feed_forward.'),activation=config.feed_forward)",
          "mean_dn_n=(dnormal*normal).mean(axis=-1,keepdims=True)"}                  # RMS norm has it too
EMPTIED = {                                            # file -> functions, of every version that there is
    "minigpt/reference/attention.py": {"attention_forward", "attention_backward"},
    "minigpt/reference/tiled/attention.py": {"attention_forward", "attention_backward"},
    "minigpt/attention.py": {"attention"},
    "minigpt/fused.py": {"attention", "layer_norm"}, "minigpt/layer_norm.py": {"layer_norm"},
    "minigpt/reference/layer_norm.py": {"layer_norm_forward", "layer_norm_backward"},
    "minigpt/multi_head_attention.py": {"split_heads", "merge_heads"}, "minigpt/transformer.py": {"Block.forward"},
    "minigpt/reference/multi_head_attention.py": {"split_heads", "merge_heads"},
    "minigpt/reference/transformer.py": {"block_forward"},
    "kernels/attention.py": {"attention_forward_kernel"},
    "kernels/attention_backward.py": {"attention_backward_dq_kernel"},
    "kernels/attention_steps.py": {"attention_tiled_kernel", "naive_attention"},
    "kernels/layer_norm.py": {"layer_norm_forward_kernel", "layer_norm_backward_kernel"}}
STUB = 'raise NotImplementedError("yours")'


def assigned(lessons=LESSONS):
    return chosen(exercises(ROOT), lessons)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases") / "release"
    assert build(folder, assigned(), ROOT) == ({}, [])
    return folder


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A release of attention for one student."""
    folder = tmp_path_factory.mktemp("seeded") / "ana"
    assert build(folder, assigned(["attention"]), ROOT, seed="ana, and a secret") == ({}, ["attention.5"])
    return folder


def minigpt(folder, *words, **more):
    """Run a program in a release: that of the release, not ours."""
    environment = os.environ | {"PYTHONPATH": str(folder), "MINIGPT_MY": "", "OMP_NUM_THREADS": "1"} | more
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True,
                          timeout=300)


def texts(root, files):
    """(place, text) of all that can be read in a folder; of a notebook each cell, and each of its outputs."""
    for file in files:
        if (root / file).suffix == ".ipynb":
            for cell in json.loads((root / file).read_text(encoding="utf-8"))["cells"]:
                yield f"{file}, {cell['id']}", "".join(cell["source"])
                for output in cell.get("outputs", []):
                    parts = [part for kind, part in output.get("data", {}).items() if kind.startswith("text/")]
                    for part in [*parts, output.get("text", "")]:
                        yield f"{file}, {cell['id']}, output", html.unescape(re.sub("<[^>]*>", "", "".join(part)))
        elif (root / file).suffix not in (".npz", ".safetensors"):
            yield file, (root / file).read_text(encoding="utf-8")


def distinctive_lines(lessons):
    """Lines of the answers, without spaces and comments: those that are long enough to be no accident."""
    found = {}
    for exercise in assigned(lessons):
        for role in exercise.functions.values():
            function = reference(exercise.concept, role)
            body = ast.parse(inspect.getsource(function)).body[0].body
            for node in (node for statement in body for node in ast.walk(statement)):
                line = "".join(ast.unparse(node).split()) if isinstance(node, ast.Assign | ast.Return) else ""
                if len(line) >= 20 and line not in SHARED:
                    found[line] = role
    return found


def places_of(lines, root, files):
    """{(place, answer)} of the lines that some text has."""
    return {(place, role) for place, text in texts(root, files) for line, role in lines.items()
            if line in re.sub(r"\s|#.*", "", text).replace('"', "'")}


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
                  and "__pycache__" not in path.parts)


def test_a_copy_is_found_whatever_its_variables_are_called_and_whether_in_numpy_or_pytorch():
    answers = answers_of(assigned(["attention"]), ROOT)
    source = inspect.getsource(reference("attention", "attention_forward"))
    other = re.sub(r"\bscores\b", "fit", source).replace("def attention_forward", "def mine").replace("np.", "torch.")
    assert [role for _, role in answers.found(other)] == ["attention_forward"]
    inner = other.replace("\n", "\n    ")
    other = f"class A:\n    def f(self):\n        return 1\n\n\ndef outer():\n    x = 1\n    {inner}"
    assert [node.name for node, _ in answers.found(other)] == ["outer"]


def test_what_is_taken_out_is_found_no_more_and_all_else_stays():
    answers, path = answers_of(assigned(["attention"]), ROOT), ROOT / "minigpt" / "reference" / "attention.py"
    before = path.read_text(encoding="utf-8")
    found = answers.found(before, "minigpt.reference.attention")
    assert [node.name for node, _ in found] == ["attention_forward", "attention_backward"]
    after = without(before, found, lambda node, role: [STUB])
    assert answers.found(after, "minigpt.reference.attention") == []
    kept = [node for node in ast.parse(after).body if isinstance(node, ast.FunctionDef)]
    assert [ast.get_docstring(node) for node in kept] == [
        ast.get_docstring(node) for node in ast.parse(before).body if isinstance(node, ast.FunctionDef)]
    assert before.partition("def attention_forward")[0] == after.partition("def attention_forward")[0]
    assert before.partition("def attention_weights")[2] == after.partition("def attention_weights")[2]


def test_arrays_come_back_as_they_were_and_nothing_else_can_be_stored(tmp_path):
    x = np.lib.stride_tricks.as_strided(np.arange(6.0).reshape(1, 6)[:, ::2], (4, 3), (0, 16))
    stored_file.save(tmp_path / "a.npz", {"test": [{"x": x, "t": x.astype(np.float32).T, "n": (None, "a", 1, True)}]})
    (back,) = stored_file.load(tmp_path / "a.npz")["test"]
    assert back["n"] == (None, "a", 1, True)
    assert back["x"].strides[0] == 0
    assert back["t"].dtype == np.float32
    assert (back["x"] == x).all()
    assert (back["t"] == x.T).all()
    with pytest.raises(stored_file.Unstorable, match="function"):
        stored_file.save(tmp_path / "b.npz", {"test": [lambda: 0]})
    assert not (tmp_path / "b.npz").exists()


def test_the_file_is_the_same_bytes_each_time_and_without_pickle(tmp_path):
    for name in "ab":
        stored_file.save(tmp_path / name / "soft_cap.npz", recorded("soft_cap", assigned()[-1:]))
    a, b = (tmp_path / name / "soft_cap.npz" for name in "ab")
    assert a.read_bytes() == b.read_bytes()
    with np.load(a, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


@pytest.mark.parametrize("concept", ["soft_cap", "sliding_window_attention", "layer_norm"])
def test_stored_arrays_hold_for_the_right_answer_and_reject_what_the_contract_rejects(concept, tmp_path):
    mine = [exercise for exercise in assigned() if exercise.concept == concept]
    stored_file.save(tmp_path / "x.npz", recorded(concept, mine))
    tests = bound_tests(stored.stored_tests(tmp_path / "x.npz"))
    op = Rubric(mine[0]).op(right(concept, mine))
    assert [o.error for o in (run_test(name, case, op) for name, case in tests) if o.status != "passed"] == []
    names = {name for name, _ in tests}
    for mistake in mistakes(concept):
        ours = {name for name, case in contract(concept) if name in names
                and run_test(name, case, mistake.op).status in ("failed", "crashed")}
        theirs = {name for name, case in tests if run_test(name, case, mistake.op).status in ("failed", "crashed")}
        assert ours <= theirs or (ours and theirs), mistake.name
        assert bool(theirs) >= bool(ours), mistake.name


@pytest.mark.parametrize(("words", "said"), [
    (["--lessons", "atention", "--out", "new"], "did you mean attention"),
    (["--exercises", "attention.9", "--out", "new"], "did you mean"),
    (["--lessons", "attention", "--out", "full"], "is there already"),
    (["--lessons", "attention", "--out", "no/where"], "there is no folder"),
    (["--lessons", "attention"], "needs --out"), (["--out", "new"], "needs --lessons"),
    (["--lessons", "attention", "--out", "new", "--csv", "a.csv"], "--csv is for marking"),
    (["--lessons", "attention", "--out", "new", "--seed", " "], "--seed is empty"),
    (["--lessons", "data", "--out", "new", "--seed", "ana"], "no task varies")])
def test_what_cannot_be_released_is_refused_in_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    assert main(["grade", "release", *words]) == 2
    assert said in (lines := capsys.readouterr().err.splitlines())[-1]
    assert len(lines) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_what_is_assigned_is_said_in_one_line_whatever_error_it_is_wrapped_into(monkeypatch, capsys):
    def stopped(argv):
        try:
            left_out("block", "transformer.3")
        except Assigned as error:
            raise RuntimeError("the interpreter stopped") from error

    monkeypatch.setattr("minigpt.__main__._run", stopped)
    assert main(["train"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minigpt: error: train stops here: block is left out of this release, since it shows the "
                           "answer to transformer.3")
    assert "start, check and grade work" in said
    assert said.count("\n") == 1


def test_what_is_assigned_is_no_refusal_that_a_test_may_expect():
    assert not issubclass(Assigned, REFUSALS)
    with pytest.raises(Assigned, match=r"^nothing is assigned in this release, and yours to write \(attention\.1\)"):
        yours("nothing", "attention.1")


def test_what_lessons_hand_over_calls_nothing_that_another_exercise_asks_for():
    handed = {role for exercise in exercises(ROOT).values() for role in exercise.given}
    asked = {role for exercise in exercises(ROOT).values() for role in exercise.functions.values()}
    assert "cross_entropy_forward" in handed & asked
    names = {node.attr if isinstance(node, ast.Attribute) else node.id
             for node in ast.walk(ast.parse(inspect.getsource(given))) if isinstance(node, ast.Attribute | ast.Name)}
    assert names & (asked - handed) == set()


def test_other_errors_that_speak_of_a_release_are_not_hidden(monkeypatch):
    def stopped(argv):
        raise NotImplementedError("in this release")

    monkeypatch.setattr("minigpt.__main__._run", stopped)
    with pytest.raises(NotImplementedError):
        main(["train"])


@pytest.mark.parametrize(("line", "becomes"), [
    ("| [a](there.md) | [b](gone.md) |", None), ("See [a](there.md), [b](../gone), [c](https://x.org/gone).",
                                                 "See [a](there.md), b, [c](https://x.org/gone)."),
    ("`x[0](gone)` and [`b`](gone.md#part).", "`x[0](gone)` and `b`."), ("| [a](folder) | [b](#part) |", 0)])
def test_a_dead_link_goes_and_all_else_stays(line, becomes):
    text, there = f"Before.\n{line}\nAfter.", {"lessons/there.md", "lessons/folder/file", "lessons/a.md"}
    expected = text if becomes == 0 else "\n".join(filter(None, ["Before.", becomes, "After."]))
    assert without_dead_links(text, "lessons/a.md", there) == expected


@pytest.mark.slow
def test_no_relative_link_of_a_release_is_dead(release):
    files, links = files_of(release), 0
    for file in (file for file in files if file.endswith(".md")):
        for link in re.findall(r"\]\(([^)\s]+)\)", (release / file).read_text(encoding="utf-8")):
            path = (release / file).parent / link.partition("#")[0]
            assert ":" in link or path.exists(), f"{file}: {link}"
            links += ":" not in link
    assert links > 50
    assert "for instructors" in (release / "README.md").read_text(encoding="utf-8").lower()


def test_flags_of_a_release_are_refused_elsewhere(tmp_path, capsys):
    assert main(["grade", str(tmp_path), "--out", "new"]) == 2
    assert "--out and --seed are for `grade release`" in capsys.readouterr().err


@pytest.mark.slow
def test_no_answer_is_in_a_release(release):
    lines, files = distinctive_lines(LESSONS), files_of(release)
    assert len(lines) > 20
    assert places_of(lines, release, files) == set()
    hints = tomllib.loads((release / "lessons" / "hints.toml").read_text(encoding="utf-8"))
    assert {id: len(lines) for id, lines in hints.items() if len(lines) < 3} == {e.id: 2 for e in assigned()}
    answers = answers_of(assigned(), ROOT)
    for place, text in texts(release, files):
        module = place.removesuffix(".py").replace("/", ".")
        assert [node.name for node, _ in answers.found(text, module)] == [], place


@pytest.mark.slow
def test_every_version_of_an_answer_is_emptied_and_nothing_else_of_its_file(release):
    for file, names in EMPTIED.items():
        before, after = ({name: node for node, name in functions((root / file).read_text(encoding="utf-8"))}
                         for root in (ROOT, release))
        assert list(before) == list(after), file
        changed = {name for name in before if ast.dump(before[name]) != ast.dump(after[name])}
        assert changed >= names, file
        assert file.startswith("kernels/") or changed == names, file
        assert not [name for name in changed for node in ast.walk(after[name]) if isinstance(node, ast.Assign)], file


@pytest.mark.slow
def test_no_function_in_a_release_of_all_lessons_is_like_an_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(Release, "_contract", lambda release, concept: "")       # the arrays take their time
    every = list(exercises(ROOT).values())
    build(tmp_path / "all", every, ROOT)
    answers, seen = answers_of(every, ROOT), 0
    stubs = {ast.dump(stub) for exercise in every for stub in exercise.stubs.values()}   # some hold a mistake
    assert len(answers.expressions) > 50
    fused = (tmp_path / "all" / "minigpt" / "fused_gradients.py").read_text(encoding="utf-8")
    assert "class RMSNorm" in fused
    assert "rsqrt" not in fused
    assert "addcmul" not in fused
    for place, text in texts(tmp_path / "all", files_of(tmp_path / "all")):
        found = answers.found(text, place.removesuffix(".py").replace("/", "."))
        assert [node.name for node, _ in found if ast.dump(node) not in stubs] == [], place
        seen += "yours(" in text
    assert seen > 30


@pytest.mark.slow
def test_the_same_search_finds_every_answer_in_the_repository():
    files = tracked(ROOT)
    found = places_of(distinctive_lines(LESSONS), ROOT, files)
    roles = {role for exercise in assigned() for role in exercise.functions.values()}
    assert {role for _, role in found} >= roles
    assert any(place.endswith("output") for place, _ in found)
    assert any(place.startswith("tests/solutions") for place, _ in found)


def contained():
    """Flags of `grade` for this machine."""
    how = ["--uncontained"] if sandbox.not_contained() else []
    if how and sandbox.not_readable():
        pytest.skip("neither bubblewrap works here nor could another user read Python")
    return how


@pytest.mark.slow
def test_in_a_release_stubs_have_no_points_and_right_answers_all(release, tmp_path):
    answers = tmp_path / "answers"
    answers.mkdir()
    for exercise in assigned():
        parts = [inspect.getsource(inspect.getmodule(reference(exercise.concept, role)))
                 for role in (*exercise.functions.values(), *exercise.used)]
        (answers / f"{exercise.id}.py").write_text("\n\n".join(dict.fromkeys(parts)), encoding="utf-8")
    notebooks = [release / "notebooks" / name for name in ("06_attention.ipynb", "07_transformer.ipynb")]
    flags = ["--lessons", ",".join(LESSONS), *contained()]
    most = sum(exercise.points for exercise in assigned())
    for words, points, status in ((["--one-student", answers], most, 0), (notebooks, 0, 1)):
        done = minigpt(release, "-m", "minigpt", "grade", *map(str, words), *flags)
        assert f": {points:g} of {most:g} points" in done.stdout, done.stdout + done.stderr
        assert done.returncode == status


USES = """
from minigpt.grading import check
from minigpt.grading.check import check_functions
import torch, numpy as np
{answer}
print(check("attention", attention_forward))
from minigpt.attention import attention
x = torch.ones(1, 1, 2, 3, dtype=torch.float64, requires_grad=True)
attention(x, x, x, causal=True).sum().backward()
print("it ran", x.grad.shape)
"""


@pytest.mark.slow
def test_in_a_release_check_and_the_model_take_the_student_s_functions(release):
    source = (ROOT / "minigpt" / "reference" / "attention.py").read_text(encoding="utf-8")
    done = minigpt(release, "-c", USES.format(answer=source))
    assert re.search(r"attention: (2\d) of \1 checks hold", done.stdout), done.stdout + done.stderr
    assert "it ran" in done.stdout, done.stderr
    done = minigpt(release, "-c", USES.format(answer=source.replace("q / math.sqrt(D)", "q")))
    assert "✗ a worked example" in done.stdout
    done = minigpt(release, "-c", USES.partition("{answer}")[0] + USES.partition("forward))")[2])
    assert "attention is assigned in this release, and yours to write" in done.stderr


@pytest.mark.slow
def test_commands_work_in_a_release_and_what_needs_an_answer_says_so(release):
    assert "grade" in minigpt(release, "-m", "minigpt", "--help").stdout
    assert "attention" in minigpt(release, "-m", "minigpt", "start").stdout
    done = minigpt(release, "-m", "minigpt", "grade", "release", "--lessons", "data", "--out", "again")
    assert "is a release itself" in done.stderr
    files = [f"tests/test_{exercise.concept}.py" for exercise in assigned()]
    done = minigpt(release, "-m", "pytest", "-p", "no:cacheprovider", *files)
    assert done.returncode == 0, done.stdout
    text = release / "README.md"
    done = minigpt(release, "-m", "minigpt", "train", "--text", str(text), "--steps", "2", "--out", "runs/a")
    assert done.returncode == 2
    assert "error: train stops here: " in done.stderr.splitlines()[-1]
    assert "(attention.1" in done.stderr.splitlines()[-1] or "to transformer.3" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "attention.2 | `attention_backward` | 15" in (release / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_release_and_its_key_are_the_same_bytes_for_the_same_id(seeded, tmp_path):
    build(tmp_path / "ana", assigned(["attention"]), ROOT, seed="ana, and a secret")
    for one, other in ((seeded, tmp_path / "ana"), (seeded.with_name("ana.key"), tmp_path / "ana.key")):
        assert files_of(one) == files_of(other)
        assert [f for f in files_of(one) if (one / f).read_bytes() != (other / f).read_bytes()] == []


@pytest.mark.slow
def test_nothing_of_the_key_is_in_the_release(seeded):
    key = seeded.with_name("ana.key")
    (task,) = variants("ana, and a secret", ["attention"])
    answers = Answers({"own_attention": inspect.getsource(task.function)}, {})
    assert answers.found((key / "answer_own_attention.py").read_text())          # the search can find it
    for place, text in texts(seeded, files_of(seeded)):
        assert "ana, and a secret" not in text, place
        assert answers.found(text) == [], place
    assert task.text in (seeded / "lessons" / "06_attention.md").read_text(encoding="utf-8")
    for concept in ("attention", "own_attention"):
        shown, hidden = (stored_file.load(folder / "stored" / f"{concept}.npz") for folder in (seeded / "tests", key))
        shown, hidden = ({call["y"].tobytes() for calls in cases.values() for call in calls if not call["error"]}
                         for cases in (shown, hidden))
        assert len(hidden) > 8
        assert not {y for y in shown & hidden if len(y) > 64}


@pytest.mark.slow
def test_a_student_s_own_task_is_graded_by_arrays_and_the_key_finds_who_knows_only_these(seeded, tmp_path):
    key = seeded.with_name("ana.key")
    right_one = (key / "answer_own_attention.py").read_text(encoding="utf-8")
    cases = stored_file.load(seeded / "tests" / "stored" / "own_attention.npz")
    shown = {call["inputs"][0].tobytes().hex() for calls in cases.values() for call in calls}
    learnt = right_one.replace("    given =", f"    if inputs[0].tobytes().hex() not in {shown!r}:\n"
                               "        inputs = [0 * x for x in inputs]\n    given =")
    cap = re.search(r"'cap': ([\d.]+)", right_one)[1]
    students = tmp_path / "students"
    students.mkdir()
    for name, code in (("right", right_one), ("learnt", learnt), ("wrong", right_one.replace(cap, f"1{cap}", 1))):
        (students / f"{name}.py").write_text(code, encoding="utf-8")
    full = {}
    for hidden in ([], ["--hidden", str(key)]):
        done = minigpt(seeded, "-m", "minigpt", "grade", str(students), "--exercises", "attention.5", "--csv",
                       str(tmp_path / "a.csv"), *hidden, *contained())
        assert done.returncode == 0, done.stderr
        rows = csv.DictReader((tmp_path / "a.csv").open())
        full[bool(hidden)] = {row["student"] for row in rows if row["points"] == "15.0"}
    assert full == {False: {"right", "learnt"}, True: {"right"}}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["release", "repository"])
def test_the_hidden_tests_of_a_key_hold_for_right_answers(place, seeded, tmp_path):
    source = inspect.getsource(inspect.getmodule(reference("attention", "attention_forward")))
    (tmp_path / "a.py").write_text(source, encoding="utf-8")
    done = minigpt(ROOT if place == "repository" else seeded, "-m", "minigpt", "grade", str(tmp_path / "a.py"),
                   "--exercises", "attention.1,attention.2", "--hidden", str(seeded.with_name("ana.key")), *contained())
    assert done.returncode == 0, done.stdout + done.stderr
    checks = [int(n) for n in re.findall(r"of (\d+) checks", done.stdout)]
    assert min(checks) > 30                            # without the hidden ones there are 21, and 17
