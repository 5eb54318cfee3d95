"""What the kernels of attention share: reading tiles, and which query may attend to which key.

A score belongs to a query t and a key s. The causal mask is aligned bottom right: the last query sees the last key.
A tile of BLOCK_T queries and BLOCK_S keys that lies wholly below the diagonal, and within the S keys, needs no mask:
the kernels visit those tiles first, then those that need one (MASKED), and never those that nobody may see.
"""
# isort: off
import torch

from kernels._backend import Shipped  # before triton is imported
import triton
import triton.language as tl
# isort: on

LOG2E = tl.constexpr(1.4426950408889634)    # exp(x) = 2^(x log2(e)), and a GPU has an instruction for 2^x alone


@triton.jit
def load_tile(ptr, stride, first, N, WIDTH: tl.constexpr, MASKED: tl.constexpr,
              ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Rows first, first + 1, ... of an (N, WIDTH) array, as a (ROWS, COLUMNS) tile that is 0 outside of the array."""
    row, column = first + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    place = ptr + row.to(tl.int64)[:, None] * stride + column[None, :]
    inside = row[:, None] < N
    if WIDTH != COLUMNS:
        inside = inside & (column[None, :] < WIDTH)
    if MASKED or WIDTH != COLUMNS:
        tile = tl.load(place, mask=inside, other=0.0)
    else:
        tile = tl.load(place)
    return tile


@triton.jit
def store_tile(ptr, tile, first, N, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Write a tile to rows first, first + 1, ... of a contiguous (N, WIDTH) array, in the array's dtype."""
    row, column = first + tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    inside = row[:, None] < N
    if WIDTH != COLUMNS:
        inside = inside & (column[None, :] < WIDTH)
    tl.store(ptr + row.to(tl.int64)[:, None] * WIDTH + column[None, :], tile.to(ptr.dtype.element_ty), mask=inside)


@triton.jit
def keys_of(t0, T, S, CAUSAL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr):
    """For the queries from t0 on: (whole, end). Key tiles before `whole` need no mask; none counts from `end` on."""
    if CAUSAL:
        whole = tl.maximum(t0 + S - T + 1, 0) // BLOCK_S * BLOCK_S          # what the first query sees
        end = tl.minimum(tl.maximum(t0 + BLOCK_T + S - T, 0), S)            # what the last one sees
    else:
        whole = S // BLOCK_S * BLOCK_S
        end = S
    return whole, end


@triton.jit
def queries_of(s0, T, S, CAUSAL: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_S: tl.constexpr):
    """For the keys from s0 on: (first, whole). No query before `first` sees one; tiles from `whole` on need no mask."""
    if CAUSAL:
        first = tl.maximum(s0 + T - S, 0) // BLOCK_T * BLOCK_T              # who sees the first key
        whole = tl.cdiv(tl.maximum(s0 + BLOCK_S - 1 + T - S, 0), BLOCK_T) * BLOCK_T     # who sees the last one
        whole = tl.minimum(whole, T)
    else:
        first = 0
        whole = tl.where(s0 + BLOCK_S > S, T, 0)                            # a tile past the end needs a mask
    return first, whole


@triton.jit
def may_attend(t, s, T, S, CAUSAL: tl.constexpr):
    """Whether query t may attend to key s, for positions that broadcast; False past the last key."""
    if CAUSAL:
        allowed = (s <= t + S - T) & (s < S)
    else:
        allowed = (s < S) & (t == t)                    # of both, so that it has the shape of both
    return allowed


@triton.jit
def dropout_scale(seed_ptr, head, t, s, DROPOUT: tl.constexpr, ACC: tl.constexpr):
    """0 for weights that dropout leaves out, 1 / (1 - rate) for the others, drawn from the seed, head, t and s alone.

    So the backward draws the same again and nothing is stored. Of the four words of a draw, one is used.
    """
    t, s = tl.broadcast(t, s)
    word, _, _, _ = tl.philox(tl.load(seed_ptr), t, s, head, 0)
    kept = tl.full((), 1.0, ACC) / tl.full((), 1.0 - DROPOUT, ACC)
    return tl.where(tl.uint_to_uniform_float(word) >= DROPOUT, kept, 0.0)


def padded(width):
    """The columns of a tile for arrays of this width: a power of two, at least 16 (a matrix product needs them)."""
    return max(16, triton.next_power_of_2(width))


def crowded(D, E, dropout):
    """Whether dropout or masks of columns need registers beside those of the products: tiles are smaller then."""
    return dropout > 0 or (padded(D), padded(E)) != (D, E)


def capability(device):
    """The architecture that tiles are chosen for: 80, 86, 89, 90 ...; that of an A100 where there is no GPU."""
    major, minor = torch.cuda.get_device_capability(device) if device.type == "cuda" else (8, 0)
    return 10 * major + minor


def rows_in_one_piece(x):
    """x, copied if the elements of a row are not side by side; the other strides may be any, 0 too."""
    return x if x.stride(-1) == 1 else x.contiguous()


def constants_of(q, v, causal, dropout):
    """What the kernels are compiled for beside their tiles; float32 products are exact unless PyTorch allows TF32."""
    exact = torch.get_float32_matmul_precision() == "highest"
    return {"D": q.shape[-1], "E": v.shape[-1], "CAUSAL": causal, "DROPOUT": dropout,
            "ACC": tl.float64 if q.dtype == torch.float64 else tl.float32, "PRECISION": "ieee" if exact else "tf32"}


def options(kernel, given):
    """Of what is given, the keywords that a launch of this kernel takes."""
    return {name: value for name, value in given.items() if name in (*kernel.arg_names, "num_warps", "num_stages")}


def shipped_form(kernel, work, dtype, tiles, D, blocks, *, CAUSAL=True, key_mask=False, DROPOUT=0.0,
                 PRECISION="ieee", matrix=True, copies=True):
    """The Shipped of a kernel of attention for heads of width D. work: its function of kernels.traffic."""
    short = {2: "bf16" if dtype == torch.bfloat16 else "fp16", 4: "fp32", 8: "fp64"}[dtype.itemsize]
    sums = "*fp64" if dtype == torch.float64 else "*fp32"
    given = {"D": D, "E": D, "CAUSAL": CAUSAL, "DROPOUT": DROPOUT, "PRECISION": PRECISION, **tiles,
             "ACC": tl.float64 if dtype == torch.float64 else tl.float32}
    given |= ({} if key_mask else {"key_mask_ptr": None}) | ({} if DROPOUT else {"seed_ptr": None})
    constants = {name: value for name, value in given.items() if name in kernel.arg_names}
    special = {"lse_ptr": sums, "delta_ptr": sums, "key_mask_ptr": "*i1", "seed_ptr": "*i64"}
    types = {name: special.get(name, f"*{short}") for name in kernel.arg_names
             if name.endswith("_ptr") and name not in constants}
    words = (short, f"D={D}", CAUSAL and "causal", key_mask and "key_mask", DROPOUT and "dropout")
    strides = tuple(name for name in kernel.arg_names if name.startswith("stride"))
    promise = {"matrix": matrix, "copies": copies, "vectors": True, "blocks": blocks}
    counted = work((1, 8, 2, 4096, 4096, D, D), dtype.itemsize, tiles, causal=CAUSAL, key_mask=key_mask)
    return Shipped(kernel, ", ".join(word for word in words if word), types, constants, tiles["num_warps"],
                   tiles["num_stages"], strides, promise, counted)
