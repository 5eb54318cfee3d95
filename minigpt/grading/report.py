"""What a class did, as one page of HTML: a heat map of students by exercises, and the commonest mistakes by name.

The page needs nothing else: no script, no font, no file. What comes from a student is cleaned and escaped.
"""
from collections import Counter
from html import escape

from matplotlib import colormaps
from matplotlib.colors import to_hex

from minigpt.grading.formats import clean
from minigpt.grading.heat_map import STEPS, drawing, in_words, is_full, pieces
from minigpt.grading.score import is_left

MANY = 1 / 4            # of the students leave an exercise, and the page says so above the table
COMMONEST = 10          # mistakes of the class
OF_EACH = 3             # mistakes of an exercise
COLOURS = [to_hex(colormaps["cividis"](step / STEPS)) for step in range(STEPS + 1)]
STYLE = """
:root { color-scheme: light dark;
  --paper: #faf9f6; --card: #ffffff; --ink: #23272b; --quiet: #5d666d; --line: #dcd9d1; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191c1e; --card: #212528; --ink: #e6e4df; --quiet: #a2a9ad; --line: #4a5156; }
}
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .4rem 0; max-width: 50rem; }
.quiet, nav { color: var(--quiet); font-size: .9rem; }
a { color: inherit; }
.map { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: flex-start; }
svg { max-width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .who { text-anchor: end; }
svg .of { font-size: 11px; }
svg .sum { fill: var(--quiet); }
svg .n { font-size: 10.5px; text-anchor: middle; pointer-events: none; }
svg .dark { fill: #000000; } svg .light { fill: #ffffff; }
rect { stroke: var(--line); stroke-width: .5; }
rect.left { fill: var(--paper); stroke: var(--quiet); stroke-dasharray: 2 2; stroke-width: 1; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .93rem; background: var(--card); width: 100%; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td ul { margin: 0; padding-left: 1.1rem; }
ol.common { padding-left: 1.6rem; } ol.common li { margin: .2rem 0; }
"""


def as_html(marked):
    """The page, for any number of students."""
    columns = [at for at, result in enumerate(marked[0].results) if result.most] if marked else []
    by_points = sorted(marked, key=lambda student: (-student.points, student.student))
    parts = [f"<h1>{len(marked)} {'student' if len(marked) == 1 else 'students'}</h1>"]
    if columns:
        parts += [_summary(marked), *_heat_map(by_points, columns), *_commonest(marked), *_exercises(marked, columns)]
    else:
        parts += ["<p>Nobody has an exercise that is marked here, so there is nothing to show.</p>"]
    parts += [*_by_hand(marked), *_notes(marked)]
    colours = "\n".join(f"rect.c{step} {{ fill: {colour}; }}" for step, colour in enumerate(COLOURS))
    return "\n".join(['<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
                      '<meta name="viewport" content="width=device-width, initial-scale=1">',
                      f"<title>minigpt grade: {len(marked)} students</title>",
                      f"<style>{STYLE}{colours}\n</style>\n</head>\n<body>", *parts, "</body>\n</html>\n"])


def _summary(marked):
    points, most = sum(student.points for student in marked) / len(marked), marked[0].most
    return (f"<p>{points:.1f} of {most:g} points in the mean.</p>\n"
            '<nav><a href="#map">The heat map</a> · <a href="#mistakes">The commonest mistakes</a> · '
            '<a href="#exercises">Exercise by exercise</a></nav>')


def _heat_map(marked, columns):
    yield '<h2 id="map">Students by exercises</h2>'
    yield ('<p class="quiet">Students with most points come first. Point at a cell to read what was said of the '
           "answer.</p>")
    yield _legend()
    yield '<div class="map">'
    yield from pieces(marked, columns)
    yield f"</div>\n<details><summary>This picture in words</summary>{escape(in_words(marked, columns))}</details>"


def _legend():
    shown = [(f"c{step}", f"{step / STEPS:.0%}") for step in (0, 2, 5, 8, STEPS)]
    shown += [("left", "a stub, or not handed in")]
    boxes = "".join(f'<rect class="{kind}" x="{at * 70 + 1}" y="2" width="22" height="15"></rect>'
                    f'<text x="{at * 70 + 28}" y="14">{word}</text>' for at, (kind, word) in enumerate(shown))
    boxes += '<text class="n sum" x="362" y="14">–</text>'
    alt = "From dark, no points, to bright, all points; a dashed box is a stub, or was not handed in."
    return drawing(540, 20, alt, boxes)


def _commonest(marked):
    """The mistakes that most students make, of all exercises."""
    found = Counter((result.exercise, result.likely) for student in marked for result in student.results
                    if result.likely)
    yield '<h2 id="mistakes">The commonest mistakes</h2>'
    if not found:
        yield "<p>No answer looks like a mistake that is known by name.</p>"
        return
    yield '<ol class="common">'
    for (exercise, says), n in found.most_common(COMMONEST):
        yield f"<li><b>{n} × </b>{escape(exercise)}: {escape(clean(says))}</li>"
    yield "</ol>"


def _exercises(marked, columns):
    """A table: what each exercise asked of the class."""
    columns = {marked[0].results[at].exercise: [student.results[at] for student in marked] for at in columns}
    yield '<h2 id="exercises">Exercise by exercise</h2>'
    left = {name: sum(map(is_left, results)) for name, results in columns.items()}
    if many := [f"{name} ({n} of {len(marked)})" for name, n in left.items() if n >= MANY * len(marked)]:
        yield f"<p>A quarter of the students or more left as stubs, or did not hand in: {escape(', '.join(many))}.</p>"
    yield ('<div class="scroll"><table>\n<thead><tr><th>exercise</th><th class="n">mean</th>'
           '<th class="n">all points</th><th class="n">left as stubs</th><th>the commonest mistakes</th></tr></thead>')
    yield "<tbody>"
    for name, results in columns.items():
        mean = sum(result.points for result in results) / len(results)
        full = sum(map(is_full, results))
        numbers = (f"{mean:.1f} of {results[0].most:g}", f"{full / len(results):.0%}", left[name] or "")
        cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
        yield f'<tr><th scope="row">{escape(name)}</th>{cells}<td>{_mistakes(results)}</td></tr>'
    yield "</tbody></table></div>"


def _mistakes(results):
    """The commonest mistakes of an exercise, and how many wrong answers look like none that is known."""
    found = Counter(result.likely for result in results if result.likely)
    lines = [f"{n} × {escape(clean(says))}" for says, n in found.most_common(OF_EACH)]
    others = sum(found.values()) - sum(n for _, n in found.most_common(OF_EACH))
    lines += [f"{others} × another that is known by name"] if others else []
    unnamed = sum(not (is_full(result) or is_left(result) or result.likely) for result in results)
    lines += [f'<span class="quiet">{unnamed} × wrong in a way that has no name</span>'] if unnamed else []
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>" if lines else ""


def _by_hand(marked):
    """What is not marked here, and why."""
    skipped = [result for result in (marked[0].results if marked else []) if not result.most]
    if skipped:
        yield "<h2>Not marked here</h2>\n<ul>"
        yield from (f"<li>{escape(result.exercise)}: {escape(clean(result.says))}</li>" for result in skipped)
        yield "</ul>"


def _notes(marked):
    """What was said of whole submissions: files that cannot be read, say."""
    said = [(student.student, note) for student in marked for note in student.notes]
    if said:
        yield f"<h2>Notes on submissions</h2>\n<details><summary>{len(said)} of them</summary>\n<ul>"
        yield from (f"<li><bdi>{escape(clean(name))}</bdi>: {escape(clean(note))}</li>" for name, note in said)
        yield "</ul></details>"
