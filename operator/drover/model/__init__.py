"""The mathematics of the data centre: placement, migration, metering, addresses.

Pure functions and in-memory structures. No I/O, no clock, no asyncio, no Kubernetes: what time it is, and
what the objects say, comes in as values.
"""
