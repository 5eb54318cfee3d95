"""What the README shows works as shown: its links, its commands, its eight lines of Python."""
import importlib
import pathlib
import re
import shlex

import pytest

from minigpt.__main__ import commands, main

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_anchor_is_a_heading():
    titles = re.findall(r"^#+ (.*)$", README, re.M)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def shown_commands():
    lines = re.findall(r"python -m minigpt [^`\n]+", README)
    for name in commands():
        lines += importlib.import_module(f"minigpt.commands.{name}").EXAMPLES.splitlines()
    return sorted({line.strip() for line in lines if "NAME" not in line})


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_that_is_shown_is_understood(line, monkeypatch):
    words = shlex.split(line, comments=True)[3:]
    ran = []
    command = importlib.import_module(f"minigpt.commands.{words[0]}")
    monkeypatch.setattr(command, "run", lambda args: ran.append(args) or 0)
    assert main(words) == 0
    assert len(ran) == 1


def test_the_lines_of_python_load_train_and_write(tmp_path, capsys):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"The king {i % 7} spoke {i * i % 13} words to line {i}.\n" for i in range(800)))
    replaced = {'load_corpus("shakespeare")': f"load_text({str(path)!r})", "import load_corpus": "import load_text",
                "minutes=1": "steps=2", "vocab_size=1024": "vocab_size=300",
                "max_new_tokens=100": "max_new_tokens=100, stop_ids=()"}     # chance may end a text at once
    for shown, short in replaced.items():
        assert shown in code
        code = code.replace(shown, short)
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out) > 5


def test_every_lesson_is_in_the_map():
    lessons = {path.stem for path in (ROOT / "lessons").glob("[0-9]*.md")}
    assert lessons == set(re.findall(r"^\| \[\w+\]\(notebooks/(\w+)\.ipynb\)", README, re.M))
