"""List the lessons, or copy one into my/, where it is yours to change."""
import json
import os
import re
from pathlib import Path

from minigpt.errors import InputError
from minigpt.listing import ROOT, suggest
from minigpt.progress import folder, of_lessons, write

EXAMPLES = """\
python -m minigpt start
python -m minigpt start attention"""


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the lesson to copy; without it, list the lessons")


def run(args) -> int:
    """Print what was asked for; the exit status."""
    lessons = lesson_files(ROOT)
    if args.name is None:
        print(overview(lessons, *of_lessons(ROOT, folder())))
    else:
        copy = os.path.relpath(start(args.name, ROOT))
        print(f"{copy} is yours to change. Open it with\n\n    jupyter lab {copy}")
    return 0


def lesson_files(root) -> dict[str, Path]:
    """Name -> file of each lesson, in the order of the course.

    Raises InputError if there are no lessons: they are in the repository, not in the installed package.
    """
    files = sorted((root / "lessons").glob("[0-9][0-9]_*.md"))
    if not files:
        raise InputError(f"no lessons in {root / 'lessons'}: they are not in the installed package; "
                         "get the whole repository and run the command there")
    return {path.stem[3:]: path for path in files}


def overview(lessons, progress, remark="") -> str:
    """One line for each lesson: name, minutes, how many of its exercises have passed, question.

    progress: {name: text}. remark: a last line on it.
    """
    rows = [(name, front_matter(path.read_text(encoding="utf-8"))[0]) for name, path in lessons.items()]
    width, far = (max(map(len, texts), default=0) for texts in (lessons, progress.values()))
    lines = [f"{name:<{width}}  {fields['student_minutes']:>4} min  "
             + (f"{progress.get(name, ''):<{far}}  " if far else "") + fields["question"] for name, fields in rows]
    return "\n".join([*lines, "", f"Begin with: python -m minigpt start {rows[0][0]}", *filter(None, [remark])])


def start(name, root) -> Path:
    """Copy the notebook of a lesson, without its outputs, to my/NAME.ipynb; returns that file.

    Raises InputError for an unknown lesson, with the nearest names, and for a copy that is there already.
    """
    lessons = lesson_files(root)
    if name not in lessons:
        raise InputError(f"no lesson {name!r}; {suggest(name, lessons)}")
    built, copy = root / "notebooks" / f"{lessons[name].stem}.ipynb", root / "my" / f"{name}.ipynb"
    if not built.is_file():
        raise InputError(f"{built} is not built yet; run python lessons/build.py {name}")
    if copy.exists():
        raise InputError(f"{copy} is there already and holds your work; open it, or rename it to begin afresh")
    copy.parent.mkdir(exist_ok=True)
    write(copy, without_outputs(built.read_text(encoding="utf-8")))
    return copy


def without_outputs(notebook: str) -> str:
    """The text of a notebook as it was before anybody ran it."""
    content = json.loads(notebook)
    content["metadata"].pop("minigpt", None)           # the marks of the build: this copy may change
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def front_matter(text) -> tuple[dict, str]:
    """The fields at the top of a lesson, and the text below them.

    Fields are `key: value` lines, or `key:` and its `- item` lines. Raises ValueError for anything else.
    """
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if not match:
        raise ValueError("a lesson begins with its fields between two lines of ---")
    fields, key = {}, None
    for line in match[1].splitlines():
        if field := re.fullmatch(r"(\w+):\s*(.*)", line):
            key = field[1]
            fields[key] = field[2].strip("\"'") or []
        elif (item := re.fullmatch(r"\s*- (.+)", line)) and isinstance(fields.get(key), list):
            fields[key].append(item[1].strip("\"'"))
        else:
            raise ValueError(f"cannot read the line {line!r} of a lesson's fields")
    return fields, text[match.end():]
