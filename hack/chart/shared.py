"""Files of the chart that are taken from elsewhere: copies, and the rules of roles.

Templates read the copies as text (`.Files.Get`) and add names and labels, so that one rule, policy or schema has
one home.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "drover"
COPIES = {
    "crds": "crds/*.yaml",
    "admission": "config/admission/*.yaml",
    "monitoring": "monitoring/prometheusrule.yaml",
    "monitoring/dashboards": "monitoring/dashboards/*.json",
}
"""Folder of files/: what is copied into it."""
ROLES = ("config/rbac/operator.yaml", "config/rbac/users.yaml")


def files() -> dict[Path, str]:
    """Every such file with what belongs into it."""
    copies = {
        CHART / "files" / folder / path.name: path.read_text()
        for folder, pattern in COPIES.items()
        for path in sorted(ROOT.glob(pattern))
    }
    rules = {
        CHART / "files" / "rbac" / f"{name}.yaml": text
        for path in ROLES
        for name, text in rules_of((ROOT / path).read_text()).items()
    }
    return copies | rules


def rules_of(manifests: str) -> dict[str, str]:
    """Name of each Role and ClusterRole: its rules, as they are written, comments and all."""
    found = {}
    for text in manifests.split("\n---\n"):
        if re.search(r"^kind: (Cluster)?Role$", text, re.MULTILINE):
            name = re.search(r"^  name: (.+)$", text, re.MULTILINE)
            rules = re.search(r"^rules:\n.*", text, re.MULTILINE | re.DOTALL)
            if name is None or rules is None:
                raise ValueError(f"a role without a name or rules:\n{text}")
            found[name[1]] = rules[0].rstrip("\n") + "\n"
    return found
