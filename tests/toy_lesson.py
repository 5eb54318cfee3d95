"""A repository of one small lesson and one function, for the tests of what builds lessons."""
import shutil

import nbformat
import pytest

from lessons import build
from minigpt import listing

ROOT = build.ROOT
FIELDS = """\
---
title: A toy
question: How much is a half and a half?
prerequisites:
able_to:
  - add
student_minutes: 5
---
"""
LESSON = FIELDS + """\
Words first.

<!-- code: minigpt.toy.half -->

```python tags=["exercise"]
def mine(x):
    ...
```

```python tags=["folded"]
import os, sys
from tqdm import tqdm
open("left_here.txt", "w").close()
for _ in tqdm(range(50), mininterval=0):
    pass
print(os.getcwd(), sys.prefix, object())
```

```python
from minigpt.pictures import bars, show
show(bars(["a"], [1.0]), alt="One bar.")
0.5 + 0.5 or source("minigpt.toy.OTHER")
```
"""
TOY = "OTHER = 1\n\n\ndef half(x):\n    return x / 2\n"


def repository(folder, patch):
    """Let this folder stand in for our repository; kernels still import our package."""
    patch.setattr(build, "ROOT", folder)
    patch.setattr(listing, "ROOT", folder)
    patch.setenv("PYTHONPATH", str(ROOT))
    return folder


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """A repository of one lesson and one function, after a build."""
    folder = tmp_path_factory.mktemp("repository")
    for path, text in (("minigpt/toy.py", TOY), ("lessons/01_toy.md", LESSON)):
        (folder / path).parent.mkdir()
        (folder / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        repository(folder, patch)
        assert build.main([]) == 0
    return folder


@pytest.fixture
def root(executed, tmp_path, monkeypatch):
    """A copy of that repository, to change at will."""
    return repository(shutil.copytree(executed, tmp_path / "copy"), monkeypatch)


@pytest.fixture
def notebook(executed):
    """Its notebook."""
    return nbformat.read(executed / "notebooks/01_toy.ipynb", 4)


@pytest.fixture
def change():
    """A function that replaces a part of a file, which has to be there."""
    return _change


def _change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
