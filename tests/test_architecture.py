"""The house: which room may import what, and that the three code rooms never import each other."""
import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
STANDARD = set(sys.stdlib_module_names)
REFERENCE = sorted((ROOT / "minigpt/reference").glob("[a-z]*.py"))
TORCH = [ROOT / "minigpt" / path.name for path in REFERENCE if (ROOT / "minigpt" / path.name).exists()]
TILED = sorted((ROOT / "minigpt/reference/tiled").glob("[a-z]*.py"))
KERNELS = sorted((ROOT / "kernels").glob("[a-z]*.py"))
PROGRAMS = {"sanitize": {"numpy"}, "report": {"tqdm"}, "benchmark": {"tqdm", "matplotlib", "numpy"}}  # no kernels


def imports(path):
    """Every module that a file imports, by its full name, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def strangers(path, allowed):
    return [name for name in imports(path) if name.split(".")[0] not in STANDARD
            and not any(name == a or name.startswith(a + ".") for a in allowed)]


@pytest.mark.parametrize("path", [*REFERENCE, *TILED], ids=lambda p: f"{p.parent.stem}-{p.stem}")
def test_a_numpy_room_imports_numpy_and_other_numpy_rooms_only(path):
    assert strangers(path, {"numpy", "regex", "minigpt.config", "minigpt.reference"}) == []


@pytest.mark.parametrize("path", TORCH, ids=lambda p: p.stem)
def test_a_torch_room_imports_torch_and_torch_rooms_but_neither_numpy_nor_the_other_rooms(path):
    assert strangers(path, {"torch", "regex", "minigpt"}) == []
    assert [name for name in imports(path) if name.startswith(("minigpt.reference", "minigpt.commands",
                                                               "minigpt.grading", "minigpt.data"))] == []


@pytest.mark.parametrize("path", KERNELS, ids=lambda p: p.stem)
def test_a_kernel_imports_torch_and_triton_only(path):
    assert strangers(path, {"torch", "triton", "kernels", *PROGRAMS.get(path.stem, ())}) == []


def test_every_tiled_version_has_its_kernel():
    assert [path.name for path in TILED if not (ROOT / "kernels" / path.name).exists()] == []


def test_every_numpy_room_has_its_torch_twin():
    assert [path.name for path in REFERENCE if not (ROOT / "minigpt" / path.name).exists()] == []


def test_every_twin_has_a_contract_and_a_bank_of_mistakes():
    for room in TORCH:
        assert (ROOT / "tests" / f"test_{room.name}").exists(), room.name
        assert (ROOT / "tests/mistakes" / room.name).exists(), room.name


def test_kernels_init_imports_nothing():
    assert list(imports(ROOT / "kernels/__init__.py")) == []


def test_nothing_is_pickled_or_evaluated():
    for path in [*ROOT.glob("minigpt/**/*.py"), *ROOT.glob("kernels/*.py")]:
        assert not {"pickle", "shelve", "marshal"} & set(imports(path)), path
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not {"eval", "exec"} & {node.id for node in nodes if isinstance(node, ast.Name)}, path
