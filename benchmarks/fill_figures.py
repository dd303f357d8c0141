"""Fill the tables of README.md and docs/ from results/*.json and from the shipped bundles.

    python benchmarks/fill_figures.py             # `make figures`
    python benchmarks/fill_figures.py --check     # exit code 1 where a page is not up to date

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`; NAME is of page_tables.TABLES.
results/SCRIPT.json is what `python benchmarks/SCRIPT.py ... --json results/SCRIPT.json` wrote,
with `command` and `data` added for readers. A table whose file is not there says so. `--check`
also compares the files with the figures that the bundles carry, so that no figure of retired
weights is shown as today's.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from page_tables import TABLES
from table_parts import REPOSITORY, load, shipped

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with its tables made anew. Raises KeyError for a table that nobody makes."""

    def block(match: re.Match[str]) -> str:
        made = TABLES[match[2]]() or "*Not measured for the present models.*"
        return f"{match[1]}{made}\n{match[4]}"

    return BLOCK.sub(block, text)


def outdated(pages: Sequence[Path]) -> list[Path]:
    """Pages that differ from what the figures make of them."""
    return [page for page in pages if page.read_text() != filled(page.read_text())]


def contradictions() -> list[str]:
    """Figures of results/ that are not those which the shipped bundles carry."""
    figures = load("crops_accuracy")
    found = []
    for bundle in shipped() if figures else ():
        for title, prefix in (("lspet", ""), ("coco", "coco_")):
            row = (figures or {}).get(title, {}).get(f"{bundle.name} initializer")
            own = bundle.metrics.get(f"{prefix}initializer_pck@0.2")
            if row is not None and own is not None and abs(row["PCK@0.2"] - own) > 0.1:
                found.append(
                    f"results/crops_accuracy.json: {bundle.name} has {row['PCK@0.2']:.1f} on "
                    f"{title}, the bundle says {own:.1f}; measure it anew"
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing, say what is outdated")
    given = parser.parse_args()
    if not given.check:
        for page in outdated(PAGES):
            page.write_text(filled(page.read_text()))
            print(f"filled {page.relative_to(REPOSITORY)}")
        return
    faults = [f"{page.relative_to(REPOSITORY)}: run make figures" for page in outdated(PAGES)]
    faults += contradictions()
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
