"""Two processes never train into one folder at once."""
import contextlib
import os
import pathlib
import platform
import subprocess
import sys

import pytest
from tiny import FLAGS, make_home, refused

from minigpt.__main__ import main
from minigpt.errors import InputError
from minigpt.run_lock import only_one


@pytest.fixture
def home(tmp_path, monkeypatch):
    return make_home(tmp_path, monkeypatch)


def held(by, computer=None):
    pathlib.Path("out").mkdir(exist_ok=True)
    pathlib.Path("out/lock").write_text(f"{by} {computer or platform.node()}")


@pytest.mark.parametrize("arguments", [["--text", "my.txt", *FLAGS], ["--text", "my.txt", "--overwrite", *FLAGS],
                                       ["--resume"]])
def test_a_folder_that_another_process_trains_into_is_refused(home, capsys, arguments):
    held(os.getppid())
    line = refused(["train", "--out", "out", *arguments], capsys)
    assert line.startswith(f"minigpt: error: --out out: another process trains into it now ({os.getppid()} ")
    assert [path.name for path in pathlib.Path("out").iterdir()] == ["lock"]


def test_the_lock_of_another_computer_is_believed(home):
    held(1, "another")
    with pytest.raises(InputError, match=r"\(1 another\); .* if there is no such process any more, delete out"):
        only_one("out", new=True).__enter__()


@pytest.mark.skipif(os.name == "nt", reason="there nobody can ask whether a process lives")
def test_the_lock_of_a_process_that_died_does_not_count(home):
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    held(died.pid)
    assert main(["train", "--text", "my.txt", "--out", "out", *FLAGS]) == 0
    assert not pathlib.Path("out/lock").exists()


def test_a_process_that_fails_lets_go(home):
    with contextlib.suppress(ZeroDivisionError), only_one("out", new=True):
        said = pathlib.Path("out/lock").read_text()
        raise ZeroDivisionError
    assert said == f"{os.getpid()} {platform.node()}"
    assert not pathlib.Path("out").exists()
