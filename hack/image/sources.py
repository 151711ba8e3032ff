"""What the image is made of, so that an archive of it is known to be up to date without an engine."""

import hashlib
import re
from pathlib import Path

from controlplane.progress import ControlPlaneError


def digest_of(root: Path) -> str:
    """A digest of the Dockerfile and of all that .dockerignore lets through to it."""
    lines = (root / ".dockerignore").read_text().splitlines()
    listed = [root / line[1:] for line in lines if line.startswith("!")]
    files = [file for path in listed for file in (path.rglob("*") if path.is_dir() else [path])]
    digest = hashlib.sha256()
    for file in sorted({*files, root / "Dockerfile", root / ".dockerignore"}):
        if file.is_file() and not any(part == "__pycache__" or part.endswith(".egg-info") for part in file.parts):
            digest.update(f"{file.relative_to(root)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def base_of(dockerfile: Path) -> str:
    """The image that a Dockerfile begins with. Raises ControlPlaneError."""
    found = re.search(r"(?m)^FROM (\S+)", dockerfile.read_text())
    if found is None:
        raise ControlPlaneError(f"{dockerfile} has no FROM line")
    return found[1]
