"""What stands on top of a release's README."""

POINTS, MINUTES = 15, 40                               # of a task of a student's own
TOP = """\
# This is a release: some functions in it are yours to write

| exercise | you write | points | judged by |
|---|---|---|---|
{rows}

Their answers are left out, in every version: NumPy, PyTorch, fused, Triton, in tests and in notebooks. `check` and
`python -m minigpt grade` work; they compare your functions with stored arrays. What of the package needs one of these
functions says so, and runs as soon as yours is there: in your notebook, or in `my/`, where `check` keeps what passes.
Until then cells and commands that train or run a model may stop with that message, and so may contracts of other
lessons. What needs it in a form that you do not write (a PyTorch module, a kernel, tiles) does not run here at all.

All below is the README of the whole package, answers included, which is public: marks come from releases, variants and
hidden tests.

"""


def top_of_readme(exercises, by_hand, tasks):
    """The first part. by_hand: ids that `grade` does not mark there. tasks: {id: Variant} of the student's own."""
    rows = [f"| {e.id} | {', '.join(f'`{name}`' for name in e.functions)} | {e.points:g} | "
            f"{'the instructor alone' if e.id in by_hand else 'stored arrays'} |" for e in exercises]
    rows += [f"| {id} | `{task.concept}_forward`, `{task.concept}_backward`: a task of your own, at the end of the "
             f"lesson {task.lesson} | {POINTS} | stored arrays |" for id, task in tasks.items()]
    return TOP.format(rows="\n".join(rows))
