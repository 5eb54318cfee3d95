"""The heat map of a class, students by exercises, as SVG in the page's colours: no script, no font of its own.

A class of many is cut into pieces of up to 40 students, which a wide window puts beside each other.
"""
import math
import unicodedata
from html import escape

from minigpt.grading.formats import clean
from minigpt.grading.score import is_left

ROWS = 40               # students in a piece
HEIGHT = 17             # pixels of a row
NUMBERS_UP_TO = 24      # exercises: of more, the cells are narrow, and show colours alone
LONGEST = 26            # columns of letters of a name; a Chinese sign takes two
LETTER = 6.6            # pixels of such a column
SLANT = 55              # degrees of the names of exercises
STEPS = 10              # of colour, from no points to all


def pieces(students, columns):
    """SVG texts. students: Marked, in the order to be drawn. columns: of the exercises to show, in their results."""
    labels = [short(student.student) for student in students]
    left = 12 + max(map(width, labels), default=0) * LETTER
    cuts = range(0, len(students), ROWS)
    return [_piece(students[at:at + ROWS], labels[at:at + ROWS], columns, left) for at in cuts]


def step(result):
    """The colour of a result: 0 to STEPS, and STEPS only for all points."""
    share = result.points / result.most
    return STEPS if share == 1 else min(STEPS - 1, int(share * STEPS))


def in_words(students, columns):
    """What the picture shows, in a few sentences: its alt text."""
    results = [[student.results[at] for student in students] for at in columns]
    answers = [result for column in results for result in column]
    full, left = (sum(map(test, answers)) / len(answers) for test in (is_full, is_left))
    hardest = min(results, key=lambda column: sum(r.points for r in column) / column[0].most)
    mean = sum(r.points for r in hardest) / len(hardest)
    return (f"Heat map of {_many(len(students), 'student')} by {_many(len(columns), 'exercise')}, brighter for more "
            f"points. {full:.0%} of the answers have all points, {left:.0%} were left as stubs or not handed "
            f"in. The fewest points are in {hardest[0].exercise}: {mean:.1f} of {hardest[0].most:g} in the mean.")


def is_full(result):
    return result.points == result.most


def short(name, longest=LONGEST):
    """A name, cleaned, and cut to what the picture has place for."""
    name = clean(name)
    if width(name) <= longest:
        return name
    while width(name) >= longest:
        name = name[:-1]
    return name + "…"


def width(text):
    """The columns that a text takes: two for a wide sign, none for a mark that stands on another."""
    wide = {"W": 2, "F": 2}
    return sum(0 if unicodedata.combining(sign) else wide.get(unicodedata.east_asian_width(sign), 1) for sign in text)


def _piece(students, labels, columns, left):
    cell = 32 if len(columns) <= NUMBERS_UP_TO else 15
    titles = [students[0].results[at].exercise for at in columns]
    top = 14 + max(map(len, titles)) * LETTER * 0.82   # the sine of the slant
    totals = [f"{short_number(student.points)} of {student.most:g}" for student in students]
    right = max(*(12 + len(total) * LETTER for total in totals), max(map(len, titles)) * LETTER * 0.58 - cell)
    lines = [_title(title, left + (at + 0.4) * cell, top) for at, title in enumerate(titles)]
    for row, (student, label, total) in enumerate(zip(students, labels, totals, strict=True)):
        y = top + row * HEIGHT
        lines.append(f'<text class="who" x="{left - 8:.0f}" y="{y + 12:.0f}">{escape(label)}</text>')
        lines += [_cell(student, student.results[at], left + column * cell, y, cell)
                  for column, at in enumerate(columns)]
        lines.append(f'<text class="sum" x="{left + len(columns) * cell + 6:.0f}" y="{y + 12:.0f}">{total}</text>')
    size = left + len(columns) * cell + right, top + len(students) * HEIGHT + 4
    return drawing(*size, in_words(students, columns), "\n".join(["", *lines, ""]))


def drawing(width, height, alt, inside):
    """An SVG element with its alt text."""
    return (f'<svg role="img" aria-label="{escape(alt, quote=True)}" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">{inside}</svg>')


def _title(title, x, y):
    return f'<text class="of" transform="translate({x:.1f} {y - 6:.0f}) rotate(-{SLANT})">{escape(title)}</text>'


def _cell(student, result, x, y, cell):
    """One answer: a coloured box that names itself when it is pointed at; in a wide one, its points."""
    points, said = f"{result.points:g} of {result.most:g}", clean(result.likely or result.says)
    name = f"{clean(student.student)}, {result.exercise}: {points}. {said}".rstrip(". ")
    kind = "left" if is_left(result) else f"c{step(result)}"
    box = (f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{cell - 1}" height="{HEIGHT - 1}">'
           f"<title>{escape(name)}</title></rect>")
    if cell < 20 and not is_left(result):
        return box
    ink = "sum" if is_left(result) else "dark" if step(result) >= STEPS / 2 else "light"
    word = "–" if is_left(result) else short_number(result.points)
    return box + f'<text class="n {ink}" x="{x + (cell - 1) / 2:.1f}" y="{y + 12:.0f}">{word}</text>'


def short_number(points):
    """With one digit after the point at most, and never more than it is: 14.96 of 15 are not all points."""
    return f"{math.floor(round(points * 10, 6)) / 10:g}"


def _many(n, word):
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
