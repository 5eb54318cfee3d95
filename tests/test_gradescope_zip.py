"""lessons/instructor/gradescope.py: its zip, unpacked as Gradescope does, marks submissions."""
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

import gradescope_rules
import pytest
from test_grade import RIGHT

from lessons.instructor import gradescope
from minigpt.grading import sandbox
from minigpt.grading.exercises import exercises
from minigpt.listing import ROOT

NAMED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
REQUIRED = dict(NAMED.findall((ROOT / "lessons/instructor/requirements.txt").read_text(encoding="utf-8")))
OWN = """
import numpy as np


def test_seven_tokens(op):
    assert op.call("min_p", np.full(7, 1 / 7), 0.5).shape == (7,)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zip")
    (folder / "own").mkdir()
    (folder / "own" / "test_min_p.py").write_text(OWN)
    words = ["--exercises", "first_model.3", "--hidden", str(folder / "own"), "--out", str(folder / "autograder.zip")]
    assert gradescope.main(words) == 0
    return folder / "autograder.zip"


@pytest.fixture
def autograder(archive):
    """A folder that is laid out like /autograder, for everybody to look into; run_autograder lies in it, as there."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="autograder"))
    root.chmod(0o755)
    for name in ("source", "submission", "results"):
        (root / name).mkdir()
    with zipfile.ZipFile(archive) as file:
        file.extractall(root / "source")
    shutil.copy(root / "source" / "run_autograder", root)
    (root / "submission_metadata.json").write_text('{"users": [{"email": "ana@example.org"}]}')
    yield root
    shutil.rmtree(root)


def run(root, **environment):
    """Run run_autograder; what it printed, and the results."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "AUTOGRADER_ROOT": str(root)} | environment
    done = subprocess.run(["bash", root / "run_autograder"], env=environment, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    text = (root / "results" / "results.json").read_text(encoding="utf-8")
    assert gradescope_rules.faults(text) == []
    return done.stdout + done.stderr, json.loads(text)


def test_the_zip_has_what_gradescope_asks_for_and_is_the_same_each_time(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
        executable = {info.filename for info in file.infolist() if (info.external_attr >> 16) & 0o111}
    assert {"setup.sh", "run_autograder", "requirements.txt", "course/lessons/exercises.toml",
            "course/tests/test_min_p.py", "course/minigpt/reference/softmax.py", "hidden/test_min_p.py"} <= names
    assert executable == {"setup.sh", "run_autograder"}
    assert [name for name in names if re.search(r"\.ipynb$|__pycache__|/my/|\.git|/instructor/", name)] == []
    words = ["--exercises", "first_model.3", "--hidden", str(archive.parent / "own")]
    assert gradescope.main([*words, "--out", str(tmp_path / "again.zip")]) == 0
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_the_scripts_are_bash_that_parses(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        for name in ("setup.sh", "run_autograder"):
            text = file.read(name)
            assert text.startswith(b"#!/usr/bin/env bash\n")
            assert subprocess.run(["bash", "-n"], input=text, capture_output=True).stderr == b""


def test_the_packages_have_the_versions_of_the_repository():
    pinned = dict(NAMED.findall((ROOT / "requirements.txt").read_text(encoding="utf-8")))
    assert len(REQUIRED) > 8
    assert {name: version.removesuffix("+cpu") for name, version in REQUIRED.items()} == {
        name: pinned[name] for name in REQUIRED}


@pytest.mark.parametrize(("words", "said"), [
    (["--lessons", "atention"], "did you mean"), ([], "name what is to be marked"),
    (["--exercises", "training.1"], "marked by hand"), (["--lessons", "data", "--hidden", "."], "no test_CONCEPT.py"),
    (["--lessons", "attention", "--out", "no/where.zip"], "No such file")])
def test_what_cannot_be_built_is_refused_in_one_line_and_nothing_is_left(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gradescope.main(["--out", "a.zip", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_zip_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    def full(*names):
        raise OSError("no space left on device")

    monkeypatch.setattr(gradescope.os, "replace", full)
    assert gradescope.main(["--lessons", "attention", "--out", str(tmp_path / "a.zip")]) == 2
    assert "no space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_grade_still_gives_results_and_says_whom_to_ask(autograder):
    said, results = run(autograder)                    # there is no Python in venv
    assert "exit status of grade: 127" in said
    assert results["score"] == 0
    assert "tell your instructor" in results["output"]


def stub(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("version", ["3.10", "3.11"])
def test_setup_takes_a_python_that_is_new_enough_or_says_so(autograder, tmp_path, version):
    """With stand-ins for apt-get and Python: it is the order of the steps that is tried here, not the network."""
    log = tmp_path / "log"
    stub(tmp_path, "apt-get", f'echo "apt-get $*" >> {log}')
    pip = f'echo "#!/bin/bash\necho \\"pip \\$*\\" >> {log}" > "$3/bin/python"; chmod +x "$3/bin/python"'
    asked = f"exec {sys.executable} -c 'import sys; sys.version_info = ({version.replace('.', ', ')}); '\"$2\""
    stub(tmp_path, "python3", f'[ "$1" = -c ] && {asked}; mkdir -p "$3/bin"; {pip}')
    environment = {"PATH": f"{tmp_path}:/nowhere", "AUTOGRADER_ROOT": str(autograder)}
    for tool in ("chmod", "mkdir", "bash", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = subprocess.run([shutil.which("bash"), autograder / "source" / "setup.sh"], env=environment,
                          capture_output=True, text=True)
    assert (done.returncode, "3.11 or newer" in done.stderr) == ((1, True) if version == "3.10" else (0, False))
    assert "apt-get install -y --no-install-recommends bubblewrap" in log.read_text()
    installs = f"pip -m pip install --no-cache-dir -r {autograder}/source/requirements.txt" in log.read_text()
    assert installs == (version == "3.11")


@pytest.mark.slow
def test_a_submission_is_marked_contained(autograder):
    if sandbox.not_contained():
        pytest.skip(f"student code is not contained here: {sandbox.not_contained()}")
    (autograder / "venv").symlink_to(sys.prefix)
    (autograder / "submission" / "answer.py").write_text(RIGHT)
    said, results = run(autograder)
    assert "not contained" not in said
    assert results["score"] == 10
    assert [(test["name"], test["visibility"]) for test in results["tests"]] == [
        ("first_model.3", "visible"), ("first_model.3, hidden tests", "hidden")]


@pytest.mark.slow
def test_of_a_whole_repository_the_folder_my_is_marked(autograder):
    if sandbox.not_contained():
        pytest.skip(f"student code is not contained here: {sandbox.not_contained()}")
    (autograder / "venv").symlink_to(sys.prefix)
    (autograder / "submission" / "my").mkdir()
    (autograder / "submission" / "my" / "first_model.py").write_text(RIGHT.replace("def min_p", "def other"))
    (autograder / "submission" / "tests").mkdir()
    (autograder / "submission" / "tests" / "solution.py").write_text(RIGHT)
    assert run(autograder)[1]["score"] == 0


PRY = """
import os
import pathlib

for place in ("source/course/tests", "source/hidden", "results", "submission_metadata.json"):
    if os.access(pathlib.Path({root!r}, place), os.R_OK):
        raise RuntimeError("it can read " + place)
"""


def readable(path):
    """Whether any user can look into a folder."""
    return all(place.stat().st_mode & 0o001 for place in (path, *path.parents))


def a_python_for_all():
    """Python of this version that any user can run; None if there is none."""
    mine = pathlib.Path(sys.executable).resolve()
    found = [mine, pathlib.Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")]
    return next((path for path in found if path.exists() and readable(path.resolve().parent)), None)


def required(names):
    """Distributions, and those that they require in turn, as far as they are here."""
    found, waiting = {}, list(names)
    while waiting:
        name = re.match(r"[\w.-]+", waiting.pop())[0].lower().replace("_", "-")
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name not in found:
            found[name] = distribution
            waiting += [line for line in distribution.requires or [] if "extra ==" not in line]
    return found.values()


def venv(folder, python):
    """A virtual environment with the packages of requirements.txt and no others, as links."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    packages = next((folder / "lib").glob("python3*")) / "site-packages"
    for distribution in required(REQUIRED):
        for name in {path.parts[0] for path in distribution.files if path.parts[0] not in ("..", "__pycache__")}:
            if not (packages / name).exists():
                (packages / name).symlink_to(distribution.locate_file(name))


@pytest.mark.slow
def test_without_bubblewrap_a_submission_is_marked_and_cannot_read_tests_or_results(autograder, tmp_path):
    """With the packages of requirements.txt alone: they are enough."""
    python, home = a_python_for_all(), pathlib.Path(importlib.metadata.distribution("numpy").locate_file("."))
    if os.getuid() == 0 and not (python and readable(home.resolve())):
        pytest.skip("another user could not read the Python or the packages of this machine")
    venv(autograder / "venv", python or sys.executable)
    for tool in ("bash", "chmod", "rm", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    pry = PRY.format(root=str(autograder)) if os.getuid() == 0 else ""      # else it is the same user
    (autograder / "submission" / "answer.py").write_text(pry + RIGHT)
    said, results = run(autograder, PATH=str(tmp_path))
    assert "not contained: the code of students can read and write what this user can" in said
    assert results["output"] == ""
    assert results["score"] == 10


@pytest.mark.slow
@pytest.mark.parametrize("text", [None, "def min_p(p, min_p):\n    ...\n", "import os\nos._exit(0)\n", "def ("],
                         ids=["nothing", "the stub", "it ends Python", "no Python"])
def test_what_is_no_answer_gets_no_points_and_a_reason(autograder, text):
    if sandbox.not_contained():
        pytest.skip(f"student code is not contained here: {sandbox.not_contained()}")
    (autograder / "venv").symlink_to(sys.prefix)
    if text is not None:
        (autograder / "submission" / "answer.py").write_text(text)
    _, results = run(autograder)
    assert results["score"] == 0
    assert results["output"] + results["tests"][0]["output"]


def test_every_lesson_with_exercises_can_be_built(tmp_path):
    lessons = {exercise.lesson for exercise in exercises(ROOT).values()}
    assert gradescope.main(["--lessons", ",".join(sorted(lessons)), "--out", str(tmp_path / "all.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as file:
        assert ",".join(sorted(lessons)) in file.read("run_autograder").decode()
