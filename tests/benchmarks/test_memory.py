"""Time and memory as N grows: ``pytest -m benchmark tests/benchmarks/test_memory.py -s``.

Both sides are CSR of 1,000 genes, 5 % of them stored, which tell of three shared variables. Each run has a process of
its own, which builds its data 20,000 rows at a time; peak memory is that of the whole process, data included.
"""

import json
import math
import subprocess
import sys

import pytest

pytestmark = pytest.mark.benchmark

MEASURE = """
import json, resource, sys, time
import numpy as np
import scipy.sparse as sp
import scmi as sm

N_GENES, STORED, ROWS = 1000, 50, 20_000

def sparse(signal, rng):
    # A cell stores 50 genes: more of those its state favours, one drawn from each stratum of 20.
    weight = rng.normal(size=(signal.shape[1], STORED))
    parts = []
    for start in range(0, len(signal), ROWS):
        z = signal[start : start + ROWS]
        place = 10 + 4 * (z @ weight) + 2 * rng.normal(size=(len(z), STORED))
        column = np.clip(place, 0, N_GENES // STORED - 1).astype(np.int32)
        column += (N_GENES // STORED * np.arange(STORED)).astype(np.int32)
        value = rng.gamma(2.0, 1.0, column.size).astype(np.float32)
        indptr = STORED * np.arange(len(z) + 1)
        parts.append(sp.csr_matrix((value, column.ravel(), indptr), shape=(len(z), N_GENES)))
    return sp.vstack(parts, format="csr")

n, rng = int(sys.argv[1]), np.random.default_rng(0)
shared = rng.normal(size=(n, 3))
x, y = sparse(shared, rng), sparse(0.8 * shared + 0.6 * rng.normal(size=(n, 3)), rng)
sm.lmi(x[:100], y[:100], progress=False)  # imports torch, compiles KSG
start = time.perf_counter()
mi = sm.lmi(x, y, progress=False).mi_ksg
seconds = time.perf_counter() - start
data = sum(part.nbytes for side in (x, y) for part in (side.data, side.indices, side.indptr))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print("\\n" + json.dumps({"mi": mi, "seconds": seconds, "data": data, "peak": peak}))
"""


def run(n):
    command = [sys.executable, "-c", MEASURE, str(n)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{n:>9,} pairs {result['data'] / 2**20:6.0f} MiB of data {result['mi']:.2f} bits "
        f"{result['seconds']:6.1f} s {result['peak'] / 2**30:5.2f} GiB"
    )
    return result


def test_a_million_pairs():
    _, hundred_thousand, million = (run(n) for n in (10_000, 100_000, 1_000_000))
    assert million["peak"] < 12 * 2**30
    # N log N, as sorting and the neighbour search take.
    assert million["seconds"] / hundred_thousand["seconds"] <= 10 * math.log(1e6) / math.log(1e5)
