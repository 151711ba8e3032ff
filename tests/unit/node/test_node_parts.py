"""The parts of the node that need no root: its state directory, its cgroups' names, its sandbox image."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from controlplane import ControlPlaneError
from node import cgroups, pause, state


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def test_the_sandbox_image_is_an_archive_whose_parts_name_each_other() -> None:
    files = files_of(pause.image_of(b"program", "arm64"))
    (manifest,) = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == [pause.IMAGE]
    config, layer = json.loads(files[manifest["Config"]]), files[manifest["Layers"][0]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert (config["architecture"], config["os"]) == ("arm64", "linux")
    assert files_of(layer) == {config["config"]["Entrypoint"][0].removeprefix("/"): b"program"}


def test_one_run_holds_a_state_directory_and_gives_it_back(tmp_path: Path) -> None:
    with (
        state.claimed(tmp_path / "node"),
        pytest.raises(ControlPlaneError, match=r"a node runs in .*--state"),
        state.claimed(tmp_path / "node"),
    ):
        pass
    with state.claimed(tmp_path / "node"):
        pass


def test_a_directory_with_files_of_somebody_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ControlPlaneError, match="left alone"), state.claimed(tmp_path):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_begins_without_what_a_killed_one_left(tmp_path: Path) -> None:
    outside = tmp_path / "program"
    outside.touch()
    node = tmp_path / "node"
    with state.claimed(node):
        state.begin(node)
        (node / "etcd" / "member").mkdir(parents=True)
        (node / "kubelet").symlink_to(outside)
    with state.claimed(node):
        state.begin(node)
        assert {entry.name for entry in node.iterdir()} - {".drover-node"} == {state.LOGS}
    assert outside.exists()


@pytest.mark.parametrize(("keep_logs", "left"), [(True, ["logs", "logs/etcd.log"]), (False, [])])
def test_a_run_ends_with_its_logs_or_nothing(tmp_path: Path, keep_logs: bool, left: list[str]) -> None:
    node = tmp_path / "node"
    with state.claimed(node):
        state.begin(node)
        (node / state.LOGS / "etcd.log").touch()
        (node / "kubeconfig").touch()
        state.end(node, keep_logs=keep_logs)
    assert sorted(str(p.relative_to(node)) for p in node.rglob("[!.]*")) == left


def test_cgroup_hierarchies_of_version_1_are_the_directories_and_of_version_2_the_mount(tmp_path: Path) -> None:
    for controller in ("memory", "cpu,cpuacct"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    assert cgroups.hierarchies(tmp_path) == [tmp_path / "cpu,cpuacct", tmp_path / "memory"]
    (tmp_path / "cgroup.controllers").touch()
    assert cgroups.hierarchies(tmp_path) == [tmp_path]


def test_a_cgroup_of_version_2_is_handed_the_controllers_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n")
    cgroups.create("mine", tmp_path)
    for level in (tmp_path, tmp_path / "mine"):
        assert set((level / "cgroup.subtree_control").read_text().split()) == {
            *("+cpu", "+cpuset", "+hugetlb", "+io", "+memory", "+pids")
        }


def test_a_cpuset_of_version_1_has_the_processors_and_memory_of_the_machine(tmp_path: Path) -> None:
    for controller, setting, value in [("cpuset", "cpus", "0-1\n"), ("cpuset", "mems", "0\n"), ("memory", "x", "")]:
        (tmp_path / controller).mkdir(exist_ok=True)
        (tmp_path / controller / f"{controller}.{setting}").write_text(value)
    cgroups.create("mine", tmp_path)
    assert (tmp_path / "cpuset" / "mine" / "cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "cpuset" / "mine" / "cpuset.mems").read_text() == "0\n"
    assert list((tmp_path / "memory" / "mine").iterdir()) == []


def test_a_machine_that_refuses_a_cgroup_gives_one_line_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneError, match=r"cannot make the cgroup mine: .*--privileged and --cgroupns=host"):
        cgroups.create("mine", tmp_path / "nothing")


def test_two_nodes_have_two_cgroups() -> None:
    assert cgroups.name(Path("/a")) != cgroups.name(Path("/b"))
