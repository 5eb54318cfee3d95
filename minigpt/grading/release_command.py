"""`python -m minigpt grade release`: what it is asked for, and what it says."""
import pathlib
import sys

from minigpt.errors import InputError
from minigpt.listing import ROOT

MARKING = ("hidden", "csv", "junit", "gradescope", "report", "one_student", "uncontained")


def is_release(args):
    """Whether `grade` is to build a release: `release` is no file here, or the flags of a release are given."""
    flags = args.out is not None or args.seed is not None
    if flags and args.paths != ["release"]:
        raise InputError("--out and --seed are for `grade release`, as in grade release --lessons attention --out DIR")
    return args.paths == ["release"] and (flags or not pathlib.Path("release").exists())


def run(args) -> int:
    """Build the release, and say what is in it."""
    if wrong := [flag for flag in MARKING if getattr(args, flag)]:
        raise InputError(f"--{wrong[0].replace('_', '-')} is for marking, and grade release marks nothing")
    if not args.out:
        raise InputError("grade release needs --out DIR, the folder to write")
    if not args.lessons and not args.exercises:
        raise InputError("grade release needs --lessons NAMES or --exercises IDS: what the students are to write")
    if args.seed is not None and not args.seed.strip():
        raise InputError("--seed is empty: give each student a text, such as a name and a secret")
    import torch
    from tqdm import tqdm

    from minigpt.grading.exercises import chosen, exercises
    from minigpt.grading.release import build
    torch.set_num_threads(1)
    wanted = chosen(exercises(ROOT), args.lessons, args.exercises)
    with tqdm(desc="building", delay=2, disable=None, leave=False) as bar:
        built = build(args.out, wanted, ROOT, seed=args.seed, report=lambda done, n: _show(bar, done, n))
    print(f"{args.out}: a release with {len(wanted)} exercises to write, {sum(e.points for e in wanted):g} points: "
          f"{', '.join(e.id for e in wanted)}")
    if args.seed is not None:
        print(f"and {', '.join(built.own)}, which the ID chose: answers and hidden tests, for you alone, are in "
              f"{args.out}.key")
    for id, why in built.by_hand.items():
        print(f"{id} is not judged in it: {why}")
    return 0


def _show(bar, done, n):
    bar.total = n
    bar.update(done - bar.n)
    if not sys.stderr.isatty() and done == 0:
        print("minigpt: building the release takes some seconds", file=sys.stderr, flush=True)
