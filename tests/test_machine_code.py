"""Reading machine code, and what a GPU can hold and do."""
import pytest

from kernels._backend import Work
from kernels.gpus import blocks_per_multiprocessor, occupancy, roofline, shared_limit
from kernels.machine_code import instructions

LISTING = """
        /*0000*/                   HFMA2.MMA R5, -RZ, RZ, 0, 0 ;
        /*0010*/              @!P0 LDG.E.128 R8, [R26.64] ;
        /*0020*/              @UP2 LDG.E R8, desc[UR6][R24.64] ;
        /*0030*/                   LDG.E.128.CONSTANT R8, [R26.64] ;
        /*0040*/               @P1 LDGSTS.E.BYPASS.128 [R3], [R26.64] ;
        /*0050*/                   LDGSTS.E [R3], [R26.64] ;
        /*0060*/                   LDGDEPBAR ;
        /*0070*/                   HMMA.16816.F32 R4, R8, R10, R4 ;
        /*0080*/                   HGMMA.64x64x16.F32 R24, gdesc[UR4], R24 ;
        /*0090*/                   STL.64 [R1+0x8], R2 ;
        /*00a0*/                   LDL.LU R2, [R1] ;
        /*00b0*/                   LDS.128 R4, [R2] ;
"""


def test_instructions_are_told_apart():
    assert instructions(LISTING) == {"matrix_instructions": {"HMMA": 1, "HGMMA": 1}, "async_copies": 2,
                                     "global_loads": 3, "vector_loads": 3, "local_instructions": 2}


def test_a_listing_that_cannot_be_read_is_an_error_and_not_a_kernel_without_spills():
    with pytest.raises(ValueError, match="no instruction"):
        instructions("nvdisasm changed its output")


@pytest.mark.parametrize(("registers", "shared", "warps", "arch", "blocks"), [
    (32, 0, 8, "sm_80", 8),              # 64 places for warps
    (32, 0, 8, "sm_86", 6),              # 48 of them
    (128, 0, 8, "sm_80", 2),             # 65536 registers / (8 * 32 * 128)
    (129, 0, 8, "sm_80", 1),             # 129 count as 136: 3 warps in each part, 12 in all
    (255, 0, 8, "sm_90", 1),             # 2 warps in each part
    (255, 0, 16, "sm_90", 0),            # which cannot start at all
    (16, 0, 1, "sm_80", 32),             # places for blocks
    (16, 0, 1, "sm_86", 16),
    (16, 48 * 1024, 4, "sm_80", 3),      # 164 KiB / 49 KiB
    (16, 48 * 1024, 4, "sm_86", 2),
    (16, 100 * 1024, 4, "sm_90", 2),
    (16, 100 * 1024, 4, "sm_89", 0),     # a block may have 99 KiB there
])
def test_what_runs_out_first_decides_how_many_blocks_run_at_once(registers, shared, warps, arch, blocks):
    assert blocks_per_multiprocessor(registers, shared, warps, arch) == blocks


def test_occupancy_is_the_share_of_the_places_for_warps():
    assert occupancy(3, 8, "sm_90") == 24 / 64
    assert occupancy(3, 8, "sm_86") == 24 / 48


def test_a_block_may_take_all_shared_memory_but_one_kib():
    assert [shared_limit(arch) // 1024 for arch in ("sm_80", "sm_86", "sm_89", "sm_90")] == [163, 99, 99, 227]


@pytest.mark.parametrize(("kind", "matrix", "peak"), [("*fp16", True, 312e12), ("*bf16", True, 312e12),
                                                      ("*fp32", True, 156e12), ("*fp32", False, 19.5e12)])
def test_the_roofline_is_bytes_at_the_bandwidth_and_flops_at_the_peak_of_their_kind(kind, matrix, peak):
    memory, products = roofline(Work("", 1000, 555, 5, 8), {"x_ptr": kind, "lse_ptr": "*fp32"}, matrix, "sm_80")
    assert (memory, products) == (1555 / 1555e9, 8 / peak)
