"""A kubeconfig that cannot be used is one line that names it and says what to do."""

import asyncio
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.config import incluster_config, kube_config

from drover.kube.api import FatalError
from drover.kube.connection import PLUGIN_TIMEOUT, Connection

PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never"}
USABLE = {
    "current-context": "here",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "it is no kubeconfig"),
        ("[]", "it is no kubeconfig"),
        ("just words", "it is no kubeconfig"),
        ("a: [", "while parsing"),
        ("clusters: 7", "it is no kubeconfig"),
        ("\0", "special characters are not allowed"),
        (yaml.safe_dump({**USABLE, "current-context": "gone"}), "gone"),
        (yaml.safe_dump({**USABLE, "users": []}), "u"),
        (yaml.safe_dump({**USABLE, "users": [{"name": "u", "user": {"exec": PLUGIN}}]}), "No such file or directory"),
    ],
)
async def test_what_is_wrong_with_a_kubeconfig_is_one_line(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(FatalError) as failed:
        await Connection(str(path), None).load()
    message = str(failed.value)
    assert message.startswith(f"no usable credentials in {path}: ")
    assert told in message
    assert message.endswith(": mend it, or give another with --kubeconfig and --context")
    assert "\n" not in message


async def test_a_file_that_is_not_there_is_told_without_a_warning_of_the_librarys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FatalError, match="there is no such file"):
        await Connection(f"{tmp_path / 'a'}:{tmp_path / 'b'}", None).load()
    assert caplog.records == []


async def test_one_file_of_several_is_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")  # what the library says in passing is no complaint
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(USABLE))
    connection = Connection(f"{tmp_path / 'none'}:{path}", None)
    await connection.load()
    assert connection.configuration.host == "https://127.0.0.1:1"
    assert connection.namespace == "team"


def with_context(name: str, **context: object) -> dict[str, object]:
    added = {"name": name, "context": {"cluster": "c", "user": "u", **context}}
    return {**USABLE, "contexts": [*USABLE["contexts"], added]}  # type: ignore[misc]


@pytest.mark.parametrize("current", ["here", "gone", None])
@pytest.mark.parametrize(("context", "namespace"), [({"namespace": "shop"}, "shop"), ({}, "default")])
async def test_the_namespace_is_that_of_the_chosen_context_whatever_the_current_one_is(
    current: str | None, context: dict[str, object], namespace: str, tmp_path: Path
) -> None:
    config = {**with_context("prod", **context), "current-context": current}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    connection = Connection(str(path), "prod")
    await connection.load()
    assert connection.namespace == namespace


@pytest.mark.parametrize(("content", "namespace"), [("team\n", "team"), (None, "default")])
async def test_in_a_pod_the_namespace_is_that_of_its_service_account(
    content: str | None, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, constant in (("token", "SERVICE_TOKEN_FILENAME"), ("ca.crt", "SERVICE_CERT_FILENAME")):
        (tmp_path / name).write_text("x")
        monkeypatch.setattr(incluster_config, constant, str(tmp_path / name))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    if content is not None:
        (tmp_path / "namespace").write_text(content)
    connection = Connection(None, None)
    await connection.load()
    assert connection.namespace == namespace


@pytest.mark.looptime
async def test_a_plugin_that_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(kube_config.ExecProvider, "run", never)  # a process would outlive the test
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump({**USABLE, "users": [{"name": "u", "user": {"exec": PLUGIN}}]}))
    begun = asyncio.get_running_loop().time()
    with pytest.raises(FatalError, match="no-such-plugin has not answered in 60 s, try it by hand: mend it"):
        await Connection(str(path), None).load()
    assert asyncio.get_running_loop().time() - begun == pytest.approx(PLUGIN_TIMEOUT)
