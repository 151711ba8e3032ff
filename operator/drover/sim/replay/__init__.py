"""Traces of real clouds, replayed through the operator's placement (``drover.model.placement``).

``azure`` and ``huawei`` read the traces; ``arrivals`` replays virtual machines that come and go on a pool that grows
as it must, ``topology`` requests with NUMA cells, racks and groups on given hosts. Files are opened by the caller.
"""
