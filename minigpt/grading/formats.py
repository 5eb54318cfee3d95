"""What was marked, as text for a terminal, CSV, JUnit XML, and Gradescope's results.json.

CSV: one row for each student and exercise, RFC 4180. JUnit XML: as junit-10.xsd of the Jenkins plugin xunit wants it,
one testsuite for each student, one testcase for each exercise. results.json: as Gradescope's autograder
specification has it, one test for each exercise; what hidden tests say is shown to instructors only.
"""
import csv
import io
import json
import re
from xml.etree import ElementTree

from minigpt.grading.rubric import HIDDEN

COLUMNS = ("student", "exercise", "points", "most", "checks_passed", "checks", "says", "likely_mistake")
# XML 1.0 has no place for these, or they turn the direction of the text that follows
UNPRINTABLE = re.compile(r"[^\t\n -~\u00a0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LONGEST = 400           # characters of a sentence


def clean(text):
    """A text that may come from a student, fit to be shown: without control characters, and not too long."""
    text = UNPRINTABLE.sub("?", " ".join(str(text).split()))
    return text if len(text) <= LONGEST else text[:LONGEST - 3] + "..."


def table(marked):
    """Lines for a terminal: of one student each exercise, of a class each student."""
    lines = []
    for student in marked:
        lines += [f"{clean(student.student)}: {student.points:g} of {student.most:g} points"]
        lines += [f"  {clean(note)}" for note in student.notes]
        if len(marked) == 1:
            for result in student.results:
                lines += _lines_of(result)
    if len(marked) > 1:
        lines += ["", *_averages(marked)]
    return "\n".join(lines)


def _lines_of(result):
    passed, n = counts(result)
    checks = f"{passed} of {n} checks hold" if n else ""
    lines = [f"  {result.exercise:<20}{result.points:>6g} of {result.most:<4g}{checks}".rstrip()]
    lines += [f"      {clean(result.says)}"] if result.says else []
    lines += [f"      It answers like this mistake: {clean(result.likely)}."] if result.likely else []
    return lines


def _averages(marked):
    yield f"{'exercise':<20}{'students':>9}{'mean':>7}"
    for at, result in enumerate(marked[0].results):
        points = [student.results[at].points for student in marked]
        yield f"{result.exercise:<20}{len(points):>9}{sum(points) / len(points):>7.1f} of {result.most:g}"


def counts(result):
    """(passed, all) of the checks of a result."""
    return tuple(sum(pair[i] for pair in result.checks.values()) for i in (0, 1))


def as_csv(marked):
    """CSV with a header. A field that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for student in marked:
        for result in student.results:
            row = [student.student, result.exercise, result.points, result.most, *counts(result), result.says,
                   result.likely]
            writer.writerow([_harmless(clean(field)) if isinstance(field, str) else field for field in row])
    return out.getvalue()


def _harmless(field):
    return "'" + field if field[:1] in ("=", "+", "-", "@") else field


def as_junit(marked):
    """JUnit XML. An exercise fails unless it has all its points; what is not marked here is skipped."""
    root, all_failed, all_tests = ElementTree.Element("testsuites", name="minigpt grade"), 0, 0
    for student in marked:
        failed = sum(result.points < result.most for result in student.results)
        skipped = sum(result.most == 0 for result in student.results)
        suite = ElementTree.SubElement(
            root, "testsuite", name=clean(student.student), tests=str(len(student.results)), failures=str(failed),
            errors="0", skipped=str(skipped), time=f"{student.seconds:.3f}")
        for result in student.results:
            _case(suite, student, result)
        if student.notes:
            ElementTree.SubElement(suite, "system-out").text = "\n".join(map(clean, student.notes))
        all_failed, all_tests = all_failed + failed, all_tests + len(student.results)
    root.attrib |= {"tests": str(all_tests), "failures": str(all_failed), "errors": "0"}
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite, student, result):
    case = ElementTree.SubElement(suite, "testcase", name=result.exercise, classname=clean(student.student))
    if result.most == 0:
        ElementTree.SubElement(case, "skipped", message=clean(result.says))
    elif result.points < result.most:
        said = f"{result.points:g} of {result.most:g} points"
        failure = ElementTree.SubElement(case, "failure", type="points",
                                         message=clean(f"{said}. {_to_students(result)}".rstrip()))
        failure.text = "\n".join(["", *_checks(result.checks, HIDDEN)])


def as_gradescope(marked):
    """results.json for one student."""
    student, = marked
    tests = []
    for result in student.results:
        if result.most == 0:
            continue
        hidden = {name: pair for name, pair in result.checks.items() if name.startswith(HIDDEN)}
        said = [clean(_to_students(result))] if _to_students(result) else []
        said += [f"It answers like this mistake: {clean(result.likely)}."] if result.likely else []
        tests.append({"name": result.exercise, "score": result.points, "max_score": result.most,
                      "status": "passed" if result.points == result.most else "failed",
                      "output": "\n".join([*said, *_checks(result.checks, HIDDEN)]), "visibility": "visible"})
        if hidden:
            held = all(passed == n for passed, n in hidden.values())
            tests.append({"name": f"{result.exercise}, hidden tests", "score": 0, "max_score": 0,
                          "status": "passed" if held else "failed",     # 0 of 0 points would count as passed
                          "output": "\n".join(_checks(hidden)), "visibility": "hidden"})
    return json.dumps({"score": student.points, "execution_time": round(student.seconds), "tests": tests,
                       "output": "\n".join(map(clean, student.notes)), "output_format": "text",    # else it is HTML
                       "stdout_visibility": "hidden", "visibility": "visible"}, indent=1, ensure_ascii=False) + "\n"


def _to_students(result):
    """The reason, unless a hidden test gives it."""
    return "" if HIDDEN in result.says.lower() else result.says


def _checks(checks, without=None):
    """A line for each property, those of hidden tests left out."""
    for name, (passed, n) in checks.items():
        if without is None or not name.startswith(without):
            count = "" if n == 1 else f" ({passed} of {n} cases)"
            yield f"{'✓' if passed == n else '✗'} {name}{count}"
