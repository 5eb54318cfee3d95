"""`grade --report`: a page about a class that needs nothing else, whatever students are called."""
import pathlib
import re
from html.parser import HTMLParser

import pytest
from judges import needed
from test_grade import RIGHT, UNSCALED, grade

from minigpt.commands import grade as command
from minigpt.grading.heat_map import ROWS, STEPS, short, short_number, step, width
from minigpt.grading.marking import Marked
from minigpt.grading.report import COLOURS, as_html
from minigpt.grading.score import BROKEN, MISSING, STUB, Result, is_left

CHROMIUM = pathlib.Path("/usr/bin/chromium")
HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror='alert(1)'>", "a\x1b[31m\x00\u202eb", "'; &lt; --> ]]>",
           "javascript:alert(1)", "王小明" * 20, "\ud800"]


def right(exercise, points=10.0):
    return Result(exercise, points, points, {"it holds": (1, 1)}, "", "")


def wrong(exercise, points, likely="", most=10.0):
    return Result(exercise, points, most, {"it holds": (0, 1)}, "It holds: it does not.", likely)


def stub(exercise, most=10.0):
    return Result(exercise, 0.0, most, {}, f"{STUB}f", "")


SIGN, SCALE = "the sign is turned around", "it is not scaled"
BY_HAND = Result("a.3", 0.0, 0.0, {}, "not marked here: a kernel", "")
CLASS = [Marked("Ana", [right("a.1"), right("a.2"), BY_HAND]),
         Marked("Bo", [wrong("a.1", 5.0, SIGN), wrong("a.2", 2.0, SCALE), BY_HAND], ["b.py cannot be read"]),
         Marked("Cy", [wrong("a.1", 4.0, SIGN), stub("a.2"), BY_HAND]),
         Marked("Dora", [wrong("a.1", 0.5), stub("a.2"), BY_HAND])]


class Page(HTMLParser):
    """What is on a page: its tags with their attributes, its text, and whether each tag is closed in its place."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.rows, self.open, self.bad = [], "", [], [], []
        self.feed(html)
        self.close()
        self.bad += self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.rows += [[]] if tag == "tr" else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open[-1:] != [tag]:
            self.bad.append(tag)
        self.open.pop()

    def handle_data(self, data):
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1].append(data)


def crowd(n, exercises=4):
    """A class of n, in which everything occurs."""
    def result(student, exercise):
        kind, name = (student * 7 + exercise * 3) % 5, f"backprop.{exercise + 1}"
        return [right(name, 15.0), stub(name, 15.0), wrong(name, 14.96, SIGN, 15.0), wrong(name, 0.0, "", 15.0),
                wrong(name, 7.35, SCALE, 15.0)][kind]
    return [Marked(f"Student {at}", [result(at, exercise) for exercise in range(exercises)]) for at in range(n)]


@pytest.mark.parametrize("marked", [[], [Marked("Ana", [])], [Marked("Ana", [BY_HAND])], CLASS[:1], CLASS, crowd(200)],
                         ids=["nobody", "nothing", "by hand", "one student", "four", "200"])
def test_every_tag_of_the_page_is_closed_and_nothing_comes_from_elsewhere(marked):
    html = as_html(marked)
    page = Page(html)
    assert page.bad == []
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base"} == set()
    assert {value for _, given in page.tags for name, value in given.items() if name in ("href", "src")} <= {
        "#map", "#mistakes", "#exercises"}
    assert re.findall(r"https?:|url\(|@import", html) == []
    assert all(given.get("aria-label") for tag, given in page.tags if tag == "svg")


def test_of_nobody_the_page_says_that_there_is_nothing_to_show():
    for marked in ([], [Marked("Ana", [BY_HAND])]):
        assert "nothing to show" in as_html(marked)
        assert "<svg" not in as_html(marked)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_a_student_writes_becomes_a_part_of_the_page(name):
    marked = [Marked(name, [wrong("a.1", 1.0, name), Result("a.2", 0.0, 10.0, {}, name, "")], [name])]
    html = as_html(marked)
    harmless = [Marked("Ana", [wrong("a.1", 1.0, "wrong"), Result("a.2", 0.0, 10.0, {}, "so", "")], ["a note"])]
    page, expected = Page(html), Page(as_html(harmless))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in expected.tags]
    assert [sorted(given) for _, given in page.tags] == [sorted(given) for _, given in expected.tags]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


def test_the_table_counts_what_the_class_did():
    page = Page(as_html(CLASS))
    assert page.rows[1] == ["a.1", "4.9 of 10", "25%", "2 × the sign is turned around",
                            "1 × wrong in a way that has no name"]
    assert page.rows[2] == ["a.2", "3.0 of 10", "25%", "2", "1 × it is not scaled"]
    assert len(page.rows) == 3
    assert "a quarter of the students or more left as stubs, or did not hand in: a.2 (2 of 4)" in page.text.lower()
    assert "7.9 of 20 points in the mean" in page.text
    assert "a.3: not marked here: a kernel" in page.text
    assert "Bo: b.py cannot be read" in page.text


def test_the_commonest_mistake_of_the_class_comes_first():
    said = Page(as_html(CLASS)).text
    first, second = said.index(f"2 × a.1: {SIGN}"), said.index(f"1 × a.2: {SCALE}")
    assert said.index("The commonest mistakes\n") < first < second


def test_the_heat_map_has_a_cell_for_each_answer_which_says_what_it_is():
    page = Page(as_html(CLASS))
    kinds = [given["class"] for tag, given in page.tags if tag == "rect" and len(given) == 5]
    legend = 6
    assert kinds[legend:] == ["c10", "c10", "c5", "c2", "c4", "left", "c0", "left"]
    assert f"Bo, a.1: 5 of 10. {SIGN}" in page.text


def test_the_alt_text_says_what_the_picture_shows():
    labels = [given["aria-label"] for tag, given in Page(as_html(CLASS)).tags if tag == "svg"]
    assert labels[1] == ("Heat map of 4 students by 2 exercises, brighter for more points. 25% of the answers have all "
                         "points, 25% were left as stubs or not handed in. The fewest points are in a.2: 3.0 of 10 in "
                         "the mean.")


def test_students_with_most_points_come_first_in_pieces_that_a_window_has_place_for():
    html = as_html(crowd(200))
    assert html.count("<svg") == 1 + 200 / ROWS
    names = re.findall(r'class="who"[^>]*>(Student \d+)<', html)
    assert len(set(names)) == 200
    points = {student.student: student.points for student in crowd(200)}
    assert [points[name] for name in names] == sorted(points.values(), reverse=True)


def test_only_all_points_look_like_all_points():
    assert step(right("a.1")) == STEPS
    assert step(wrong("a.1", 9.99)) == STEPS - 1
    assert step(wrong("a.1", 0.0)) == 0
    assert [short_number(x) for x in (14.96, 15.0, 0.3, 8.7, 0.04)] == ["14.9", "15", "0.3", "8.7", "0"]


def test_a_name_is_cut_to_what_there_is_place_for():
    assert short("Ana") == "Ana"
    for name in ("x" * 300, "王" * 300, "e\u0301" * 300):
        assert short(name).endswith("…")
        assert width(short(name)) in (25, 26)


def test_points_can_be_read_on_every_colour():
    """The contrast of WCAG 2: 4.5 for text of this size."""
    def light(colour):
        parts = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for at, colour in enumerate(COLOURS):
        page = as_html([Marked("Ana", [wrong("a.1", float(at), most=float(STEPS))])])
        ink = 0.0 if 'class="n dark"' in page else 1.0
        pair = sorted([light(colour), ink])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, colour


def test_what_is_left_is_told_from_what_does_not_run():
    assert is_left(stub("a.1"))
    assert is_left(Result("a.1", 0.0, 10.0, {}, f"{MISSING}f", ""))
    assert not is_left(Result("a.1", 0.0, 10.0, {}, f"{MISSING}f{BROKEN}a.py: line 3)", ""))
    assert not is_left(wrong("a.1", 0.0))


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "class.html"
    path.write_text("as it was")

    def full(*names):
        raise OSError("no space left on device")

    monkeypatch.setattr(command.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        command._replace(path, as_html(CLASS))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("class.html", "as it was")]


@pytest.mark.slow
def test_the_report_of_a_class_that_was_marked(tmp_path, capsys):
    folder = tmp_path / "class"
    folder.mkdir()
    for name, text in {"ana": RIGHT, "bo": UNSCALED, "<b>cy": UNSCALED, "fay": "import nothing\n" + RIGHT,
                       "eve": "def min_p(probabilities, min_p):\n    ...\n"}.items():
        (folder / f"{name}.py").write_text(text)
    assert grade(folder, "--exercises", "first_model.3", "--report", tmp_path / "class.html") == 0
    page = Page((tmp_path / "class.html").read_text())
    assert page.rows[1][2:4] == ["20%", "1"]
    assert page.rows[1][4] == "2 × what is kept does not sum to 1: divide it by its sum"
    assert page.rows[1][5] == "1 × wrong in a way that has no name"
    assert page.bad == []
    assert grade(folder, "--exercises", "first_model.3", "--report", tmp_path / "no" / "class.html") == 2
    assert "there is no such folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def browser():
    needed("playwright")
    from playwright.sync_api import sync_playwright
    if not CHROMIUM.exists():
        needed("chromium")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


OUTSIDE = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const edge = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text, rect')].filter(part => {
    const box = part.getBoundingClientRect();
    return box.left < edge.left - 1 || box.right > edge.right + 1 ||
      box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
  }).map(part => part.textContent)})"""
OVER = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const start = svg.querySelector('rect').getBoundingClientRect().left;
  return [...svg.querySelectorAll('.who')].filter(part => part.getBoundingClientRect().right > start).map(
    part => part.textContent)})"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("n", "exercises"), [(1, 1), (3, 3), (40, 12), (200, 55)])
def test_in_a_browser_nothing_of_the_picture_is_cut_off(browser, tmp_path, n, exercises, scheme):
    marked = crowd(n, exercises)
    marked[0].student = HOSTILE[0] * 3
    (tmp_path / "class.html").write_text(as_html(marked))
    page, asked = browser.new_page(viewport={"width": 1250, "height": 900}, color_scheme=scheme), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{tmp_path}/class.html")
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(OVER) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1250
    assert asked == [f"file://{tmp_path}/class.html"]
    page.close()
