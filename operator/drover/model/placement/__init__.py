"""Which host a virtual machine runs on.

``Ledger`` knows the hosts and what is claimed on them; ``decide`` picks the best host for a ``Request`` or
refuses and says how many hosts failed on what.
"""

from drover.model.placement.decide import decide
from drover.model.placement.decision import Decision, Placed, RefusalReason, Refused, Request
from drover.model.placement.hosts import HostRow, Ratios, Strategy, Weights
from drover.model.placement.ledger import Ledger
from drover.model.placement.resources import NO_RESOURCES, Resources

__all__ = [
    "NO_RESOURCES",
    "Decision",
    "HostRow",
    "Ledger",
    "Placed",
    "Ratios",
    "RefusalReason",
    "Refused",
    "Request",
    "Resources",
    "Strategy",
    "Weights",
    "decide",
]
