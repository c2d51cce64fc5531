"""``python -m scmi``: the main job on the built-in example."""

import time
from pathlib import Path

import scmi as sm
from scmi._files import written_whole

H5AD, FIGURE = Path("scmi_lineage.h5ad"), Path("scmi_lineage.png")


def main() -> None:
    """Estimate what day 2 tells about day 6 in simulated clones, and compare with the truth."""
    import matplotlib

    matplotlib.use("Agg")  # a file is written; no window is wanted, nor always possible
    import matplotlib.pyplot as plt

    print("Simulating a lineage-tracing experiment ...", flush=True)
    adata = sm.datasets.lineage()
    sm.pp.recipe_lmi(adata)
    start = time.perf_counter()
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))
    seconds = time.perf_counter() - start

    with written_whole(H5AD) as file:
        adata.write_h5ad(file)
    figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
    sm.pl.pmi_embedding(adata, basis="spring", mask_obs=adata.obs["day"] == "2", ax=ax)
    ax.set_title("What a cell of day 2 tells about its relatives on day 6")
    with written_whole(FIGURE) as file:
        figure.savefig(file, dpi=200, format="png")

    result, truth = adata.uns["lmi"], adata.uns["truth"]
    print(f"""
pairs (shared barcodes)      {result["n_pairs"]:>8,}
I(day 2; day 6), estimated   {result["mi"]:>8.3f} ± {result["se"]:.1g} bits (p = {result["p"]:.1g})
I(day 2; day 6), true        {truth["day2_day6"]:>8.3f} bits, between the states; counting noise hides a part
time                         {seconds:>8.1f} s

pMI of every cell: {H5AD} (obs["lmi_pmi"])
its picture:       {FIGURE}""")


if __name__ == "__main__":
    main()
