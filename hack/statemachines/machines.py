"""All machines, in the order of the page."""

from statemachines.catalogue import FLAVOR, IMAGE, MIGRATION_POLICY, NETWORK, PLACEMENT_GROUP, USAGE_RECORD, VOLUME
from statemachines.datacentre import HOST, NODE_POOL
from statemachines.guests import MIGRATION, VIRTUAL_MACHINE
from statemachines.plans import MIGRATION_PLAN

MACHINES = (
    VIRTUAL_MACHINE,
    MIGRATION,
    MIGRATION_PLAN,
    HOST,
    NODE_POOL,
    IMAGE,
    VOLUME,
    NETWORK,
    FLAVOR,
    PLACEMENT_GROUP,
    MIGRATION_POLICY,
    USAGE_RECORD,
)
