"""No wrong number from a damaged or crafted model: ``pytest -m benchmark tests/benchmarks/test_fuzz_models.py -s``.

2,000 files are made from three models (linear, kernel, network) by 20 kinds of damage: to bytes, to members of the zip
file, and crafted ones whose checksum is right. Each must be refused by a ValueError that names the file, or answer as
the undamaged model does, to the last bit.
"""

from collections import Counter

import pytest

from tests.estimators._damage import fuzz

pytestmark = pytest.mark.benchmark

SEED = 0


def test_damaged_models(tmp_path):
    outcomes, wrong = fuzz(tmp_path, 2000, SEED)
    totals = Counter()
    for (kind, outcome), n in sorted(outcomes.items()):
        print(f"{kind:18s} {outcome:8s} {n:5d}")
        totals[outcome] += n
    print(dict(totals))
    assert wrong == []
