"""Which host a virtual machine runs on.

``Ledger`` knows the hosts and what is claimed on them; ``decide`` picks the best host for a ``Request`` or
refuses and says how many hosts failed on what; ``pick`` does the same without the account.
"""

from drover.model.placement.claims import Claim
from drover.model.placement.decide import cells_on, decide, pick
from drover.model.placement.decision import Candidate, Decision, Placed, RefusalReason, Refused
from drover.model.placement.hosts import HostRow, Ratios, Strategy, Topology, Weights
from drover.model.placement.ledger import Ledger
from drover.model.placement.request import Request
from drover.model.placement.reserve import Reserve
from drover.model.placement.resources import NO_RESOURCES, Resources
from drover.model.placement.taints import Taint, Toleration
from drover.model.placement.terms import Affinity, AntiAffinity, Spread, Term

__all__ = [
    "NO_RESOURCES",
    "Affinity",
    "AntiAffinity",
    "Candidate",
    "Claim",
    "Decision",
    "HostRow",
    "Ledger",
    "Placed",
    "Ratios",
    "RefusalReason",
    "Refused",
    "Request",
    "Reserve",
    "Resources",
    "Spread",
    "Strategy",
    "Taint",
    "Term",
    "Toleration",
    "Topology",
    "Weights",
    "cells_on",
    "decide",
    "pick",
]
