"""What the quickstart has a reader type for a cluster is typed here. First of all: nothing may be installed yet."""

import os
import sys
from pathlib import Path

import gotools
from controlplane import Kubectl, delete_crds
from docrun.session import Session

ROOT = Path(__file__).parents[2]
PAGE = "docs/quickstart.md"
NAMESPACE = "drover-system"


def test_every_command_for_a_cluster_does_what_the_page_says(kubectl: Kubectl, tmp_path: Path) -> None:
    folders = (gotools.find("helm").parent, kubectl.path.parent, Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    with Session(PAGE, ROOT, {**os.environ, "PATH": path}, tmp_path, 8080) as session:
        assert session.run_page("e2e") > 3
    # What the page keeps on purpose; it has deleted all the rest.
    assert kubectl("get", "npool,vm,vol,img", "-A", "-o", "name") == ""
    kubectl("delete", "namespace", NAMESPACE)
    delete_crds(kubectl, "-f", str(ROOT / "crds"))
