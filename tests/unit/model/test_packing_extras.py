"""Libraries the operator runs without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from drover.model.packing.extras import optional


def test_what_is_installed_is_imported() -> None:
    assert optional("json", "trace") is json


def test_what_is_missing_is_told_with_the_extra_that_brings_it() -> None:
    with pytest.raises(
        ModuleNotFoundError, match=r"^no_such_solver is not installed: pip install 'drover\[optimize\]'"
    ):
        optional("no_such_solver.core", "optimize")


def test_greedy_consolidation_needs_neither_scipy_nor_ortools() -> None:
    code = "import sys, drover.model.packing, drover.model.packing.improve, drover.model.packing.patterns as _; "
    code += "sys.exit(not {'scipy', 'ortools', 'pandas'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
