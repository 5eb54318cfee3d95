"""Say which class texts belong to, with a model that finetune made, or one that writes and labels of yours."""
import contextlib
import pathlib
import shlex
import sys

from minigpt.errors import InputError

EXAMPLES = """\
python -m minigpt classify --model runs/mine "the battery is dead after a day"
python -m minigpt classify --model runs/mine "great" "never again"
python -m minigpt classify --model smollm2 --labels positive,negative "I hated every minute of it."
python -m minigpt classify --model runs/mine --file reviews.txt > answers.tsv"""


def add_arguments(parser):
    """The flags of this command."""
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="what to classify")
    parser.add_argument("--model", metavar="FOLDER", required=True,
                        help="of a fine-tuned model; with --labels, any that writes: a run folder, or smollm2")
    parser.add_argument("--labels", metavar="A,B", help="for a model that was not fine-tuned: say how likely it is to "
                        "write each of these, beside how likely it always is (rougher than fine-tuning)")
    parser.add_argument("--file", metavar="FILE", help="a text on each line, - for standard input; the answer has a "
                        "line for each: label, probability, text")
    parser.add_argument("--from", dest="start", metavar="FOLDER",
                        help="where the run is now that the model began from, if it was moved")
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: cuda if there is one)")


def run(args) -> int:
    """Print the probability of each label; the exit status."""
    labels, texts, show = labels_of(args), texts_of(args), _line if args.file is not None else _bars
    if labels:
        by_writing(args, labels, texts, show)
        return 0
    from minigpt.devices import choose_device  # these load torch, which --help can do without
    from minigpt.finetuned_runs import load_classifier
    model, tokenizer, config, temperature = load_classifier(args.model, start=args.start,
                                                            device=choose_device(args.device))
    answers(model, tokenizer, config, temperature, texts, show)
    return 0


def labels_of(args):
    """The labels that the user gave, or None. Raises InputError unless there are two or more, and all differ."""
    if args.labels is None:
        if args.model == "smollm2" and not pathlib.Path(args.model).exists():
            raise InputError("--model smollm2 was not fine-tuned and has no labels of its own; name them: --labels "
                             "positive,negative")
        return None
    labels = [label.strip() for label in args.labels.split(",")]
    if len(labels) < 2 or not all(labels) or len(set(labels)) < len(labels):
        raise InputError(f"--labels {args.labels!r} must name two or more, all different, as in: --labels "
                         "positive,negative")
    return labels


def by_writing(args, labels, texts, show):
    """Classify texts by how likely a model that writes is to write each label, and print the answers."""
    from minigpt.commands.model import load_model
    from minigpt.zero_shot import label_probabilities
    args.quantize = None
    _, model, tokenizer = load_model(args)
    with bar("classifying", "texts") as report:
        found = label_probabilities(model, tokenizer, texts, labels, progress=lambda done: report(done, len(texts)))
    for text, p in zip(texts, found.tolist(), strict=True):
        print(show(text, sorted(zip(p, labels, strict=True), reverse=True)))


def texts_of(args):
    """The texts that the user gave. Raises InputError if there are none, or both ways were used."""
    if args.file is not None and args.texts:
        raise InputError(f"--file {args.file} and {len(args.texts)} texts beside it; leave one out")
    if args.file is None:
        if not args.texts or not all(text.strip() for text in args.texts):
            raise InputError('there is no text to classify; give it in quotes, as in: classify --model '
                             f'{shlex.quote(args.model)} "a text", or name a file with --file')
        return args.texts
    if args.file == "-":
        lines = sys.stdin.read().splitlines()
    else:
        from minigpt.data.own_text import read_files
        if pathlib.Path(args.file).is_dir():
            raise InputError(f"--file {args.file} is a folder; give a file with a text on each line")
        ((_, text),) = read_files(pathlib.Path(args.file))
        lines = (text or "").splitlines()
    if not any(line.strip() for line in lines):
        raise InputError(f"--file {args.file} holds no text; give a file with a text on each line")
    return lines


def answers(model, tokenizer, config, temperature, texts, show):
    """Classify texts and print the answers, each as `show` makes it, in the order of the texts."""
    from minigpt.data.labelled_batches import text_rows
    from minigpt.finetuning import logits_of
    from minigpt.softmax import softmax
    from minigpt.swap import implementation, use
    rows = text_rows(texts, tokenizer, config.longest)
    with use(**implementation(config.implementation)), bar("classifying", "texts") as report:
        logits = logits_of(model, rows, progress=lambda done: report(done, len(rows)))
    for text, p in zip(texts, softmax(logits.double() / temperature).tolist(), strict=True):
        print(show(text, sorted(zip(p, config.labels, strict=True), reverse=True)))


def _bars(text, ranked):
    width = max(len(label) for _, label in ranked)
    return "\n".join([text, *(f"  {p:6.1%}  {label:<{width}}  {'#' * round(30 * p)}".rstrip() for p, label in ranked)])


def _line(text, ranked):
    p, label = ranked[0]
    return f"{label}\t{p:.4f}\t{text}" if text.strip() else "\t\t"


@contextlib.contextmanager
def bar(what, unit):
    """A function (done, total) that moves a progress bar, which appears with the first report."""
    from tqdm import tqdm
    bars = []

    def report(done, total):
        if not bars:
            bars.append(tqdm(desc=what, total=total, unit=f" {unit}", disable=None, delay=2))
        bars[0].update(done - bars[0].n)

    try:
        yield report
    finally:
        for one in bars:
            one.close()
