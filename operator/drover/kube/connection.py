"""Which API server, and as whom: one configuration for our own requests and for Kopf's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from drover.kube.api import FatalError

if TYPE_CHECKING:
    import kopf

DEFAULT_NAMESPACE = "default"


@dataclass
class Connection:
    """Credentials, read again in place whenever Kopf meets a 401: tokens of plugins and pods expire."""

    kubeconfig: str | None
    context: str | None
    configuration: Configuration = field(default_factory=lambda: type.__call__(Configuration))

    async def load(self) -> None:
        """Read the pod's service account, or else the kubeconfig. Raises FatalError when neither can be used."""
        try:
            if self._in_cluster:
                config.load_incluster_config(client_configuration=self.configuration)  # type: ignore[no-untyped-call]
            else:
                await config.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=self.kubeconfig,
                    context=self.context,
                    client_configuration=self.configuration,
                    persist_config=False,
                )
        except (ConfigException, yaml.YAMLError, OSError) as error:
            where = self.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
            named = f", context {self.context}" if self.context else ""
            raise FatalError(
                f"no usable credentials in {where}{named}: {error}: give --kubeconfig and --context"
            ) from error

    @property
    def _in_cluster(self) -> bool:
        return self.kubeconfig is None and self.context is None and "KUBERNETES_SERVICE_HOST" in os.environ

    def namespace(self) -> str:
        """The namespace of the kubeconfig's context, as kubectl takes it; ``default`` where it names none."""
        if self._in_cluster:
            return DEFAULT_NAMESPACE
        contexts, current = config.list_kube_config_contexts(self.kubeconfig)  # type: ignore[no-untyped-call]
        chosen = next((context for context in contexts if context["name"] == self.context), current)
        return str((chosen or {}).get("context", {}).get("namespace") or DEFAULT_NAMESPACE)

    async def for_kopf(self, **_: Any) -> kopf.ConnectionInfo:
        """Kopf's login handler."""
        import kopf  # here, so that commands which only ask the API server need not load it

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
