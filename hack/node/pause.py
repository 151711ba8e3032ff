"""The sandbox image of every pod, made here: no registry is asked, and neither Docker nor a C compiler is needed."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from controlplane import toolchain
from controlplane.assets import cache_dir, locked

IMAGE = "drover.local/pause:1"
_SOURCE = Path(__file__).with_suffix(".go")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive() -> Path:
    """The path of a tar as ``docker save`` writes it; built once a source."""
    cache = cache_dir()
    machine = platform.machine()
    directory = cache / f"pause-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}-{machine}"
    with locked(cache):
        if not (directory / "pause.tar").exists():
            directory.mkdir(exist_ok=True)
            toolchain.compile_file(_SOURCE, directory / "pause", cache)
            image = image_of((directory / "pause").read_bytes(), _ARCHITECTURES.get(machine, machine))
            (directory / ".pause.tar").write_bytes(image)
            (directory / ".pause.tar").replace(directory / "pause.tar")
    return directory / "pause.tar"


def image_of(program: bytes, architecture: str) -> bytes:
    """A Docker image archive of one layer that holds /pause, started without any right."""
    layer = _tar({"pause": program})
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config).encode(), "layer.tar": layer}
    return _tar({**files, "manifest.json": json.dumps(manifest).encode()})


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()
