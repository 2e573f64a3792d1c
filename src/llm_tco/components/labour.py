"""People: roles, projects, and crews that grow with the servers."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from llm_tco._fields import Number, column, is_a, number, text, whole
from llm_tco.components.amounts import category, check_month
from llm_tco.components.base import Composable, monthly, on_anniversaries
from llm_tco.demand import Demand
from llm_tco.errors import InvalidValueError
from llm_tco.ledger import Ledger
from llm_tco.money import Money, money
from llm_tco.serving.fleet import Fleet


@attrs.frozen(eq=False)
class Labour(Composable):
    """The hours that a role spends every month.

    Cost of a month = hours × rate × (1 + burden) × (1 + raise) ** anniversaries passed.

    Attributes:
        name: The role.
        hours_per_month: Hours that it takes. [h/month]
        rate_per_hour: Pay for an hour. [currency/h]
        burden: What the employer adds to the pay, as a ratio of it.
        raise_per_year: Raise on each anniversary of the start, as a ratio. [1/year]
    """

    kind: ClassVar[str] = "labour"

    name: str = text()
    hours_per_month: Number = number(ge=0, kw_only=True)
    rate_per_hour: Money = money(kw_only=True)
    burden: Number = number(ge=0, default=0.0, percent_from=3.0)
    raise_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)

    def cost(self, demand: Demand) -> Ledger:
        """Pay for the hours of each month."""
        rate = self.rate_per_hour.column * (1.0 + column(self.burden))
        pay = column(self.hours_per_month) * rate * on_anniversaries(self.raise_per_year, demand)
        line = self.line("labour", self.rate_per_hour.currency, monthly(pay, demand))
        return Ledger(timeline=demand.timeline, lines=(line,), rising=True)


@attrs.frozen(kw_only=True)
class Task:
    """A piece of work.

    Attributes:
        name: What is done.
        days: Person-days. [d]
        rate_per_day: Pay for a person-day. [currency/d]
    """

    name: str = text()
    days: Number = number(ge=0)
    rate_per_day: Money = money()


@attrs.frozen(eq=False)
class Project(Composable):
    """Work that is done once, task by task: deployment, integration, training.

    Cost = Σ person-days × rate.

    Attributes:
        name: What the project is.
        tasks: Its tasks, of different names.
        month: When it is paid; 0 is the day of purchase.
        category: What kind of cost it is.
    """

    kind: ClassVar[str] = "project"

    name: str = text()
    tasks: tuple[Task, ...] = attrs.field(kw_only=True)
    month: int = whole(ge=0, default=0)
    category: str = category("deployment")

    @tasks.validator
    def _check_tasks(self, attribute: attrs.Attribute[Any], value: tuple[Task, ...]) -> None:
        names = [task.name for task in value]
        if not names or len(set(names)) < len(names):
            raise InvalidValueError(attribute.name, "must hold at least one task, each of another name")

    def cost(self, demand: Demand) -> Ledger:
        """Pay for every task."""
        check_month(self.month, demand.timeline)
        due = demand.timeline.index == self.month
        lines = tuple(
            self.line(
                self.category,
                task.rate_per_day.currency,
                np.where(due, column(task.days) * task.rate_per_day.column, 0.0),
                item=task.name,
                nature="one_time",
            )
            for task in self.tasks
        )
        return Ledger(timeline=demand.timeline, lines=lines, rising=True)


@attrs.frozen(eq=False)
class Crew(Composable):
    """People of whom one is needed for every so many servers: a cost in steps.

    Cost of a month = ⌈servers owned / servers per person⌉ × cost of a person, which rises
    on anniversaries.

    Attributes:
        name: The role.
        fleet: The fleet that they look after.
        servers_per_person: Servers that one person can look after.
        cost_per_month: What a person costs. [currency/month]
        raise_per_year: Raise on each anniversary of the start, as a ratio. [1/year]
        fractional: Whether parts of a person can be had.
    """

    kind: ClassVar[str] = "crew"

    name: str = text()
    fleet: Fleet = attrs.field(kw_only=True, validator=is_a(Fleet))
    servers_per_person: Number = number(gt=0, kw_only=True)
    cost_per_month: Money = money(kw_only=True)
    raise_per_year: Number = number(gt=-1, default=0.0, percent_from=1.0)
    fractional: bool = False

    def cost(self, demand: Demand) -> Ledger:
        """Pay for whole people."""
        plan = self.fleet.size(demand)
        people = plan.installed / column(self.servers_per_person)
        people = people if self.fractional else np.ceil(people * (1.0 - 1e-12))
        pay = people * self.cost_per_month.column * on_anniversaries(self.raise_per_year, demand)
        return plan.ledger(self.line("labour", self.cost_per_month.currency, monthly(pay, demand)), rising=True)
