"""Every relative link of the documentation leads somewhere, as GitHub and the site read it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(p for top in ("docs", "examples", "charts") for p in (ROOT / top).rglob("*.md"))]
)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)(?: +\{#(?P<id>[^}]+)\})?$", re.MULTILINE)
_ID = re.compile(r"<[^>]+ (?:id|name)=\"(?P<id>[^\"]+)\"")


@cache
def _text(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


@cache
def _anchors(page: Path) -> frozenset[str]:
    """Those that GitHub and the site agree on: they differ where punctuation stands between blanks."""
    text = _text(page)
    headings = [match["text"] for match in _HEADING.finditer(text)]
    github = {re.sub(r"\s", "-", _plain(heading)) for heading in headings}
    site = {re.sub(r"[-\s]+", "-", _plain(heading)) for heading in headings}
    return frozenset((github & site) | {match["id"] for match in _ID.finditer(text)})


def _plain(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\s-]", "", shown).strip().lower()


def _links(page: str) -> list[str]:
    targets = (match["target"] for match in _LINK.finditer(_CODE.sub("", _text(ROOT / page))))
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_of_the_page_leads_to_a_file_and_to_a_heading_of_it(page: str) -> None:
    astray = []
    for link in _links(page):
        target, _, anchor = link.partition("#")
        path = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        if not path.exists() or not path.is_relative_to(ROOT) or (anchor and anchor not in _anchors(path)):
            astray.append(link)
    assert astray == []


@pytest.mark.parametrize("folder", ["docs/runbooks", "docs/adr"])
def test_the_index_of_a_folder_leads_to_each_of_its_pages(folder: str) -> None:
    pages = {path.name for path in (ROOT / folder).glob("*.md")} - {"index.md"}
    assert set(_links(f"{folder}/index.md")) == pages


def test_links_are_found_where_they_stand() -> None:
    assert _links("docs/index.md")[:2] == ["images/demo.svg", "quickstart.md"]
    assert "many-at-once" in _anchors(ROOT / "docs" / "migration.md")
