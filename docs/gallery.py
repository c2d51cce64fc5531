"""Runs gallery.md and saves what each block draws as the picture below it: ``python docs/gallery.py``, three minutes.

The real data that blocks name are looked for in ``SCMI_TEST_DATA``; without them these pictures are left as they are.
"""

import os
import re
import warnings
from pathlib import Path

import anndata as ad
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

HERE = Path(__file__).parent
IMAGES = HERE / "images"
DATA = Path(os.environ.get("SCMI_TEST_DATA", HERE / ".." / ".." / "shared" / "data"))
COLUMN = 3.5  # inches, a column of a two-column page
MAX_BYTES = 100_000
# A block of Python with the data it needs, or a picture.
PART = re.compile(
    r"(?:^<!-- data: (?P<data>\w+) -->\n+)?^```python\n(?P<code>.*?)^```$|^!\[.*?\]\((?P<image>.*?)\)$",
    re.MULTILINE | re.DOTALL,
)


def shrink(drawn, path):
    """Write a picture again, with fewer colours if it would otherwise take more than 100 kB."""
    image = Image.open(drawn).convert("RGB")
    image.save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        image.quantize(256).save(path, optimize=True)
    print(path.name, path.stat().st_size, flush=True)


def save(name, figure, prefix="gallery"):
    """Write a figure into the images."""
    path = IMAGES / f"{prefix}_{name}.png"
    figure.savefig(path, dpi=160)
    shrink(path, path)
    plt.close(figure)


def panel(width=COLUMN, height=2.8, ncols=1):
    """New axes of the size of a column."""
    return plt.subplots(ncols=ncols, figsize=(width, height), layout="constrained")


def larry():
    """781 real cells of Weinreb et al. (2020)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ad.OldFormatWarning)
        return {"larry": ad.read_h5ad(DATA / "larry" / "larry_781_cells.h5ad")}


def state_fate():
    """Real day-2 cells: their places on SPRING, and the fates of their clone mates."""
    folder = DATA / "larry"
    fates = pd.read_csv(folder / "larry_day2_clonal_fate_counts.csv.gz", dtype={"cell": str}).set_index("cell")
    cells = pd.read_csv(folder / "larry_all_cells_130887.csv.gz", dtype={"cell": str}).set_index("cell")
    cells["clone"] = fates.groupby(list(fates)).ngroup().astype(str)
    early = cells.loc[fates.index]
    return {
        "cells": ad.AnnData(obs=cells[["SPRING1", "SPRING2", "neutrophil_pseudotime", "clone"]]),
        "places": early[["SPRING1", "SPRING2"]],
        "main_fate": fates.idxmax(axis=1),
        "clone": early["clone"],
    }


def mnist():
    """Zeros and ones, 500 pairs of each digit."""
    file, rng = np.load(DATA / "mnist" / "mnist_01_train.npz"), np.random.default_rng(0)
    sides = []
    for _ in range(2):
        digits = [file[name].reshape(len(file[name]), -1) for name in ("X0", "X1")]
        sides.append(np.concatenate([d[rng.permutation(len(d))[:500]] for d in digits]).astype(np.float32))
    return {"x": sides[0], "y": sides[1]}


REAL = {"larry": larry, "state_fate": state_fate, "mnist": mnist}


def draw():
    """Run the page, block after block."""
    plt.rcParams.update({"figure.figsize": (COLUMN, 3.0), "figure.constrained_layout.use": True})
    names, given = {}, None
    for part in PART.finditer((HERE / "gallery.md").read_text()):
        if part["image"]:
            if plt.get_fignums():
                save(Path(part["image"]).stem.removeprefix("gallery_"), plt.gcf())
            continue
        plt.close("all")
        if part["data"] and part["data"] != given:
            try:
                names |= REAL[part["data"]]()
            except FileNotFoundError as missing:
                print(f"left as it is, for want of {missing.filename}")
                continue
            given = part["data"]
        exec(part["code"], names)


if __name__ == "__main__":
    draw()
