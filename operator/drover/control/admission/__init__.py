"""What `drover admission` answers the API server: refusals and warnings that need other objects than the one applied.

Nothing depends on it: the controllers find the same again, by the same functions, and say it in conditions.
"""

from drover.control.admission.review import review
from drover.control.admission.verdict import Enforcement, Rules, Verdict

__all__ = ["Enforcement", "Rules", "Verdict", "review"]
