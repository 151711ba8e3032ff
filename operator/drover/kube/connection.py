"""Which API server, and as whom: one configuration for our own requests and for Kopf's."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config, kube_config
from kubernetes.aio.config.config_exception import ConfigException

from drover.kube.api import FatalError

if TYPE_CHECKING:
    import kopf

PLUGIN_TIMEOUT = 60.0
"""Seconds for reading credentials: a plugin of the kubeconfig may ask people, or a network."""
DEFAULT_NAMESPACE = "default"
DEFAULT_KUBECONFIG = "~/.kube/config"
MALFORMED = (AttributeError, LookupError, TypeError, ValueError)
"""What reading anything else raises: the library looks into it without asking what it is."""


@dataclass
class Connection:
    """Credentials, read again in place after a 401: tokens of plugins and pods expire."""

    kubeconfig: str | None
    context: str | None
    configuration: Configuration = field(default_factory=lambda: type.__call__(Configuration))
    namespace: str = field(default=DEFAULT_NAMESPACE, init=False)
    """That of the context or the service account, as kubectl takes it; ``default`` where it names none. Read with them.
    """

    def anew(self) -> Connection:
        """The same, with nothing read yet."""
        return Connection(self.kubeconfig, self.context)

    async def load(self) -> None:
        """Read the pod's service account, or else the kubeconfig. Raises FatalError when neither can be used."""
        try:
            if self._in_cluster:
                config.load_incluster_config(client_configuration=self.configuration)  # type: ignore[no-untyped-call]
                self.namespace = _own_namespace()
            else:
                with _complaints_raised():
                    await self._load_kubeconfig()
        except (ConfigException, yaml.YAMLError, OSError) as error:
            told = f"{error}".partition("\n")[0]
            raise FatalError(f"no usable credentials in {self._where}: {told}: {self._mend}") from error
        except MALFORMED as error:
            raise FatalError(f"no usable credentials in {self._where}: it is no kubeconfig: {self._mend}") from error

    async def _load_kubeconfig(self) -> None:
        files = kube_config.KubeConfigMerger(self._existing()).config  # type: ignore[no-untyped-call]
        loader = kube_config.KubeConfigLoader(files, self.context, config_base_path=None)  # type: ignore[no-untyped-call]
        context = loader.current_context["context"]
        try:
            async with asyncio.timeout(PLUGIN_TIMEOUT):
                await loader.load_and_set(self.configuration)  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            user = files["users"].get_with_name(context["user"])["user"].value
            plugin = user.get("exec", {}).get("command", "its auth-provider")
            raise ConfigException(f"{plugin} has not answered in {PLUGIN_TIMEOUT:g} s, try it by hand") from error
        self.namespace = str(context.get("namespace") or DEFAULT_NAMESPACE)

    def _existing(self) -> str:
        """The kubeconfig's files, as one path. Raises FileNotFoundError where there is none of them."""
        paths = self.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
        if not any(os.path.exists(os.path.expanduser(path)) for path in paths.split(os.pathsep) if path):
            raise FileNotFoundError("there is no such file")
        return paths

    @property
    def _where(self) -> str:
        if self._in_cluster:
            return "the pod's service account"
        named = f", context {self.context}" if self.context else ""
        return (self.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG) + named

    @property
    def _mend(self) -> str:
        if self._in_cluster:
            return "have its token mounted, or give --kubeconfig"
        return "mend it, or give another with --kubeconfig and --context"

    @property
    def _in_cluster(self) -> bool:
        return self.kubeconfig is None and self.context is None and "KUBERNETES_SERVICE_HOST" in os.environ

    async def for_kopf(self, **_: Any) -> kopf.ConnectionInfo:
        """Kopf's login handler."""
        import kopf  # here, so that commands which only ask the API server need not load it

        with suppress(FatalError):  # what there was is refused again, and Kopf ends by that
            await self.load()
        configuration = self.configuration
        header = await configuration.get_api_key_with_prefix("BearerToken")
        *scheme, token = (header or "").rsplit(" ", 1)
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            username=configuration.username or None,
            password=configuration.password or None,
            scheme=scheme[0].capitalize() if scheme else None,
            token=token or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            trust_env=True,  # as the official client does
        )


def _own_namespace() -> str:
    """That of the pod, which lies beside its token."""
    with suppress(OSError):
        return Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace").read_text().strip()
    return DEFAULT_NAMESPACE


@contextmanager
def _complaints_raised() -> Iterator[None]:
    """Where a plugin of the kubeconfig fails, the library logs it and goes on as nobody: a ConfigException instead."""
    complaints: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        complaints.append(record.getMessage())
        return False

    library = logging.getLogger(kube_config.__name__)
    library.addFilter(keep)
    try:
        yield
    finally:
        library.removeFilter(keep)
    if complaints:
        raise ConfigException("; ".join(complaints))
