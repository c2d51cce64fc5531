"""A GPU beside the CPU of the same machine, in at most eight minutes: ``python tests/benchmarks/gpu.py``.

Runs the tests that are marked ``gpu``, compares the numbers of both devices, carries saved models from one to the
other, and prints a table for docs/performance.md. Where there is no GPU it says so and measures nothing;
``--device cpu`` compares the CPU with itself, which shows that this script works.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import scmi as sm
from scmi.estimators.neighbours.ksg import KSG

ROOT = Path(__file__).parents[2]
# Neighbours are counted exactly, in float64, on both.
COUNTED = 1e-10
# Bits by which two trainings may differ: each device draws its own first weights, and the spread over seeds is .05.
TRAINED = 0.15
# Bits by which the mean over 500 pairs may differ where one model answers on both: float32 is rounded otherwise, so
# that now and then two neighbours change places.
CARRIED = 0.01

ELSEWHERE = """
import sys
import numpy as np
import scmi as sm
import torch

what, model, data, answer = sys.argv[1:]
assert not torch.cuda.is_available()
x, y = np.load(data)
fitted = sm.LMI.load(model) if what == "load" else sm.LMI(n_permutations=0, progress=False).fit(x, y)
if what == "fit":
    fitted.save(model)
assert fitted.folds_[0].model.device.type == "cpu"
np.save(answer, fitted.pmi(x[:500], y[:500]))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="what is compared with the CPU")
    device = torch.device(parser.parse_args().device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(f"There is no CUDA device here (torch {torch.__version__}), so that nothing was measured.")
        return 2
    start = time.perf_counter()
    name = torch.cuda.get_device_name() if device.type == "cuda" else str(device)
    if device.type == "cuda":
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"], cwd=ROOT, check=True)
    carry(device)
    print(f"\nOn {name}, beside {torch.get_num_threads()} threads of {platform.processor() or platform.machine()}:\n")
    print("| what | CPU | GPU | ratio | largest difference |\n|---|---|---|---|---|")
    for row in (job, neighbours):
        row(device)
    print(f"\n{time.perf_counter() - start:.0f} s in all")
    return 0


def carry(device):
    """A model saved on the device answers the same where there is none, and one from there the same here."""
    sample = sm.datasets.gaussian(2000, 50, bits=1.0, rng=0)
    few = (sample.x[:500], sample.y[:500])
    with tempfile.TemporaryDirectory() as folder:
        data, model, answer = (os.path.join(folder, name) for name in ("data.npy", "model", "answer.npy"))
        np.save(data, np.stack([sample.x, sample.y]))

        def elsewhere(what):
            hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, "-c", ELSEWHERE, what, model, data, answer], env=hidden, check=True)
            return float(np.load(answer).mean())

        fitted = sm.LMI(n_permutations=0, device=str(device), progress=False).fit(sample.x, sample.y)
        fitted.save(model)
        there = elsewhere("load")
        check("a model of the device, on the CPU", fitted.pmi(*few).mean(), there, CARRIED)
        there = elsewhere("fit")
        loaded = sm.LMI.load(model)
        check(f"a model of the CPU, on {loaded.folds_[0].model.device}", loaded.pmi(*few).mean(), there, CARRIED)


def job(device):
    """20 pairings of 1,500 barcodes and 1,000 genes."""
    adata = sm.datasets.lineage(3180, n_genes=2000, rng=0)
    sm.pp.recipe_lmi(adata, n_top_genes=1000)
    shared = np.intersect1d(*(adata.obs["clone"][adata.obs["day"] == day].dropna() for day in ("2", "6")))
    rows = adata.obs["day"].isin(["2", "6"]) & adata.obs["clone"].isin(shared[:1500])
    adata = adata[rows].copy()
    found = {}

    def estimate(where):
        model = sm.LMI(device=where)
        sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"), model=model, progress=False)
        found[where] = adata.uns["lmi"]["mi"]

    print_row(f"{min(len(shared), 1500):,} pairs x 1,000 genes, 20 pairings", estimate, found, str(device), TRAINED)


def neighbours(device):
    """KSG of 100,000 pairs in 8 + 8 dimensions, bent manifolds of 8 as in `test_ksg_speed`."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(100_000, 8))
    x, y = (np.tanh(part @ rng.normal(size=(8, 8))) for part in (z, z + rng.normal(size=z.shape)))
    found = {}

    def count(where):
        found[where] = KSG(3, "euclidean").pointwise(x, y, torch.device(where))

    print_row("KSG of 100,000 pairs, 8 + 8 dimensions", count, found, str(device), COUNTED)


def print_row(what, measure, found, device, tolerance):
    """Seconds of both, each after a run that compiles kernels and starts the device."""
    seconds = []
    for where in ("cpu", device):
        sm.lmi(*np.random.default_rng(0).normal(size=(2, 100, 5)), device=where, progress=False, n_permutations=9)
        start = time.perf_counter()
        measure(where)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    apart = float(np.max(np.abs(np.subtract(found["cpu"], found[device]))))
    print(f"| {what} | {seconds[0]:.1f} s | {seconds[1]:.1f} s | {seconds[0] / seconds[1]:.1f} | {apart:.2g} bits |")
    assert apart <= tolerance, f"{what}: {apart} bits apart, more than {tolerance}"


def check(what, one, other, tolerance):
    print(f"{what}: {one:.4f} and {other:.4f} bits")
    assert abs(one - other) <= tolerance, f"{what}: more than {tolerance} bits apart"


if __name__ == "__main__":
    sys.exit(main())
