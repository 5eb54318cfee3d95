"""Outputs of an executed notebook: without progress bars, addresses and paths of the machine that ran it."""
import re
import sys
import tempfile
from pathlib import Path

KILOBYTES = 1024                                       # a notebook, at most
WIDGET = "application/vnd.jupyter.widget-view+json"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")        # colours and cursor movements of terminals


def tidy(outputs, folder, root):
    """The outputs of a cell: each stream once, progress bars collapsed, nothing that names the machine.

    folder: where the lesson ran; root: the repository.
    """
    kept, streams = [], {}
    for output in outputs:
        if output.output_type == "stream":
            if output.name in streams:
                streams[output.name].text += output.text
                continue
            streams[output.name] = output
        if WIDGET not in output.get("data", {}):       # a bar drawn by a widget is empty in a saved notebook
            kept.append(output)
    for output in streams.values():
        output.text = collapsed(output.text)
    names = _names(folder, root)
    return [_without(output, names) for output in kept if output.output_type != "stream" or output.text]


def collapsed(text):
    """What a terminal would show in the end: after a carriage return, a line is written anew."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in ESCAPES.sub("", text).split("\n")]
    rewritten = ["\r" in line for line in text.split("\n")]
    return "\n".join(line for line, again in zip(lines, rewritten, strict=True) if line or not again)


def faults(notebook, text):
    """What must not be in a notebook for readers, one line each. text: the notebook as it is in its file."""
    found = []
    if (size := len(text.encode()) / 1024) > KILOBYTES:
        found.append(f"has {size:.0f} KB, the budget is {KILOBYTES} KB")
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        where = f"cell {cell.source.splitlines()[0]!r}" if cell.source.strip() else "an empty cell"
        if cell.source.strip() and cell.execution_count is None:
            found.append(f"{where} was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{where} ended in {output.ename}: {output.evalue}")
            elif "image/png" in output.get("data", {}) and not output.metadata.get("image/png", {}).get("alt"):
                found.append(f"{where} shows a picture without alt text; use minigpt.pictures.show(fig, alt=...)")
    return found


def _names(folder, root):
    """What to replace by what, the longer paths first."""
    paths = {f"{folder}/lesson": ".", f"{folder}/temporary": "temporary", str(folder): ".", sys.prefix: "python",
             tempfile.gettempdir(): "temporary", str(Path.home()): "~"}
    pairs = [(path, short) for path, short in paths.items() if len(path) > 1]
    return [(f"{root}/", ""), (str(root), "."), *sorted(pairs, key=lambda pair: -len(pair[0]))]


def _without(value, names):
    """The same nested value with every string cleaned, pictures left alone."""
    if isinstance(value, dict):
        return type(value)({key: item if key == "image/png" and isinstance(item, str) else _without(item, names)
                            for key, item in value.items()})
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"\S*ipykernel_\d+/\d+\.py", "cell", value)
    for path, short in names:
        value = value.replace(path, short)
    return re.sub(r" at 0x[0-9a-f]{6,}", "", value)
