"""The checks of a plugin as tests: its author subclasses `PluginConformance` in three lines."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from typing import ClassVar

import pytest

from llm_tco.catalog.checks import Problem
from llm_tco.catalog.conformance import CHECKS, check_plugin


@functools.cache
def _problems(plugin: str, today: date | None) -> tuple[Problem, ...]:
    return tuple(check_plugin(plugin, today=today))


class PluginConformance:
    """What a plugin must pass, one test for each of the checks.

    A subclass whose name begins with `Test` says which plugin is meant:

        class TestAcme(PluginConformance):
            plugin = "acme"

    Attributes:
        plugin: Name of the entry point, or of the distribution.
        today: Day after which no source can have been read. Without it that is not checked,
            as nothing here reads the clock.
        expected_failures: Checks that fail, each with the reason. A check that is named here
            and passes is a failure, so that the list cannot grow old.
    """

    plugin: ClassVar[str]
    today: ClassVar[date | None] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    def test_expected_failures_name_checks_and_reasons(self) -> None:
        """Every exception is one of a check that is there, and has a reason."""
        unknown = sorted(set(self.expected_failures) - set(CHECKS))
        silent = sorted(check for check, reason in self.expected_failures.items() if not reason.strip())

        assert not unknown, f"expected_failures names no check: {', '.join(unknown)}; known: {', '.join(CHECKS)}"
        assert not silent, f"expected_failures gives no reason for {', '.join(silent)}"

    @pytest.mark.parametrize("check", CHECKS)
    def test_conforms(self, check: str) -> None:
        """The plugin does what the check demands."""
        found = [problem for problem in _problems(self.plugin, self.today) if problem.check == check]
        reason = self.expected_failures.get(check)
        if reason is not None and not found:
            pytest.fail(f"{check} is expected to fail ({reason}), but passes: take it out of expected_failures")
        lines = "\n".join(f"  {problem}" for problem in found)
        if found and reason is not None:
            pytest.xfail(f"{reason}\n{lines}")
        assert not found, f"{self.plugin}: {CHECKS[check]}, but\n{lines}"
