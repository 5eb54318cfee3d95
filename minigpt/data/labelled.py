"""Labelled texts: a task, and the cleaning that a score needs - no text twice, none with two answers."""
import re
from collections import Counter, namedtuple
from dataclasses import dataclass

from minigpt.data.cleaning import clean_text
from minigpt.data.near_duplicates import joined_groups
from minigpt.data.stratified import grouped_split, stratified_split

Row = namedtuple("Row", "text label group", defaults=("",))   # label: its name; group: whom it would give away
Example = namedtuple("Example", "text label")                 # label: its place in Task.labels
PARTS = ("train", "validation", "test")

_LINKS_AND_NAMES = re.compile(r"https?://\S*|www\.\S*|@\w+|\brt\b")


@dataclass(frozen=True)
class Task:
    """Texts in a few classes, in three parts that share no text (nor, where split_how names one, a group).

    labels: the names of the classes; train, validation, test: lists of Example
    note: what was dropped or changed, and what the user must be told
    redistributable: whether we may show or pass on its texts
    """

    name: str
    labels: tuple[str, ...]
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    split_how: str
    note: str
    licence: str
    redistributable: bool


def clean_rows(rows: list[Row]) -> tuple[list[Row], str]:
    """(cleaned rows, what was dropped in words): empty texts, all but the first of texts that say the same, and every
    copy of a text that is in two classes, since no answer to it is right."""
    rows = [row._replace(text=clean_text(row.text).strip()) for row in rows]
    full = [row for row in rows if row.text]
    classes: dict[str, set] = {}
    for row in full:
        classes.setdefault(same_words(row.text), set()).add(row.label)
    first = {same_words(row.text): row for row in reversed(full)}
    kept = [row for row in full if first[key := same_words(row.text)] is row and len(classes[key]) == 1]
    conflicts = sum(len(classes[same_words(row.text)]) > 1 for row in full)
    counts = {"empty": len(rows) - len(full), "copies of another": len(full) - len(kept) - conflicts,
              "with copies in two classes": conflicts}
    dropped = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
    return kept, f"{len(rows):,} texts" + (f", dropped: {dropped}" if dropped else ", none dropped")


def same_words(text: str) -> str:
    """What two texts that say the same have in common: their words, without links, user names, case and signs.

    A text without words stands for itself.
    """
    words = re.sub(r"[\W_]+", " ", _LINKS_AND_NAMES.sub(" ", text.casefold())).strip()
    return words or text


def make_task(name, parts, split_how, note, licence, redistributable) -> Task:
    """A task from [train, validation, test], each a list of Row; classes in the order of their names."""
    labels = tuple(sorted({row.label for part in parts for row in part}))
    places = {label: place for place, label in enumerate(labels)}
    train, validation, test = ([Example(row.text, places[row.label]) for row in part] for part in parts)
    return Task(name, labels, train, validation, test, split_how, note, licence, redistributable)


def split_rows(rows: list[Row], seed: int, group: str = "") -> tuple[list[list[Row]], str]:
    """([train, validation, test], how): 80/10/10 of each class.

    group: what a row's group is; then in whole groups, and groups that hold nearly the same text stay together.
    """
    labels, texts = [row.label for row in rows], [row.text for row in rows]
    if group:
        groups = joined_groups(texts, [row.group for row in rows])
        numbers, how = grouped_split(labels, groups, seed), f"about 80/10/10, by {group}, near copies together"
    else:
        numbers, how = stratified_split(labels, texts, seed), "80/10/10 of each class"
    return [[rows[i] for i in part] for part in numbers], how


def class_sizes(task: Task, part: str = "train") -> dict[str, int]:
    """How many examples each class has in a part of the task."""
    counts = Counter(example.label for example in getattr(task, part))
    return {name: counts[place] for place, name in enumerate(task.labels)}
