"""Let a trained model write: it continues your prompt, token by token."""
import sys

from minigpt.commands.flags import checked
from minigpt.commands.model import add_model_flags, load_model
from minigpt.commands.yours import add_mine_flag, called_functions, load_functions
from minigpt.config import LARGEST
from minigpt.errors import InputError
from minigpt.swap import implementation, use

FURTHEST = 64           # tokens to guess ahead; more are hardly ever right
PROBE = 2               # tokens that show which functions are called

EXAMPLES = """\
python -m minigpt generate --model runs/mine --prompt "Once upon a time"
python -m minigpt generate --model runs/mine --prompt "Once" --temperature 0.5 --top-p 0.9 --seed 1 --n 3
python -m minigpt generate --model smollm2 --prompt "The moon is" --stop "." --max-new-tokens 50 --quantize int8
python -m minigpt generate --model smollm2 --prompt "I like" --repetition-penalty 1.2 --stop "." --stop "!"
python -m minigpt generate --model smollm2 --prompt "1, 2, 3, 4, 1, 2, 3, 4, 1," --temperature 0 --speculate 8
python -m minigpt generate --model runs/my-softmax --mine my/softmax.py --prompt Once"""


def add_arguments(parser):
    """The flags of this command."""
    add_model_flags(parser, "runs/mine")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to continue (default: a new text)")
    parser.add_argument("--max-new-tokens", type=int, default=200, metavar="INT", help="(default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8, metavar="FLOAT",
                        help="0 always takes the likeliest token, 1 draws as the model believes (default: %(default)s)")
    parser.add_argument("--top-k", type=int, metavar="INT", help="draw from this many of the likeliest tokens only")
    parser.add_argument("--top-p", type=float, metavar="FLOAT",
                        help="draw from the likeliest tokens that together have this probability")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, metavar="FLOAT",
                        help="above 1: tokens that it wrote already become less likely (default: %(default)s; try 1.2)")
    parser.add_argument("--seed", type=int, metavar="INT", help="the same seed writes the same (default: chance)")
    parser.add_argument("--stop", metavar="TEXT", action="append", help="end before this text; may be given again")
    parser.add_argument("--n", type=int, default=1, metavar="INT", help="how many texts (default: %(default)s)")
    parser.add_argument("--window", action="store_true", help="of a prompt that is too long, use the end")
    parser.add_argument("--speculate", type=int, default=0, metavar="INT",
                        help="guess this many tokens ahead, from how the text went on before, and let the model judge "
                             "them at once: quicker where a text repeats itself, and no other text but for rounding "
                             "(default: %(default)s; try 8)")
    add_mine_flag(parser, "write with")


def run(args) -> int:
    """Print what the model writes, as it writes it; the exit status."""
    from minigpt.writing import write  # this and others below load torch, which --help can do without
    options = _options(args)
    functions = load_functions(args.mine, _say)
    packs = bool(args.quantize or not functions)       # packed layers would hide a `linear` of the user's
    _, model, tokenizer = load_model(args, pack=packs)
    functions = _called(args, functions, model, tokenizer, options)
    for i in range(args.n):
        if args.n > 1:
            print(f"--- {i + 1} of {args.n}")
        seed = None if args.seed is None else args.seed + i
        pieces = write(model, tokenizer, args.prompt, seed=seed, **options)
        print(args.prompt, end="", flush=True)
        for piece in _by(functions, pieces, args.mine):
            print(piece, end="", flush=True)
        print()
    return 0


def _options(args):
    """What `write` takes, checked."""
    import torch

    from minigpt.generation import next_token_probabilities, repetition_penalty
    options = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    checked(next_token_probabilities, torch.zeros(1), **options)
    checked(repetition_penalty, torch.zeros(1), torch.zeros(0, dtype=torch.int64), args.repetition_penalty)
    for name in ("max_new_tokens", "n"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} must be at least 1")
    if not 0 <= args.speculate <= FURTHEST:
        raise InputError(f"--speculate {args.speculate} must lie between 0 and {FURTHEST}; try 8")
    if args.seed is not None and not 0 <= args.seed <= LARGEST:
        raise InputError(f"--seed {args.seed} must lie between 0 and {LARGEST}")
    return options | {"max_new_tokens": args.max_new_tokens, "stop": args.stop, "window": args.window,
                      "speculate": args.speculate, "repetition_penalty": args.repetition_penalty}


def _called(args, functions, model, tokenizer, options):
    """Those of the user's functions that are called while the model writes, by name."""
    from minigpt.writing import write

    def work():
        list(write(model, tokenizer, args.prompt, **options | {"max_new_tokens": PROBE, "seed": 0}))
    return called_functions(args.mine, functions, work, _say)


def _by(functions, pieces, path):
    """The pieces of a text, written with the user's functions; what goes wrong then is blamed on their file."""
    from minigpt.parts import blaming
    with blaming(path, always=True), use(**implementation("fused")), use(**functions):
        yield from pieces


def _say(line):
    print(line, file=sys.stderr, flush=True)           # what is printed is the text alone
