"""A real Kubernetes cluster of one node, without Docker and without a virtual machine: what a pod is tested on.

    PYTHONPATH=hack python -m node run --images images.tar -- kubectl get pods -A
    PYTHONPATH=hack python -m node run -- bash

etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, containerd and runc run in network,
mount and process namespaces of their own. The command runs among them, with KUBECONFIG of an administrator, and kubectl
and helm on PATH; the exit code is the command's (125 where the node itself failed). With the command everything ends:
the kernel kills what is left in the namespaces, and mounts, interfaces and cgroups go with it. Two runs with two state
directories do not see each other.

It needs Linux and root. What Kubernetes and containerd are made of is built from Go modules, once (see `controlplane`);
runc, the CNI plugins, iptables and conntrack come from the distribution, and are installed where apt-get is there.
Elsewhere, and on machines with a Docker engine, PROVIDER=kind runs the same command on a kind cluster.

What is unlike a cluster of a provider: no cluster DNS (Services are reached by address and by environment), no storage
class, no NetworkPolicy enforcement, no way out: pods and the command reach the node and each other and nothing else, so
every image must be in one of the archives (as ``docker save`` writes them). Requests from pods and logins are real:
RBAC and Node authorization, Pod Security, certificates that are verified, OOM kills, rolling updates.

    run.py          outside: state directory, cgroups, the namespaces' beginning and end
    inside.py       inside, as process 1: mounts, network, the components in their order, the command
    configs.py      what the components read; components.py: how they are called
"""
