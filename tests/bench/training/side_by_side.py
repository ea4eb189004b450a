"""Training speed and memory of qatlas-train beside plain PyTorch, interleaved in one session.

Every round measures each program once, in turn, so that a drift of the machine hits all of them; medians over
the rounds are reported, with the smallest and largest. Prints a Markdown table and writes JSON.

usage: side_by_side.py --worker build/release/bin/qatlas-train --output FILE [--rounds 5] [--no-compile]
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# The sizes of pytorch_baseline.py.
MODELS = {
    "s": {"layers": 4, "width": 128, "ffn": 384, "heads": 4, "kv_heads": 4},
    "m": {"layers": 6, "width": 256, "ffn": 768, "heads": 8, "kv_heads": 8},
}


def options_of(worker, kind, name):
    """Every option of a component at its default, as `qatlas plugin info` states it."""
    program = pathlib.Path(worker).parent / "qatlas"
    answer = json.loads(subprocess.check_output([program, "--json", "plugin", "info", name]))
    component = next(entry for entry in answer if entry["kind"] == kind)
    convert = {"bool": lambda t: t == "true", "int": int, "float": float, "string": str,
               "table": lambda t: {}}
    options = {o["name"]: convert[o["type"]](o["default"]) for o in component["options"]
               if "default" in o}
    return {"component": name, "options": options, "numerics": component["numerics"]}


def rule(worker, sites, quantizer, **options):
    use = options_of(worker, "quantizer", quantizer)
    use["options"].update(options)
    return {"sites": sites, "quantizer": use}


def segment(worker, options, rules, threads, precision="fp32", batch=8, sequence=256, frozen=()):
    """A segment on random tokens: a llama of these options under these rules."""
    model = options_of(worker, "model", "llama")
    model["options"].update(options, tied=False)
    return {
        "trajectory": {
            "model": model, "rules": rules, "data": "", "sequence_length": sequence,
            "batch_sequences": batch, "micro_batch_sequences": batch, "allow_epochs": True,
            "peak_learning_rate": 1e-3,
            "schedule": [{"shape": "constant", "begin": 0, "end": 100000, "from": 1.0, "to": 1.0}],
            "optimizer": {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1,
                          "clip": 1.0},
            "groups": {}, "frozen": list(frozen), "seed": 1, "precision": precision, "threads": threads,
            "device": "cpu", "isa": "", "start": "", "start_step": 0, "carry_optimizer": True,
        },
        "evaluation": {"validation_sequences": 8, "site_statistics_every": 0,
                       "smoothing_tokens": 65536},
        "begin_step": 0, "end_step": 100000, "evaluate": False, "id": "bench",
        "start_checkpoint": "", "start_is_foreign": False, "data_folder": "",
        "plugin_path": [], "checkpoint_every_seconds": 1000000,
    }


def bench_step(worker, spec, steps):
    """What `qatlas-train bench-step` says of a segment."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "spec.json"
        file.write_text(json.dumps(spec))
        return json.loads(subprocess.check_output([worker, "bench-step", file, "--steps", str(steps)]))


def run_ours(worker, size, scheme, threads, steps):
    rules = []
    if scheme == "w4a4":
        rules = [rule(worker, "*", "int", bits=4, granularity="group", group=64)]
    result = bench_step(worker, segment(worker, dict(MODELS[size], vocabulary=1024), rules, threads), steps)
    result.setdefault("peak_memory_mib", result.get("peak_memory_bytes", 0) / 2**20)
    return result


def run_pytorch(size, scheme, threads, steps, compiled):
    command = [sys.executable, HERE / "pytorch_baseline.py", "--size", size, "--scheme", scheme,
               "--threads", str(threads), "--steps", str(steps)]
    if compiled:
        command.append("--compile")
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    return json.loads(subprocess.check_output(command, env=environment).decode().splitlines()[-1])


def gemm_rate(threads):
    code = (f"import torch,time;torch.set_num_threads({threads});a=torch.randn(1024,1024);b=torch.randn(1024,1024);"
            "[a@b for _ in range(5)];t=time.perf_counter();[a@b for _ in range(40)];"
            "print(40*2*1024**3/(time.perf_counter()-t)/1e9)")
    return float(subprocess.check_output([sys.executable, "-c", code]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", action="store_true")
    arguments = parser.parse_args()

    programs = {
        "eager": lambda size, scheme: run_pytorch(size, scheme, arguments.threads, arguments.steps, False),
        "qatlas": lambda size, scheme: run_ours(arguments.worker, size, scheme, arguments.threads,
                                                arguments.steps),
    }
    if not arguments.no_compile:
        programs["compiled"] = lambda size, scheme: run_pytorch(size, scheme, arguments.threads,
                                                                arguments.steps, True)
    cells = {}
    rates = []
    for _ in range(arguments.rounds):
        rates.append(gemm_rate(arguments.threads))
        for size in MODELS:
            for scheme in ("fp", "w4a4"):
                for name, program in programs.items():
                    cells.setdefault((size, scheme, name), []).append(program(size, scheme))
    median = {key: statistics.median(r["tokens_per_second"] for r in runs)
              for key, runs in cells.items()}
    rows = []
    for (size, scheme, name), runs in cells.items():
        speeds = [r["tokens_per_second"] for r in runs]
        rows.append({
            "size": size, "scheme": scheme, "program": name,
            "tokens_per_second": median[size, scheme, name], "slowest": min(speeds),
            "fastest": max(speeds),
            "against_eager": median[size, scheme, name] / median[size, scheme, "eager"],
            "peak_memory_mib": statistics.median(r["peak_memory_mib"] for r in runs),
        })
    result = {"threads": arguments.threads, "rounds": arguments.rounds, "steps": arguments.steps,
              "gemm_gflops": statistics.median(rates), "machine": platform.processor() or platform.machine(),
              "rows": rows,
              "w4a4_over_fp": {size: median[size, "w4a4", "qatlas"] / median[size, "fp", "qatlas"]
                               for size in MODELS}}
    pathlib.Path(arguments.output).write_text(json.dumps(result, indent=2) + "\n")
    print("| size | scheme | program | tokens/s | min–max | × eager | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['size']} | {row['scheme']} | {row['program']} | {row['tokens_per_second']:,.0f} | "
              f"{row['slowest']:,.0f}–{row['fastest']:,.0f} | {row['against_eager']:.2f} | "
              f"{row['peak_memory_mib']:.0f} |")
    for size, ratio in result["w4a4_over_fp"].items():
        print(f"\nqatlas, size {size}: W4A4 at {ratio:.3f} of its full-precision speed", end="")
    print(f"\nGEMM 1024³ FP32, {arguments.threads} threads: {result['gemm_gflops']:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
