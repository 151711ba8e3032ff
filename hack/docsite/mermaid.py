"""mermaid, which draws the diagrams of the pages: pinned, fetched once with npm into the cache, served by the site."""

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from controlplane.assets import cache_dir, locked

VERSION = "11.17.2"
"""Of the major release that mkdocs-material is made for."""
SHA256 = "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd"
"""Of the package as published."""
_INSIDE = "package/dist/mermaid.min.js"


class MermaidError(Exception):
    """There is no mermaid, with what to do about it."""


def find() -> Path:
    """The path of mermaid.min.js. Raises MermaidError where it cannot be had."""
    path = cache_dir() / f"mermaid-{VERSION}.min.js"
    with locked(cache_dir()):
        if not path.exists():
            _fetch(path)
    return path


def _fetch(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        archive = _packed(Path(scratch))
        if (digest := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
            raise MermaidError(f"npm gave a mermaid {VERSION} with SHA-256 {digest}: ask another registry")
        with tarfile.open(archive) as members:
            script = members.extractfile(_INSIDE)
            assert script is not None, f"{_INSIDE} is a file"
            unfinished = Path(scratch) / "mermaid.min.js"
            unfinished.write_bytes(script.read())
        unfinished.replace(path)


def _packed(directory: Path) -> Path:
    """The package, as the user's npm gets it. Nothing of it is run."""
    command = ["npm", "pack", "--ignore-scripts", "--silent", f"mermaid@{VERSION}"]
    try:
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise MermaidError("npm is needed once, to fetch mermaid for the diagrams: install Node.js") from None
    except subprocess.CalledProcessError as failure:
        raise MermaidError(f"npm cannot fetch mermaid {VERSION}: {failure.stderr.strip()}") from failure
    return next(directory.glob("mermaid-*.tgz"))
