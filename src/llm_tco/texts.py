"""What a person writes into a report: texts that no calculation gives."""

from __future__ import annotations

from typing import Final

import attrs

from llm_tco._fields import choice, number, text
from llm_tco.catalog.records import Source

LANGUAGES: Final = ("en", "zh")
"""The languages that reports are written in."""


@attrs.frozen(kw_only=True)
class PlanRow:
    """One choice of the technical plan.

    Attributes:
        item: What is chosen, such as the engine.
        choice: What it is.
        note: Why.
    """

    item: str = text()
    choice: str = text()
    note: str = ""


@attrs.frozen(kw_only=True)
class RiskRow:
    """One risk.

    Attributes:
        risk: What may happen.
        likelihood: How likely it is.
        impact: How bad it is.
        mitigation: What is done about it.
    """

    risk: str = text()
    likelihood: str = ""
    impact: str = ""
    mitigation: str = ""


@attrs.frozen(kw_only=True)
class ScheduleRow:
    """One phase of the schedule.

    Attributes:
        phase: What it is called.
        when: When it is.
        milestone: What is done at its end.
    """

    phase: str = text()
    when: str = text()
    milestone: str = text()


@attrs.frozen(kw_only=True)
class Proposal:
    """The texts of a budget proposal, and what its recommendation is held to.

    What is left out is left out of the report, with its heading.

    Attributes:
        lang: Language of the texts, `"en"` or `"zh"`.
        option: The option that is proposed; needed where there are more than two.
        instead_of: The option that it takes the place of.
        background: What is wrong today.
        goals: What is to be reached.
        plan: The technical plan.
        indirect_benefits: Benefits without an amount.
        recommend_if_roi_above: The return over the horizon, as a ratio of the outlay, above
            which the proposal is recommended. Without it no recommendation is made.
        risks: What may go wrong.
        schedule: The phases.
        approval: What is asked of those who decide, besides the amount: dates, people.
        sources: Where amounts stand that the scenario states itself.
        attachments: What is handed in with the proposal.
    """

    lang: str = choice(*LANGUAGES, default="en")
    option: str | None = None
    instead_of: str | None = None
    background: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    plan: tuple[PlanRow, ...] = ()
    indirect_benefits: tuple[str, ...] = ()
    recommend_if_roi_above: float | None = number(default=None, optional=True)
    risks: tuple[RiskRow, ...] = ()
    schedule: tuple[ScheduleRow, ...] = ()
    approval: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    attachments: tuple[str, ...] = ()
