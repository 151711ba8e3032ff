"""Questions that are answered by trying: on the ledger itself, with every change undone."""

from drover.model.placement.whatif.failover import stranded, tolerated
from drover.model.placement.whatif.groups import place_together
from drover.model.placement.whatif.headroom import Headroom, headroom
from drover.model.placement.whatif.preemption import Eviction, Victim, evict_for
from drover.model.placement.whatif.relaxation import Alternative, would_fit_if
from drover.model.placement.whatif.trial import Trial, trial

__all__ = [
    "Alternative",
    "Eviction",
    "Headroom",
    "Trial",
    "Victim",
    "evict_for",
    "headroom",
    "place_together",
    "stranded",
    "tolerated",
    "trial",
    "would_fit_if",
]
