"""What the image is made of: the digest by which an archive is known to be up to date, and the files that say it."""

import re
from pathlib import Path

import pytest

from image.sources import base_of, digest_of

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LET_THROUGH = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A Dockerfile that sees operator/ and one file more."""
    (tmp_path / "operator").mkdir()
    files = {"Dockerfile": "FROM a", ".dockerignore": "*\n!operator\n!list.txt", "operator/a.py": "1", "list.txt": "b"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "operator/a.py", "operator/new.py", "list.txt"])
def test_the_digest_changes_with_whatever_the_build_sees(tree: Path, name: str) -> None:
    before = digest_of(tree)
    with (tree / name).open("a") as file:
        file.write("\nmore")
    assert digest_of(tree) != before


@pytest.mark.parametrize("name", ["README.md", "operator/__pycache__/a.pyc", "operator/drover.egg-info/PKG-INFO"])
def test_the_digest_does_not_change_with_what_it_does_not_see(tree: Path, name: str) -> None:
    before = digest_of(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("more")
    assert digest_of(tree) == before


def test_a_file_that_moves_changes_the_digest(tree: Path) -> None:
    before = digest_of(tree)
    (tree / "operator" / "a.py").rename(tree / "operator" / "b.py")
    assert digest_of(tree) != before


def test_all_that_the_dockerfile_copies_is_let_through_and_there() -> None:
    copies = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", DOCKERFILE)
    assert {name for line in copies for name in line.split()} == LET_THROUGH
    assert all((ROOT / name).exists() for name in LET_THROUGH)


def test_the_base_is_pinned_to_a_release_and_named_once() -> None:
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base_of(ROOT / "Dockerfile"))
    assert DOCKERFILE.count("python:3") == 1


def test_what_a_release_tells_the_image_is_asked_for_and_the_commit_is_where_metrics_look() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    given = re.findall(r"(?m)^ +([A-Z]+)=\$\{\{", workflow)
    assert sorted(given) == sorted(re.findall(r"(?m)^ARG ([A-Z]+)=", DOCKERFILE))
    assert "ENV DROVER_REVISION=$REVISION\n" in DOCKERFILE
    assert 'environ.get("DROVER_REVISION"' in (ROOT / "operator" / "drover" / "observe" / "metrics.py").read_text()


def test_each_tool_of_the_build_is_pinned() -> None:
    lines = (ROOT / "hack" / "image" / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9.]+", line)] == []
