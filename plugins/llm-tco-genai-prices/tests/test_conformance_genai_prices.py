"""What every plugin of llm_tco must pass."""

from llm_tco.testing import PluginConformance


class TestGenaiPrices(PluginConformance):
    """The checks of the kit."""

    plugin = "genai-prices"
