"""Speed, as ratios measured side by side in one run."""
import importlib
import os

from minigpt.errors import InputError
from minigpt.listing import suggest

EXAMPLES = """\
python -m minigpt bench
python -m minigpt bench tokenizer
python -m minigpt bench implementations --rounds 30
python -m minigpt bench decode"""

BENCHMARKS = {
    "tokenizer": "our byte-level BPE beside the tokenizers library",
    "implementations": "a training step spelled out and fused",
    "train": "the seconds of training that `fast` and the plain recipe of 2019 take to one loss (minutes)",
    "block": "the block of 2017 and today's, one change at a time, three seeds (half an hour: only when named)",
    "decode": "tokens per second of SmolLM2 by the form of its weights (93 MB are fetched: only when named)",
    "reference": "a training step in NumPy and in PyTorch, spelled out alike",
    "few_labels": "a head on MiniLM with 8 to 64 labels a class, beside word counters (ten minutes: only when named)",
}

LONG = ("block", "decode", "few_labels")       # not among those that run when none is named


def add_arguments(parser):
    """The flags of this command."""
    what = "; ".join(f"{name}: {text}" for name, text in BENCHMARKS.items())
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"which of them (default: all but {', '.join(LONG)}). {what}")
    parser.add_argument("--rounds", type=int, metavar="INT", help="how often each is measured; more is steadier")


def run(args) -> int:
    """Measure, and print a table for each benchmark; the exit status."""
    for name in args.names:
        if name not in BENCHMARKS:
            raise InputError(f"no benchmark {name!r}; {suggest(name, BENCHMARKS)}")
    if args.rounds is not None and args.rounds < 1:
        raise InputError(f"--rounds {args.rounds} must be at least 1")
    if args.names == ["decode"]:                       # one product after the other: waiting threads spin a little,
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")       # which doubles the speed where the cores are free
    for at, name in enumerate(args.names or [name for name in BENCHMARKS if name not in LONG]):
        print("" if at == 0 else "\n", end="")
        options = {} if args.rounds is None else {"rounds": args.rounds}
        importlib.import_module(f"minigpt.benchmarks.{name}").run(**options)
    return 0
