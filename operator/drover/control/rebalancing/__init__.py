"""Moving VMs within a pool so that fewer hosts run them, or so that all are loaded alike: proposed, never begun here.

``propose`` answers with moves in an order in which each holds, ``plans`` with the MigrationPlans that carry them out.
"""

from drover.control.rebalancing.plans import plans
from drover.control.rebalancing.proposing import Goal, Measure, Proposal, propose
from drover.control.rebalancing.trying import TriedMove

__all__ = ["Goal", "Measure", "Proposal", "TriedMove", "plans", "propose"]
