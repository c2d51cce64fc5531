"""LARRY's loaders put the published files together rightly, and the join of fates agrees with the real table."""

import gzip
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite
from scipy.spatial import cKDTree

import scmi as sm
from scmi.datasets import _larry_files
from scmi.datasets._larry_files import FILES, Cells
from scmi.datasets._larry_state_fate import clonal_fates
from tests.conftest import DATA

METADATA = """Library\tCell barcode\tTime point\tStarting population\tCell type annotation\tWell\tSPRING-x\tSPRING-y
d2_1\tAA-C\t2.0\tLin-Kit+Sca1-\tUndifferentiated\t0\t1.5\t-2.0
d2_1\tAA-G\t2.0\tLin-Kit+Sca1-\tUndifferentiated\t0\t0.0\t0.0
d4_1\tAA-C\t4.0\tLin-Kit+Sca1-\tMonocyte\t1\t3.0\t4.0
d6_1\tAA-T\t6.0\tLin-Kit+Sca1+\tMonocyte\t1\t5.0\t6.0
d6_2\tAA-T\t6.0\tLin-Kit+Sca1+\tUndifferentiated\t2\t7.0\t8.0
d6_2\tCC-T\t6.0\tLin-Kit+Sca1+\tBaso\t2\t9.0\t10.0
"""
# Clone 0 has cells 0, 2 and 4; clone 1 cells 3 and 5; cell 5 is in clone 2, too, and cell 1 in none.
CLONES = [[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1]]
COUNTS = np.arange(24.0).reshape(6, 4) / 2


@pytest.fixture
def folder(tmp_path):
    def write(kind, content):
        (tmp_path / FILES[kind]).write_bytes(gzip.compress(content))

    for kind, matrix in (("counts", COUNTS), ("clones", np.array(CLONES))):
        mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(matrix))
        write(kind, (tmp_path / "matrix.mtx").read_bytes())
    write("metadata", METADATA.encode())
    write("genes", b"Gata1\nNA\nGata1\nMpo\n")
    write("pseudotime", b"Cell index\tpseudotime\n0\t1409\n3\t23849\n")
    return tmp_path


def test_larry(folder):
    adata = sm.datasets.larry(folder)
    assert isinstance(adata.X, sparse.csr_matrix) and adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.var_names) == ["Gata1", "NA", "Gata1-1", "Mpo"]
    assert adata.obs_names.is_unique and adata.obs_names[2] == "d4_1_AA-C"
    assert list(adata.obs["time"]) == ["2", "2", "4", "6", "6", "6"]
    assert list(adata.obs["well"].cat.categories) == ["0", "1", "2"]
    # Clone 0 is a clone, no clone is NaN, and two clones are no label.
    assert adata.obs["clone"].astype(object).fillna("none").tolist() == ["0", "none", "0", "1", "0", "none"]
    np.testing.assert_array_equal(adata.obsm["X_clone"].toarray(), np.array(CLONES, dtype=bool))
    np.testing.assert_array_equal(adata.obs["neutrophil_pseudotime"], [1409, np.nan, np.nan, 23849, np.nan, np.nan])
    np.testing.assert_array_equal(adata.obsm["X_spring"][0], [1.5, -2.0])


def test_from_the_server(folder, server, tmp_path, monkeypatch):
    server.files = {f"/{name}": (folder / name).read_bytes() for name in FILES.values()}
    monkeypatch.setattr(_larry_files, "URL", server.url)
    for _ in range(2):
        assert sm.datasets.larry(tmp_path / "cache", progress=False).shape == (6, 4)
    assert len(server.asked) == len(FILES)


def test_state_fate(folder):
    adata = sm.datasets.larry_state_fate(folder)
    # Cell 0 alone has a mature mate: the monocyte of day 4. The undifferentiated one is no fate.
    assert list(adata.obs_names) == ["d2_1_AA-C"]
    assert adata.obsm["fates"].loc["d2_1_AA-C"].to_dict() == {"Baso": 0, "Monocyte": 1}
    assert adata.obs["clone"].tolist() == ["0"]


def test_files_that_do_not_fit(folder):
    (folder / FILES["genes"]).write_bytes(gzip.compress(b"Gata1\n"))
    with pytest.raises(ValueError, match="has 4 columns, but .* names 1 genes"):
        sm.datasets.larry(folder)


MATRIX = b"%%MatrixMarket matrix coordinate real general\n"
LINES = METADATA.encode().splitlines(keepends=True)
# Each of a kind: which file, and what it then holds (None: the file named instead), packed unless it says otherwise.
DAMAGED = {
    "packed and cut off": ("counts", lambda raw: gzip.compress(raw)[:-20], False),
    "damaged within": ("counts", lambda raw: gzip.compress(raw)[:30] + bytes(9) + gzip.compress(raw)[39:], False),
    "text cut off": ("counts", lambda raw: raw[:-12], True),
    "clones cut off": ("clones", lambda raw: gzip.compress(raw)[:-9], False),
    "metadata cut off": ("metadata", lambda raw: gzip.compress(raw)[:-9], False),
    "genes cut off": ("genes", lambda raw: gzip.compress(raw)[:-9], False),
    "a web page": ("counts", lambda raw: b"<!DOCTYPE html><html></html>", False),
    "a packed web page": ("genes", lambda raw: b"<html>\n<body>\n</body>\n</html>", True),
    "empty": ("pseudotime", lambda raw: b"", False),
    "packed emptiness": ("metadata", lambda raw: b"", True),
    "no genes": ("genes", lambda raw: b"", True),
    "not packed": ("clones", lambda raw: raw, False),
    "a row less": ("metadata", lambda raw: b"".join(LINES[:-1]), True),
    "a row of counts less": ("counts", lambda raw: MATRIX + b"5 4 1\n1 1 1.0\n", True),
    "a gene more": ("genes", lambda raw: raw + b"Mpo\n", True),
    "no number in the counts": ("counts", lambda raw: MATRIX + b"6 4 1\n1 1 one\n", True),
    "no number in the layout": ("metadata", lambda raw: raw.replace(b"1.5", b"left"), True),
    "another matrix": ("counts", lambda raw: raw.replace(b"coordinate", b"array"), True),
    "a bad header": ("counts", lambda raw: b"%MatrixMarket" + raw, True),
    "entries outside": ("clones", lambda raw: MATRIX + b"6 3 1\n7 1 1\n", True),
    "more entries than told": ("clones", lambda raw: MATRIX + b"6 3 1\n1 1 1\n2 1 1\n", True),
    "a size beyond all": ("clones", lambda raw: MATRIX + b"6 3 99999999999999\n1 1 1\n", True),
    "negative counts": ("counts", lambda raw: MATRIX + b"6 4 1\n1 1 -1.5\n", True),
    "NaN in the counts": ("counts", lambda raw: MATRIX + b"6 4 1\n1 1 nan\n", True),
    "complex counts": ("counts", lambda raw: MATRIX.replace(b"real", b"complex") + b"6 4 1\n1 1 1 1\n", True),
    "clones in fractions": ("clones", lambda raw: MATRIX + b"6 3 1\n1 1 .5\n", True),
    "counts for clones": ("clones", None, "counts"),
    "genes for metadata": ("metadata", None, "genes"),
    "metadata for genes": ("genes", None, "metadata"),
    "pseudotime for metadata": ("metadata", None, "pseudotime"),
    "metadata for counts": ("counts", None, "metadata"),
    "a column less": ("metadata", lambda raw: raw.replace(b"SPRING-x", b"x"), True),
    "a value less": ("metadata", lambda raw: raw.replace(b"d4_1\t", b"\t"), True),
    "no text": ("metadata", lambda raw: raw + b"\xff\xfe\tA\n", True),
    "a cell twice": ("pseudotime", lambda raw: raw + b"3\t1\n", True),
    "a cell too many": ("pseudotime", lambda raw: raw + b"6\t1\n", True),
    "half a cell": ("pseudotime", lambda raw: raw + b"1.5\t1\n", True),
    "pseudotime without numbers": ("pseudotime", lambda raw: raw + b"1\tlate\n", True),
    "pseudotime without end": ("pseudotime", lambda raw: raw + b"1\tinf\n", True),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_named(folder, kind):
    name, damage, packed = DAMAGED[kind]
    file = folder / FILES[name]
    content = (folder / FILES[packed]).read_bytes() if damage is None else damage(gzip.decompress(file.read_bytes()))
    file.write_bytes(gzip.compress(content) if packed is True else content)
    with pytest.raises(ValueError) as error:
        sm.datasets.larry(folder)
    assert str(file) in str(error.value)
    assert "Delete it" in str(error.value) and "the right file in its place" in str(error.value)


def test_damaged_downloads_are_mended(folder, server, tmp_path, monkeypatch):
    server.files = {f"/{name}": (folder / name).read_bytes() for name in FILES.values()}
    monkeypatch.setattr(_larry_files, "URL", server.url)
    cache = tmp_path / "cache"
    expected = sm.datasets.larry(cache, progress=False)
    for name, content in zip(FILES.values(), (b"", b"<html>", gzip.compress(b"?"), b"text", b"\x1f\x8b"), strict=True):
        (cache / name).write_bytes(content)
    with pytest.warns(UserWarning, match="downloaded again"):
        again = sm.datasets.larry(cache, progress=False)
    assert (again.X != expected.X).nnz == 0 and again.obs.equals(expected.obs)
    assert len(server.asked) == 2 * len(FILES)


def test_fates_of_the_real_clones():
    """781 of the cells with their real clones: never more mates than the published table, made from all cells, has."""
    if not (DATA / "larry").exists():
        pytest.skip(f"no {DATA / 'larry'}; set SCMI_TEST_DATA")
    everyone = pd.read_csv(DATA / "larry" / "larry_all_cells_130887.csv.gz")
    table = pd.read_csv(DATA / "larry" / "larry_day2_clonal_fate_counts.csv.gz", index_col=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ad.OldFormatWarning)
        some = ad.read_h5ad(DATA / "larry" / "larry_781_cells.h5ad")
    _, at = cKDTree(everyone[["SPRING1", "SPRING2"]]).query(some.obsm["X_emb"])
    types = everyone["type"].fillna("Undifferentiated").to_numpy()[at]
    obs = pd.DataFrame({"time": everyone["day"].to_numpy()[at].astype(str), "cell_type": pd.Categorical(types)})
    rows, fates = clonal_fates(Cells(obs, sparse.csr_matrix(some.obsm["X_clone"], dtype=bool), some.obsm["X_emb"]))
    assert len(rows) == 20
    assert np.isin(at[rows], table.index).all()
    assert (fates.to_numpy() <= table.loc[at[rows], fates.columns].to_numpy()).all()


def write_published(adata, folder):
    """A simulated experiment in the files of the published one."""
    clones = pd.get_dummies(adata.obs["clone"]).to_numpy(dtype=int)
    for kind, matrix in (("counts", adata.X), ("clones", clones)):
        mmwrite(folder / "matrix.mtx", sparse.coo_matrix(matrix))
        (folder / FILES[kind]).write_bytes(gzip.compress((folder / "matrix.mtx").read_bytes(), 1))
    table = pd.DataFrame(
        {
            "Library": "lib",
            "Cell barcode": adata.obs_names,
            "Time point": adata.obs["day"].astype(float),
            "Starting population": "Lin-Kit+Sca1+",
            "Cell type annotation": np.where(
                adata.obs["day"] == "2", "Undifferentiated", adata.obs["fate"].astype(str)
            ),
            "Well": adata.obs["well"].astype(str),
            "SPRING-x": adata.obsm["X_spring"][:, 0],
            "SPRING-y": adata.obsm["X_spring"][:, 1],
        }
    )
    pseudotime = adata.obs["pseudotime"].rank().rename("pseudotime").reset_index(drop=True).dropna()
    for kind, text in (
        ("metadata", table.to_csv(sep="\t", index=False)),
        ("genes", "\n".join(adata.var_names) + "\n"),
        ("pseudotime", pseudotime.to_csv(sep="\t", index_label="Cell index")),
    ):
        (folder / FILES[kind]).write_bytes(gzip.compress(text.encode()))


def test_what_is_loaded_serves_the_tools(tmp_path, FAST):
    simulated = sm.datasets.lineage(100, n_genes=400, rng=0)
    write_published(simulated, tmp_path)
    adata = sm.datasets.larry(tmp_path)
    np.testing.assert_allclose(adata.X.toarray(), simulated.X.toarray(), rtol=1e-6)
    for pair_key in ("clone", "X_clone"):
        loaded, direct = adata.copy(), simulated.copy()
        for data, key, day in ((loaded, pair_key, "time"), (direct, "clone", "day")):
            sm.pp.recipe_lmi(data)
            sm.tl.lmi(
                data,
                pair_key=key,
                groupby=day,
                groups=("2", "6"),
                model=sm.LMI(preset=FAST, n_splits=1, n_permutations=0),
            )
        # The same barcodes by other names: split and drawn otherwise, but the same cells have a pMI in the end.
        assert loaded.uns["lmi"]["n_pairs"] == direct.uns["lmi"]["n_pairs"]
        np.testing.assert_array_equal(loaded.obs["lmi_n"] > 0, direct.obs["lmi_n"] > 0)
    loaded.write_h5ad(tmp_path / "larry.h5ad")
    assert ad.read_h5ad(tmp_path / "larry.h5ad").obs["clone"].equals(loaded.obs["clone"])
    # Wells of the late day only, as published: "0" is none.
    assert set(adata.obs.loc[adata.obs["time"] == "6", "well"]) == {"1", "2"}
    fates = sm.datasets.larry_state_fate(tmp_path)
    groups = fates.obs["clone_group"].astype(str)
    # Day-2 sisters of one clone share the fates of their mates.
    shared = fates.obs.groupby("clone", observed=True)["clone_group"].nunique()
    assert (shared == 1).all() and groups.nunique() == fates.obs["clone"].nunique()
    result = sm.lmi(
        fates.obsm["X_spring"], fates.obsm["fates"], groups=groups, preset=FAST, n_splits=1, n_permutations=0
    )
    assert np.isfinite(result.mi)
