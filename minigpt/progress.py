"""What a student has done: the exercises that have passed `check`, noted in my/progress.json."""
import json
import os
import pathlib
import tomllib
from collections import Counter

from minigpt.errors import InputError
from minigpt.listing import ROOT

FOLDER = "MINIGPT_MY"   # environment variable: where to keep what passes, instead of my/; empty: nowhere
RECORD = "progress.json"


def folder():
    """Where what passes is kept, or None: not by tests, and not where nothing is to be kept."""
    if FOLDER in os.environ:
        return pathlib.Path(os.environ[FOLDER]).resolve() if os.environ[FOLDER] else None
    return None if "PYTEST_CURRENT_TEST" in os.environ else ROOT / "my"


def passed(place):
    """The exercises that have passed, as the record in this folder has them: a set of ids.

    Raises InputError if the record is damaged.
    """
    path = place / RECORD
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))["passed"]
        if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise InputError(f"{shown(path)} cannot be read ({why}), and it holds your progress: move it away, and each "
                         "check that passes counts anew") from error
    return set(ids)


def note(ids):
    """Add exercises that have passed to the record; a line that says what went wrong, or ""."""
    place = folder()
    if place is None or not ids:
        return ""
    try:
        done = passed(place)
        if not set(ids) <= done:
            place.mkdir(parents=True, exist_ok=True)
            write(place / RECORD, json.dumps({"passed": sorted(done | set(ids))}, indent=1) + "\n")
    except InputError as error:
        return f"Not counted: {error}."
    except OSError as error:
        return f"Not counted in {shown(place / RECORD)}: {error.strerror}."
    return ""


def of_lessons(root, place):
    """How far the student is in each lesson that has exercises, {lesson: "2 of 4 exercises"}, and a remark, or "".

    root: of the repository. place: the folder with the record, or None for none.
    """
    table = root / "lessons" / "exercises.toml"
    ids = list(tomllib.loads(table.read_text(encoding="utf-8"))) if table.is_file() else []
    remark, done = "", set()
    try:
        done = passed(place) if place else set()
    except InputError as error:
        remark, done = str(error), None
    total, finished = (Counter(id.partition(".")[0] for id in some) for some in (ids, set(ids) & (done or set())))
    return {name: f"{n} exercises" if done is None else f"{finished[name]} of {n} exercises"
            for name, n in total.items()}, remark


def shown(path):
    """A path as it is told to the student: from the root of the repository on, where it lies below it."""
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else path


def write(path, text):
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)
