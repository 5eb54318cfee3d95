"""Train a model on a text of yours, or on a corpus, into a folder that can be used and resumed."""
import shlex

from minigpt.commands.choices import VOCABULARY, add_choices, add_settings, asked, defaults, settings
from minigpt.commands.yours import add_mine_flag, called_functions, compare, load_functions
from minigpt.config import to_dict
from minigpt.data.sources import DEFAULT
from minigpt.errors import InputError
from minigpt.logs import LOGS, logger
from minigpt.swap import implementation, use

EXAMPLES = """\
python -m minigpt train --text my.txt --minutes 5 --out runs/mine
python -m minigpt train --corpus basic-english --preset gpt2-micro --steps 2000 --out runs/english
python -m minigpt train --text my.txt --tokenizer char --d-model 64 --n-layer 2 --out runs/small
python -m minigpt train --resume --out runs/mine
python -m minigpt train --text my.txt --mine my/softmax.py --minutes 1 --out runs/my-softmax
python -m minigpt train --text my.txt --mine --no-check --no-compare --out runs/my-parts
python -m minigpt train --corpus python-docs --objective mlm+nsp --minutes 5 --out runs/encoder"""


def add_arguments(parser):
    """The flags of this command."""
    text = parser.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="FILE_OR_FOLDER", help="your own text, UTF-8")
    text.add_argument("--corpus", metavar="NAME", help=f"see `python -m minigpt data list` (default: {DEFAULT})")
    parser.add_argument("--out", metavar="FOLDER", default="runs/mine", help="(default: %(default)s)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the run in --out, with its settings")
    again.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    add_choices(parser)
    add_mine_flag(parser, "train with")
    parser.add_argument("--no-check", action="store_false", dest="check",
                        help="do not check the gradients of your functions before the training")
    parser.add_argument("--no-compare", action="store_false", dest="compare",
                        help="do not train our functions too, to draw your losses over ours")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if there is one)")
    parser.add_argument("--compile", action="store_true", help="with PyTorch's compiler, which needs one for C++; "
                        "begins half a minute later or more, so it can pay off in long runs only")
    parser.add_argument("--log", choices=LOGS, help="hand the losses to this program too, if its package is there")
    add_settings(parser)


def run(args) -> int:
    """Train, and say how good the model became; the exit status."""
    from minigpt.run_lock import only_one
    if args.compile and (args.mine or args.implementation == "triton"):
        raise InputError("--compile is for the functions of math and fused alone; leave out "
                         + ("--mine" if args.mine else "--implementation triton") + ", or --compile")
    functions = load_functions(args.mine)
    job = None if args.resume else _new(args)
    with only_one(args.out, new=job is not None):
        return _train(job or _resumed(args), functions, args)


def _train(job, functions, args):
    from minigpt.parts import blaming  # this and others load torch, which --help can do without
    if job.finished:
        print(f"{args.out} has done all of its {job.config.train.steps:,} steps")
    functions = {} if job.finished and not functions else _called(job, functions, args)
    with blaming(args.mine), use(**functions):
        result = None if job.finished else _trained(job, args, sorted(functions))
        quality = None if result and result.interrupted else job.quality()
    if quality is not None:
        print(job.verdict(quality), _next(job, args), sep="\n")
        if functions and args.compare:
            compare(job, quality[0], result.records if result else job.records, _resume(args))
        return 0
    print(f"stopped after {result.steps:,} of {job.config.train.steps:,} steps, and saved; go on with\n"
          f"  {_resume(args)}")
    return 130


def _resume(args):
    return f"python -m minigpt train --resume --out {shlex.quote(args.out)}{_mine(args)}"


def _mine(args):
    return f" --mine {shlex.quote(args.mine)}" if args.mine else ""


def _trained(job, args, mine):
    from minigpt.runs import OURS
    if job.run is None:
        job.begin(args.out, mine=mine)
    if not mine:
        (job.run.folder / OURS).unlink(missing_ok=True)         # of a run that this one replaces
    begun = f", going on after step {job.run.step:,}" if args.resume else ""
    print(f"{job.config.train.steps:,} steps of {job.batches.tokens_per_step:,} tokens, into {args.out}{begun}",
          flush=True)
    return job.train(compile=args.compile, log=logger(args.log, args.out, job.config))


def _new(args):
    from minigpt.devices import choose_device
    from minigpt.pretraining import new_job
    from minigpt.runs import refuse_other_run, require_place
    wanted = asked(args)
    chosen = defaults(args.objective or "causal") | wanted
    model, plan = settings(args, chosen)
    device = choose_device(args.device)
    require_place(args.out)
    if not args.overwrite:
        refuse_other_run(args.out)
    _require(chosen["implementation"])
    every_character = chosen["tokenizer"] == "char" and "vocab_size" not in wanted
    job = new_job(_corpus(args), model, plan, tokenizer=chosen["tokenizer"], own_text=args.text is not None,
                  vocab_size=None if every_character else wanted.get("vocab_size", VOCABULARY), asked=wanted,
                  implementation=chosen["implementation"], device=device, objective=chosen["objective"])
    parameters = sum(p.numel() for p in job.model.parameters())
    print(f"{job.tokenizer.vocab_size:,} tokens, {parameters:,} parameters, on {job.config.device}")
    return job


def _require(name):
    try:
        implementation(name)
    except ImportError as error:
        raise InputError(f"--implementation {name}: {error}; Triton is for Linux, `pip install triton`; math and fused "
                         "run anywhere") from error


def _corpus(args):
    from minigpt.data.corpus import load_corpus, load_text
    named = args.corpus is not None
    corpus = load_text(args.text) if args.text is not None else load_corpus(args.corpus or DEFAULT, fallback=not named)
    report = corpus.report
    print(*filter(None, [corpus.note]), f"{corpus.name}: {report.kept_characters:,} of {report.characters:,} "
          f"characters kept; split {corpus.split_how}", sep="\n")
    return corpus


def _resumed(args):
    from minigpt.pretraining import here, resumed_job
    job = resumed_job(args.out, text=args.text, device=args.device)
    config = job.config
    was = defaults(config.objective) | to_dict(config.model) | to_dict(config.train) | config.asked
    wanted = asked(args)
    own, name = config.corpus["own_text"], config.corpus["name"]
    if args.corpus is not None:
        was["corpus"], wanted["corpus"] = f"the text {name}" if own else name, args.corpus
    if args.text is not None and not own:
        was["text"], wanted["text"] = f"the corpus {name}", args.text
    for name, value in wanted.items():
        if was.get(name) != value:
            raise InputError(f"--{name.replace('_', '-')} {value} would change the run in {args.out} (it has "
                             f"{was.get(name)}); leave the flag out, or begin again with --overwrite")
    if config.made_with != here():
        print(f"the last digits may differ: begun with {config.made_with}, this is {here()}")
    return job


def _called(job, functions, args):
    """Those of the user's functions that this model really calls, by name, with gradients that are right."""
    from minigpt.own_gradients import remarks
    from minigpt.parts import blaming, learning
    work = learning(job.model, job.objective, job.batches, job.config.train)
    functions = called_functions(args.mine, functions, work)
    if job.run is not None and sorted(functions) != list(job.config.mine):
        raise InputError(f"the run was trained with these functions of yours: {', '.join(job.config.mine) or 'none'}; "
                         f"now they are: {', '.join(functions) or 'none'}; --mine must stay as it was")
    if functions and args.check:
        with blaming(args.mine, always=True):
            print(*remarks(functions, job.model, job.objective, job.example, job.config.train.seed), sep="\n")
    return functions


def _next(job, args):
    """What to do with the model, as a command."""
    if job.config.objective != "causal":
        return ("it reads both ways, so it fills gaps and does not write; teach it a task of yours:\n"
                f"  python -m minigpt finetune --from {shlex.quote(args.out)} --task docstrings")
    first = " ".join(job.corpus.train[0].split()[:2])[:20].lstrip("-")
    while len(job.tokenizer.encode(first)) > job.config.model.context_length:
        first = first[:-1]
    return (f"let it write:\n  python -m minigpt generate --model {shlex.quote(args.out)}{_mine(args)} "
            f"--prompt {shlex.quote(first)}")
