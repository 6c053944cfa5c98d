"""The documents refer to each other by page and heading, and headings are reworded."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    headings = (re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", line) for line in re.findall(r"(?m)^#+ (.+)$", prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_page_and_a_heading_that_is_there() -> None:
    known, broken, seen = {page: anchors(page) for page in PAGES}, [], 0
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            seen += 1
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (anchor and there in known and anchor not in known[there]):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == [] and seen > 300
