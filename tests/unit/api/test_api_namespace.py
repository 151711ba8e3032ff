"""Kubernetes' own Namespace as one of the kinds: its metadata, whatever its spec and status say."""

from typing import Any

from drover.api import crd
from drover.api.kinds import BY_PLURAL, manifest, parse
from drover.api.meta import Key
from drover.api.namespace import Namespace
from drover.kube.api import collection_of, path_of

WIRE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"tier": "gold"}},
    "spec": {"finalizers": ["kubernetes"]},
    "status": {"phase": "Active", "conditions": [{"type": "NamespaceContentRemaining", "status": "Maybe"}]},
}


def test_its_labels_are_read_whatever_else_it_says() -> None:
    namespace = parse(WIRE)
    assert (namespace.key, namespace.metadata.labels) == (Key("Namespace", "", "shop"), {"tier": "gold"})


def test_it_is_written_as_metadata_alone() -> None:
    written = manifest(parse(WIRE))
    assert written.keys() == {"apiVersion", "kind", "metadata"}
    assert (written["apiVersion"], written["metadata"]["labels"]) == ("v1", {"tier": "gold"})
    assert parse(written) == parse(WIRE)


def test_it_is_watched_without_a_crd_where_core_kubernetes_serves_it() -> None:
    assert Namespace.PLURAL not in BY_PLURAL
    assert "namespaces.yaml" not in crd.render()
    assert collection_of("Namespace") == "/api/v1/namespaces"
    assert path_of(Key("Namespace", "", "shop")) == "/api/v1/namespaces/shop"
    assert collection_of("Volume", "shop") == "/apis/drover.dev/v1alpha1/namespaces/shop/volumes"
