"""``python -m scmi``: the main job on the built-in example."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scmi._files import written_whole

if TYPE_CHECKING:
    from anndata import AnnData

# Of pseudotime on day 2, whose first is before the breakpoint: there nothing is to be told.
REGIONS = ((0.0, 0.35), (0.35, 0.57), (0.57, 0.78), (0.78, 1.0))


def main(arguments: list[str] | None = None) -> None:
    """Estimate what day 2 tells about day 6 in simulated clones, and compare with the truth."""
    options = _parser().parse_args(arguments)
    out: Path = options.out
    if out.exists() and not out.is_dir():
        raise SystemExit(f"`--out {out}` is not a folder.")
    out.mkdir(parents=True, exist_ok=True)
    import scmi as sm

    print("Simulating a lineage-tracing experiment ...", flush=True)
    adata = sm.datasets.lineage()
    print("Normalising, and choosing genes ...", flush=True)
    sm.pp.recipe_lmi(adata)
    print("Learning from half of the clones what the other half shares, and the reverse ...", flush=True)
    sm.tl.lmi(adata, pair_key="clone", groupby="day", groups=("2", "6"))

    written = [_picture(adata, out)]
    if options.h5ad:
        written.append(out / "scmi_lineage.h5ad")
        with written_whole(written[-1]) as file:
            adata.write_h5ad(file)
    truth = adata.uns["truth"]
    print(f"""
Day 2 and day 6 share {sm.get.lmi(adata)}.

Simulated: {truth["day2_day6"]:.2f} bits between the states of the cells. Counts don't show all of a state: less can be
measured.

{_table(adata)}

{chr(10).join(f"Written: {path}" for path in written)}""")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scmi",
        description="Simulate a lineage-tracing experiment, estimate what cells of day 2 tell about their relatives on "
        "day 6, and print it beside what was simulated, with a picture. It takes half a minute to two.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where files go, made if it is not there (default: here)",
    )
    parser.add_argument(
        "--h5ad",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="whether to write the cells with their results as well, scmi_lineage.h5ad (default: no)",
    )
    return parser


def _picture(adata: "AnnData", out: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")  # a file is written; no window is wanted, nor always possible
    import matplotlib.pyplot as plt

    import scmi as sm

    figure, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
    sm.pl.pmi_embedding(adata, basis="spring", mask_obs=adata.obs["day"] == "2", ax=ax)
    ax.set_title("What a cell of day 2 tells about its relatives on day 6")
    path = out / "scmi_lineage.png"
    with written_whole(path) as file:
        figure.savefig(file, dpi=200, format="png")
    return path


def _table(adata: "AnnData") -> str:
    """Mean pMI of regions of day 2, as estimated and as simulated."""
    cells = adata.obs[(adata.obs["day"] == "2") & adata.obs["lmi_pmi"].notna()]
    lines = [
        "Mean pMI of the cells of day 2, in bits",
        f"{'pseudotime':<24}{'cells':>6}{'estimated':>12}{'simulated':>12}",
    ]
    for low, high in REGIONS:
        region = cells[(cells["pseudotime"] >= low) & (cells["pseudotime"] < high)]
        name = f"{low:.2f} to {high:.2f}" + (", undecided" if low == 0 else "")
        numbers = f"{len(region):>6,}{region['lmi_pmi'].mean():>12.2f}{region['true_pmi'].mean():>12.2f}"
        lines.append(f"{name:<24}{numbers}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
