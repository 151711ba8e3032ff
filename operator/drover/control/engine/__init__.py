"""The engine: inputs in, decisions out, one write in flight an object."""

from drover.control.engine.engine import STEP_BUDGET, Engine, manifest

__all__ = ["STEP_BUDGET", "Engine", "manifest"]
