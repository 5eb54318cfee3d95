"""The pages around the code: their links lead somewhere, and the files that they name are there."""
import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / ".github").rglob("*.md")), *sorted((ROOT / "lessons/zh").glob("*.md")),
         ROOT / "lessons/instructor/README.md"]
NAMED = re.compile(r"(?<![\w/.])((?:minigpt|kernels|tests|lessons)/\w+(?:/\w+)*\.(?:py|toml|json|md)"
                   r"|(?:(?<=`)|(?<=\n))make [a-z-]+)")


def anchors(page):
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    for target, _, anchor in re.findall(r"\]\(([^)#\s]*)(#?)([^)\s]*)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_and_make_target_that_is_named_is_there(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for name in NAMED.findall(page.read_text(encoding="utf-8").replace("/X", "/softmax").replace("_X", "_softmax")):
        if name.startswith("make "):
            assert name.removeprefix("make ") in targets, name
        elif not re.search(r"concept|NN_name", name):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_the_workflows_run_the_gate_on_a_supported_python(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    [job] = jobs.values()
    assert any(step.get("run") == "bash .ci/run" for step in job["steps"])
    [setup] = [step for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert setup["with"]["python-version"] in ("3.11", "${{ matrix.python-version }}")
