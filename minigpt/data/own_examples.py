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
LONGEST = 2**31 - 1  # characters of a text, the most that the csv module can be told everywhere
LEAST = 3            # texts of a class: one for each part
ROWS_SHOWN = 5       # of the bad ones
JUDGED = 30          # texts: of fewer, a score is mostly chance, and that is said
UNEVEN = 10          # times: a largest class this much larger than the smallest is said


def load_csv(path: str | Path, *, seed: int = 0, on_bad: str = "skip", separator: str = "", text_column: str = "text",
             label_column: str = "label", group_column: str = "") -> Task:
    """The labelled texts of a CSV file, cleaned and split 80/10/10 by class.

    The first row names the columns, in any order and letter case, others may stand beside them; without such a row
    each row is a text and its label. (A first row of two other names is passed over, and said, if no other row has its
    label.) UTF-8; a text with a separator, a quote or a line end in it is quoted.
    on_bad: "skip" rows without a text or a label, and say which, or "refuse" the file. Row 1 is the file's first.
    separator: "," ";" or a tab; "" = the one that makes sense of the first row.
    group_column: keeps rows with the same value there (an author, a thread) in one part.
    Raises InputError: no such file or column, not UTF-8, bad rows when they are refused, a quote that never ends, one
    class only, a class with fewer than 3 texts.
    """
    if on_bad not in ("skip", "refuse"):
        raise InputError(f"on_bad={on_bad!r} is neither 'skip' nor 'refuse'")
    table = _read_table(Path(path), separator, (text_column, label_column))
    columns, named = _find_columns(table, text_column, label_column, group_column)
    rows, bad = _good_rows(table[named:], columns, len(table[0][1]))
    if bad and on_bad == "refuse":
        raise InputError(f"{str(path)!r}: {_in_words(bad)}; correct the file, or let bad rows be skipped")
    rows, notes = (rows, []) if named else _without_names(rows)
    cleaned, dropped = clean_rows(rows)
    sizes = Counter(row.label for row in cleaned)
    notes += [f"skipped {_in_words(bad)}"] * bool(bad) + [dropped]
    _check_classes(path, sizes, notes)
    parts, how = split_rows(cleaned, seed, group_column)
    notes += _unevenness(sizes) + [f"only {len(parts[2])} texts to be judged on: scores say little"] * (
        len(parts[2]) < JUDGED)
    return make_task(str(path), parts, how, "; ".join(notes), "yours", False)


def _read_table(path, separator, names):
    """[(row number, fields)] of the rows that are not blank; the file's first row is 1."""
    if separator and separator not in SEPARATORS:
        raise InputError(f"separator={separator!r} is none of comma, semicolon and tab")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; give a CSV file")
    ((_, text),) = read_files(path)
    separator = separator or _separator(text.lstrip("\r\n").partition("\n")[0], names)
    reader, table = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), []
    before = csv.field_size_limit(LONGEST)
    try:
        for row in reader:
            table.append(row)
    except csv.Error as error:
        raise InputError(f"{str(path)!r}: row {len(table) + 1} cannot be read ({error}); a quote in a quoted text is "
                         'written twice (""), and the quotes around it must end') from error
    finally:
        csv.field_size_limit(before)
    numbered = [(number, fields) for number, fields in enumerate(table, 1) if any(fields)]
    if not numbered:
        raise InputError(f"{str(path)!r} is empty; give a CSV file with a text and a label in each row")
    return numbered


def _separator(line, names):
    """The separator with which a first line has the names of the columns, else two fields, else most fields."""
    def sense(separator):
        fields = [field.strip().strip('"').casefold() for field in line.split(separator)]
        return {name.casefold() for name in names} <= set(fields), len(fields) == 2, len(fields)
    return max(SEPARATORS, key=sense)


def _find_columns(table, text_column, label_column, group_column):
    """([place of the text, of the label, of the group], whether the first row holds the names of the columns)."""
    first = table[0][1]
    names = [name.strip().casefold() for name in first]
    wanted = [name for name in (text_column, label_column, group_column) if name]
    missing = [name for name in wanted if name.casefold() not in names]
    if not missing:
        return [names.index(name.casefold()) for name in wanted], True
    told = (text_column, label_column, group_column) != ("text", "label", "")
    if told or len(names) != 2 or len(missing) < len(wanted):
        raise InputError(f"no column {missing[0]!r} in the first row, which is {', '.join(first)[:200]!r}; "
                         f"{suggest(missing[0], first)}; name the columns {' and '.join(wanted)} there, or leave the "
                         "names out of a file of two columns")
    return [0, 1], False


def _good_rows(table, columns, width):
    """(rows, {row number: what is wrong with it})."""
    rows, bad = [], {}
    for number, fields in table:
        values = [fields[place].strip() for place in columns if place < len(fields)]
        if len(fields) != width:
            bad[number] = f"{len(fields)} fields where the first has {width}"
        elif not all(values[:2]):
            bad[number] = "no label" if values[0] else "no text"
        else:
            rows.append(Row(values[0], values[1], values[2] or f"row {number}" if values[2:] else ""))
    return rows, bad


def _without_names(rows):
    """(rows, [what to say]) without a first row that seems to be names: its label is no other's, and others repeat."""
    counts = Counter(row.label for row in rows)
    if len(counts) < 2 or counts[rows[0].label] > 1 or counts.most_common()[0][1] < LEAST:
        return rows, []
    return rows[1:], [f"took the first row ({rows[0].text}, {rows[0].label}) for the names of the columns"]


def _check_classes(path, sizes, notes):
    """Refuse what cannot be learnt and judged: one class, or a class too small for three parts."""
    said = "; ".join(notes)
    if len(sizes) < 2:
        found = f"all texts have the label {next(iter(sizes))!r}" if sizes else "no row has a text and a label"
        raise InputError(f"{str(path)!r}: {found}; at least two classes are needed ({said})")
    small = {label: n for label, n in sizes.items() if n < LEAST}
    if small:
        some = ", ".join(f"{label!r} ({n})" for label, n in list(small.items())[:ROWS_SHOWN])
        more = " ..." if len(small) > ROWS_SHOWN else ""
        raise InputError(f"{str(path)!r}: {len(small)} of {len(sizes)} classes have fewer than {LEAST} texts: {some}"
                         f"{more}; add texts, join such classes or leave them out ({said})")


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
