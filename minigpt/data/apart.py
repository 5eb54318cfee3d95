"""Text to pre-train on before the task `docstrings`: what the task holds out is not in it."""
import re

from minigpt.data.cleaning import clean_text
from minigpt.data.embedded import python_docs
from minigpt.data.labelled import same_words
from minigpt.data.task_readers import BLANK
from minigpt.data.tasks import load_task


def docs_apart() -> list[str]:
    """python_docs without every docstring that says the same as a text of the task's validation or test part.

    Compared as the task compares its texts: with the names of its modules blanked out, and without case and signs.
    """
    task = load_task("docstrings")
    names = re.compile("|".join(task.labels), re.IGNORECASE)
    held_out = {same_words(example.text) for example in [*task.validation, *task.test]}
    return python_docs(keep=lambda text: same_words(names.sub(BLANK, clean_text(text).strip())) not in held_out)
