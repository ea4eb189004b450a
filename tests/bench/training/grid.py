"""A whole grid: `qatlas run` beside plain PyTorch training the same runs one by one.

The grid is the quickstart recipe with its budgets and its validation set divided. Eager PyTorch trains every run
from its first token (no shared trunks), and once more with the trunks shared by hand: one full-precision trunk a
size and seed, whose states at the forks serve every cooldown. Same sizes, batch, schedule, evaluation; random
tokens serve, since only time is measured. qatlas prepares its data beforehand.

The gain falls into three factors, which multiply to it: sharing (eager without and with shared trunks), kernels
(eager with shared trunks and qatlas with one worker of all threads), packing (that and single-thread workers side
by side).

Prints one line a program and writes JSON. Each program can be measured in a call of its own: what the file holds
of the same grid is kept.

usage: grid.py --qatlas build/release/bin/qatlas --output FILE [--divide 8] [--threads 2] [--only PROGRAM]
       [--sizes xs,s,m] [--seeds 1,2]    of the eager programs; the others in further calls
"""

import argparse
import copy
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import torch

from pytorch_baseline import Llama, make_step

ROLES = ("qkv", "o", "fc1", "fc2")
SIZES = {"xs": (2, 64, 192, 2, 1), "s": (4, 64, 192, 2, 1), "m": (2, 128, 384, 4, 2)}
SEEDS = (1, 2)
BUDGETS = (262144, 524288, 1048576)
STEP = 8 * 256
VALIDATION_SEQUENCES = 512  # divided as the budgets are
PROGRAMS = ("qatlas", "qatlas, one worker", "eager, trunks shared by hand", "eager, every run on its own")


def runs():
    """(size, budget, seed, scheme) of the quickstart recipe; a scheme is the arguments of Llama.quantize."""
    result = []
    for seed in SEEDS:
        for size in SIZES:
            for budget in BUDGETS:
                result.append((size, budget, seed, None))
                for bits in (4, 3):
                    for group in (16, 64):
                        result.append((size, budget, seed, dict(weight_bits=bits, input_bits=bits, group=group)))
            for scheme in (dict(weight_bits=3, input_bits=0), dict(weight_bits=0, input_bits=3),
                           dict(weight_bits=3, input_bits=3, fc2_input_bits=8)):
                result.append((size, BUDGETS[-1], seed, scheme))
        for role in ROLES:
            for roles in ((role,), tuple(r for r in ROLES if r != role)):
                result.append(("s", BUDGETS[-1], seed, dict(weight_bits=3, input_bits=3, roles=roles)))
    return result


class Trainer:
    def __init__(self, validation_batches):
        self.generator = torch.Generator().manual_seed(1)
        self.validation_batches = validation_batches

    def batch(self):
        ids = torch.randint(0, 1024, (8, 257), generator=self.generator)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    def train(self, model, steps):
        step = make_step(model, compile_=False)
        for _ in range(steps):
            step(*self.batch())

    def evaluate(self, model):
        with torch.no_grad():
            for _ in range(self.validation_batches):
                model(*self.batch())


def eager(divide, shared, wanted_size, wanted_seed):
    """Seconds for the runs of a size and a seed."""
    trainer = Trainer(validation_batches=VALIDATION_SEQUENCES // divide // 8)
    begin = time.perf_counter()
    torch.manual_seed(wanted_seed)
    trunk = {0: Llama(*SIZES[wanted_size])}  # step: the model there
    for size, budget, seed, scheme in runs():
        if (size, seed) != (wanted_size, wanted_seed):
            continue
        steps = budget // divide // STEP
        fork = steps - steps // 4
        if shared:
            if fork not in trunk:
                start = max(at for at in trunk if at <= fork)
                state = copy.deepcopy(trunk[start])
                trainer.train(state, fork - start)
                trunk[fork] = state
            model = copy.deepcopy(trunk[fork])
        else:
            model = copy.deepcopy(trunk[0])
            trainer.train(model, fork)
        if scheme:
            model.quantize(**scheme)
        trainer.train(model, steps - fork)
        trainer.evaluate(model)
    return time.perf_counter() - begin


def ours(program, prepared, divide, threads, jobs):
    budgets = [budget // divide for budget in BUDGETS]
    overrides = [f"grid.main.tokens={budgets}", f"grid.parts.tokens=[{budgets[-1]}]",
                 f"grid.roles.tokens=[{budgets[-1]}]", "training.warmup_tokens=4096",
                 f"training.validation_sequences={VALIDATION_SEQUENCES // divide}", f"training.threads={threads}", 'training.precision="fp32"']
    subprocess.check_call([program, "data", "prepare", "quickstart", "--store", prepared], stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(dir=prepared) as store:
        shutil.copytree(pathlib.Path(prepared) / "data", pathlib.Path(store) / "data")
        begin = time.perf_counter()
        subprocess.check_call([program, "run", "quickstart", *overrides, "--jobs", str(jobs), "--store", store, "--no-report"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin


def measure(program, arguments):
    """(part of the grid, seconds); qatlas packs everything together."""
    threads, divide = arguments.threads, arguments.divide
    if program == "qatlas":
        yield "all", ours(arguments.qatlas, arguments.prepared, divide, 1, threads)
    elif program == "qatlas, one worker":
        yield "all", ours(arguments.qatlas, arguments.prepared, divide, threads, 1)
    else:
        for size in arguments.sizes.split(","):
            for seed in arguments.seeds.split(","):
                yield f"{size}, seed {seed}", eager(divide, program == "eager, trunks shared by hand", size, int(seed))


def summary(parts):
    """Sums over the parts of the programs that are complete, and their ratios once all are.

    The seeds are the same work: where one alone was measured, it counts for all.
    """
    seconds = {}
    for program, by_part in parts.items():
        by_size = {}
        for part, value in by_part.items():
            by_size.setdefault(part.split(",")[0], []).append(value)
        if set(by_size) == {"all"}:
            seconds[program] = by_part["all"]
        elif set(by_size) == set(SIZES):
            seconds[program] = sum(len(SEEDS) * sum(values) / len(values) for values in by_size.values())
    result = {"seconds": seconds}
    if set(seconds) == set(PROGRAMS):
        packed, one, shared, unshared = (seconds[program] for program in PROGRAMS)
        result["qatlas_over_unshared"] = packed / unshared
        result["qatlas_over_shared"] = packed / shared
        result["gain"] = {"sharing": unshared / shared, "kernels": shared / one, "packing": one / packed}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qatlas", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--prepared", default="build/bench-store", help="a store that keeps the prepared tokens")
    parser.add_argument("--divide", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=PROGRAMS)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--seeds", default=",".join(str(seed) for seed in SEEDS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    output = pathlib.Path(arguments.output)
    grid = {"divide": arguments.divide, "threads": arguments.threads, "runs": len(runs())}
    parts = {}
    if output.exists():
        before = json.loads(output.read_text())
        if all(before.get(key) == value for key, value in grid.items()):
            parts = before["seconds_by_part"]
    for program in (arguments.only,) if arguments.only else PROGRAMS:
        for part, seconds in measure(program, arguments):
            parts.setdefault(program, {})[part] = seconds
            result = {**grid, "seconds_by_part": parts, **summary(parts)}
            output.write_text(json.dumps(result, indent=2) + "\n")
            print(f"{program:32s} {part:12s} {seconds:8.1f} s", flush=True)
    if "gain" in result:
        print(f"qatlas takes {result['qatlas_over_unshared']:.2f} of the time without sharing, "
              f"{result['qatlas_over_shared']:.2f} of the time with trunks shared by hand")
        print("gain: " + " · ".join(f"{name} {value:.2f}" for name, value in result["gain"].items()))


if __name__ == "__main__":
    main()
