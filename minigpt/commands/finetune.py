"""Teach a pre-trained model to classify texts: a task's, or those of your own CSV file (text,label)."""
import pathlib
import shlex

from minigpt.commands.flags import add_config_flags, checked, given
from minigpt.config import TrainConfig, to_dict
from minigpt.errors import InputError
from minigpt.listing import suggest

EXAMPLES = """\
python -m minigpt finetune --task reviews.csv --out runs/mine
python -m minigpt finetune --task r8 --per-class 16 --out runs/r8-16
python -m minigpt finetune --task sentiment-movies --method lora --out runs/movies
python -m minigpt finetune --task docstrings --from runs/encoder --method full --out runs/docstrings
python -m minigpt finetune --task docstrings --from scratch --method full --out runs/scratch
python -m minigpt finetune --resume --out runs/movies"""

DEFAULTS = {"start": "minilm", "method": "head", "longest": 128, "rank": 8, "alpha": 16.0, "patience": 0, "how": None,
            "class_weights": False, "per_class": None, "on_bad": "skip", "task_seed": 0, "epochs": None}
METHODS = ("head", "full", "lora")


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("--task", metavar="NAME_OR_FILE", help="a task of `data list`, or your CSV: text,label")
    parser.add_argument("--out", metavar="FOLDER", default="runs/classifier", help="(default: %(default)s)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the run in --out, with its settings")
    again.add_argument("--overwrite", action="store_true", help="replace the run in --out")
    parser.add_argument("--from", dest="start", metavar="NAME",
                        help=f"minilm, the folder of a run, or scratch (default: {DEFAULTS['start']})")
    parser.add_argument("--method", choices=METHODS, help="head: the model stays, quick; lora: narrow layers learn; "
                        f"full: everything learns, the head first (default: {DEFAULTS['method']})")
    parser.add_argument("--per-class", type=int, metavar="INT", help="learn from so many texts of each class only")
    parser.add_argument("--pooling", dest="how", choices=("first", "mean", "last"),
                        help="what the head reads (default: mean; last if the model is causal)")
    parser.add_argument("--longest", type=int, metavar="INT", help="tokens of a text that are read (default: 128)")
    parser.add_argument("--rank", type=int, metavar="INT", help="of LoRA (default: 8)")
    parser.add_argument("--alpha", type=float, metavar="FLOAT", help="of LoRA: its scale times the rank (default: 16)")
    parser.add_argument("--class-weights", action="store_true", default=None,
                        help="rare classes count as much as others")
    parser.add_argument("--patience", type=int, metavar="INT", help="stop after so many records without a better "
                        "validation loss (default: 0, never: the best weights are kept in any case, and the loss often "
                        "falls only with the rate)")
    parser.add_argument("--epochs", type=float, metavar="FLOAT", help="rounds over the training texts, for --steps")
    parser.add_argument("--on-bad", choices=("skip", "refuse"), help="rows of a CSV without a text or label (default: "
                        "skip, and say which)")
    parser.add_argument("--task-seed", type=int, metavar="INT", help="decides what is held out (default: 0)")
    parser.add_argument("--no-baselines", action="store_false", dest="baselines",
                        help="leave out the simple classifiers")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if there is one)")
    add_config_flags(parser, TrainConfig, "the training", skip=("minutes", "tokens"))


def run(args) -> int:
    """Fine-tune, and say how good the classifier became beside simple ones; the exit status."""
    if not args.resume and args.task is None:
        raise InputError("--task is missing: name a task of `python -m minigpt data list`, or your CSV file with the "
                         "columns text and label")
    from minigpt.run_lock import only_one
    job = None if args.resume else _new(args)
    with only_one(args.out, new=job is not None):
        return _finetune(job or _resumed(args), args)


def _finetune(job, args):
    from minigpt.commands.classify import bar
    from minigpt.finetune_results import finish, table
    from minigpt.finetuned_runs import read_results
    if job.finished:
        print(f"{args.out} has done all of its {job.run.step:,} steps")
        print(table(read_results(args.out)))
        return 0
    if job.run is None:
        job.begin(args.out)
    print(f"{job.n_trained:,} of {sum(p.numel() for p in job.model.parameters()):,} parameters learn in at most "
          f"{job.config.train.steps:,} steps, into {args.out}", flush=True)
    with bar("reading", "texts") as report:
        result = job.train(progress=report)
    if result.interrupted:
        print(f"stopped after {result.steps:,} of {job.config.train.steps:,} steps, and saved; go on with\n"
              f"  python -m minigpt finetune --resume --out {shlex.quote(args.out)}")
        return 130
    with bar("judging", "texts") as report:
        results = finish(job, result, baselines=args.baselines, progress=report)
    print(table(results))
    print(f"classify with it:\n  python -m minigpt classify --model {shlex.quote(args.out)} \"...\"")
    return 0


def _new(args):
    from minigpt.devices import choose_device
    from minigpt.finetune_jobs import new_finetuning, settings_of
    from minigpt.finetuned_runs import SCRATCH, load_start
    from minigpt.runs import refuse_other_run, require_place
    asked = _asked(args)
    chosen = DEFAULTS | asked
    _require(chosen)
    device = choose_device(args.device)
    require_place(args.out)
    if not args.overwrite:
        refuse_other_run(args.out)
    task, own = _task(args.task, chosen)
    if chosen["start"] == SCRATCH and "method" not in asked:
        chosen["method"] = "full"
    settings = checked(settings_of, chosen["method"], len(task.train), epochs=chosen["epochs"],
                       from_scratch=chosen["start"] == SCRATCH, **given(TrainConfig, args))
    start = load_start(chosen["start"], [e.text for e in task.train], seed=settings.seed, device=device)
    options = {name: chosen[name] for name in ("how", "longest", "rank", "alpha", "class_weights", "patience",
                                               "per_class", "task_seed")}
    return checked(new_finetuning, task, start, chosen["method"], settings, own_file=own, device=device,
                   asked={"task": args.task} | asked, **options)


def _require(chosen):
    if chosen["epochs"] is not None and not 0 < chosen["epochs"] < 1e6:
        raise InputError(f"--epochs {chosen['epochs']} must be greater than 0; try 3")
    if chosen["longest"] < 3:
        raise InputError(f"--longest {chosen['longest']} leaves no room for a text; try 128")
    if chosen["patience"] < 0:
        raise InputError(f"--patience {chosen['patience']} must not be negative; 0 never stops early")


def _task(name, chosen):
    """(Task, whether it is the user's own file), after telling what was dropped and how it was split."""
    from minigpt.data.tasks import TASKS, few, load_csv, load_task
    own = name not in TASKS
    if own and not pathlib.Path(name).exists():
        raise InputError(f"--task {name} is neither a file nor a task; {suggest(name, TASKS)}")
    seed = chosen["task_seed"]
    task = load_csv(name, seed=seed, on_bad=chosen["on_bad"]) if own else load_task(name, seed=seed)
    if chosen["per_class"] is not None:
        task = few(task, chosen["per_class"], seed)
    print(f"{task.name}: {task.note}\n{len(task.labels)} classes; {len(task.train):,} texts to learn from, "
          f"{len(task.validation):,} for validation, {len(task.test):,} to judge by; split {task.split_how}")
    return task, own


def _resumed(args):
    from minigpt.finetune_jobs import resumed_finetuning
    from minigpt.pretraining import here

    def make_task(about, asked):
        own = {"task_seed": about["seed"], "per_class": about["per_class"], "on_bad": asked.get("on_bad", "skip")}
        return _task(args.task if about["own_file"] and args.task else about["name"], DEFAULTS | own)[0]

    job = resumed_finetuning(args.out, make_task, start=args.start)
    asked = {"task": args.task} if args.task and not job.config.task["own_file"] else {}
    asked |= {name: value for name, value in _asked(args).items() if name != "start"}    # that says where it is now
    for name, value in asked.items():
        was = job.config.asked.get(name, to_dict(job.config.train).get(name, DEFAULTS.get(name)))
        if was != value:
            raise InputError(f"--{name.replace('_', '-')} {value} would change the run in {args.out} (it has {was}); "
                             "leave the flag out, or begin again with --overwrite")
    if job.config.made_with != here():
        print(f"the last digits may differ: begun with {job.config.made_with}, this is {here()}")
    return job


def _asked(args):
    """What the user chose, by name."""
    chosen = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name) is not None}
    return chosen | given(TrainConfig, args)
