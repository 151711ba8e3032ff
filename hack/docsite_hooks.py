"""Hooks of mkdocs (mkdocs.yml names this file, and puts its folder on the path)."""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docsite import mermaid, outside

ROOT = Path(__file__).parents[1]
_MERMAID = "javascripts/mermaid.min.js"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The theme fetches mermaid from a public host, unless it is there already."""
    config.extra_javascript.append(_MERMAID)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for place in sorted(outside.found(ROOT, pages)):
        files.append(File.generated(config, f"{outside.FOLDER}/{place}", abs_src_path=str(ROOT / place)))
    files.append(File.generated(config, _MERMAID, abs_src_path=str(mermaid.find())))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    return outside.rewritten(ROOT, page.file.src_uri, markdown)
