"""What GPUs can hold and how fast they are, by architecture: for occupancy and for the roofline.

Limits of a multiprocessor: NVIDIA's CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
Speeds: NVIDIA's data sheets (A100, H100) and white papers (GA102 for the RTX 3090, Ada for the RTX 4090), without
sparsity; the H100's sheet gives its matrix products with sparsity, which counts them twice.
"""
from collections import namedtuple

# warps, blocks, shared: what one multiprocessor holds at most, bytes for the last; bandwidth: bytes per second from
# memory; half, tf32, single: FLOP/s of products in fp16 or bf16, in tf32, and in fp32 without matrix instructions.
GPU = namedtuple("GPU", "name warps blocks shared bandwidth half tf32 single")

GPUS = {
    "sm_80": GPU("A100 SXM 40GB", 64, 32, 164 * 1024, 1555e9, 312e12, 156e12, 19.5e12),
    "sm_86": GPU("RTX 3090", 48, 16, 100 * 1024, 936e9, 71e12, 35.6e12, 35.6e12),
    "sm_89": GPU("RTX 4090", 48, 24, 100 * 1024, 1008e9, 165.2e12, 82.6e12, 82.6e12),
    "sm_90": GPU("H100 SXM", 64, 32, 228 * 1024, 3350e9, 1979e12 / 2, 989e12 / 2, 67e12),
}
REGISTERS, PARTS = 65536, 4      # of a multiprocessor; a warp's registers lie in one of its parts
RESERVED = 1024                  # bytes of shared memory that the system takes for each block


def shared_limit(arch):
    """The shared memory that one block may ask for, in bytes."""
    return GPUS[arch].shared - RESERVED


def blocks_per_multiprocessor(registers, shared_bytes, warps, arch):
    """How many blocks of a kernel run on one multiprocessor at once: what runs out first decides.

        (1) registers: a warp takes 32 times those of a thread, in steps of 256, from one of four equal parts
        (2) shared memory: a block takes what it asks for and 1024 bytes, in steps of 128
        (3) warps and blocks: there is a place for so many

    registers: of a thread; shared_bytes: of a block; warps: of a block.
    """
    gpu = GPUS[arch]
    if shared_bytes > shared_limit(arch):
        return 0
    per_warp = max(1, -(-32 * registers // 256)) * 256
    warps_held = PARTS * (REGISTERS // PARTS // per_warp)
    by_registers = warps_held // warps                                     # (1)
    by_shared = gpu.shared // (-(-(shared_bytes + RESERVED) // 128) * 128)  # (2)
    return min(by_registers, by_shared, gpu.warps // warps, gpu.blocks)    # (3)


def occupancy(blocks, warps, arch):
    """The share of a multiprocessor's places for warps that its blocks fill, 0 to 1."""
    return blocks * warps / GPUS[arch].warps


def roofline(work, types, matrix, arch):
    """Seconds that a launch takes at the memory's bandwidth, and at the peak of its matrix products.

    work: a Work. types: the kernel's, {argument: "*fp16"}; 16-bit ones are multiplied at the peak of 16 bits.
    matrix: whether it has matrix instructions; fp32 is multiplied as tf32 with them, and one by one without.
    """
    gpu = GPUS[arch]
    halves = matrix and any(kind in ("*fp16", "*bf16") for kind in types.values())
    peak = gpu.half if halves else gpu.tf32 if matrix else gpu.single
    return (work.loads + work.stores) / gpu.bandwidth, work.issued / peak
