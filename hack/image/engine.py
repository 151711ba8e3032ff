"""The Docker engine: the one that answers, else Debian's for the time of the build."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlplane.progress import ControlPlaneError, run_with_heartbeat, step, tail

START_SECONDS = 60
INFO_SECONDS = 10


@dataclass(frozen=True)
class Engine:
    """``docker`` against one engine; ``host`` is its DOCKER_HOST, or empty for the user's own."""

    docker: str
    host: str = ""

    @property
    def env(self) -> dict[str, str]:
        return os.environ | ({"DOCKER_HOST": self.host} if self.host else {})

    def __call__(self, *arguments: str) -> str:
        """Run one command; its stdout. Raises ControlPlaneError with what it said."""
        command = [self.docker, *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ControlPlaneError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def build(self, directory: Path, tag: str, log: Path, *options: str) -> None:
        """Build the Dockerfile of a directory; the host's network, for the host may have no other."""
        command = [self.docker, "build", "--network=host", f"--tag={tag}", *options, str(directory)]
        run_with_heartbeat(command, self.env, log)

    def answers(self) -> bool:
        try:
            command = [self.docker, "version", "--format={{.Server.Version}}"]
            return not subprocess.run(command, env=self.env, capture_output=True, timeout=INFO_SECONDS).returncode
        except (OSError, subprocess.TimeoutExpired):
            return False

    def inspect(self, image: str) -> dict[str, object] | None:
        """What the engine knows of an image; None where it has none of this name."""
        command = [self.docker, "image", "inspect", image]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        return None if done.returncode else dict(json.loads(done.stdout)[0])


@contextmanager
def engine(cache: Path) -> Iterator[Engine]:
    """An engine that answers. Raises ControlPlaneError where there is none, and none can be started."""
    users = Engine(shutil.which("docker") or "docker")
    if users.answers():
        yield users
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise ControlPlaneError(
            "no Docker engine answers (`docker version`): start one, or run this as root on Debian, which has one"
        )
    with _started(cache / "docker") as own:
        yield own


@contextmanager
def _started(directory: Path) -> Iterator[Engine]:
    """Debian's engine on a socket and with images of its own, and without a hand on the host's firewall."""
    install("docker.io", "dockerd", "containerd")
    directory.mkdir(parents=True, exist_ok=True)
    own = Engine("/usr/bin/docker", f"unix://{directory / 'socket'}")
    command = ["dockerd", f"--host={own.host}", f"--data-root={directory / 'data'}", f"--exec-root={directory / 'run'}"]
    command += [f"--pidfile={directory / 'pid'}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    log = directory / "dockerd.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            with step("no Docker engine answers: starting Debian's for this build"):
                deadline = time.monotonic() + START_SECONDS
                while not own.answers():
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise ControlPlaneError(f"dockerd does not answer:\n{tail(log)}")
                    time.sleep(0.2)
            yield own
        finally:
            process.terminate()


def install(package: str, *programs: str) -> None:
    """Have the programs of a Debian package, as root. Raises ControlPlaneError."""
    if all(shutil.which(program) for program in programs):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing Debian's {package}"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ControlPlaneError(f"{' '.join(command)}: {done.stderr.strip()}")
