"""Manifests in files, taken as strictly as ``kubectl apply`` takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from drover.api.invalid import fault_of
from drover.api.kinds import KINDS

Manifest = dict[str, Any]
"""A raw object whose kind is a string, and whose metadata is an object."""


class ManifestError(Exception):
    """A file that cannot be taken as it is; names the file and the mend."""


def read(path: Path) -> Iterator[Manifest]:
    """Every object of a file, or of the YAML files of a folder in the order of their names; kubectl takes no more."""
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml")) if path.is_dir() else [path]
        for file in files:
            yield from _objects(file)
    except OSError as error:
        raise ManifestError(f"{error.filename or path}: {error.strerror}: name readable YAML files") from error


def _objects(file: Path) -> Iterator[Manifest]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: no UTF-8, or a date that is none
        raise ManifestError(f"{file}: {' '.join(str(error).split())}: write it as YAML in UTF-8") from error
    for number, document in enumerate(documents, 1):
        if document is not None:
            for manifest in _listed(document, f"{file}: document {number}"):
                _check_fields(file, manifest)
                yield manifest


def _listed(document: Any, where: str) -> Iterator[Manifest]:
    """The object itself, or those of a List."""
    manifest = _checked(document, where)
    if manifest["kind"] != "List":
        yield manifest
        return
    items = manifest.get("items") or []
    if not isinstance(items, list):
        raise ManifestError(f"{where}: items is no list: write objects under it, each after a dash")
    for number, item in enumerate(items, 1):
        yield _checked(item, f"{where}, item {number}")


def _checked(document: Any, where: str) -> Manifest:
    if not isinstance(document, dict):
        raise ManifestError(f"{where} is no object: give it apiVersion, kind, metadata and spec")
    if not isinstance(document.get("kind"), str):
        raise ManifestError(f"{where}: kind is no word: name one, as VirtualMachine")
    if not isinstance(document.get("metadata") or {}, dict):
        raise ManifestError(f"{where}: metadata is no object: write name: NAME under it")
    return {**document, "metadata": document.get("metadata") or {}}


def _check_fields(file: Path, manifest: Manifest) -> None:
    """Refuse unknown fields of a spec, as ``kubectl apply`` does: a typo would otherwise be a default."""
    kind = KINDS.get(manifest["kind"])
    if kind is None:
        return
    try:
        kind.model_validate({"metadata": {"name": ""}, "spec": manifest.get("spec") or {}}, extra="forbid")
    except ValidationError as error:
        name = manifest["metadata"].get("name", "")
        raise ManifestError(f"{file}: {kind.KIND} {name}: {fault_of(error)}") from error
