"""The base of the Dockerfile: the published one, else a stand-in made of Debian's packages and tagged like it.

A stand-in proves the Dockerfile's own steps and what they put into the image, not the published base. It is there for
machines that reach Debian's and Python's packages, and no image registry.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from controlplane.progress import ControlPlaneError, run_with_heartbeat, say, step
from image.engine import Engine, install

PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
TRUST = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""What packages are fetched through on this machine: files that a stand-in has from it, and no other image."""
LABEL = "drover.stand-in"
PULL_SECONDS = 600


def have_base(docker: Engine, base: str, cache: Path) -> None:
    """Have the base in the engine, and say where it is from."""
    known = docker.inspect(base) or _pulled(docker, base)
    if known is None:
        _import(docker, base, cache)
        known = docker.inspect(base)
    if known is not None and LABEL in str(known["Config"]):
        say(f"the base {base} is a STAND-IN made by debootstrap: not the published image, and not for release")
        say(f"once a registry is reached, `docker rmi {base}` makes room for the published one")


def _pulled(docker: Engine, base: str) -> dict[str, object] | None:
    with step(f"pulling {base}"):
        command = [docker.docker, "pull", "--quiet", base]
        try:
            done = subprocess.run(command, env=docker.env, capture_output=True, text=True, timeout=PULL_SECONDS)
            why = done.stderr.strip()
        except subprocess.TimeoutExpired:
            why = f"no end after {PULL_SECONDS} s"
    known = docker.inspect(base)
    if known is None:
        say(f"{base} cannot be pulled: {why}")
    return known


def _import(docker: Engine, base: str, cache: Path) -> None:
    """Make the stand-in, once a cache, and give it to the engine."""
    if os.geteuid() or not shutil.which("apt-get"):
        raise ControlPlaneError(f"{base} cannot be pulled, and a stand-in needs root on Debian")
    suite = base.rpartition("-")[2]
    archive = cache / f"standin-{suite}.tar"
    if not archive.exists():
        install("debootstrap", "debootstrap")
        _bootstrap(suite, archive)
    with step("importing the stand-in"):
        docker("import", f"--change=LABEL {LABEL}=true", str(archive), base)


def _bootstrap(suite: str, archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=archive.parent) as made, step("making a stand-in base (about 1 min)"):
        root = Path(made) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root)]
        run_with_heartbeat(command, dict(os.environ), archive.with_suffix(".log"))
        (root / "usr/bin/python").symlink_to("python3")
        for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            marker.unlink()  # the published base has a Python of its own, which pip may write to
        shutil.rmtree(root / "var/cache/apt")
        for path in TRUST:
            if Path("/", path).exists():
                shutil.copy(Path("/", path), root / path)
        unfinished = Path(made) / archive.name
        subprocess.run(["tar", "-C", root, "-cf", unfinished, "."], check=True)
        unfinished.replace(archive)
