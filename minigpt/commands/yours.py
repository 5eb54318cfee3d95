"""The flag --mine of the commands that run a model: the user's functions, found, announced, and refused in one line."""
from minigpt.errors import InputError


def add_mine_flag(parser, doing):
    """Add --mine. doing: what the command does with the functions, for the help."""
    parser.add_argument("--mine", metavar="FILE", nargs="?", const="my",
                        help=f"{doing} your own functions, from a file or a folder (my, if none is named)")


def load_functions(path, say=print):
    """{name: function} of the user's that can stand in; nothing for no path.

    Raises InputError if there is none, as `load_mine` does and for half a pair.
    """
    if path is None:
        return {}
    from minigpt.mine import halves, load_mine, replacements
    mine = load_mine(path)
    functions, alone = replacements(mine), halves(mine)
    if not functions:
        name = alone[0].rpartition("_")[0]
        raise InputError(f"--mine {path}: {name}_forward and {name}_backward belong together; write the other one, or "
                         f"one function {name} in PyTorch")
    if alone:
        say(f"ours is used where yours is half a pair: {', '.join(alone)}")
    return functions


def called_functions(path, functions, work, say=print):
    """Those of the user's functions that `work()` really calls, by name; says how many of all parts they are.

    Raises InputError if there are none, or one returns what cannot stand in.
    """
    if not functions:
        return {}
    from minigpt.parts import blaming, called
    everything = called(work)
    with blaming(path, always=True):
        names = called(work, functions)
    say(f"{len(names)} of {len(everything)} parts of this model are yours: {', '.join(sorted(names)) or 'none'}")
    if unused := sorted(set(functions) - names):
        say(f"not called by this model, or only inside another part of yours: {', '.join(unused)}")
    if not names:
        raise InputError(f"--mine {path}: none of {', '.join(unused)} is called by this model; it calls "
                         f"{', '.join(sorted(everything))}")
    return {name: functions[name] for name in sorted(names)}


def compare(job, yours, records, again):
    """Say and draw how the run went beside one of ours, which is trained first unless it is there already.

    yours: its validation loss, nats per token. again: the command that comes back to this.
    """
    from minigpt.comparison import draw_both, kept_ours, train_ours
    ours = kept_ours(job)
    if ours is None:
        print(f"to compare: ours, trained alike for {job.config.train.steps:,} steps (Ctrl-C skips this, and so does "
              "--no-compare)", flush=True)
        ours = train_ours(job)
    if ours is None:
        print(f"skipped; make up for it with\n  {again}")
        return
    draw_both(job.run.folder, records, ours)
    print(f"validation: yours {yours:.3f}, ours {ours[-1]['validation']:.3f} nats per token; the losses of both are "
          f"drawn in {job.run.folder / 'curve.png'}")
