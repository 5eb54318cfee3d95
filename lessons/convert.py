"""A lesson's Markdown: the code that it draws from the package, its cells, its first cell."""
import hashlib
import os
import re

import jupytext

from minigpt.claims import claim
from minigpt.listing import code_of, kernel_versions, suggest, versions
from minigpt.triton_cells import MARK

FIELDS = ("title", "question", "prerequisites", "able_to", "student_minutes")
TAGS = {"exercise", "folded", "slow"}
PYTHON = "---\njupyter:\n  jupytext:\n    main_language: python\n---\n"     # or else the most frequent one
MARKER = re.compile(r"<!-- code: (\S+) -->\n(?:```python \.noeval\n.*?\n```\n)?", re.DOTALL)
DRAWING = re.compile(r"\b(side_by_side|source|claim)\(\s*[\"']([\w.]+)[\"']([^)]*)")


def refreshed(text):
    """The lesson with its code blocks as the package has them now."""
    def block(match):
        code = code_of(match[1])
        if "```" in code:
            raise ValueError(f"{match[1]} contains ```, which would end its code block")
        return f"<!-- code: {match[1]} -->\n```python .noeval\n{code}\n```\n"

    return MARKER.sub(block, text)


def fingerprint(text):
    """A hash of the lesson and of all that it draws from the package: code, and claims."""
    names, claims = set(MARKER.findall(text)), set()
    for function, name, options in DRAWING.findall(text):
        if function == "claim":
            claims.add(str(claim(name)))
        elif function == "source":
            names.add(name)
        elif "kernel" in options:
            names.update(n for left, rights in kernel_versions(name) for n in (left, *rights))
        else:
            names.update(n for pair in versions(name) for n in pair if n)
    parts = [text, *(f"{name}\n{code_of(name)}" for name in sorted(names)), *sorted(claims)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def converted(body):
    """The cells of a lesson, not yet executed. Raises ValueError for a cell that is no Python, or a strange tag."""
    notebook = jupytext.reads(PYTHON + body, "md")
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if unknown := set(tags) - TAGS:
            raise ValueError(f"no tag {min(unknown)!r}; {suggest(min(unknown), TAGS)}")
        if cell.source.startswith("%%") and cell.source.split()[0] != MARK:
            raise ValueError(f"a {cell.source.split()[0][2:]} block would be executed; write ```text instead")
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("```python .noeval\n", "```python\n")      # now nothing could run it
        cell.metadata = {"tags": tags} if tags else {}
        if "folded" in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def header(fields, seconds):
    """The first cell. Raises ValueError for a field that is missing."""
    if missing := [field for field in FIELDS if field not in fields]:
        raise ValueError(f"the fields on top lack {', '.join(missing)}")
    title, question, before, able_to, minutes = (fields[field] for field in FIELDS)
    goals = "\n".join(f"- {goal}" for goal in able_to)
    return (f"# {title}\n\n**{question}**\n\nBefore this: {', '.join(before) or 'nothing'}. Afterwards you can\n\n"
            f"{goals}\n\nTime: about {minutes} minutes for you; {-(-seconds // 5) * 5:.0f} s for the computer that "
            f"made this page ({os.cpu_count()} CPU cores).")


def number(cells, name):
    """Give each cell an id that depends on the lesson and its place only."""
    for at, cell in enumerate(cells):
        cell["id"] = f"{name}-{at}"
