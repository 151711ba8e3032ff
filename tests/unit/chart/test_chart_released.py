"""The scripts of .github/workflows/release.yaml do what they say; only the registry is not there."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import HELM

import gotools
from chart.shared import CHART, ROOT
from drover import __version__

REGISTRY, DIGEST = "registry.example.org/acme", f"sha256:{'1' * 64}"
SECTION = f"## [Unreleased]\n\n- Later.\n\n## [{__version__}] - 2026-01-01\n\n- News.\n\n## [0.0.1]\n\n- Old.\n"


def _script(job: str, name: str) -> str:
    """What a step of a job runs, by a part of its name."""
    workflow: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yaml").read_text())
    (step,) = (step for step in workflow["jobs"][job]["steps"] if name in step.get("name", ""))
    return str(step["run"])


def _run(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("tag", "changelog", "registry", "told"), [
    (f"v{__version__}", SECTION, REGISTRY, ""),
    ("v9.9.9", SECTION, REGISTRY, f"::error::tag v9.9.9, version {__version__}"),
    (f"v{__version__}", "## [Unreleased]\n\n- News.\n", REGISTRY, "has no section"),
    (f"v{__version__}", f"## [{__version__}]\n\n", REGISTRY, "has no section"),
    (f"v{__version__}", SECTION, "", "variable REGISTRY is not set"),
])  # fmt: skip
def test_what_cannot_become_a_release_is_told_first(
    tag: str, changelog: str, registry: str, told: str, tmp_path: Path
) -> None:
    package = tmp_path / "operator" / "drover"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text((ROOT / "operator" / "drover" / "__init__.py").read_text())
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    outputs = tmp_path / "outputs"
    script = _script("version", "The tag is the version")
    done = _run(script, tmp_path, GITHUB_REF_NAME=tag, GITHUB_OUTPUT=str(outputs), REGISTRY=registry)
    assert told in done.stdout
    assert done.returncode == (1 if told else 0), done.stderr
    if not told:
        assert outputs.read_text() == f"version={__version__}\n"
        assert (tmp_path / "notes.md").read_text().split() == ["-", "News."]


def test_what_is_published_names_the_image_that_was_pushed(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    HELM("package", str(CHART), f"--destination={dist}")
    (dist / "install.yaml").write_text((ROOT / "config" / "operator" / "deployment.yaml").read_text())
    pushed = _without_registry(tmp_path)
    env = {"VERSION": __version__, "REGISTRY": REGISTRY, "DIGEST": DIGEST, "USERNAME": "user", "PASSWORD": "secret"}
    done = _run(_script("publish", "name the image by digest"), tmp_path, **env)
    assert done.returncode == 0, done.stderr
    package = f"dist/drover-{__version__}.tgz"
    assert pushed.read_text().splitlines()[-1] == f"push {package} oci://{REGISTRY}/charts"
    for text in (HELM("template", "drover", str(tmp_path / package)), (dist / "install.yaml").read_text()):
        images = {line.split()[1].strip('"') for line in text.splitlines() if line.lstrip().startswith("image: ")}
        assert images == {f"{REGISTRY}/drover@{DIGEST}"}


def _without_registry(folder: Path) -> Path:
    """Let the step find a helm that logs in and pushes into a file, which is returned, and is the real one else."""
    said, helm, python = folder / "said", folder / "helm", folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\necho {helm}\n")
    here = f'registry|push) echo "$@" >> {said};;'
    helm.write_text(f'#!/bin/sh\ncase "$1" in {here} *) exec {gotools.find("helm")} "$@";; esac\n')
    for program in (python, helm):
        program.chmod(0o755)
    return said
