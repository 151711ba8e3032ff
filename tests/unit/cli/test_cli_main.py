"""`drover` finds its subcommands when they are called, and tells the shell of them."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from drover import __version__
from drover.api.host import Host
from drover.api.virtualmachine import VirtualMachine
from drover.cli import garbage
from drover.cli.completion import answer
from drover.cli.main import MODULES, PANELS, app, plugin
from drover.cli.server import CommandError, carried_out, name_of, namespace_name


@pytest.mark.parametrize("name", MODULES)
def test_every_subcommand_is_there_and_explains_itself(name: str) -> None:
    told = CliRunner().invoke(app, [name, "--help"])
    assert told.exit_code == 0, told.output
    assert f"{name} [OPTIONS]" in told.output


def test_help_names_all_of_them_and_a_typing_error_is_met_with_the_nearest() -> None:
    told = CliRunner().invoke(app, ["--help"]).output
    assert all(f" {name} " in told for name in (*MODULES, "version"))
    typo = CliRunner().invoke(app, ["stats"])
    assert typo.exit_code == 2
    assert "'status'" in typo.output


def test_help_has_each_command_in_a_panel() -> None:
    told = CliRunner().invoke(app, ["--help"]).output
    positions = [told.index(f"─ {panel} ─") for panel in PANELS]
    assert positions == sorted(positions)
    assert "─ Commands ─" not in told


def test_the_version_is_told_by_option_and_command() -> None:
    for word in ("--version", "version"):
        told = CliRunner().invoke(app, [word])
        assert (told.exit_code, told.output) == (0, f"{__version__}\n")


def test_the_plugin_goes_by_the_name_it_is_called_by_and_leaves_completion_to_kubectl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl-drover", "--help"])
    with pytest.raises(SystemExit) as ended:
        plugin()
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "Usage: kubectl drover [OPTIONS] COMMAND" in told
    assert "completion" not in told


def test_a_subcommand_that_only_asks_does_not_load_the_operator() -> None:
    """Loading it takes longer than the answer."""
    check = (
        "import sys, drover.cli.main, drover.cli.status; print({'kopf', 'numpy', 'drover.control'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("words", "some", "directive"),
    [
        (["st"], "status", ":4"),
        (["plan", ""], "approve", ":4"),
        (["migrate", "--dr"], "--dry-run", ":4"),
        (["top", "vms", "-o", ""], "json", ":4"),
        (["migrate", "vm/none"], "", ":0"),
        ([], "version", ":4"),
    ],
)
def test_kubectl_is_told_what_a_word_may_become(words: list[str], some: str, directive: str) -> None:
    *told, last = answer(words)
    assert last == directive
    assert [word.partition("\t")[0] for word in told if some and word.startswith(some)][:1] == ([some] if some else [])


@pytest.mark.parametrize("given", ["a", "vm/a", "vms/a", "VirtualMachine/a", "virtualmachines/a"])
def test_a_name_may_carry_its_kind(given: str) -> None:
    assert name_of(given, VirtualMachine) == "a"


def test_a_name_may_be_as_long_as_kubernetes_takes_it() -> None:
    long = "a" * 70 + "." + "b" * 182
    assert name_of(long, VirtualMachine) == long


def test_a_name_of_another_kind_is_refused() -> None:
    with pytest.raises(CommandError, match="vm/a is no Host: name one, as hst/a"):
        name_of("vm/a", Host)


@pytest.mark.parametrize(
    "given", ["", "vm/", ".", "..", "vm/..", "A", "a_b", "a b", "-a", "a.", "a..b", "a%2Fb", "a\n", "a." * 126 + "ab"]
)
def test_what_is_no_name_is_refused_before_it_becomes_a_url(given: str) -> None:
    with pytest.raises(CommandError) as refused:
        name_of(given, VirtualMachine)
    assert str(refused.value) == (f"{given!r} names no VirtualMachine: write vm/NAME, up to 253 of a-z, 0-9, - and .")


@pytest.mark.parametrize("given", ["", ".", "..", "a/b", "a.b", "A", "a" * 64])
def test_what_is_no_namespace_is_refused(given: str) -> None:
    assert namespace_name("team-1") == "team-1"
    with pytest.raises(typer.BadParameter, match="is no namespace: write its name, up to 63 of a-z, 0-9 and -"):
        namespace_name(given)
    told = CliRunner().invoke(app, ["status", "-n", given])
    assert (told.exit_code, "Invalid value for '--namespace'" in told.stderr) == (2, True)


def test_what_the_user_has_to_mend_is_one_line_and_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    async def fails() -> None:
        raise CommandError("mend it")

    with pytest.raises(typer.Exit) as ended:
        carried_out(fails())
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "error: mend it\n"


def test_garbage_is_looked_for_again_after_short_work_that_failed() -> None:
    def fails() -> None:
        with garbage.kept():
            assert not gc.isenabled()
            raise CommandError("mend it")

    with pytest.raises(CommandError):
        fails()
    assert gc.isenabled()
