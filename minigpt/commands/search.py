"""Find the passages of your files that answer a question, by meaning instead of by words."""
import pathlib
import sys
import textwrap

from minigpt.errors import InputError

EXAMPLES = """\
python -m minigpt search --folder docs "how do I bring back a deleted file?"
python -m minigpt search --folder notes.txt --top 3 "what did we agree on?"
python -m minigpt search --folder docs"""
SHOWN = 6               # lines of a passage


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("question", nargs="?", metavar="TEXT", help="what you look for (default: you are asked)")
    parser.add_argument("--folder", default=".", metavar="PATH",
                        help="a folder with text files, or one file (default: the current folder)")
    parser.add_argument("--top", type=int, default=5, metavar="INT", help="passages to show (default: %(default)s)")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if there is one)")


def run(args) -> int:
    """Print the nearest passages; the exit status."""
    if args.question is not None and not args.question.strip():
        raise InputError("the question is empty; try \"how do I ...\"")
    if args.top < 1:
        raise InputError(f"--top {args.top} must be at least 1")
    from minigpt import pretrained  # these load torch, which --help can do without
    from minigpt.devices import choose_device
    from minigpt.search import indexed, nearest, read_passages
    from minigpt.swap import implementation, use
    folder = pathlib.Path(args.folder)
    passages, n_files, skipped = read_passages(folder)
    _say(f"{len(passages):,} passages in {n_files:,} files" + f"; {skipped:,} files are no text" * bool(skipped))
    model, tokenizer = pretrained.load("minilm", choose_device(args.device))
    with use(**implementation("fused")):
        with _Bar() as bar:
            vectors = indexed(passages, folder, model, tokenizer, bar)
        for question in [args.question] if args.question else _asked():
            for found in nearest(question, passages, vectors, model, tokenizer, args.top):
                print(_shown(found))
    return 0


def _asked():
    """Questions from the terminal, until an empty line or the end."""
    while True:
        try:
            question = input("question: ").strip()
        except EOFError:
            return
        if not question:
            return
        yield question


def _shown(found):
    score, passage = found
    lines = passage.text.splitlines()
    body = "\n".join(lines[:SHOWN]) + "\n..." * (len(lines) > SHOWN)
    return f"{score:.2f}  {passage.path}:{passage.line}\n{textwrap.indent(body, '      ')}\n"


class _Bar:
    """A progress bar that appears with the first report."""

    def __enter__(self):
        self.bar = None
        return self

    def __call__(self, done, total):
        if self.bar is None:
            from tqdm import tqdm
            self.bar = tqdm(desc="reading", total=total, unit=" passages", disable=None)
        self.bar.update(done - self.bar.n)

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()


def _say(line):
    print(line, file=sys.stderr, flush=True)
