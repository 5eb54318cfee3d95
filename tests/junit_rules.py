"""What is wrong with a JUnit XML file: the documented rules, as a table, and what the numbers must add up to.

Source of the rules: junit-10.xsd of Jenkins' plugin xunit (github.com/jenkinsci/xunit-plugin, in src/main/resources/
org/jenkinsci/plugins/xunit/types/model/xsd/, read in November 2026). They are told here in our own words. Where the
schema takes any text for a number, this wants a number that is right; and of times it wants the usual form.
"""
import re
from collections import namedtuple
from xml.etree import ElementTree

Rule = namedtuple("Rule", "required optional children text")     # children: names, in any order and number

REASON = Rule((), ("type", "message"), (), True)
AGAIN = Rule(("type",), ("message",), ("stackTrace", "system-out", "system-err"), True)       # each once, in this order
TEXT = Rule((), (), (), True)
RULES = {
    "testsuites": Rule((), ("name", "time", "tests", "failures", "errors"), ("testsuite",), False),
    "testsuite": Rule(("name", "tests", "failures", "errors"),
                      ("group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"),
                      ("testsuite", "properties", "testcase", "system-out", "system-err"), False),
    "testcase": Rule(("name",), ("time", "classname", "group"),
                     ("skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError",
                      "system-out", "system-err"), False),
    "failure": REASON, "error": REASON, "skipped": REASON,
    "rerunFailure": AGAIN, "rerunError": AGAIN, "flakyFailure": AGAIN, "flakyError": AGAIN,
    "properties": Rule((), (), ("property",), False),
    "property": Rule(("name", "value"), (), (), False),
    "system-out": TEXT, "system-err": TEXT, "stackTrace": TEXT}
COUNTS = ("tests", "failures", "errors", "skipped")
TIME = re.compile(r"(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?")


def faults(text):
    """A list of sentences, empty if nothing is wrong."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"no XML: {error}"]
    if root.tag not in ("testsuites", "testsuite"):
        return [f"the root is <{root.tag}>, not <testsuites> or <testsuite>"]
    return [*_of(root), *_in_numbers(root)]


def _of(element):
    """What is wrong with an element by itself, and with what is in it."""
    rule = RULES[element.tag]
    for name in rule.required:
        if name not in element.attrib:
            yield f"<{element.tag}> has no {name}"
    for name, value in element.attrib.items():
        if name not in rule.required + rule.optional:
            yield f"<{element.tag}> may have no {name}"
        if name in COUNTS and not re.fullmatch("[0-9]+", value):
            yield f"{name} of <{element.tag}> is {value!r}, which is no count"
        if name == "time" and not TIME.fullmatch(value):
            yield f"time of <{element.tag}> is {value!r}, which is no number of seconds"
    words = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    if words and not rule.text:
        yield f"<{element.tag}> may have no text, and has {words[:40]!r}"
    for child in element:
        if child.tag in rule.children:
            yield from _of(child)
        else:
            yield f"<{element.tag}> may hold no <{child.tag}>"
    tags = [child.tag for child in element]
    if rule is AGAIN and tags != [tag for tag in rule.children if tag in tags]:
        yield f"<{element.tag}> holds {tags}, which is not the order, or one twice"


def _in_numbers(element):
    """Counts that do not fit what is there. A suite counts the test cases of the suites in it too."""
    if element.tag not in ("testsuites", "testsuite"):
        return
    cases = list(element.iter("testcase"))
    there = {"tests": len(cases)} | {count: sum(case.find(kind) is not None for case in cases) for count, kind in
                                     (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))}
    for name, n in there.items():
        if element.get(name, str(n)) != str(n):
            yield f"{name} of <{element.tag}> is {element.get(name)}, and there are {n}"
    for child in element:
        yield from _in_numbers(child)
