"""What a scrape of a page says, family by family."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from drover.control.world import World
from drover.observe.metrics import Metrics
from drover.observe.state import Compat, Detail, StatePage

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Scraped:
    """One page, parsed by Prometheus' own client library."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def samples(self, name: str, /) -> list[Sample]:
        """The samples of one series name, with a histogram's suffix where it has one."""
        return [sample for family in self.families.values() for sample in family.samples if sample.name == name]

    def value(self, name: str, /, **labels: str) -> float | None:
        """None where there is no such series."""
        found = [sample.value for sample in self.samples(name) if sample.labels == labels]
        assert len(found) < 2, f"{name}{labels} is there {len(found)} times"
        return found[0] if found else None


async def state_of(world: World, detail: Detail = "info", compat: Compat = "none") -> Scraped:
    """The state page of a World, rendered for the first time."""
    return await scraped(StatePage(world, lambda: NOW, detail, compat))


async def scraped(page: StatePage) -> Scraped:
    return Scraped(b"".join(await page.render()).decode())


def process_of(metrics: Metrics) -> Scraped:
    return Scraped(metrics.page().decode())
