"""``drover run`` as a process of its own, and a network between it and the API server that can be broken."""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

DROVER = Path(sys.executable).parent / "drover"


class OperatorProcess:
    """One ``drover run``. As a context manager it is killed at the end, whatever became of it."""

    def __init__(
        self, kubeconfig: Path, namespace: str, log: Path, *, lease_duration: int = 15, options: Sequence[str] = ()
    ) -> None:
        self.port = free_port()
        self._log = log
        command = [DROVER, "run", "--kubeconfig", kubeconfig, "--namespace", namespace]
        command += ["--metrics-port", str(self.port), "--lease-duration", str(lease_duration), *options]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; it gives the Lease back. Returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def get(self, path: str) -> tuple[int, str]:
        """(status, body); status 0 where nothing answers yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> dict[str, object]:
        """What /readyz tells once it answers 200; empty before."""
        status, body = self.get("/readyz")
        return json.loads(body) if status == 200 else {}

    def leads(self) -> bool:
        assert self.process.poll() is None, f"it ended:\n{self.log()}"
        return self.ready().get("role") == "leading"

    def await_leading(self, seconds: float = 60.0) -> None:
        eventually(self.leads, seconds, lambda: f"it does not lead:\n{self.log()}")

    def log(self) -> str:
        return self._log.read_text()


class Network:
    """A TCP proxy to the API server that can lose answers, go silent, and come back."""

    def __init__(self, upstream: str, port: int = 0) -> None:
        """``port`` is where it listens; 0 for any free one."""
        self._port = port
        host, _, port_above = upstream.removeprefix("https://").partition(":")
        self._upstream = (host, int(port_above))
        self._lose = 0
        self._silent = False
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        await self.come_back()
        self.url = f"https://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.go_down()

    async def go_down(self) -> None:
        """Connections break, and new ones are refused."""
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def come_back(self) -> None:
        """After ``go_down``, or silence: new connections work, on the same port."""
        self._silent = False
        if self._server is None or not self._server.is_serving():
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    def lose_answers(self, count: int) -> None:
        """Requests arrive, but the connection breaks before the next ``count`` answers."""
        self._lose = count

    def go_silent(self) -> None:
        """From now on nothing passes and nothing breaks."""
        self._silent = True

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        for pump in (self._pump(reader, up_writer, answers=False), self._pump(up_reader, writer, answers=True)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    if self._silent:
                        await asyncio.Event().wait()
                    if answers and self._lose:
                        self._lose -= 1
                        return
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()


def eventually(holds: Callable[[], object], seconds: float, otherwise: Callable[[], str], every: float = 0.05) -> None:
    """Wait until ``holds``; AssertionError with what ``otherwise`` says when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(every)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def redirected(kubeconfig: Path, server: str, target: Path) -> Path:
    """A copy of a kubeconfig that points at another server."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = server
    target.write_text(yaml.safe_dump(config))
    return target
