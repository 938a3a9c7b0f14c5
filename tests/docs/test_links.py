"""What the pages point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The headings of a page as a browser of repositories names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    for target, anchor in _LINK.findall(_FENCED.sub("", page.read_text("utf-8"))):
        path = (page.parent / target.replace("\\", "")).resolve() if target else page
        assert path.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(path), f"{target}#{anchor} is no heading"


def test_the_readme_is_whole_in_both_languages() -> None:
    """As many sections, tables' rows and links in the one as in the other."""
    english, portuguese = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.pt-BR.md"))
    for pattern in (r"^#+ ", r"^\|", r"\]\((?!README)[^)]+\)", r"^```"):
        found = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, portuguese)]
        assert found[0] == found[1], pattern
