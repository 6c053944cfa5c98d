"""docs/performance.md, where each bench puts its figures between two marks of its own."""

import datetime as dt
import os
import re

from bench.stack import ROOT

PAGE = ROOT / "docs" / "performance.md"


def where_and_when() -> str:
    """Return when and on what a bench has just run, as its figures begin."""
    return f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d} on {os.cpu_count()} cores"


def put(name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end of name -->`."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
    page, count = re.subn(marks, lambda found: found[1] + text + found[2], PAGE.read_text(), flags=re.DOTALL)
    assert count == 1, f"{PAGE.name} has no marks for {name}"
    PAGE.write_text(page)
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
