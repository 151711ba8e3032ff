"""``python -m image``: build the image where its sources changed, save it for a node, and say how large it is."""

import argparse
import sys
from pathlib import Path

from controlplane.assets import cache_dir, locked
from controlplane.progress import ControlPlaneError, say, step
from drover import __version__
from image.engine import Engine, engine
from image.sources import base_of, digest_of
from image.standin import have_base

ROOT = Path(__file__).parents[2]
TAG = f"drover:{__version__}"
SBOM = "usr/share/sbom/drover.cdx.json"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="image", description=__doc__.partition(": ")[2])
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "images.tar", help="the archive (%(default)s)")
    out = parser.parse_args(arguments).out.resolve()
    try:
        build(out)
    except ControlPlaneError as error:
        say(str(error))
        return 1
    return 0


def build(out: Path) -> None:
    """Write the archive, and the bill of materials beside it, unless they are of these very sources."""
    made_of, key = out.with_suffix(".key"), digest_of(ROOT)
    sbom = out.with_name(Path(SBOM).name)
    if out.exists() and sbom.exists() and made_of.exists() and made_of.read_text() == key:
        say(f"{out} is up to date with {TAG}")
        return
    made_of.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    cache = cache_dir() / "image"
    cache.mkdir(exist_ok=True)
    with locked(cache), engine(cache) as docker:
        base = base_of(ROOT / "Dockerfile")
        have_base(docker, base, cache)
        with step(f"building {TAG}"):
            docker.build(ROOT, TAG, cache / "build.log", f"--build-arg=VERSION={__version__}")
        _extract(docker, SBOM, sbom)
        with step(f"saving it to {out}"):
            docker("save", f"--output={out}", TAG)
        made_of.write_text(key)
        whole, below = _megabytes(docker, TAG), _megabytes(docker, base)
        say(f"{TAG}: {whole:.0f} MB, {whole - below:.0f} MB over its base; its packages: {sbom}")


def _extract(docker: Engine, path: str, target: Path) -> None:
    """Copy a file out of the image."""
    container = docker("create", TAG).strip()
    try:
        docker("cp", f"{container}:/{path}", str(target))
    finally:
        docker("rm", container)


def _megabytes(docker: Engine, image: str) -> float:
    known = docker.inspect(image)
    return int(str(known["Size"])) / 1e6 if known else 0.0


if __name__ == "__main__":
    sys.exit(main())
