"""The docstrings below a class's attributes, from its source: descriptions of fields in the CRDs.

Pydantic can do the same at import, and then each start of each command reads all the sources.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise

from pydantic import BaseModel


def attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Attribute to docstring, those of base classes among them. The source must be at hand."""
    written = [one for one in reversed(model.__mro__) if issubclass(one, BaseModel) and not _made(one)]
    return {name: text for one in written for name, text in _own(one)}


def _made(model: type[BaseModel]) -> bool:
    """Whether pydantic made it, as it does for each set of parameters of a generic class."""
    return model is BaseModel or bool(model.__pydantic_generic_metadata__["origin"])


def _own(cls: type[BaseModel]) -> Iterator[tuple[str, str]]:
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    for attribute, below in pairwise(body.body):
        match attribute, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
