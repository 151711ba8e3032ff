"""What the components of the node are told: it must fit together, and touch nothing of the machine's."""

import ipaddress
import json
import re

import pytest
import yaml

from node import components, configs, pause

COMMANDS = {
    "etcd": components.etcd(),
    "kube-apiserver": components.apiserver(),
    "kube-controller-manager": components.controller_manager(),
    "kube-scheduler": components.scheduler(),
    "kubelet": components.kubelet(),
    "kube-proxy": components.kube_proxy(),
    "containerd": components.containerd(),
}


@pytest.mark.parametrize("text", [*configs.files("pods").values(), *(" ".join(c) for c in COMMANDS.values())])
def test_every_path_ends_with_the_namespaces_or_is_only_read(text: str) -> None:
    private = (str(configs.ROOT), "/run/", "/pods", *configs.CNI_PLUGINS)
    paths = [path for path in re.findall(r"(?<![\w.:/])/[\w./-]{2,}", text) if not path.startswith(private)]
    assert paths == []


@pytest.mark.parametrize(("program", "command"), COMMANDS.items())
def test_a_component_is_the_program_that_was_linked_and_no_flag_is_given_twice(
    program: str, command: list[str]
) -> None:
    assert command[0] == str(configs.ROOT / "bin" / program)
    flags = [argument.partition("=")[0] for argument in command]
    twice = {flag for flag in flags if flags.count(flag) > 1}
    assert twice <= {"--enable-admission-plugins"}  # the API server adds up what these name


def test_the_files_that_commands_name_are_written() -> None:
    named = {
        argument.partition("=")[2].removeprefix(f"{configs.ROOT}/")
        for command in COMMANDS.values()
        for argument in command
        if argument.startswith("--config=")
    }
    assert named
    assert named <= set(configs.files("pods"))


def test_node_pods_and_services_have_addresses_of_their_own() -> None:
    (services,) = [
        a.partition("=")[2] for a in COMMANDS["kube-apiserver"] if a.startswith("--service-cluster-ip-range")
    ]
    service_subnet, pod_subnet = ipaddress.ip_network(services), ipaddress.ip_network(configs.POD_SUBNET)
    node = ipaddress.ip_network(f"{configs.ADDRESS}/24", strict=False)
    assert not any(a.overlaps(b) for a, b in [(service_subnet, pod_subnet), (pod_subnet, node), (node, service_subnet)])
    assert ipaddress.ip_address(configs.SERVICE_OF_API) == service_subnet[1]  # the first, as Kubernetes has it


def test_every_part_names_the_same_sandbox_socket_subnet_and_cgroup() -> None:
    files = configs.files("pods-of-mine")
    kubelet = yaml.safe_load(files["kubelet.yaml"])
    network = json.loads(files["cni/10-pods.conflist"])
    assert f"sandbox = '{pause.IMAGE}'" in files["containerd.toml"]
    assert kubelet["containerRuntimeEndpoint"].removeprefix("unix://") in files["containerd.toml"]
    assert kubelet["cgroupRoot"] == "/pods-of-mine"
    (subnet,) = network["plugins"][0]["ipam"]["ranges"][0]
    assert subnet["subnet"] == yaml.safe_load(files["kube-proxy.yaml"])["clusterCIDR"]
