"""Tasks: labelled texts in training, validation and test, from a name or from the user's own CSV file."""
import platform
from collections import Counter
from dataclasses import replace

from minigpt.data.labelled import Example, Row, Task, clean_rows, make_task, same_words, split_rows
from minigpt.data.own_examples import load_csv
from minigpt.data.stratified import SHARES, in_drawing_order, stratified_split
from minigpt.data.task_readers import AGREED, PUBLISHED_TEST, READERS
from minigpt.data.task_sources import TASKS, find_task
from minigpt.errors import InputError

__all__ = ["TASKS", "Example", "Task", "few", "load_csv", "load_task", "raw_rows"]

GROUPS = {"docstrings": "class or file", "sentiment-products": "review", "sentiment-editorials": "article"}


def load_task(name: str, *, seed: int = 0) -> Task:
    """The task called `name`, fetched when it is not cached, cleaned, and split 80/10/10.

    seed: decides what is held out; the test part of r8 is the published one, whatever the seed
    Raises InputError: unknown name, index out of reach, not the pinned archive.
    """
    source, rows = find_task(name), raw_rows(name)
    test = [row for row in rows if row.group == PUBLISHED_TEST]
    if test:
        parts, how, note = _around_published_test(rows, test, seed)
    else:
        cleaned, note = clean_rows(rows)
        parts, how = split_rows(cleaned, seed, GROUPS.get(name, ""))
    return make_task(name, parts, how, "; ".join([note, *_told(source)]), source.licence, source.redistributable)


def raw_rows(name: str) -> list[Row]:
    """The labelled texts of a task as they come, copies and all, to see what cleaning does. Raises as load_task."""
    source = find_task(name)
    return READERS[source.reader](source)


def few(task: Task, per_class: int, seed: int = 0) -> Task:
    """The task with `per_class` training examples of each class; a smaller class is taken whole, and the note says so.

    seed: decides which; with the same seed, fewer examples are some of those that more would be.
    Raises InputError when per_class is under 1.
    """
    if per_class < 1:
        raise InputError(f"per_class={per_class}: a class needs 1 example at least")
    texts = [example.text for example in task.train]
    seen, kept = Counter(), []
    for i in in_drawing_order(list(range(len(texts))), texts, seed):
        seen[task.train[i].label] += 1
        if seen[task.train[i].label] <= per_class:
            kept.append(i)
    small = [f"{name} has {seen[place]}" for place, name in enumerate(task.labels) if seen[place] < per_class]
    said = f"{per_class} training examples of each class" + (f", but {', '.join(small)}" if small else "")
    return replace(task, train=[task.train[i] for i in sorted(kept)], note=f"{task.note}; {said}")


def _around_published_test(rows, test, seed):
    """The published test part as it is; of the rest, a ninth of each class for validation."""
    published = {same_words(row.text) for row in test}
    rest = [row for row in rows if row.group != PUBLISHED_TEST]
    apart = [row for row in rest if same_words(row.text) not in published]
    cleaned, note = clean_rows(apart)
    shares = (SHARES[0] / (1 - SHARES[2]), SHARES[1] / (1 - SHARES[2]))
    numbers = stratified_split([row.label for row in cleaned], [row.text for row in cleaned], seed, shares)
    parts = [*([cleaned[i] for i in part] for part in numbers), test]
    note = f"{len(rest):,} texts to learn from, dropped: {len(rest) - len(apart):,} that the test part has; of {note}"
    return parts, "test as published, the rest 89/11 of each class", note


def _told(source):
    """What else the user must know of a task."""
    told = {
        "docstrings": [f"the ten modules of Python {platform.python_version()} with most docstrings, other versions "
                       "have others; their names, alone or in a word, are replaced by ___; nicknames (Tk, IDLE) stay"],
        "rated": [f"rated {AGREED} or more above 0 is positive, below it negative, on a scale from -4 to 4; what lies "
                  "between is left out"],
    }
    return told.get(source.reader, [])
