"""Every metric family there is: the registry that pages are rendered from, and the reference generated from."""

from drover.observe.families.family import Family, escaped
from drover.observe.families.kubevirt import KUBEVIRT
from drover.observe.families.ledger import LEDGER
from drover.observe.families.process import PROCESS
from drover.observe.families.state import STATE

__all__ = ["KUBEVIRT", "LEDGER", "PROCESS", "STATE", "Family", "escaped"]
