"""The Kubernetes shell: watches through Kopf, writes through the official client, and the Lease. It decides nothing.

Of the official client only ``kubernetes.aio`` is used. Its packages import all of the synchronous client beside it, a
fifth of the time a command takes to start and 9 MiB; so they are there without that: each part is imported where it is
asked for.
"""

import sys
from importlib.util import find_spec, module_from_spec

for _package in ("kubernetes", "kubernetes.aio"):
    if _package not in sys.modules and (_spec := find_spec(_package)) is not None:
        sys.modules[_package] = module_from_spec(_spec)
