"""Runs every contract over every implementation: `op` is one of them.

Kernels are interpreted, also where there is a GPU: `TRITON_INTERPRET=0 python -m pytest -m gpu` runs what is for one.
"""
import os
import pathlib
import re

os.environ.setdefault("TRITON_INTERPRET", "1")          # before triton is imported

import hypothesis
import pytest
import torch

import minigpt.grading.contract  # noqa: F401  registers the profile
from kernels._backend import INTERPRETED
from minigpt.errors import InputError
from minigpt.grading.op import implementations
from minigpt.mine import load_mine, mine_op

hypothesis.settings.load_profile("minigpt")             # registered beside the runner of contracts


# minutes of interpreting and compiling: the kernels' own contracts, their wrong versions, and theirs in the others
OF_KERNELS = re.compile(r"test_(\w+_kernel\w*|kernel_(report|bench)\w*|\w+_traffic|machine_code)\.py|\[\w+_kernel[-\]]|"
                        r"test_(?!softmax|rms_norm)\w+\.py::.*\[triton")


def pytest_addoption(parser):
    parser.addoption("--mine", nargs="?", const="my", metavar="FILE",
                     help="run the contracts over your own functions, in FILE or in the folder my/")


def pytest_configure(config):
    if config.getoption("--mine"):
        try:
            config.mine = load_mine(pathlib.Path(config.getoption("--mine")))
        except InputError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc):
    if "op" not in metafunc.fixturenames:
        return
    concept = getattr(metafunc.module, "CONCEPT", metafunc.module.__name__.removeprefix("test_"))
    mine = getattr(metafunc.config, "mine", None)
    ops = implementations(concept) if mine is None else [mine_op(mine, concept)]
    metafunc.parametrize("op", [op for op in ops if op], ids=lambda op: op.name)


def pytest_collection_modifyitems(config, items):
    if getattr(config, "mine", None) is not None:      # then nothing but the contracts of the student's functions
        chosen = [item for item in items if "op" in getattr(getattr(item, "callspec", None), "params", {})]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    for item in items:
        if OF_KERNELS.search(item.nodeid):
            item.add_marker(pytest.mark.slow)
    if INTERPRETED or not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a GPU: TRITON_INTERPRET=0 python -m pytest -m gpu"))


@pytest.fixture(autouse=True)
def _one_log_a_test(request):
    if "op" in request.fixturenames:
        request.getfixturevalue("op").log.clear()


@pytest.fixture
def require_data():
    """Skip when a corpus cannot be fetched, unless MINIGPT_REQUIRE_DATA=1 makes that a failure."""
    def give_up(error):
        if os.environ.get("MINIGPT_REQUIRE_DATA") == "1":
            raise error
        pytest.skip(str(error))
    return give_up
