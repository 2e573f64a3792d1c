"""What the plugin promises."""

from datetime import date
from decimal import Decimal

import pytest

from llm_tco import load_catalog
from llm_tco.testing import PluginConformance


class TestExample(PluginConformance):
    """What every plugin of llm_tco must pass."""

    plugin = "example"


@pytest.mark.parametrize(("day", "price"), [(date(2026, 8, 31), "1.20"), (date(2026, 9, 1), "1.00")])
def test_the_price_went_down_in_september(day, price):
    """The last day of the old price is the day before the new one."""
    assert load_catalog().price("example", "example-large", on=day).input.base == Decimal(price)
