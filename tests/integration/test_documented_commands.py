"""What README, the quickstart and how-tos tell a reader to type is typed here, in their order, a cluster a page."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import DROVER, eventually, free_port

from controlplane import stop
from docrun.blocks import Command, blocks
from docrun.session import Session, UnexpectedError

ROOT = Path(__file__).parents[2]
OPERATOR = (
    "make cluster-up",
    'eval "$(make -s cluster-env)"',
    'export PATH="$PWD/.venv/bin:$PATH"',
    "kubectl apply --server-side -f crds/ -f config/admission/",
    "drover run",
)
EXAMPLES = (
    "kubectl apply -f examples/",
    "kubectl wait vm -n shop --all --for=condition=Ready --timeout=60s",
    "kubectl wait vm -n data --all --for=condition=Ready --timeout=60s",
    "kubectl wait vm -n batch -l app=worker --for=condition=Ready --timeout=60s",
)
BEGUN = {
    "docs/how-to/own.md": OPERATOR,
    "docs/how-to/tenants.md": OPERATOR,
    "docs/how-to/hosts.md": OPERATOR + EXAMPLES,
    "docs/how-to/resize.md": OPERATOR + EXAMPLES,
    "docs/how-to/drain.md": OPERATOR + EXAMPLES,
    "docs/how-to/migrate.md": OPERATOR + EXAMPLES,
}
"""What the reader of a page has done before, as the quickstart says."""
PAGES = ("README.md", "docs/quickstart.md", *BEGUN)
NOT_RUN = {("README.md", "make demo")}
"""Commands that are marked to be skipped: each is a step of .ci/run."""
RUN_IN_E2E = {"docs/quickstart.md"}
"""Pages whose blocks for a cluster are executed by tests/e2e."""
SET_BY_OTHERS = ("KUBECONFIG", "CONTEXT", "PROVIDER", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A reader's, with nothing up; what is up at the end is taken down."""
    state = ROOT / ".cache" / "integration" / f"{os.getpid()}-documented"
    own = {name: value for name, value in os.environ.items() if name not in SET_BY_OTHERS}
    yield {**own, "CLUSTER_STATE": str(state), "PATH": f"{os.environ['PATH']}:{DROVER.parent}"}
    stop(state)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_does_what_the_page_says(
    page: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with Session(page, ROOT, environment, tmp_path, free_port()) as session:
        for command in BEGUN.get(page, ()):
            session.run(Command(0, command))
        assert session.run_page("here") > (5 if page in BEGUN else 10)


def test_only_pages_that_e2e_executes_have_blocks_for_it() -> None:
    assert {page for page in PAGES for block in blocks((ROOT / page).read_text()) if block.where == "e2e"} == RUN_IN_E2E


def test_what_is_not_executed_is_executed_by_ci() -> None:
    skipped = {
        (page, command.text.partition("#")[0].strip())
        for page in PAGES
        for block in blocks((ROOT / page).read_text())
        for command in block.commands
        if block.where == "skip"
    }
    assert skipped == NOT_RUN
    (steps,) = re.findall(r"for step in (.+); do", (ROOT / ".ci" / "run").read_text())
    assert {command.removeprefix("make ") for _, command in skipped} <= set(steps.split())


def test_variables_last_from_command_to_command_as_in_one_shell(shell: Session) -> None:
    shell.run(Command(1, "export GREETING=hello"))
    shell.run(Command(2, "echo $GREETING \\\n  world", ("hello world",)))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (Command(7, "ls /nonexistent"), r"page.md:7: `ls /nonexistent` ended with 2\n.*\nls: cannot access"),
        (Command(7, "false | true"), "ended with 1"),
        (Command(7, "echo $UNSET"), "UNSET: unbound variable"),
        (Command(7, "echo 3 VMs", ("3 hosts",)), "does not print\n3 hosts\n.*\n3 VMs"),
        (Command(7, "drover run --no-such-option"), "does not lead\n(.*\n)*.*No such option"),
    ],
)
def test_a_command_that_does_not_do_as_the_page_says_is_told_with_its_line(
    shell: Session, command: Command, told: str
) -> None:
    with pytest.raises(UnexpectedError, match=told):
        shell.run(command)


def test_a_watch_is_ended_and_what_is_left_in_the_background_goes_with_the_session(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with Session("page.md", ROOT, environment, tmp_path, free_port()) as shell:
        shell.run(Command(1, "tail -f /dev/null # -w"))
        log = tmp_path / "log"
        shell.run(Command(2, f"touch {log}"))
        shell.run(Command(3, f"tail -f {log} &"))
        eventually(lambda: _reading(log), 10, lambda: "it has not started")
    eventually(lambda: not _reading(log), 10, lambda: "it still runs")


def _reading(log: Path) -> bool:
    """Whether some process reads it."""
    lines = subprocess.run(
        ["ps", "-ww", "-eo", "args"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    return f"tail -f {log}" in lines


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Iterator[Session]:
    with Session("page.md", ROOT, environment, tmp_path, free_port()) as shell:
        yield shell
