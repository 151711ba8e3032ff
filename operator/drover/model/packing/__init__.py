"""How few hosts suffice, and the moves that get there: bounds, the proven optimum, consolidation and balance.

Everything starts from a ``Snapshot`` of integer arrays and answers with ``Move``s in an order in which each is
feasible. ``drain`` consolidates, ``balance`` evens out, ``improve.improve`` does better with CP-SAT where OR-Tools is
installed, and ``patterns.optimum`` proves what is possible where scipy is.
"""

from drover.model.packing.balance import balance, variation
from drover.model.packing.bound import bound_over_time, resource_bound
from drover.model.packing.drain import drain
from drover.model.packing.snapshot import Allowed, Move, Snapshot

__all__ = [
    "Allowed",
    "Move",
    "Snapshot",
    "balance",
    "bound_over_time",
    "drain",
    "resource_bound",
    "variation",
]
