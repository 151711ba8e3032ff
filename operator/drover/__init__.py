"""Drover: a Kubernetes operator that runs an IaaS cloud's virtual machines over a modelled node pool."""

__version__ = "0.1.0"
