"""Questions that are answered by trying: on the ledger itself, with every change undone."""

from drover.model.placement.whatif.failover import hardest_to_lose, stranded, tolerated
from drover.model.placement.whatif.groups import place_together
from drover.model.placement.whatif.headroom import Headroom, headroom
from drover.model.placement.whatif.loss import Loss, worst_loss
from drover.model.placement.whatif.preemption import Eviction, Victim, evict_for
from drover.model.placement.whatif.relaxation import Alternative, would_fit_if
from drover.model.placement.whatif.trial import Trial, trial

__all__ = [
    "Alternative",
    "Eviction",
    "Headroom",
    "Loss",
    "Trial",
    "Victim",
    "evict_for",
    "hardest_to_lose",
    "headroom",
    "place_together",
    "stranded",
    "tolerated",
    "trial",
    "worst_loss",
    "would_fit_if",
]
