"""The phases of every kind and the ways between them, as tables; docs/concepts/states.md draws them.

``PYTHONPATH=hack python -m statemachines docs/concepts/states.md`` writes the pictures, ``--check`` only compares.
tests/simulation/test_state_machines.py holds the tables against what the operator writes.
"""
