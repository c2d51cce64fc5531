"""Ours against the published package, side by side: ``pytest -m benchmark tests/benchmarks/test_reference.py -s``.

The published package goes into a virtual environment of its own (it needs an old name of numpy's patched back), gets the
same arrays, and takes turns with ours. Time is that of the estimate alone, peak memory that of its whole process.
"""

import json
import subprocess
import sys
import venv

import numpy as np
import pytest

import scmi as sm

pytestmark = pytest.mark.benchmark

OURS = """
import scmi as sm
def warm_up(x, y):
    sm.lmi(x[:100], y[:100], progress=False)  # imports torch, compiles KSG
def estimate(x, y):
    return sm.lmi(x, y, progress=False).mi
"""

THEIRS = """
import numpy
numpy.NaN = numpy.nan
from latentmi import lmi
def warm_up(x, y):
    pass
def estimate(x, y):
    return float(numpy.nanmean(lmi.estimate(x, y, quiet=True)[0]))
"""

MEASURE = """
import json, resource, sys, time
import numpy as np
data = np.load(sys.argv[1])
warm_up(data["x"], data["y"])
start = time.perf_counter()
mi = estimate(data["x"], data["y"])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("\\n" + json.dumps({"mi": mi, "seconds": seconds, "peak": peak}))
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A Python that has the published package."""
    folder = tmp_path_factory.mktemp("reference")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "torch==2.13.0", "numpy", "scipy", "scikit-learn", "tqdm"], check=True)
    subprocess.run([*pip, "--no-deps", "latentmi==0.1.3"], check=True)
    return python


def run(python, code, data):
    done = subprocess.run([python, "-c", code + MEASURE, str(data)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("d", [100, 1000])
def test_gaussians(d, reference, tmp_path):
    ratios = []
    for seed in range(3):
        sample = sm.datasets.gaussian(2000, d, n_informative=4, bits=1.0, rng=seed)
        np.savez(tmp_path / "data.npz", x=sample.x, y=sample.y)
        theirs = run(reference, THEIRS, tmp_path / "data.npz")
        ours = run(sys.executable, OURS, tmp_path / "data.npz")
        ratios.append(theirs["seconds"] / ours["seconds"])
        for name, result in (("ours", ours), ("published", theirs)):
            print(f"d={d:<5} {name:10s} {result['mi']:.3f} bits {result['seconds']:7.2f} s {result['peak']:6.0f} MiB")
    print(f"d={d:<5} median ratio of times {np.median(ratios):.1f}")
    assert np.median(ratios) > {100: 15, 1000: 12}[d]
