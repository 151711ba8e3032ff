"""A kubeconfig that cannot be used is one line that names it and says what to do."""

from pathlib import Path

import pytest
import yaml

from drover.kube.api import FatalError
from drover.kube.connection import Connection

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
    assert connection.namespace() == "team"
