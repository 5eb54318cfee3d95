"""List the text corpora, fetch one, or show what cleaning and splitting make of one."""
from minigpt.data.corpus import Corpus, load_corpus, load_text
from minigpt.data.fetch import cache_folder, cached_archive, fetch
from minigpt.data.sources import DEFAULT, SOURCES, Source, find_source

EXAMPLES = """\
python -m minigpt data list
python -m minigpt data fetch basic-english
python -m minigpt data show shakespeare
python -m minigpt data show --text my.txt"""

LINES_SHOWN = 8


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("action", choices=["list", "fetch", "show"])
    parser.add_argument("name", nargs="?", default=DEFAULT, metavar="NAME", help="(default: %(default)s)")
    parser.add_argument("--text", metavar="FILE_OR_FOLDER", help="show: your own text instead of a corpus")
    parser.add_argument("--seed", type=int, default=0, help="show: decides what is held out (%(default)s)")


def run(args) -> int:
    """Print what was asked for; the exit status."""
    if args.action == "list":
        print(listing())
    elif args.action == "fetch":
        print(fetched(find_source(args.name)))
    else:
        own = args.text is not None
        corpus = load_text(args.text, seed=args.seed) if own else load_corpus(args.name, seed=args.seed)
        print(summary(corpus))
    return 0


def listing() -> str:
    """The table of sources, and which are here already."""
    rows = [("NAME", "DOWNLOAD", "HERE", "MAY BE PASSED ON", "LICENCE")]
    for source in SOURCES.values():
        here = source.embedded or cached_archive(source) is not None
        rows.append((source.name, _size(source), _yes(here), _yes(source.redistributable), source.licence))
    lines = ["{:15}{:>9}  {:6}{:18}{}".format(*row) for row in rows]
    descriptions = [f"{source.name}: {source.description}" for source in SOURCES.values()]
    return "\n".join([*lines, "", *descriptions, "", f"archives are kept in {cache_folder()}"])


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
    lines += ["", f"sha256 of the cleaned text {corpus.content_hash}"]
    if corpus.redistributable:
        lines += ["", *[f"| {line}" for line in corpus.train[0].splitlines()[:LINES_SHOWN]]]
    return "\n".join(lines)


def _yes(fact):
    return "yes" if fact else "no"


def _size(source):
    return "none" if source.embedded else f"{source.archive_bytes / 1e6:.1f} MB"
