"""A docstring below an attribute describes it; nothing else does."""

from typing import Generic, TypeVar

from pydantic import BaseModel

from drover.api.docstrings import attribute_docstrings

T = TypeVar("T")


class Base(BaseModel):
    """Not this."""

    inherited: int = 0
    """From above."""
    replaced: int = 0
    """As it was."""


class Sample(Base, Generic[T]):
    plain: int
    told: T
    """What it is,

    and more.
    """
    last: str = "not a docstring"
    replaced: int = 1
    """As it is."""


def test_each_attribute_has_the_docstring_below_it_and_that_of_a_base_class_unless_its_own() -> None:
    told = {"inherited": "From above.", "replaced": "As it is.", "told": "What it is,\n\nand more."}
    assert attribute_docstrings(Sample) == told
    assert attribute_docstrings(Sample[int]) == told
