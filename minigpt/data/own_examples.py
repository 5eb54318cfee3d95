"""The user's own labelled texts: a file of rows, with a text and a label each."""
import csv
import io
from collections import Counter
from pathlib import Path

from minigpt.data.labelled import Row, Task, clean_rows, make_task, split_rows
from minigpt.data.own_text import read_files
from minigpt.errors import InputError
from minigpt.listing import suggest

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
LEAST = 3            # texts of a class: one for each part
ROWS_SHOWN = 5       # of the bad ones
UNEVEN = 10          # times: a largest class this much larger than the smallest is said


def load_csv(path: str | Path, *, seed: int = 0, on_bad: str = "skip", separator: str = "", text_column: str = "text",
             label_column: str = "label", group_column: str = "") -> Task:
    """The labelled texts of a CSV file, cleaned and split 80/10/10 by class.

    The first row names the columns, in any order and letter case, others may stand beside them; without such a row
    each row is a text and its label. UTF-8; a text with a separator, a quote or a line end in it is quoted.
    on_bad: "skip" rows without a text or a label, and say which, or "refuse" the file. Row 1 is the file's first.
    separator: "," ";" or a tab; "" = what the first row shows.
    group_column: keeps rows with the same value there (an author, a thread) in one part.
    Raises InputError: no such file or column, not UTF-8, bad rows when they are refused, a quote that never ends, one
    class only, a class with fewer than 3 texts.
    """
    if on_bad not in ("skip", "refuse"):
        raise InputError(f"on_bad={on_bad!r} is neither 'skip' nor 'refuse'")
    table = _read_table(Path(path), separator)
    columns, start = _find_columns(table, text_column, label_column, group_column)
    rows, bad = _good_rows(table, columns, start)
    if bad and on_bad == "refuse":
        raise InputError(f"{str(path)!r}: {_in_words(bad)}; correct the file, or let bad rows be skipped")
    cleaned, dropped = clean_rows(rows)
    sizes = Counter(row.label for row in cleaned)
    _check_classes(path, sizes, "" if start else table[0][1], bad)
    notes = [f"skipped {_in_words(bad)}"] * bool(bad) + [dropped] + _unevenness(sizes)
    parts, how = split_rows(cleaned, seed, group_column)
    return make_task(str(path), parts, how, "; ".join(notes), "yours", False)


def _read_table(path, separator):
    """The rows of the file, each a list of fields; a blank line is an empty one."""
    if separator and separator not in SEPARATORS:
        raise InputError(f"separator={separator!r} is none of comma, semicolon and tab")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; give a CSV file")
    ((_, text),) = read_files(path)
    separator = separator or max(SEPARATORS, key=text.partition("\n")[0].count)
    reader, table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), []
    try:
        for row in reader:
            table.append(row)
    except csv.Error as error:
        raise InputError(f"{str(path)!r}: row {len(table) + 1} cannot be read ({error}); a quote in a quoted text is "
                         'written twice (""), and the quotes around it must end') from error
    if not any(map(any, table)):
        raise InputError(f"{str(path)!r} is empty; give a CSV file with a text and a label in each row")
    return table


def _find_columns(table, text_column, label_column, group_column):
    """([place of the text, of the label, of the group], number of the first row after the names)."""
    names = [name.strip().casefold() for name in table[0]]
    wanted = [name for name in (text_column, label_column, group_column) if name]
    missing = [name for name in wanted if name.casefold() not in names]
    if not missing:
        return [names.index(name.casefold()) for name in wanted], 1
    told = (text_column, label_column, group_column) != ("text", "label", "")
    if told or len(names) != 2 or len(missing) < len(wanted):
        raise InputError(f"no column {missing[0]!r} in the first row, which is {', '.join(table[0])[:200]!r}; "
                         f"{suggest(missing[0], table[0])}, or leave the names out of a file of two columns")
    return [0, 1], 0


def _good_rows(table, columns, start):
    """(rows, {row number: what is wrong with it}); row 1 is the first of the file, names or not."""
    rows, bad = [], {}
    for number, fields in enumerate(table[start:], start + 1):
        values = [fields[place].strip() for place in columns if place < len(fields)]
        if len(fields) != len(table[0]):
            bad[number] = f"{len(fields)} fields where the first has {len(table[0])}"
        elif not all(values[:2]):
            bad[number] = "no label" if values[0] else "no text"
        else:
            rows.append(Row(values[0], values[1], values[2] or f"row {number}" if values[2:] else ""))
        if not fields:                                 # a blank line
            del bad[number]
    return rows, bad


def _check_classes(path, sizes, first_label, bad):
    """Refuse what cannot be learnt and judged: one class, or a class too small for three parts."""
    skipped = f"; {_in_words(bad)}" if bad else ""
    if len(sizes) < 2:
        found = f"all texts have the label {next(iter(sizes))!r}" if sizes else "no row has a text and a label"
        raise InputError(f"{str(path)!r}: {found}; at least two classes are needed{skipped}")
    small = {label: n for label, n in sizes.items() if n < LEAST}
    if sizes.get(first_label) == 1:
        raise InputError(f"{str(path)!r}: only the first row has the label {first_label!r}; if it holds the names of "
                         "the columns, they must be text and label, or say which column is which")
    if small:
        some = ", ".join(f"{label!r} ({n})" for label, n in list(small.items())[:ROWS_SHOWN])
        more = " ..." if len(small) > ROWS_SHOWN else ""
        raise InputError(f"{str(path)!r}: {len(small)} of {len(sizes)} classes have fewer than {LEAST} texts: {some}"
                         f"{more}; add texts, join such classes or leave them out{skipped}")


def _unevenness(sizes):
    (largest, most), (smallest, least) = (sizes.most_common()[i] for i in (0, -1))
    if most < UNEVEN * least:
        return []
    share = most / sizes.total()
    return [f"the classes are uneven: {largest!r} has {most:,} texts, {smallest!r} {least:,}; always answering "
            f"{largest!r} is right in {share:.0%} of cases, so look at macro F1"]


def _in_words(bad):
    some = ", ".join(f"row {number} ({what})" for number, what in list(bad.items())[:ROWS_SHOWN])
    more = f" and {len(bad) - ROWS_SHOWN:,} more" if len(bad) > ROWS_SHOWN else ""
    return f"{len(bad):,} bad row{'s' * (len(bad) > 1)}: {some}{more}"
