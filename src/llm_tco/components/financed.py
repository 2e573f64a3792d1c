"""Assets of one component that are borrowed for, or leased, whatever is done about the others."""

from __future__ import annotations

from typing import ClassVar

import attrs

from llm_tco._fields import is_a
from llm_tco.components.base import Component, Composable
from llm_tco.demand import Demand
from llm_tco.financing import Lease, Loan
from llm_tco.ledger import Ledger


@attrs.frozen(eq=False)
class Financed(Composable):
    """A component whose assets are bought with a loan.

    To borrow for every asset of every option, state the loan in the financial terms instead.

    Attributes:
        inner: The component.
        loan: The loan.
    """

    kind: ClassVar[str] = "financed"

    inner: Component = attrs.field(validator=is_a(Component))
    loan: Loan = attrs.field(validator=is_a(Loan), kw_only=True)

    @property
    def name(self) -> str:
        """The name of what is financed."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Borrow, and pay the loans back."""
        return self.loan.applied(self.inner.cost(demand))


@attrs.frozen(eq=False)
class Leased(Composable):
    """A component whose assets are leased instead of bought.

    To lease every asset of every option, state the lease in the financial terms instead.

    Attributes:
        inner: The component that would buy them.
        lease: The lease.
    """

    kind: ClassVar[str] = "leased"

    inner: Component = attrs.field(validator=is_a(Component))
    lease: Lease = attrs.field(validator=is_a(Lease), kw_only=True)

    @property
    def name(self) -> str:
        """The name of what is leased."""
        return self.inner.name

    def cost(self, demand: Demand) -> Ledger:
        """Pay the lessor."""
        # Settled first, so that what assets are worth at the horizon goes with them, or stays.
        return self.lease.applied(self.inner.cost(demand).settled())
