"""What the benchmark measures: every function of every case runs here, on small problems, and they agree."""
import pathlib

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

pytest.importorskip("triton", reason="Triton has no build for this system")

from kernels import _backend, benchmark_cases
from kernels.benchmark import prepared
from kernels.benchmark_cases import BOTH, FORWARD, FUSED, SPELLED_OUT, cases, known

ROOT = pathlib.Path(__file__).parents[1]
DEVICE = "cpu" if _backend.INTERPRETED else "cuda"
SMALL = cases(known(), small=True, dtypes=(torch.float32, torch.float16, torch.bfloat16))


def name_of(case):
    return f"{case.module}-{case.dtype}".replace("torch.", "")


def distance(x, y):
    return ((x - y).double().norm() / y.double().norm()).item()


@pytest.mark.parametrize("direction", [FORWARD, BOTH])
@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_all_functions_of_a_case_agree_in_value_and_gradient(case, direction):
    answers = {name: prepared(function, case.inputs(DEVICE), direction)() for name, function in case.functions.items()}
    for name, answer in answers.items():
        assert len(answer) == len(answers[FUSED])
        for got, expected in zip(answer, answers[FUSED], strict=True):
            assert (got.shape, bool(got.isfinite().all())) == (expected.shape, True)
            assert distance(got, expected) < 8 * torch.finfo(case.dtype).eps, name


def test_every_kernel_that_the_model_can_use_is_measured():
    modules = {path.stem for path in (ROOT / "kernels").glob("[a-z]*.py")}
    rooms = {path.stem for path in (ROOT / "minigpt").glob("*.py")}
    assert modules & rooms <= set(known())


def test_a_case_whose_kernel_is_not_here_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "softmax.py").touch()
    monkeypatch.setattr(benchmark_cases, "HERE", tmp_path)
    assert known() == ["softmax"]


@pytest.mark.parametrize("case", cases(known(), small=True, dtypes=(torch.float32,)), ids=name_of)
def test_flops_are_those_that_pytorch_counts(case):
    function = case.functions.get(SPELLED_OUT, case.functions[FUSED])
    counted = []
    for direction in (FORWARD, BOTH):
        with FlopCounterMode(display=False) as counter:
            prepared(function, case.inputs("cpu"), direction)()
        counted.append(counter.get_total_flops())
    if case.module == "attention":                     # all pairs, and backward no scores again: 4 products, not 5
        T, both = 17, 4 + 8
        assert counted == [case.flops[0] * 2 * T / (T + 1), case.flops[1] * 2 * T / (T + 1) * both / 14]
    else:
        assert counted == list(case.flops)


@pytest.mark.parametrize("case", SMALL, ids=name_of)
def test_bytes_are_those_of_the_matrices_that_come_in_and_go_out(case):
    inputs = case.inputs(DEVICE)
    y, *gradients = prepared(case.functions[FUSED], inputs, BOTH)()

    def size(*tensors):                                # vectors count for nothing beside matrices
        return sum(x.numel() * x.element_size() for x in tensors if x.dim() >= 2)
    backward = size(*inputs, y, *gradients) + (size(y) if case.module == "attention" else 0)    # dy, and y itself
    assert case.bytes == (size(*inputs, y), size(*inputs, y) + backward)


def flash(q, k, v, causal):                            # (B, T, H, D), as that package has it
    return torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(1, 2) for x in (q, k, v)), is_causal=causal).transpose(1, 2)


def liger_rms_norm(x, weight, eps, offset, casting_mode, in_place):
    assert not in_place
    return torch.nn.functional.rms_norm(x, weight.shape, weight + offset, eps)


@pytest.mark.parametrize(("module", "name", "other"), [("attention", benchmark_cases.FLASH, flash),
                                                       ("rms_norm", benchmark_cases.LIGER, liger_rms_norm)])
def test_other_packages_get_the_inputs_as_they_want_them(monkeypatch, module, name, other):
    monkeypatch.setattr(benchmark_cases, "_other", lambda package, function: other)
    case = cases([module], small=True, dtypes=(torch.float32,))[0]
    got, expected = (case.functions[which](*case.inputs("cpu")) for which in (name, FUSED))
    assert distance(got, expected) < 1e-6


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(_backend, "INTERPRETED", False)
    assert benchmark_cases._other("torch.nn.functional", "softmax") is torch.nn.functional.softmax
    assert benchmark_cases._other("no_such_package_as_this.functional", "f") is None
    assert benchmark_cases._other("torch.nn.functional", "no_such_function") is None
