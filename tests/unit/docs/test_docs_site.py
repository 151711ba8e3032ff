"""What the site's build does with links that leave docs/, and with the state machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from docsite import outside
from statemachines.__main__ import BEGIN, END, rendered
from statemachines.drawing import section
from statemachines.machine import ANY, NEW, Machine, Step

ROOT = Path(__file__).parents[3]
STATES = ROOT / "docs" / "concepts" / "states.md"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "ARCHITECTURE.md": "[page](docs/page.md) [rules](monitoring/rules.yaml)",
        "monitoring/rules.yaml": "",
        "examples/README.md": "[pools](10-pools.yaml)",
        "examples/10-pools.yaml": "",
        "bare/file.txt": "",
        "docs/page.md": "",
        "docs/images/one.svg": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_pages_lead_to_outside_of_docs_is_found_with_what_that_leads_to(tree: Path) -> None:
    pages = {
        "a/b.md": "[how](../../ARCHITECTURE.md#tree) [examples](../../examples/) [in](../page.md) [web](https://x.y)"
    }
    assert outside.found(tree, pages) == {
        "ARCHITECTURE.md",
        "monitoring/rules.yaml",
        "examples/README.md",
        "examples/10-pools.yaml",
    }


@pytest.mark.parametrize(
    ("page", "text", "told"),
    [
        ("a/b.md", "[how](../../ARCHITECTURE.md#tree)", "[how](../source/ARCHITECTURE.md#tree)"),
        ("a/b.md", "[examples](../../examples/)", "[examples](../source/examples/README.md)"),
        ("a/b.md", "[in](../page.md#there)", "[in](../page.md#there)"),
        ("a/b.md", "[bare](../../bare)", "bare"),
        ("a/b.md", "[gone](../../gone.md)", "[gone](../../gone.md)"),
        ("a/b.md", "[web](https://x.y/z.md)", "[web](https://x.y/z.md)"),
        ("source/ARCHITECTURE.md", "[page](docs/page.md)", "[page](../page.md)"),
        ("source/ARCHITECTURE.md", "![one](docs/images/one.svg)", "![one](../images/one.svg)"),
    ],
)
def test_a_link_leads_to_where_the_site_has_the_file(tree: Path, page: str, text: str, told: str) -> None:
    assert outside.rewritten(tree, page, text) == told


def test_the_page_of_the_state_machines_is_as_generated() -> None:
    assert rendered(STATES.read_text()) == STATES.read_text(), "run `make states`"


def test_a_machine_is_drawn_with_one_line_for_a_step_and_its_way_back() -> None:
    machine = Machine(
        "Door",
        "A door.",
        groups={"Wide": ("Open", "Ajar")},
        boxes=("Wide",),
        steps=(Step(NEW, "Wide", "made"), Step("Wide", "Shut", "push"), Step("Shut", "Wide", "pull")),
        rarer=(Step(ANY, "Gone", "sold"),),
    )
    drawn = section(machine)
    assert 'Wide("Open<br>Ajar")' in drawn
    assert 'start -->|"made"| Wide' in drawn
    assert 'Wide <-->|"push / pull"| Shut(Shut)' in drawn
    assert "| any | Gone | sold |" in drawn
    assert drawn.count("<-->") == 1
    assert machine.phases == {"Open", "Ajar", "Shut", "Gone"}
    assert machine.unknown({("Open", "Shut"), ("Shut", "Gone"), ("Gone", "Open")}) == [("Gone", "Open")]


def test_what_stands_around_the_generated_part_is_kept() -> None:
    page = rendered(f"before\n\n{BEGIN}what was here{END}\nafter\n")
    assert page.startswith(f"before\n\n{BEGIN}\n\n## VirtualMachine\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "what was here" not in page
