"""The state of the data centre as metrics."""

from drover.observe.state.page import Compat, StatePage
from drover.observe.state.vms import Detail

__all__ = ["Compat", "Detail", "StatePage"]
