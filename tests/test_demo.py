"""The promises of ``python -m scmi``.

- By default it leaves a picture and nothing else; `--h5ad` leaves the cells too, `--out` says where.
- It prints the estimate as a sentence, and the pMI of regions beside what was simulated there.
- Help and a wrong folder cost no simulation.
"""

import re
import subprocess
import sys

import anndata as ad
import pytest

import scmi as sm
from scmi.__main__ import REGIONS, main


@pytest.fixture
def small(monkeypatch, quick_lmi):
    """A tenth of the experiment, and quick training."""
    full, lmi = sm.datasets.lineage, sm.tl.lmi
    monkeypatch.setattr(sm.datasets, "lineage", lambda: full(300, n_genes=500))
    monkeypatch.setattr(sm.tl, "lmi", lambda adata, **how: lmi(adata, model=quick_lmi(n_permutations=9), **how))


def test_a_picture_and_a_table(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main([])
    assert [path.name for path in tmp_path.iterdir()] == ["scmi_lineage.png"]
    said = capsys.readouterr().out
    assert re.search(r"Day 2 and day 6 share \d\.\d\d bits \(90 %: .+ to .+\), p = .+, \d+ barcodes", said)
    rows = re.findall(r"^(0\.\d\d) to .*? (\d+) +(-?\d\.\d\d) +(\d\.\d\d)$", said, re.MULTILINE)
    assert [float(low) for low, *_ in rows] == [low for low, _ in REGIONS]
    simulated = [float(bits) for *_, bits in rows]
    # i(t) = 2.3 (t - .35) / .65 at the middle of each region: 0, .39, 1.15, 1.91; over eight seeds within .10.
    assert simulated == pytest.approx([0, 0.39, 1.15, 1.91], abs=0.15)


def test_folder_and_cells(small, tmp_path, capsys):
    main(["--out", str(tmp_path), "--h5ad"])
    assert {path.name for path in tmp_path.iterdir()} == {"scmi_lineage.png", "scmi_lineage.h5ad"}
    cells = ad.read_h5ad(tmp_path / "scmi_lineage.h5ad")
    assert str(sm.get.lmi(cells)) in capsys.readouterr().out
    new = tmp_path / "new" / "folder"
    main(["--out", str(new), "--no-h5ad"])
    assert [path.name for path in new.iterdir()] == ["scmi_lineage.png"]


def test_help_and_a_file_for_a_folder_cost_nothing():
    told = subprocess.run([sys.executable, "-X", "importtime", "-m", "scmi", "--help"], capture_output=True, text=True)
    assert told.returncode == 0
    assert all(option in told.stdout for option in ("--out DIR", "--h5ad", "--no-h5ad"))
    assert "scanpy" not in told.stderr
    with pytest.raises(SystemExit, match="is not a folder"):
        main(["--out", __file__])
