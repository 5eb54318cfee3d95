"""Links of a release: none leads to what was left out."""
import posixpath
import re

LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s#:]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`(?!\])", re.MULTILINE | re.DOTALL)    # what looks like a link there is none


def mend_links(folder):
    """Mend the Markdown files of a release."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for file in (file for file in there if file.endswith(".md")):
        path = folder / file
        path.write_text(without_dead_links(path.read_text(encoding="utf-8"), file, there), encoding="utf-8")


def without_dead_links(text, file, there):
    """A Markdown text whose links lead to what is there.

    A row of a table that has another link goes, and of a sentence with one the words stay. file: its path in the
    release. there: all paths of files in it.
    """
    if not (dead := dead_links(text, file, there)):
        return text
    lines = [line for line in text.split("\n") if not (line.startswith("|") and dead & _links(line))]
    return LINK.sub(lambda m: m[1] if m[2] in dead else m[0], "\n".join(lines))


def dead_links(text, file, there):
    """The relative links in a text whose file or folder is not there: a set."""
    known = {"."} | set(there)
    for path in there:
        while path := posixpath.dirname(path):
            known.add(path)
    return {link for link in _links(CODE.sub("", text))
            if posixpath.normpath(posixpath.join(posixpath.dirname(file), link)) not in known}


def _links(text):
    return {m[2] for m in LINK.finditer(text)}
