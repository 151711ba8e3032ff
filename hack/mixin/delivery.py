"""monitoring/kustomization.yaml: the rules, and each dashboard as a ConfigMap that Grafana's sidecar loads."""

from collections.abc import Iterable

import yaml

from mixin.boards import Board

OPTIONS = {
    "disableNameSuffixHash": True,
    "labels": {"grafana_dashboard": "1", "app.kubernetes.io/name": "drover"},
    "annotations": {"grafana_folder": "Drover"},
}


def render(boards: Iterable[Board]) -> str:
    maps = [
        {"name": f"{board.uid}-dashboard", "files": [f"dashboards/{board.uid}.json"], "options": OPTIONS}
        for board in boards
    ]
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "drover-system",
        "resources": ["prometheusrule.yaml"],
        "configMapGenerator": maps,
    }
    return "# Generated from hack/mixin by `make dashboards`; do not edit.\n" + _dump(document)


def _dump(document: object) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110)


class _Dumper(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True
