"""What kernels become when they are compiled for real GPUs: held to what each promises, and to what all must keep."""
import ast
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton has no build for this system")

from kernels import report
from kernels._program import Refused, modules
from kernels.gpus import GPUS

ROOT = pathlib.Path(__file__).parents[1]
SHIPPED = [(name, entry) for name in modules("shipped") for entry in report.forms(name)]
FIRST = [(name, entry) for name in modules("shipped") for entry in report.forms(name, first=True)]
FORMS = [pytest.param(name, entry.kernel.__name__, entry.name, arch, id=f"{name}-{entry.kernel.__name__}-"
                      f"{entry.name.replace(' ', '')}-{arch}",
                      marks=[] if (name, entry) in FIRST else pytest.mark.slow)
         for name, entry in SHIPPED for arch in report.ARCHITECTURES]


def key(row):
    return tuple(row[name] for name in ("module", "kernel", "name", "arch"))


def run(*command, **environment):
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=os.environ | environment, capture_output=True,
                          text=True, timeout=300)


@pytest.fixture(scope="module")
def rows():
    """{key: row} of the first form of every kernel, compiled once for all tests."""
    return {key(row): row for row in report.rows(first=True)}


@pytest.fixture(scope="module")
def all_rows():
    """{key: row} of every form."""
    return {key(row): row for row in report.rows()}


@pytest.fixture(scope="module")
def planted():
    """{(kernel, name): row} of tests/planted_kernels.py on sm_80."""
    done = run("-c", "import json, sys; sys.path.insert(0, 'tests'); import planted_kernels, kernels.report as report; "
               "print(json.dumps([report.row('planted', entry, 'sm_80') for entry in planted_kernels.shipped()]))",
               TRITON_INTERPRET="0")
    assert done.returncode == 0, done.stderr
    return {(row["kernel"], row["name"]): row for row in json.loads(done.stdout)}


@pytest.mark.parametrize(("module", "kernel", "name", "arch"), FORMS)
def test_a_shipped_form_keeps_what_it_promises(request, module, kernel, name, arch):
    rows = request.getfixturevalue("all_rows" if request.node.get_closest_marker("slow") else "rows")
    assert report.broken(rows[module, kernel, name, arch]) == []


def keys(forms):
    return [(name, entry.kernel.__name__, entry.name, arch) for name, entry in forms for arch in report.ARCHITECTURES]


def test_no_two_forms_have_one_name():
    assert len(set(keys(SHIPPED))) == len(keys(SHIPPED))


def test_the_report_has_one_row_for_each_form_and_architecture(rows):
    assert list(rows) == keys(FIRST)


@pytest.mark.slow
def test_the_whole_report_has_one_row_for_each_form_and_architecture(all_rows):
    assert list(all_rows) == keys(SHIPPED)


def is_jitted(node):
    return isinstance(node, ast.FunctionDef) and any("triton.jit" in ast.unparse(d) for d in node.decorator_list)


def jitted():
    """(module, name) of every jitted function that no other one of its package calls, so that launches do."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "kernels").glob("[a-z]*.py")}
    inner = {call.func.id for tree in trees.values() for node in tree.body if is_jitted(node)
             for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
    return [(stem, node.name) for stem, tree in trees.items() for node in tree.body
            if is_jitted(node) and node.name not in inner]


@pytest.mark.parametrize(("module", "kernel"), [pytest.param(*pair, id="-".join(pair)) for pair in jitted()])
def test_every_kernel_is_shipped_and_so_compiled(module, kernel):
    assert kernel in {entry.kernel.__name__ for name, entry in SHIPPED if name == module}


def test_every_shipped_form_states_each_promise():
    for name, entry in SHIPPED:
        assert set(entry.promise) == {"matrix", "copies", "vectors", "blocks"}, (name, entry.name)


def test_good_kernels_break_nothing(planted):
    assert report.broken(planted["product_kernel", "good"]) == report.broken(planted["copy_kernel", "good"]) == []


@pytest.mark.parametrize(("kernel", "name", "sentence"), [
    ("product_kernel", "accumulators that do not fit", "bytes a thread are spilled"),
    ("product_kernel", "accumulators that do not fit", "instructions reach local memory"),
    ("product_kernel", "stages that do not fit", "bytes of shared memory are more than the 166912 of sm_80"),
    ("copy_kernel", "ragged rows", "no load has 128 bits"),
    ("copy_kernel", "no matrix products", "there is no matrix instruction"),
    ("copy_kernel", "no copies", "no load is an asynchronous copy"),
    ("copy_kernel", "too many blocks", "16 blocks run at once, not 33"),
    ("copy_kernel", "a typing error", "it does not compile: ValueError: copy_kernel has no argument 'M'"),
])
def test_a_planted_kernel_that_breaks_a_promise_is_seen(planted, kernel, name, sentence):
    assert any(sentence in complaint for complaint in report.broken(planted[kernel, name]))


def test_matrix_instructions_that_were_not_promised_are_seen(planted):
    row = planted["product_kernel", "good"]
    assert report.broken(row | {"promise": row["promise"] | {"matrix": False}}) == ["there are matrix instructions"]


def test_a_stack_is_seen_also_where_nothing_is_spilled(planted):
    assert report.broken(planted["copy_kernel", "good"] | {"stack_bytes": 8}) == ["a thread has 8 bytes of stack"]


def test_the_table_fits_120_columns_and_shows_each_row(rows, planted):
    found = [*rows.values(), *planted.values()]
    lines = report.table(found).splitlines()
    assert max(map(len, lines)) <= 120
    shown = [cells for line in lines if (cells := line.split()) and cells[0] in GPUS and cells[2:4] != ["GB/s"]]
    assert [int(cells[1]) for cells in shown] == [row["registers"] for row in found if not row["error"]]
    assert sum("BROKEN" in line for line in lines) == sum(len(report.broken(row)) for row in found)


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20, "1 MiB"),
                                            (5 * 2**29, "2.5 GiB")])
def test_bytes_have_the_unit_that_suits(size, text):
    assert report.size(size) == text


@pytest.mark.parametrize(("arguments", "line"), [
    (["sofmax"], "no module with kernels to ship 'sofmax'; did you mean softmax"),
    (["softmax", "--arch", "sm_91"], "no architecture 'sm_91'; did you mean sm_9"),
    (["--spill"], "unrecognized arguments: --spill; python -m kernels.report --help shows all"),
])
def test_bad_input_is_one_line_and_status_2(arguments, line):
    done = run("-m", "kernels.report", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert line in done.stderr


def test_a_name_that_rows_does_not_know_is_a_value_error():
    with pytest.raises(ValueError, match="did you mean softmax"):
        report.rows(["sofmax"])


def test_without_triton_there_is_one_line_and_status_2():
    done = run("-c", "import runpy, sys; sys.modules['triton'] = None; sys.argv = ['report', 'softmax']; "
               "runpy.run_module('kernels.report', run_name='__main__')")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kernels.report: Triton is not installed (it runs on Linux); pip install triton\n"


def test_help_shows_examples():
    done = run("-m", "kernels.report", "--help")
    assert done.returncode == 0
    assert all(example in done.stdout for example in report.EXAMPLES)


def test_importing_the_report_does_not_touch_the_environment():
    done = run("-c", "import os; before = dict(os.environ); import kernels.report; assert dict(os.environ) == before")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("row", "status"), [({"error": None}, 0), ({"error": "no"}, 1)])
def test_a_broken_promise_is_status_1(monkeypatch, capsys, row, status):
    monkeypatch.setattr(report, "compile_all", lambda names, arches, first: [row])
    monkeypatch.setattr(report, "broken", lambda row: [row["error"]] if row["error"] else [])
    assert report.main(["--json"]) == status
    assert json.loads(capsys.readouterr().out) == [row]


def test_a_name_given_twice_is_compiled_once(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(report, "compile_all", lambda names, arches, first: seen.extend([names, arches, first]) or [])
    report.main(["softmax", "softmax", "--arch", "sm_86", "--json"])
    assert seen == [["softmax"], ["sm_86"], False]


def test_main_raises_refused_for_what_it_cannot_do():
    with pytest.raises(Refused):
        report.main(["--arch"])
