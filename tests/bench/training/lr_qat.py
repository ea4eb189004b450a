"""Memory of a training step under lr-qat beside full QAT and full precision, and what a formula says of it.

Every cell is a process of its own that trains a few steps on random tokens: two sizes, weights only, per output channel,
4 bits, one micro batch. `tensors` is the peak of LibTorch's allocations on the CPU in a step, counted byte by byte; RSS is
the peak of the process, with LibTorch and the libraries' workspaces. The formula (predict) knows the model's shape and
nothing of the measurement; it is then asked what Llama-2-7B would take. Prints Markdown tables and writes JSON; fails where
formula and measurement are further apart than `--tolerance`.

usage: lr_qat.py --worker build/release/bin/qatlas-train --output FILE [--again FILE] [--steps 3] [--threads 2] [--tolerance 0.05]
"""

import argparse
import json
import pathlib
import sys

from side_by_side import bench_step, rule, segment

SIZES = {
    "s": {"layers": 4, "width": 512, "ffn": 1408, "heads": 8, "kv_heads": 8, "vocabulary": 1024},
    "m": {"layers": 8, "width": 1024, "ffn": 2816, "heads": 16, "kv_heads": 16, "vocabulary": 1024},
}
LLAMA2_7B = {"layers": 32, "width": 4096, "ffn": 11008, "heads": 32, "kv_heads": 32, "vocabulary": 32000}
RANK = 32
BLOCK = 4 * 65536  # bytes of a block of rows in FP32
STORED = {"fp32": 4, "bf16": 2, "fixed": 1, "int4": .5}  # bytes of a frozen weight

# name: (weights' quantizer or None, its options, frozen groups)
SCHEMES = {
    "full precision": (None, {}, ()),
    "full QAT, int": ("int", {"granularity": "channel"}, ()),
    "full QAT, lsq": ("lsq", {"granularity": "channel"}, ()),
    "lr-qat, bf16": ("lr-qat", {"frozen": "bf16", "rank": RANK}, ("model",)),
    "lr-qat, Q4.4": ("lr-qat", {"frozen": "fixed", "rank": RANK}, ("model",)),
    "lr-qat, int4": ("lr-qat", {"frozen": "int4", "rank": RANK}, ("model",)),
    "lr-qat, int4, rest trained": ("lr-qat", {"frozen": "int4", "rank": RANK}, ()),
}


def linears(model):
    """[out, in] of a block's linears, in order of execution."""
    d, f = model["width"], model["ffn"]
    qkv = d + 2 * d * model["kv_heads"] // model["heads"]
    return [(qkv, d), (d, d), (2 * f, d), (d, f)]


def predict(model, scheme, tokens, width):
    """Bytes by what they are for, and the peak of a step. `width`: bytes of an activation (FP32 4, BF16 2).

    A step passes two summits: the start of the backward pass, when all activations are there, and its end, when all
    gradients are. Linears keep their input; RMSNorm its input (and a number a token); attention its packed operands, its
    output and the logarithms of its sums (FP32, a head and token); SwiGLU its input. The loss turns logits into their
    gradient where they lie.
    """
    quantizer, options, frozen = SCHEMES[scheme]
    low_rank = quantizer == "lr-qat"
    layers, d, f, vocabulary = (model[k] for k in ("layers", "width", "ffn", "vocabulary"))
    shapes = linears(model)
    weights = sum(o * i for o, i in shapes)  # of a block
    channels = sum(o for o, _ in shapes)
    tables = 2 * vocabulary * d  # embedding and head
    norms = 2 * d
    rest = tables + layers * norms + d
    adapters = sum(RANK * (o + i) for o, i in shapes) if low_rank else 0
    scales = channels if quantizer in ("lsq", "lr-qat") else 0

    rest_trained = "model" not in frozen
    block_trained = (0 if low_rank else weights) + adapters + scales + (norms if rest_trained else 0)
    trained = layers * block_trained + (tables + d if rest_trained else 0)
    state = {
        "weights": layers * weights * (STORED[options["frozen"]] if low_rank else 4) + 4 * rest,
        "adapters and scales": layers * 4 * (adapters + scales + scales),  # and their initial values
        "moments": 8 * trained,
        "rotary tables": 4 * 2 * tokens * d // model["heads"] // 2,
    }
    qkv = shapes[0][0]
    kept = tokens * (width * (4 * d + qkv + d + 3 * f) + 4 * model["heads"] + 2 * 4)
    last_norm = 0
    if width != 4:
        # Norms, rotary embedding and SwiGLU are fused for FP32 alone. Their compositions keep the norm's input in FP32
        # (and, where its weight is trained, the normalized one), the rotated queries and keys beside the packed
        # operands, and silu(gate).
        last_norm = 4 * d - width * d + (4 * d if rest_trained else 0)
        kept += tokens * (2 * last_norm + width * (d + (qkv - d) // 2) + width * f)
    fake = 0
    if quantizer in ("int", "lsq"):
        fake = width * weights  # the fake-quantized weights, which the linears keep
    head_copy = width * vocabulary * d if width != 4 else 0
    activations = layers * (kept + fake) + tokens * (2 * width * d + last_norm + 2 * 8) + head_copy
    logits = width * tokens * vocabulary
    # The backward pass of a linear builds its effective weight again, and works in blocks of rows.
    def built(shape):
        return width * shape[0] * shape[1] + 6 * BLOCK if low_rank else 0
    # The first summit: logits, and the gradients of what they came from.
    head = (4 + (width if width != 4 else 0)) * vocabulary * d if rest_trained else 0
    first = activations + logits + head + width * tokens * d
    # Or below it the first linears of the backward pass, fc2 and fc1 of the last block: the gradients of their output
    # and input, and what else they need; fc1 when fc2's input and SwiGLU's are gone.
    fc1, fc2 = shapes[2], shapes[3]
    at_fc2 = width * tokens * (d + f) + (built(fc2) if low_rank else 4 * d * f)
    at_fc1 = width * tokens * d + (built(fc1) if low_rank else 4 * 3 * d * f)
    first = max(first, activations + head + at_fc2, activations + head - width * tokens * f + at_fc1)
    # The last: all gradients but the embedding's, and the first block's qkv.
    gradients = 4 * trained
    last = gradients + tokens * width * (qkv + 3 * d) + built(shapes[0])
    return {"state": {name: int(value) for name, value in state.items()}, "activations": int(activations),
            "fake-quantized weights": int(layers * fake), "gradients": int(gradients),
            "logits": int(logits), "effective weight": int(built(shapes[2])),
            "peak": int(sum(state.values()) + max(first, last))}


def measure(worker, size, scheme, precision, arguments):
    quantizer, options, frozen = SCHEMES[scheme]
    rules = [rule(worker, "*.*.weight", quantizer, bits=4, **options)] if quantizer else []
    spec = segment(worker, SIZES[size], rules, arguments.threads, precision, 1, arguments.tokens, frozen)
    return bench_step(worker, spec, arguments.steps)


def gib(value):
    return f"{value / 2**30:.3f}" if value < 2**30 else f"{value / 2**30:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", help="qatlas-train")
    parser.add_argument("--output", required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--tolerance", type=float, default=.05)
    parser.add_argument("--again", help="measurements of an earlier --output, held against the formula as it is now")
    arguments = parser.parse_args()
    earlier = {}
    if arguments.again:
        before = json.loads(pathlib.Path(arguments.again).read_text())
        arguments.tokens, arguments.threads = before["tokens"], before["threads"]
        earlier = {(r["size"], r["precision"], r["scheme"]): r for r in before["rows"]}
    rows = []
    for size in SIZES:
        for precision, width in (("fp32", 4), ("bf16", 2)):
            for scheme in SCHEMES:
                if arguments.again:
                    row = earlier[size, precision, scheme]
                    found = {"tensor_bytes": row["tensors"], "peak_memory_bytes": row["rss"],
                             "ms_per_step": row["ms_per_step"]}
                else:
                    found = measure(arguments.worker, size, scheme, precision, arguments)
                said = predict(SIZES[size], scheme, arguments.tokens, width)
                rows.append({"size": size, "precision": precision, "scheme": scheme,
                             "tensors": found["tensor_bytes"], "rss": found["peak_memory_bytes"],
                             "ms_per_step": found["ms_per_step"], "formula": said,
                             "formula_over_measured": said["peak"] / found["tensor_bytes"]["step_peak"]})
                print(f"{size} {precision} {scheme}: {found['tensor_bytes']['step_peak'] / 2**20:.1f} MiB, formula "
                      f"{said['peak'] / 2**20:.1f}; state {found['tensor_bytes']['state'] / 2**20:.1f}, "
                      f"formula {sum(said['state'].values()) / 2**20:.1f}", file=sys.stderr)
    large = {scheme: {precision: predict(LLAMA2_7B, scheme, 1024, width)
                      for precision, width in (("fp32", 4), ("bf16", 2))} for scheme in SCHEMES}
    pathlib.Path(arguments.output).write_text(json.dumps(
        {"tokens": arguments.tokens, "threads": arguments.threads, "rank": RANK, "rows": rows,
         "llama2_7b_1024_tokens": large}, indent=1) + "\n")

    full = {(r["size"], r["precision"]): r["tensors"]["step_peak"] for r in rows if r["scheme"] == "full QAT, lsq"}
    print("\n| size | compute | scheme | tensors, MiB | × full QAT (lsq) | RSS, MiB | at the start, MiB | formula / measured "
          "| ms a step |\n|---|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['size']} | {r['precision']} | {r['scheme']} | {r['tensors']['step_peak'] / 2**20:.0f} | "
              f"{r['tensors']['step_peak'] / full[r['size'], r['precision']]:.2f} | {r['rss'] / 2**20:.0f} | "
              f"{r['tensors']['start_peak'] / 2**20:.0f} | {r['formula_over_measured']:.3f} | {r['ms_per_step']:.0f} |")
    print("\n| Llama-2-7B, 1,024 tokens, GB | compute | weights | adapters, scales | moments | gradients | activations | "
          "fake-quantized | peak |\n|---|---|---|---|---|---|---|---|---|")
    for scheme, by_precision in large.items():
        for precision, said in by_precision.items():
            state = said["state"]
            cells = [state["weights"], state["adapters and scales"], state["moments"], said["gradients"],
                     said["activations"] - said["fake-quantized weights"], said["fake-quantized weights"], said["peak"]]
            print(f"| {scheme} | {precision} | " + " | ".join(f"{c / 1e9:.1f}" for c in cells) + " |")
    worst = max(rows, key=lambda r: abs(r["formula_over_measured"] - 1))
    if abs(worst["formula_over_measured"] - 1) > arguments.tolerance:
        sys.exit(f"the formula is off by more than {arguments.tolerance:.0%} for {worst['scheme']}, {worst['size']}, "
                 f"{worst['precision']}: {worst['formula_over_measured']:.3f}")


if __name__ == "__main__":
    main()
