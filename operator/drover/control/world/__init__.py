"""What the engine knows: every object, the indexes over them, and the books of what is claimed."""

from drover.control.world.world import World

__all__ = ["World"]
