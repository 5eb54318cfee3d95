"""Build a Gradescope autograder: a zip with setup.sh, run_autograder, and what `grade` needs of this repository.

    python lessons/instructor/gradescope.py --lessons attention --out autograder.zip
    python lessons/instructor/gradescope.py --exercises attention.1,attention.2 --hidden my_tests --out autograder.zip

Gradescope unpacks it into /autograder/source and runs setup.sh once. For each submission it starts a container, puts
the files into /autograder/submission, runs run_autograder, and reads /autograder/results/results.json. Students' code
is contained by bubblewrap where that works. In a container it may not; then the code runs as another user, from whom
tests, solutions and results are kept, but it has a network.
"""
import argparse
import os
import pathlib
import shlex
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))                          # the imports below need it

from minigpt.errors import InputError  # noqa: E402
from minigpt.grading.exercises import chosen, exercises  # noqa: E402
from minigpt.grading.release import tracked  # noqa: E402

NEEDED = ("minigpt/", "kernels/", "tests/", "lessons/")
NOT_NEEDED = ("lessons/instructor/", "lessons/zh/")
MIDNIGHT = (2026, 1, 1, 0, 0, 0)                       # of all files: the same repository gives the same zip
SETUP = """\
#!/usr/bin/env bash
# Runs once, as root, when Gradescope makes the image: a Python of its own, and what `grade` needs.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
apt-get update
apt-get install -y --no-install-recommends bubblewrap || echo "no bubblewrap: submissions will run uncontained"
apt-get install -y --no-install-recommends python3.11 python3.11-venv || apt-get install -y python3 python3-venv
for python in python3.13 python3.12 python3.11 python3 none; do
    "$python" -c "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && break
done
if [ "$python" = none ]; then
    echo "minigpt needs Python 3.11 or newer, and this image has none: choose a newer base image" >&2
    exit 1
fi
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --no-cache-dir -r "$root/source/requirements.txt"
chmod a+rx "$root"
chmod -R a+rX "$root/venv" "$root/source"      # the user that students' code runs as reads Python and minigpt
"""
RUN = """\
#!/usr/bin/env bash
# Marks one submission. Whatever happens, there is a results.json in the end. What is printed is for instructors.
root=${{AUTOGRADER_ROOT:-/autograder}}
export PYTHONPATH=$root/source/course PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
python=$root/venv/bin/python
results=$root/results/results.json
submission=$root/submission
# of a whole repository, what is the student's own
if [ -d "$submission/my" ] && [ ! -L "$submission/my" ]; then submission=$submission/my; fi
# what another user is not to see
for place in "$root/source/course/tests" "$root/source/hidden" "$root/results" "$root/submission_metadata.json"; do
    if [ -e "$place" ]; then chmod go= "$place"; fi
done
how=$("$python" -c 'from minigpt.grading.sandbox import not_contained
print("--uncontained" if not_contained() else "")')
rm -f "$results"
cd "$root" || exit 1
"$python" -m minigpt grade --one-student "$submission" {what} --gradescope "$results" $how
echo "exit status of grade: $?"
if [ ! -s "$results" ]; then
    printf '{{"score": 0, "output": "%s", "output_format": "text", "stdout_visibility": "hidden"}}\\n' \\
        "This could not be marked, and it may not be your fault: please tell your instructor." > "$results"
fi
exit 0
"""


def main(arguments=None):
    """Build what is asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", type=_names, metavar="NAMES", help="all exercises of these, as in attention,data")
    parser.add_argument("--exercises", type=_names, metavar="IDS", help="these alone, as in attention.1")
    parser.add_argument("--hidden", type=pathlib.Path, metavar="DIR", help="a folder with tests of your own, for grade")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="FILE", help="the zip to write")
    args = parser.parse_args(arguments)
    try:
        marked, files = build(args.out, args.lessons, args.exercises, args.hidden)
    except (InputError, OSError) as error:
        print(f"gradescope.py: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(files)} files, {args.out.stat().st_size / 2**20:.1f} MB; "
          f"{sum(e.points for e in marked):g} points: {', '.join(e.id for e in marked)}")
    return 0


def build(out, lessons=None, ids=None, hidden=None):
    """Write the zip, whole or not at all. Returns the exercises that it marks, and the names of its files."""
    if not lessons and not ids:
        raise InputError("name what is to be marked: --lessons attention, or --exercises attention.1")
    marked = [exercise for exercise in chosen(exercises(ROOT), lessons, ids) if not exercise.by_hand]
    if not marked:
        raise InputError("all of these are marked by hand: `check` judges them in the notebook, and grade does not")
    if hidden and not list(hidden.glob("test_*.py")):
        raise InputError(f"--hidden {hidden}: there is no test_CONCEPT.py in it")
    files = {"setup.sh": SETUP, "run_autograder": RUN.format(what=_what(lessons, ids, hidden)),
             "requirements.txt": pathlib.Path(__file__).with_name("requirements.txt").read_bytes()}
    files |= {f"course/{name}": (ROOT / name).read_bytes() for name in tracked(ROOT)
              if name.startswith(NEEDED) and not name.startswith(NOT_NEEDED)}
    files |= {f"hidden/{path.name}": path.read_bytes() for path in sorted(hidden.glob("*.py") if hidden else [])}
    _write(out, files)
    return marked, list(files)


def _what(lessons, ids, hidden):
    """The words for `grade`: what to mark."""
    words = [f"--lessons {shlex.quote(','.join(lessons))}"] if lessons else []
    words += [f"--exercises {shlex.quote(','.join(ids))}"] if ids else []
    return " ".join([*words, *(['--hidden "$root/source/hidden"'] if hidden else [])])


def _write(out, files):
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                info = zipfile.ZipInfo(name, MIDNIGHT)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
                archive.writestr(info, content)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _names(text):
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    sys.exit(main())
