"""A command that cannot do its work for what is wrong outside says so in one line, with what to mend."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rights import as_account
from running import DROVER, free_port

from controlplane import ControlPlane, Kubectl

CHOOSE = "--kubeconfig and --context"
Break = Callable[[dict[str, Any]], object]


def run(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [DROVER, *arguments, "--kubeconfig", kubeconfig]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of stderr. The code 1 of `status` is for what is not well."""
    assert (done.returncode, done.stdout) == (2 if "status" in done.args else 1, ""), done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def broken(cluster: ControlPlane, tmp_path: Path) -> Callable[[Break], Path]:
    """The session's kubeconfig, spoilt."""

    def spoilt(spoil: Break) -> Path:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        spoil(config)
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    return spoilt


def _cluster(config: dict[str, Any]) -> dict[str, Any]:
    return config["clusters"][0]["cluster"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("command", [("status",), ("top", "vms"), ("explain", "vm/x"), ("usage",), ("start", "x")])
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda config: config.clear(), "no usable credentials in", id="an empty kubeconfig"),
        pytest.param(
            lambda config: _cluster(config).update(server=f"https://127.0.0.1:{free_port()}"),
            "does not answer",
            id="an API server that is down",
        ),
        pytest.param(
            lambda config: _cluster(config).update(server=f"{_cluster(config)['server']}/none"),
            "CRDs missing",
            id="missing CRDs",
        ),
        pytest.param(
            lambda config: config.update(
                users=[{"name": one["name"], "user": {"token": "old"}} for one in config["users"]]
            ),
            "renew the token or certificate",
            id="an expired token",
        ),
    ],
)
def test_each_command_says_what_is_wrong(
    broken: Callable[[Break], Path], command: tuple[str, ...], spoil: Break, told: str
) -> None:
    assert told in refusal(run(broken(spoil), *command))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(
            lambda config: [_cluster(config).pop(f"certificate-authority{end}", None) for end in ("", "-data")],
            "give the certificate authority it is signed by",
            id="a certificate authority that is not the server's",
        ),
        pytest.param(
            lambda config: _cluster(config).update(server="nowhere"),
            "as https://HOST:PORT",
            id="a server that is no URL",
        ),
        pytest.param(
            lambda config: config.update({"current-context": "gone"}), "gone", id="a context that is not in it"
        ),
    ],
)
def test_a_wrong_kubeconfig_is_told_with_its_mend(broken: Callable[[Break], Path], spoil: Break, told: str) -> None:
    line = refusal(run(broken(spoil), "status"))
    assert told in line
    assert CHOOSE in line


@pytest.mark.parametrize("current", [None, "gone"])
def test_a_context_that_is_named_is_enough(broken: Callable[[Break], Path], current: str | None) -> None:
    kubeconfig = broken(lambda config: config.update({"current-context": current}))
    (context,) = yaml.safe_load(kubeconfig.read_text())["contexts"]
    done = run(kubeconfig, "top", "vms", "-n", "none", "-o", "json", "--context", context["name"])
    assert (done.returncode, done.stdout) == (0, "[]\n"), done


def test_a_kubeconfig_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert f"no usable credentials in {path}: there is no such file" in refusal(run(path, "status"))


@pytest.mark.parametrize("command", [("top", "hosts"), ("explain", "vm/x"), ("start", "x")])
def test_missing_rights_are_told_in_the_api_servers_words_with_what_to_do(
    cluster: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    kubectl("create", "serviceaccount", "weak", "-n", namespace)
    token = kubectl("create", "token", "weak", "-n", namespace).strip()
    line = refusal(run(as_account(cluster.kubeconfig, token, tmp_path / "kubeconfig"), *command))
    assert f'User "system:serviceaccount:{namespace}:weak" cannot' in line
    assert "ask for that right" in line
    assert CHOOSE in line
