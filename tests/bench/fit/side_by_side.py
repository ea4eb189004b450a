"""The Chinchilla replication beside scipy: time, peak memory and the best objective, on the same points and starts.

240 runs are simulated from the published constants over the published range; 4,500 starts are each run to their
local optimum and 4,000 bootstrap replicates are refitted from the best (Besiroglu et al. 2024, arXiv 2404.10102).
Beside ours: scipy's L-BFGS-B with the analytic gradient, and a variable projection written in scipy. Then the cost
over points and over starts. Prints Markdown tables, writes JSON and a plot (SVG), and fails when ours ends above
scipy's best objective.

usage: side_by_side.py --timing build/release/bench/fit_timing --output FILE [--every 1] [--rows 1000000]
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time

THREADS = 2
REPLICATES = 4000
DELTA = 1e-3
TRUTH = {"E": 1.8172, "A": 482.01, "alpha": .3478, "B": 2085.43, "beta": .3658}
# The start grid of the replication: alpha, beta, e, a, b with E = exp(e) and so on.
EXPONENTS = [0, .5, 1, 1.5, 2]
FLOORS = [-1, -.5, 0, .5, 1]
FACTORS = [0, 5, 10, 15, 20, 25]
# A relative difference of objectives that rounding explains.
ROUNDING = 1e-9


def simulate(count, seed=7, noise=.003):
    """N, D and the loss of runs between 44e6 and 16e9 parameters, 1e18 and 3e21 FLOPs."""
    import numpy
    random = numpy.random.default_rng(seed)
    n, d = numpy.empty(0), numpy.empty(0)
    while len(n) < count:
        size = 44e6 * (16e9 / 44e6) ** random.random(2 * count)
        tokens = 1e18 * 3e3 ** random.random(2 * count) / (6 * size)
        keep = (tokens >= 1e8) & (tokens <= 6e11)
        n, d = numpy.append(n, size[keep]), numpy.append(d, tokens[keep])
    n, d = n[:count], d[:count]
    loss = TRUTH["E"] + TRUTH["A"] * n ** -TRUTH["alpha"] + TRUTH["B"] * d ** -TRUTH["beta"]
    return n, d, loss * numpy.exp(noise * random.standard_normal(count))


def write_points(path, points):
    with open(path, "w", encoding="utf-8") as file:
        file.write("N,D,loss\n")
        for row in zip(*(column.tolist() for column in points)):
            file.write(",".join(repr(value) for value in row) + "\n")


def huber(r):
    import numpy
    size = numpy.abs(r)
    inside = size <= DELTA
    return (numpy.where(inside, .5 * r * r, DELTA * (size - .5 * DELTA)),
            numpy.where(inside, r, DELTA * numpy.sign(r)))


class Objective:
    """Sum of Huber of log LSE(e, a - alpha ln N, b - beta ln D) - log L, and its gradient by (e, a, alpha, b, beta)."""

    def __init__(self, n, d, loss, weight=None):
        import numpy
        self.ln_n, self.ln_d, self.ln_loss = numpy.log(n), numpy.log(d), numpy.log(loss)
        self.weight = numpy.ones(len(n)) if weight is None else weight

    def __call__(self, x):
        import numpy
        e, a, alpha, b, beta = x
        terms = numpy.stack([numpy.full_like(self.ln_n, e), a - alpha * self.ln_n,
                             b - beta * self.ln_d])
        top = terms.max(axis=0)
        shares = numpy.exp(terms - top)
        total = shares.sum(axis=0)
        rho, psi = huber(top + numpy.log(total) - self.ln_loss)
        shares *= self.weight * psi / total
        sums = shares.sum(axis=1)
        return (self.weight @ rho,
                numpy.array([sums[0], sums[1], -(shares[1] @ self.ln_n), sums[2],
                             -(shares[2] @ self.ln_d)]))


def grid():
    """The starts in the order of the form's own grid: E slowest, beta fastest."""
    return [(e, a, alpha, b, beta) for e in FLOORS for a in FACTORS for alpha in EXPONENTS
            for b in FACTORS for beta in EXPONENTS]


def run_lbfgs(points, starts, replicates):
    import numpy
    from scipy.optimize import minimize
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-13, "gtol": 1e-10}
    objective = Objective(*points)
    begin = time.process_time()
    ends = [minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
            for start in starts]
    search = time.process_time() - begin
    best = min(ends, key=lambda end: end.fun)
    reached = sum(end.fun <= best.fun * (1 + 1e-6) for end in ends)
    random = numpy.random.default_rng(1)
    count = len(points[0])
    begin = time.process_time()
    for _ in range(replicates):
        weight = numpy.bincount(random.integers(0, count, count), minlength=count).astype(float)
        minimize(Objective(*points, weight), best.x, jac=True, method="L-BFGS-B", options=options)
    return {"objective": best.fun, "agreeing": reached, "starts": len(starts),
            "processor_seconds": search, "replicates": replicates,
            "bootstrap_processor_seconds": time.process_time() - begin,
            "values": dict(zip(["E", "A", "alpha", "B", "beta"],
                               [float(numpy.exp(best.x[0])), float(numpy.exp(best.x[1])), best.x[2],
                                float(numpy.exp(best.x[3])), best.x[4]]))}


def run_projection(points):
    """Variable projection: E, A and B by reweighted non-negative least squares at every (alpha, beta), L-BFGS-B outside."""
    import numpy
    from scipy.optimize import minimize, nnls
    n, d, loss = points
    ln_n, ln_d = numpy.log(n), numpy.log(d)

    def project(exponents):
        columns = numpy.stack([numpy.ones_like(n), n ** -exponents[0], d ** -exponents[1]], axis=1)
        norms = numpy.linalg.norm(columns, axis=0)
        root, goal = 1 / loss, loss
        factors, before = None, numpy.inf
        for _ in range(500):
            factors = nnls(columns / norms * root[:, None], goal * root)[0] / norms
            fitted = columns @ factors
            r = numpy.log(fitted) - numpy.log(loss)
            rho, psi = huber(r)
            now = rho.sum()
            if before - now <= 1e-13 * now:
                break
            before = now
            # Weights psi/r (d ln f)², and where the linearized logarithm is that of the loss.
            goal = fitted * (1 - r)
            root = numpy.sqrt(numpy.where(numpy.abs(r) > DELTA, DELTA / numpy.abs(r), 1.0)) / fitted
        slope = psi / fitted
        gradient = numpy.array([-(slope * factors[1] * columns[:, 1]) @ ln_n,
                                -(slope * factors[2] * columns[:, 2]) @ ln_d])
        return now, gradient, factors

    begin = time.process_time()
    ends = []
    for alpha in EXPONENTS:
        for beta in EXPONENTS:
            ends.append(minimize(lambda x: project(x)[:2], (alpha, beta), jac=True, method="L-BFGS-B",
                                 bounds=[(0, 3), (0, 3)], options={"ftol": 1e-13, "gtol": 1e-10}))
    best = min(ends, key=lambda end: end.fun)
    return {"objective": best.fun, "starts": len(ends),
            "agreeing": sum(end.fun <= best.fun * (1 + 1e-6) for end in ends),
            "processor_seconds": time.process_time() - begin}


def child(function, args, queue):
    result = function(*args)
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put(result)


def apart(function, *args):
    """Runs in a process of its own, on one thread, so that its peak memory is its own."""
    queue = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=child, args=(function, args, queue))
    process.start()
    result = queue.get()
    process.join()
    return result


def ours(program, points, *args):
    output = subprocess.check_output([program, "--points", points, "--threads", str(THREADS), *args])
    return json.loads(output)


def curves(program, folder, largest):
    """Cost over points (the default fit) and over starts (the whole grid, thinned)."""
    result = {"points": [], "starts": []}
    count = 100
    while count <= largest:
        path = os.path.join(folder, f"points-{count}.csv")
        write_points(path, simulate(count))
        result["points"].append(ours(program, path, "--procedure", "default"))
        os.remove(path)
        count *= 10
    path = os.path.join(folder, "points.csv")
    for starts in (45, 150, 450, 1500, 4500):
        result["starts"].append(
            ours(program, path, "--procedure", "hoffmann", "--starts", str(starts)))
    return result


def plot(path, data):
    """Both curves on logarithmic axes with a line of slope 1."""
    import math
    width, height, margin = 360, 260, 46
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width}" height="{height + 24}" '
             'font-family="sans-serif" font-size="11">']
    for panel, (key, label) in enumerate([("points", "runs in the table"), ("starts", "starts")]):
        x = [entry["rows" if key == "points" else "starts"] for entry in data[key]]
        y = [entry["processor_seconds"] for entry in data[key]]
        x_log, y_log = [math.log10(v) for v in x], [math.log10(max(v, 1e-4)) for v in y]
        x0, x1 = min(x_log), max(x_log)
        y0, y1 = math.floor(min(y_log)), math.ceil(max(y_log))
        left = panel * width + margin

        def place(a, b):
            return (left + (a - x0) / (x1 - x0) * (width - margin - 16),
                    height - margin - (b - y0) / (y1 - y0) * (height - margin - 30))

        parts.append(f'<text x="{left}" y="16">processor seconds over {label}; dashed: in proportion</text>')
        for a in range(math.ceil(x0 - 1e-9), math.floor(x1 + 1e-9) + 1):
            px, py = place(a, y0)
            parts.append(f'<text x="{px:.0f}" y="{py + 16:.0f}" text-anchor="middle">10^{a}</text>')
        for b in range(y0, y1 + 1):
            px, py = place(x0, b)
            parts.append(f'<text x="{px - 6:.0f}" y="{py + 4:.0f}" text-anchor="end">10^{b}</text>'
                         f'<line x1="{px:.1f}" y1="{py:.1f}" x2="{place(x1, b)[0]:.1f}" y2="{py:.1f}" '
                         'stroke="#ddd"/>')
        (ax, ay), (bx, by) = place(x_log[-1], y_log[-1]), place(x0, y_log[-1] - (x1 - x0))
        clip = f'clip{panel}'
        top, bottom = place(x0, y1)[1], place(x0, y0)[1]
        parts.append(f'<clipPath id="{clip}"><rect x="{left}" y="{top:.1f}" width="{width}" '
                     f'height="{bottom - top:.1f}"/></clipPath>')
        parts.append(f'<line x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}" stroke="#888" '
                     f'stroke-dasharray="4 3" clip-path="url(#{clip})"/>')
        points = [place(a, b) for a, b in zip(x_log, y_log)]
        parts.append('<polyline fill="none" stroke="#1f5fa8" points="'
                     + " ".join(f"{a:.1f},{b:.1f}" for a, b in points) + '"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="#1f5fa8"/>' for a, b in points]
    parts.append("</svg>")
    pathlib.Path(path).write_text("\n".join(parts) + "\n", encoding="utf-8")


def report(data):
    rows = [("qatlas, 2 threads", data["qatlas"]), ("scipy L-BFGS-B, 1 thread", data["scipy"]),
            ("qatlas, projected", data["qatlas_projected"]),
            ("scipy, variable projection", data["scipy_projection"])]
    print("| program | starts | agree | objective | search, processor s | 4,000 refits, processor s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for name, entry in rows:
        refits = entry.get("bootstrap_processor_seconds")
        if refits is not None and entry.get("replicates", REPLICATES) != REPLICATES:
            refits *= REPLICATES / entry["replicates"]
        print(f"| {name} | {entry['starts']:,} | {entry['agreeing']:,} | {entry['objective']:.12g} | "
              f"{entry['processor_seconds']:.3g} | {'' if refits is None else f'{refits:.3g}'} | "
              f"{entry['peak_mib']:.0f} |")
    wall = data["qatlas"]["seconds"] + data["qatlas"]["bootstrap_seconds"]
    print(f"\nqatlas, all of it on {THREADS} threads: {wall:.3g} s of wall time; load before: {data['load']}\n")
    print("| runs | starts | searched | processor s | peak MiB |")
    print("|---|---|---|---|---|")
    for entry in data["curves"]["points"] + data["curves"]["starts"]:
        print(f"| {entry['rows']:,} | {entry['starts']:,} | {entry['searched']:,} | "
              f"{entry['processor_seconds']:.3g} | {entry['peak_mib']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--timing", required=True, help="the program fit_timing")
    parser.add_argument("--output", required=True, help="JSON to write; the plot goes beside it")
    parser.add_argument("--every", type=int, default=1, help="of scipy's starts and refits, every so many")
    parser.add_argument("--rows", type=int, default=1000000, help="the longest table")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    data = {"machine": platform.machine(), "threads": THREADS,
            "load": os.getloadavg()[0], "every": options.every, "rows": 240}
    with tempfile.TemporaryDirectory() as folder:
        points = simulate(data["rows"])
        path = os.path.join(folder, "points.csv")
        write_points(path, points)
        data["qatlas"] = ours(options.timing, path, "--procedure", "hoffmann", "--bootstrap",
                              str(REPLICATES))
        data["qatlas_projected"] = ours(options.timing, path, "--procedure", "projected")
        data["scipy"] = apart(run_lbfgs, points, grid()[::options.every],
                              REPLICATES // options.every)
        data["scipy_projection"] = apart(run_projection, points)
        data["curves"] = curves(options.timing, folder, options.rows)
    output = pathlib.Path(options.output)
    output.write_text(json.dumps(data, indent=1, default=float) + "\n", encoding="utf-8")
    plot(output.with_suffix(".svg"), data["curves"])
    report(data)
    limit = min(data["scipy"]["objective"], data["scipy_projection"]["objective"]) * (1 + ROUNDING)
    for name in ("qatlas", "qatlas_projected"):
        if data[name]["objective"] > limit:
            print(f"FAILED: {name} ends at {data[name]['objective']!r}, above scipy's {limit!r}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
