"""List the texts, tasks and weights that there are, fetch one, or show what cleaning and splitting make of one."""
from minigpt.data.corpus import Corpus, load_corpus, load_text
from minigpt.data.fetch import cache_folder, cached_archive, fetch
from minigpt.data.labelled import PARTS, Task, class_sizes
from minigpt.data.near_duplicates import near_duplicates
from minigpt.data.sources import DEFAULT, SOURCES, Source
from minigpt.data.tasks import TASKS, load_csv, load_task
from minigpt.errors import InputError
from minigpt.listing import suggest

EXAMPLES = """\
python -m minigpt data list
python -m minigpt data fetch basic-english
python -m minigpt data show shakespeare
python -m minigpt data show --text my.txt
python -m minigpt data show docstrings
python -m minigpt data show --csv my.csv"""

LINES_SHOWN = 8
WIDTH = 110              # characters of an example that are shown


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("action", choices=["list", "fetch", "show"])
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"of a text or a task (default: {DEFAULT})")
    own = parser.add_mutually_exclusive_group()
    own.add_argument("--text", metavar="FILE_OR_FOLDER", help="show: your own text instead of a corpus")
    own.add_argument("--csv", metavar="FILE", help="show: your own labelled texts, columns text and label")
    parser.add_argument("--seed", type=int, default=0, help="show: decides what is held out (%(default)s)")


def run(args) -> int:
    """Print what was asked for; the exit status."""
    own = args.text if args.csv is None else args.csv
    if own is not None and (args.name or args.action != "show"):
        asked = " ".join(filter(None, ("data", args.action, args.name)))
        raise InputError(f"`{asked}` takes no file of your own ({own!r}); "
                         f"`data show --{'text' if args.csv is None else 'csv'} {own}` shows it")
    if args.name and args.action == "list":
        raise InputError(f"`data list` lists everything and takes no name; `data show {args.name}` shows one")
    if args.action == "list":
        print(listing())
    elif args.action == "fetch":
        print(fetched(find(args.name or DEFAULT)))
    elif args.csv is not None:
        print(task_summary(load_csv(args.csv, seed=args.seed)))
    elif args.name in TASKS:
        print(task_summary(load_task(args.name, seed=args.seed)))
    elif args.text is not None:
        print(summary(load_text(args.text, seed=args.seed)))
    elif find(args.name or DEFAULT).reader:
        print(summary(load_corpus(args.name or DEFAULT, seed=args.seed)))
    else:
        raise InputError(f"{args.name} is weights, with no text to show; a text or a task is, see `data list`")
    return 0


def find(name: str) -> Source:
    """The source of a text, a task or weights. Raises InputError, with a suggestion, when there is none."""
    known = {source.name: source for table in everything().values() for source in table}
    if name not in known:
        raise InputError(f"nothing is called {name!r}; {suggest(name, known)}; `data list` shows all; your own is "
                         "shown with --text or --csv")
    return known[name]


def everything() -> dict[str, list[Source]]:
    """All sources, by what they are good for."""
    from minigpt.pretrained import PUBLISHED  # brings PyTorch, which takes seconds

    return {"TEXT": list(SOURCES.values()), "TASK": list(TASKS.values()),
            "WEIGHTS": [published.SOURCE for published in PUBLISHED.values()]}


def listing() -> str:
    """The tables of texts, tasks and weights, and which are here already."""
    lines = []
    for heading, sources in everything().items():
        rows = [(heading, "DOWNLOAD", "HERE", "MAY BE PASSED ON", "LICENCE")]
        for source in sources:
            here = source.embedded or cached_archive(source) is not None
            rows.append((source.name, _size(source), _yes(here), _yes(source.redistributable), source.licence))
        lines += ["{:21}{:>9}  {:6}{:18}{}".format(*row) for row in rows]
        lines += ["", *(f"{source.name}: {source.description}" for source in sources), ""]
    return "\n".join([*lines, f"archives are kept in {cache_folder()}"])
def fetched(source: Source) -> str:
    """Fetch the source if it is not here, and say where it is."""
    if source.embedded:
        return f"{source.name} is a part of Python; there is nothing to fetch"
    members = fetch(source)
    return (f"{source.name}: {len(members)} files, {sum(map(len, members.values())):,} bytes, from "
            f"{cache_folder() / source.filename} (sha256 {source.sha256}, as pinned)")


def summary(corpus: Corpus) -> str:
    """What cleaning did, how the text was split, its hash; its first lines where they may be passed on."""
    total = corpus.report.kept_characters
    lines = [f"{corpus.name} ({corpus.licence})", *([corpus.note] if corpus.note else []), "",
             str(corpus.report), "", f"split {corpus.split_how}"]
    for part in ("train", "validation", "test"):
        documents = getattr(corpus, part)
        size = sum(map(len, documents))
        lines.append(f"{part:12}{len(documents):>8,} documents{size:>14,} characters{size / total:>8.1%}")
    lines += ["", near_copies(corpus), "", f"sha256 of the cleaned text {corpus.content_hash}"]
    if corpus.redistributable:
        lines += ["", *[f"| {line}" for line in corpus.train[0].splitlines()[:LINES_SHOWN]]]
    return "\n".join(lines)


def near_copies(corpus: Corpus) -> str:
    """How many documents are nearly another one, and how many of these pairs the split has torn apart."""
    parts = [getattr(corpus, part) for part in PARTS]
    part_of = [number for number, part in enumerate(parts) for _ in part]
    pairs, _ = near_duplicates([text for part in parts for text in part])
    apart = sum(part_of[pair.first] != part_of[pair.second] for pair in pairs)
    return f"pairs that are nearly the same: {len(pairs):,}, of which {apart:,} are in two parts"


def task_summary(task: Task) -> str:
    """What was dropped, how many examples each class has in each part; some examples where they may be passed on."""
    lines = [f"{task.name} ({task.licence})", *task.note.split("; "), "", f"split {task.split_how}", ""]
    width = max(map(len, [*task.labels, "all"]))
    sizes = [class_sizes(task, part) for part in PARTS]
    for name in task.labels:
        lines.append(f"{name:{width}}" + "".join(f"{size[name]:>12,}" for size in sizes))
    lines += [f"{'all':{width}}" + "".join(f"{sum(size.values()):>12,}" for size in sizes)]
    lines.insert(-len(task.labels) - 1, " " * width + "".join(f"{part:>12}" for part in PARTS))
    if task.redistributable:
        first = {label: text for text, label in reversed(task.train)}
        lines += ["", *[f"| {name}: {_short(first[place])}" for place, name in enumerate(task.labels)]]
    return "\n".join(lines)


def _short(text):
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}..."


def _yes(fact):
    return "yes" if fact else "no"


def _size(source):
    return "none" if source.embedded else f"{source.archive_bytes / 1e6:.1f} MB"
