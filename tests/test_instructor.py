"""lessons/instructor: what its page says of lessons, exercises and mistakes is so, and its workflow runs `grade`."""
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from test_grade import RIGHT

from minigpt.__main__ import main
from minigpt.commands import grade
from minigpt.commands.start import front_matter, lesson_files
from minigpt.grading import sandbox
from minigpt.grading.contract import mistakes
from minigpt.grading.exercises import exercises
from minigpt.listing import ROOT

FOLDER = ROOT / "lessons" / "instructor"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
LESSONS = {name: front_matter(path.read_text(encoding="utf-8"))[0] for name, path in lesson_files(ROOT).items()}
EXERCISES = exercises(ROOT).values()
WORKFLOW = yaml.safe_load((FOLDER / "classroom.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["grade"]["steps"]


def section(title):
    """The text under a heading."""
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text, columns):
    """The rows of the tables of a text that have so many columns, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == columns and not row[0].startswith("---")]


def minutes(lesson):
    return int(LESSONS[lesson]["student_minutes"])


def test_the_table_of_lessons_is_what_the_lessons_say():
    expected = []
    for lesson in LESSONS:
        mine = [exercise for exercise in EXERCISES if exercise.lesson == lesson]
        by_hand = [exercise.id.partition(".")[2] for exercise in mine if exercise.by_hand]
        expected.append([lesson, str(minutes(lesson)), str(len(mine)), str(sum(e.minutes for e in mine)),
                         f"{sum(e.points for e in mine):g}", f"number {', '.join(by_hand)}" if by_hand else ""])
    table = rows(section("Two plans"), 6)[1:]
    assert table == expected, "\n" + "\n".join(f"| {' | '.join(row)} |" for row in expected)


def test_the_page_names_each_exercise_that_a_release_cannot_judge():
    text = (FOLDER / "README.md").read_text(encoding="utf-8").partition("In a release, where stored arrays")[2]
    text = text.partition("### ")[0]
    handed = [e.id for e in EXERCISES for other in EXERCISES if e.concept == other.concept
              for role in e.given if role in other.functions.values()]
    unjudged = {e.id for e in EXERCISES if e.unstored} | set(handed)
    assert len(unjudged) >= 5
    assert {id for id in unjudged if id not in text} == set()


def test_the_table_of_exercises_by_hand_is_that_of_the_lessons():
    expected = [[e.id, f"{e.points:g}", e.by_hand] for e in EXERCISES if e.by_hand]
    table = rows(section("Exercises that `grade` does not mark"), 3)[1:]
    assert table == expected, "\n" + "\n".join(f"| {' | '.join(row)} |" for row in expected)


def plans():
    """The weeks of each plan: (lessons, minutes)."""
    table, found = rows(section("Two plans"), 3), []
    for week, lessons, total in table:
        if week == "week":
            found.append([])
        else:
            assert int(week) == len(found[-1]) + 1
            found[-1].append((lessons.split(", "), int(total)))
    return found


def test_the_plans_add_up():
    assert [len(plan) for plan in plans()] == [6, 14]
    for plan in plans():
        for lessons, total in plan:
            assert total == sum(map(minutes, lessons)), lessons


def test_in_a_plan_no_lesson_comes_before_what_it_needs():
    for plan in plans():
        order = [lesson for lessons, _ in plan for lesson in lessons]
        assert len(order) == len(set(order))
        for at, lesson in enumerate(order):
            assert set(LESSONS[lesson]["prerequisites"] or []) <= set(order[:at]), lesson


def test_the_long_plan_has_every_lesson_and_the_short_one_two_a_week():
    short, long = plans()
    assert {lesson for lessons, _ in long for lesson in lessons} == set(LESSONS)
    assert {len(lessons) for lessons, _ in short} == {2}


def said_of_mistakes():
    """{lesson: sentences}."""
    found = {}
    for line in section("What students get wrong").splitlines():
        if lesson := re.fullmatch(r"- `(\w+)`", line):
            found[lesson[1]] = []
        elif sentence := re.fullmatch(r"  - (.+)", line):
            found[[*found][-1]].append(sentence[1])
    return found


def test_every_lesson_with_exercises_has_three_mistakes():
    assert {lesson: len(sentences) for lesson, sentences in said_of_mistakes().items()} == dict.fromkeys(
        [lesson for lesson in LESSONS if any(e.lesson == lesson for e in EXERCISES)], 3)


def test_every_mistake_is_in_the_bank_of_its_lesson():
    for lesson, sentences in said_of_mistakes().items():
        concepts = {e.concept for e in EXERCISES if e.lesson == lesson and not e.concept.endswith("_kernel")}
        bank = {mistake.says for concept in concepts for mistake in mistakes(concept)}
        assert [sentence for sentence in sentences if sentence not in bank] == [], lesson


def commands():
    return sorted(set(re.findall(r"python -m minigpt ([^`\n]+)", PAGE)))


@pytest.mark.parametrize("line", commands())
def test_a_command_that_is_shown_is_understood(line, monkeypatch):
    words, ran = shlex.split(line), []
    module = __import__(f"minigpt.commands.{words[0]}", fromlist=["run"])
    monkeypatch.setattr(module, "run", lambda args: ran.append(args) or 0)
    assert main(words) == 0
    assert len(ran) == 1


def test_the_folder_is_no_lesson_and_no_package():
    assert not any("instructor" in str(path) for path in lesson_files(ROOT).values())
    assert not list(FOLDER.glob("__init__.py"))
    assert "instructor" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_workflow_runs_grade_on_push_and_its_exit_status_is_that_of_the_run():
    assert set(WORKFLOW[True]) == {"push", "workflow_dispatch"}           # YAML 1.1 reads `on` as True
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW["env"]["LESSONS"].split(",")) <= set(LESSONS)
    assert not any("continue-on-error" in step for step in [*STEPS, WORKFLOW["jobs"]["grade"]])
    names = [step.get("name") or step["uses"].partition("@")[0] for step in STEPS]
    assert names[-2:] == ["grade", "actions/upload-artifact"]
    assert names[:3] == ["actions/checkout", "actions/checkout", "actions/setup-python"]
    assert tuple(map(int, STEPS[2]["with"]["python-version"].split("."))) >= (3, 11)


def test_what_the_workflow_names_is_there():
    places = [place for step in STEPS for place in re.findall(r"course/([\w./]+)", step.get("run", ""))]
    assert places == ["lessons/instructor/requirements.txt"]
    assert (ROOT / places[0]).is_file()
    assert STEPS[1]["with"]["path"] == "course"
    assert STEPS[0]["with"]["path"] == "student"


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "status"), [(RIGHT, 0), (RIGHT.replace("p >= ", "p > "), 1), (None, 2)])
def test_the_step_grade_ends_with_the_status_of_grade(tmp_path, answer, status):
    """In a folder laid out like that of a run on GitHub."""
    if sandbox.not_contained():
        pytest.skip(f"student code is not contained here: {sandbox.not_contained()}")
    (tmp_path / "course").symlink_to(ROOT)
    (tmp_path / "student").mkdir()
    if answer:
        (tmp_path / "student" / "my").mkdir()
        (tmp_path / "student" / "my" / "first_model.py").write_text(answer)
    [step] = [step for step in STEPS if step.get("name") == "grade"]
    command = step["run"].replace('--lessons "$LESSONS"', "--exercises first_model.3")
    assert command != step["run"]
    environment = {"PATH": f"{pathlib.Path(sys.executable).parent}:/usr/bin:/bin", "GITHUB_WORKSPACE": str(tmp_path)}
    done = subprocess.run(["bash", "-e", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True,
                          timeout=200)
    assert done.returncode == status, done.stderr
    assert (tmp_path / "results.xml").exists() == (status < 2)


def test_the_flags_that_the_page_names_are_there():
    flags = set(re.findall(r"`(?:grade )?(--[a-z-]+)", PAGE))
    assert {"--hidden", "--uncontained", "--report", "--seed"} <= flags
    assert flags <= set(re.findall(r'"(--[a-z-]+)"', pathlib.Path(grade.__file__).read_text(encoding="utf-8")))
