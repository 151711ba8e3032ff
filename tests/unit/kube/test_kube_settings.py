"""Kopf keeps no books in the objects and throttles nothing."""

import kopf

from drover.kube.settings import kopf_settings


def test_no_copy_of_an_object_is_kept_or_written() -> None:
    storage = kopf_settings().persistence.diffbase_storage
    body = kopf.Body({"metadata": {"name": "x"}, "spec": {"a": 1}})
    patch = kopf.Patch()
    storage.store(body=body, patch=patch, essence=storage.build(body=body))
    assert storage.fetch(body=body) == storage.build(body=body) == {}
    assert not patch


def test_idle_workers_end_soon_and_their_number_is_not_limited() -> None:
    settings = kopf_settings()
    assert settings.queueing.idle_timeout <= 0.5
    assert settings.queueing.worker_limit is None
    assert settings.watching.chunk_size == 500


def test_it_neither_looks_for_peers_nor_posts_events_nor_watches_crds() -> None:
    settings = kopf_settings()
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert not settings.posting.enabled
