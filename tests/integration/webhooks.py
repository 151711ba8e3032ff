"""``drover admission`` as a process beside the API server, registered as the chart registers it but for its address."""

import base64
import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from running import DROVER, eventually, free_port

from chart.helm import Helm
from chart.shared import CHART
from controlplane import ControlPlane, Kubectl
from controlplane.certificates import write_credentials

MARK = "admission-under-test"
"""Label of the namespaces the webhook is asked about; other tests share the cluster."""
NAME = "drover-webhook"


class Webhook:
    """One ``drover admission``, and its registration."""

    def __init__(self, cluster: ControlPlane, kubeconfig: Path, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port, self._metrics_port = free_port(), free_port()
        self._kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig)
        self._kubeconfig = kubeconfig
        self._options = options
        self.renew()
        self.start()

    def renew(self) -> None:
        """Another certificate, of another authority, in the same files."""
        fresh = self.folder / "fresh"
        fresh.mkdir(exist_ok=True)
        write_credentials(fresh)
        for name in ("ca.crt", "apiserver.crt", "apiserver.key"):
            shutil.move(fresh / name, self.folder / name)

    def start(self) -> None:
        files = ["--cert-file", self.folder / "apiserver.crt", "--key-file", self.folder / "apiserver.key"]
        ports = ["--port", str(self.port), "--metrics-port", str(self._metrics_port)]
        command = [DROVER, "admission", "--kubeconfig", self._kubeconfig, *files, *ports, *self._options]
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def await_ready(self) -> None:
        eventually(lambda: self.get("/readyz")[0] == 200, 60, lambda: f"it is not ready:\n{self.log()}")

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str) -> tuple[int, str]:
        """(status, body) of one of its pages; status 0 where nothing answers."""
        return _answer(urllib.request.Request(f"http://127.0.0.1:{self._metrics_port}{path}"))

    def post(self, body: bytes, path: str = "/review") -> tuple[int, str]:
        """What it answers the API server."""
        address = f"https://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})
        return _answer(request, ssl.create_default_context(cafile=str(self.folder / "ca.crt")))

    # Registration

    def register(self, **changes: Any) -> None:
        """As the chart does, but at an address of this machine, for namespaces that carry the mark, and more patient: a
        webhook that is not answered in time lets pass what a test wants refused.
        """
        (configuration,) = chart_objects("ValidatingWebhookConfiguration")
        (webhook,) = configuration["webhooks"]
        authority = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        path = webhook["clientConfig"]["service"]["path"]
        webhook["clientConfig"] = {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": authority}
        webhook["namespaceSelector"] = {"matchLabels": {MARK: "true"}}
        webhook |= {"timeoutSeconds": 10} | changes
        self._kubectl("apply", "-f", "-", input=json.dumps(configuration))

    def unregister(self) -> None:
        self._kubectl("delete", "validatingwebhookconfiguration", NAME, "--ignore-not-found")


def chart_objects(*kinds: str) -> list[dict[str, Any]]:
    """The webhook's objects of these kinds, as the chart has them."""
    text = Helm()("template", "drover", str(CHART), "--namespace=drover-system", "--set=webhook.enabled=true")
    objects = [one for one in yaml.safe_load_all(text) if one]
    return [one for one in objects if one["kind"] in kinds and one["metadata"]["name"] == NAME]


def _answer(request: urllib.request.Request, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""
