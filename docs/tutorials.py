"""Draws the pictures that the tutorials begin with into docs/images: ``python docs/tutorials.py``, some minutes.

Each is the figure that the page itself saves. Pages whose figure is of real data need them (``SCMI_TEST_DATA``), or
their pictures are left as they are. ``python docs/tutorials.py markov`` draws one.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from gallery import DATA, shrink

IMAGES = Path(__file__).parent.resolve() / "images"
TUTORIALS = Path(__file__).parent.parent.resolve() / "tutorials"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def draw(page):
    """Run a page's cells in an empty folder, and keep the picture that they leave there."""
    names = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for code in CELL.findall(page.read_text()):
            exec(compile(code, str(page), "exec"), names)
            plt.close("all")
        saved = Path(f"{page.stem}.png")
        if not saved.exists():
            print(f"{page.stem}: no picture without the real data")
            return
        shrink(saved, IMAGES / f"tutorial_{page.stem}.png")


if __name__ == "__main__":
    os.environ["SCMI_TEST_DATA"] = str(DATA.resolve())
    for name in sys.argv[1:] or sorted(path.stem for path in TUTORIALS.glob("*.md")):
        draw(TUTORIALS / f"{name}.md")
