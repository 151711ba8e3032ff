"""Links of a page that leave docs/: what they lead to becomes a part of the site, for no repository is named.

::

    ../ARCHITECTURE.md        a page of the site, source/ARCHITECTURE.md, whose own links are treated alike
    ../monitoring/rules.yaml  a file of the site, source/monitoring/rules.yaml
    ../examples/              its README.md, or plain text where it has none
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = "source"
"""Where the site has what is outside of docs/."""
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_IMAGE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)#\s]+)\)")


def found(root: Path, pages: dict[str, str]) -> set[str]:
    """Paths from the root of the repository of all that the pages lead to, and what those pages lead to in turn.

    ``pages``: their text by path in docs/.
    """
    outside: set[str] = set()
    todo = [(f"docs/{page}", text) for page, text in pages.items()]
    while todo:
        path, text = todo.pop()
        for target in _targets(text):
            place = _file(root, _resolved(path, target))
            if place is None or place in outside or place.startswith("docs/"):
                continue
            outside.add(place)
            if place.endswith(".md"):
                todo.append((place, (root / place).read_text()))
    return outside


def rewritten(root: Path, page: str, text: str) -> str:
    """The text of a page of the site with its links as the site has them. ``page``: its path there."""
    own = page.removeprefix(f"{FOLDER}/") if page.startswith(f"{FOLDER}/") else f"docs/{page}"

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if _is_elsewhere(target):
            return match[0]
        place = _file(root, _resolved(own, target))
        if place is None:
            return match[0] if not (root / _resolved(own, target)).is_dir() else match["text"]
        return f"[{match['text']}]({_relative(page, _in_site(place))}{match['anchor'] or ''})"

    def image(match: re.Match[str]) -> str:
        if _is_elsewhere(match["target"]):
            return match[0]
        return match[0].replace(match["target"], _relative(page, _in_site(_resolved(own, match["target"]))))

    return _IMAGE.sub(image, _LINK.sub(link, text))


def _targets(text: str) -> Iterator[str]:
    for pattern in (_LINK, _IMAGE):
        yield from (match["target"] for match in pattern.finditer(text) if not _is_elsewhere(match["target"]))


def _is_elsewhere(target: str) -> bool:
    return "://" in target or target.startswith(("mailto:", "/"))


def _resolved(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _file(root: Path, place: str) -> str | None:
    """The file that a link leads to: a folder's page stands for the folder. None: there is none."""
    if (root / place).is_file():
        return place
    pages = (f"{place}/{name}" for name in ("README.md", "index.md"))
    return next((page for page in pages if (root / page).is_file()), None)


def _in_site(place: str) -> str:
    return place.removeprefix("docs/") if place.startswith("docs/") else f"{FOLDER}/{place}"


def _relative(page: str, target: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(page) or ".")
