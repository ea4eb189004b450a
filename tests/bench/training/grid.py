"""A whole grid: `qatlas run` beside plain PyTorch training the same runs one by one.

The grid is the quickstart recipe with its budgets divided. Eager PyTorch trains every run from its first token
(no shared trunks), and once more with the trunks shared by hand: one full-precision trunk a size and seed, whose
states at the forks serve every cooldown. Same sizes, batch, schedule, evaluation; random tokens serve, since
only time is measured. qatlas prepares its data beforehand. Prints one line a program and writes JSON.

The gain falls into three factors, which multiply to it: sharing (eager without and with shared trunks), kernels
(eager with shared trunks and qatlas with one worker of all threads), packing (that and single-thread workers side
by side).

usage: grid.py --qatlas build/release/bin/qatlas --output FILE [--divide 16] [--threads 2]
"""

import argparse
import copy
import json
import pathlib
import subprocess
import tempfile
import time

import torch

from pytorch_baseline import Llama, make_step

ROLES = ("qkv", "o", "fc1", "fc2")
SIZES = {"xs": (2, 64, 192, 2, 1), "s": (4, 64, 192, 2, 1), "m": (2, 128, 384, 4, 2)}
BUDGETS = (262144, 524288, 1048576)
STEP = 8 * 256
VALIDATION_SEQUENCES = 64  # in proportion to the divided budgets


def runs():
    """(size, budget, seed, scheme) of the quickstart recipe; a scheme is the arguments of Llama.quantize."""
    result = []
    for seed in (1, 2):
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


def eager(divide, shared):
    trainer = Trainer(validation_batches=VALIDATION_SEQUENCES // 8)
    begin = time.perf_counter()
    trunks = {}
    for size, budget, seed, scheme in runs():
        steps = budget // divide // STEP
        fork = steps - steps // 4
        if shared:
            trunk = trunks.get((size, seed))
            if trunk is None:
                torch.manual_seed(seed)
                trunk = {0: Llama(*SIZES[size])}
                trunks[size, seed] = trunk
            if fork not in trunk:
                start = max(at for at in trunk if at <= fork)
                state = copy.deepcopy(trunk[start])
                trainer.train(state, fork - start)
                trunk[fork] = state
            model = copy.deepcopy(trunk[fork])
        else:
            torch.manual_seed(seed)
            model = Llama(*SIZES[size])
            trainer.train(model, fork)
        if scheme:
            model.quantize(**scheme)
        trainer.train(model, steps - fork)
        trainer.evaluate(model)
    return time.perf_counter() - begin


def ours(program, divide, threads, jobs):
    budgets = [budget // divide for budget in BUDGETS]
    overrides = [f"grid.main.tokens={budgets}", f"grid.parts.tokens=[{budgets[-1]}]",
                 f"grid.roles.tokens=[{budgets[-1]}]", "training.warmup_tokens=4096",
                 f"training.validation_sequences={VALIDATION_SEQUENCES}", f"training.threads={threads}"]
    with tempfile.TemporaryDirectory() as store:
        subprocess.check_call([program, "data", "prepare", "quickstart", "--store", store],
                              stdout=subprocess.DEVNULL)
        begin = time.perf_counter()
        subprocess.check_call([program, "run", "quickstart", *overrides, "--jobs", str(jobs), "--store", store, "--no-report"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qatlas", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--divide", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    seconds = {
        "qatlas": ours(arguments.qatlas, arguments.divide, 1, arguments.threads),
        "qatlas, one worker": ours(arguments.qatlas, arguments.divide, arguments.threads, 1),
        "eager, trunks shared by hand": eager(arguments.divide, True),
        "eager, every run on its own": eager(arguments.divide, False),
    }
    result = {"divide": arguments.divide, "threads": arguments.threads, "runs": len(runs()), "seconds": seconds,
              "qatlas_over_unshared": seconds["qatlas"] / seconds["eager, every run on its own"],
              "qatlas_over_shared": seconds["qatlas"] / seconds["eager, trunks shared by hand"],
              "gain": {"sharing": seconds["eager, every run on its own"] / seconds["eager, trunks shared by hand"],
                       "kernels": seconds["eager, trunks shared by hand"] / seconds["qatlas, one worker"],
                       "packing": seconds["qatlas, one worker"] / seconds["qatlas"]}}
    pathlib.Path(arguments.output).write_text(json.dumps(result, indent=2) + "\n")
    for name, value in seconds.items():
        print(f"{name:32s} {value:8.1f} s")
    print(f"qatlas takes {result['qatlas_over_unshared']:.2f} of the time without sharing, "
          f"{result['qatlas_over_shared']:.2f} of the time with trunks shared by hand")
    print("gain: " + " · ".join(f"{name} {value:.2f}" for name, value in result["gain"].items()))


if __name__ == "__main__":
    main()
