"""docs/reference/api.md: every kind and field, from the models that the CRDs are made from."""

from collections.abc import Iterable, Iterator

from drover.api.crd import open_api
from drover.api.kinds import KINDS
from drover.api.meta import API_VERSION, FINALIZER, AnyResource
from drover.api.schema import Column
from drover.control.drainplans import TRIGGER_LABEL
from drover.control.migrationplan.children import PLAN_NAME_LABEL, PLAN_NAMESPACE_LABEL
from drover.control.scaling import POOL_LABEL
from drover.control.virtualmachine.power import ACTION, VERBS
from drover.control.world.claims import PLAN_UID_LABEL
from reference.fields import Field, fields, rules, type_of
from reference.words import COMMON, COMMON_EVENTS, CONDITIONS, EVENTS, ConditionType, EventReason

_COMMON = ("observedGeneration", "phase", "conditions", "phaseTransitions")
"""Fields of every status, told once."""

INTRODUCTION = f"""\
<!-- Generated from operator/drover/api by `make reference`; do not edit. -->
# API

Every kind of `{API_VERSION}`. `kubectl explain vm.spec --recursive` says the same at the prompt. The operator never
writes the `spec` of an object you made, and nobody but the operator writes a `status`.

What is *required* is so where the object that it belongs to is there. How values are written:

| type | written | examples |
|---|---|---|
| quantity | a Kubernetes quantity, not negative | `4Gi`, `1.5Gi`, `500m` |
| ratio | a decimal in quotes, not negative, at most six places | `"0.8"` |
| duration | Go's, hours to milliseconds | `1m30s`, `250ms` |
| time | RFC 3339 | `2026-11-21T17:00:00Z` |
| day, month | in UTC | `2026-11-21`, `2026-11` |
| digits | a whole number in quotes, which may pass 2^53 | `"86400000"` |
| word | letters and digits, the first one a capital | `NoCapacity` |

`(≤ 8)` bounds the length of a string, list or map, or the value of a number. *by name* is the key by which server-side
apply merges a list.

"""


METADATA = f"""\
## Labels, annotations, finalizers

| what | on | means |
|---|---|---|
| annotation `{ACTION}` | VirtualMachine | `VERB@TOKEN`: {", ".join(sorted(VERBS))}; a new token asks once more |
| label `{POOL_LABEL}` | Host | its NodePool |
| labels `{PLAN_NAME_LABEL}`, `{PLAN_NAMESPACE_LABEL}`, `{PLAN_UID_LABEL}` | VirtualMachineMigration | its plan |
| label `{TRIGGER_LABEL}` | MigrationPlan | what made it: `drain` or `rebalance` |
| finalizer `{FINALIZER}` | what others may use | it stays until it has given back what it holds, and nobody uses it |

"""


def page() -> str:
    kinds = KINDS.values()
    each = (text for kind in kinds for text in _kind(kind))
    return "".join([INTRODUCTION, *_overview(kinds), *_common_status(), METADATA, *each])


def _overview(kinds: Iterable[type[AnyResource]]) -> Iterator[str]:
    yield "| kind | short | scope | what it is |\n|---|---|---|---|\n"
    for kind in kinds:
        scope = "namespace" if kind.NAMESPACED else "cluster"
        what = open_api(kind)["description"]
        yield f"| [{kind.KIND}](#{kind.KIND.lower()}) | {_codes(kind.SHORT_NAMES)} | {scope} | {_cell(what)} |\n"
    yield "\n"


def _common_status() -> Iterator[str]:
    yield "## Every status\n\nThese fields are in the status of every kind; `phase` has values of each kind's own.\n\n"
    status = open_api(KINDS["VirtualMachine"])["properties"]["status"]
    yield from _table(field for field in fields(status) if _is_common(field) and field.path != "phase")
    yield "Any kind may have these conditions and events beside its own:\n\n"
    yield from _conditions(COMMON)
    yield from _events(COMMON_EVENTS)


def _kind(kind: type[AnyResource]) -> Iterator[str]:
    schema = open_api(kind)
    status = schema["properties"]["status"]
    yield f"## {kind.KIND}\n\n{schema['description']}\n\n"
    yield from (f"- {line}\n" for line in _served(kind))
    states = f"[what leads from one to another](../concepts/states.md#{kind.KIND.lower()})"
    yield f"- Phases: {type_of(status['properties']['phase'])}; {states}.\n\n"
    yield f"### {kind.KIND} spec\n\n"
    yield from _table(fields(schema["properties"]["spec"]))
    yield f"### {kind.KIND} status\n\n"
    yield from _table(field for field in fields(status) if not _is_common(field))
    yield f"### {kind.KIND} conditions and events\n\n"
    yield from _conditions(CONDITIONS[kind.KIND])
    yield from _events(EVENTS.get(kind.KIND, ()))
    told = [
        f"- {f'`{rule.path}`: ' if rule.path else ''}{_text(rule.message)}<br>`{rule.cel}`\n" for rule in rules(schema)
    ]
    if told:
        yield "".join([f"### {kind.KIND} rules\n\nWhat the API server refuses, and what it says:\n\n", *told, "\n"])


def _conditions(types: Iterable[ConditionType]) -> Iterator[str]:
    yield "| condition | True means | reasons |\n|---|---|---|\n"
    for type_ in types:
        yield f"| `{type_.type}` | {_cell(type_.means)} | {', '.join(type_.reasons)} |\n"
    yield "\n"


def _events(reasons: Iterable[EventReason]) -> Iterator[str]:
    rows = [
        f"| {told.reason} | {'Warning' if told.warning else 'Normal'} | {_cell(told.means)} |\n" for told in reasons
    ]
    if rows:
        yield "".join(["| event | type | what |\n|---|---|---|\n", *rows, "\n"])


def _served(kind: type[AnyResource]) -> Iterator[str]:
    names = (kind.PLURAL, kind.SINGULAR, *kind.SHORT_NAMES)
    yield f"Named {_codes(names)} in kubectl; {'in a namespace' if kind.NAMESPACED else 'of the whole cluster'}."
    yield f"`kubectl get` shows {_columns(kind.COLUMNS, wide=False)}{_wide(kind)}."
    if kind.SELECTABLE:
        yield f"Field selectors: {_codes(path.removeprefix('.') for path in kind.SELECTABLE)}."
    if kind.SCALE is not None:
        yield f"`kubectl scale` sets `{kind.SCALE.spec_replicas.removeprefix('.')}`."


def _columns(columns: Iterable[Column], *, wide: bool) -> str:
    return ", ".join(column.name for column in columns if bool(column.priority) == wide)


def _wide(kind: type[AnyResource]) -> str:
    columns = _columns(kind.COLUMNS, wide=True)
    return f"; with `-o wide` also {columns}" if columns else ""


def _is_common(field: Field) -> bool:
    return field.path.partition("[")[0].partition(".")[0] in _COMMON


def _table(rows: Iterable[Field]) -> Iterator[str]:
    yield "| field | type | what |\n|---|---|---|\n"
    for field in rows:
        given = "; *required*" if field.required else f"; default `{field.default}`" if field.default else ""
        yield f"| `{field.path}` | {_cell(field.type)}{given} | {_cell(field.description)} |\n"
    yield "\n"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Plain text, safe in Markdown."""
    return text.replace("<", "&lt;").replace("*", "\\*")
