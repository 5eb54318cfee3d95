"""From a task's source to its labelled rows: the one place that knows how each is laid out."""
import csv
import html
import io
import re
from collections import Counter

from minigpt.data.embedded import docstrings, python_files
from minigpt.data.fetch import fetch
from minigpt.data.labelled import Row
from minigpt.errors import InputError

N_MODULES = 10
BLANK = "___"            # stands where a module's name was
AGREED = 0.5             # of the ratings' scale from -4 to 4: what is rated nearer to 0 is neither good nor bad
PUBLISHED_TEST = "published test"
APPLE = re.compile(r"\bapple\b|aapl")
NOT_APPLE = re.compile(r"jetblue|driverless|self.driving|sxsw")
AIRLINE = re.compile(r"@?\b(virginamerica|united|southwestair|jetblue|usairways|americanair)\b")


def docstring_rows(source=None) -> list[Row]:
    """The docstrings of the ten public modules of the standard library that have most; its label is the module.

    The names of the ten are blanked out in all texts, wherever they are a part of a word too. The group of a docstring
    is the outermost class around it, or its file.
    """
    rows = [Row(text, path[0].removesuffix(".py"), " ".join([*path, owner]).strip())
            for path, source_text in python_files() for text, owner in docstrings(source_text)]
    counts = Counter(row.label for row in rows if not row.label.startswith("_"))
    modules = [name for name, _ in counts.most_common(N_MODULES)]
    if len(modules) < N_MODULES:
        raise InputError(f"this Python has docstrings in {len(modules)} modules: its standard library is not there as "
                         "files; use another task")
    names = re.compile("|".join(modules), re.IGNORECASE)
    return [row._replace(text=names.sub(BLANK, row.text)) for row in rows if row.label in modules]


def _reuters(source):
    """Two columns below three lines of names and types; the test articles are those that were published as such."""
    rows = []
    for name, member in fetch(source).items():
        lines = member.decode(source.encoding).split("\n")[3:]
        group = PUBLISHED_TEST if name.endswith("-test.tab") else ""
        rows += [Row(text, label, group) for label, _, text in (line.partition("\t") for line in lines) if text.strip()]
    return rows


def rated_rows(member: str) -> list[Row]:
    """Lines of id, mean rating from -4 to 4, text: positive or negative where the raters agree by 0.5 at least."""
    rows = []
    for line in member.splitlines():
        number, rating, text = line.split("\t")
        if abs(float(rating)) >= AGREED:
            rows.append(Row(html.unescape(text), "positive" if float(rating) > 0 else "negative", number.split("_")[0]))
    return rows


def _rated(source):
    (member,) = fetch(source).values()
    return rated_rows(member.decode(source.encoding))


def _one_class_a_file(source):
    """pos.txt and neg.txt, a text a line."""
    classes = {"pos.txt": "positive", "neg.txt": "negative"}
    return [Row(line, classes[name.rpartition("/")[2]]) for name, member in fetch(source).items()
            for line in member.decode(source.encoding).split("\n") if line.strip()]


def _tweets(source):
    """The tweets about one thing, of a table with the columns sentiment, confidence, text."""
    (member,) = fetch(source).values()
    table = csv.DictReader(io.StringIO(member.decode(source.encoding), newline=""))
    return [Row(html.unescape(line["text"]), line["sentiment"]) for line in table
            if is_about(source.name, line["text"])]


def is_about(thing: str, tweet: str) -> bool:
    """Whether a tweet is about Apple's shares and products ("apple"), or about an airline ("airline")."""
    text = tweet.casefold()
    if thing == "apple":
        return bool(APPLE.search(text)) and not NOT_APPLE.search(text)
    return bool(AIRLINE.search(text))


READERS = {
    "docstrings": docstring_rows,
    "reuters": _reuters,
    "rated": _rated,
    "one class a file": _one_class_a_file,
    "tweets": _tweets,
}
