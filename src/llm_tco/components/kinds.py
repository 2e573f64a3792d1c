"""The core's own component kinds, handed over by the same hook as anybody's."""

from __future__ import annotations

from llm_tco.catalog.hookspecs import hookimpl
from llm_tco.components.agreement import Commitment, Discounted, VolumeDiscount
from llm_tco.components.amounts import Monthly, OneOff, Periodic
from llm_tco.components.answers import Quality
from llm_tco.components.api import ApiUsage
from llm_tco.components.base import Delayed, Escalated, Limited, Scaled, Stack
from llm_tco.components.batching import Deferral
from llm_tco.components.benefit import Benefit, HoursSaved, ProductivityGain
from llm_tco.components.cache import SemanticCache
from llm_tco.components.capital import Purchase
from llm_tco.components.facility import Hosting, Network, Storage
from llm_tco.components.financed import Financed, Leased
from llm_tco.components.labour import Crew, Labour, Project
from llm_tco.components.policies import Cascade, RuleRouter, ThresholdRouter
from llm_tco.components.power import Power
from llm_tco.components.prompt_cache import PromptCache
from llm_tco.components.rental import Rental, Subscription
from llm_tco.components.risk import CapitalCharge, ExpansionDelay, ExpectedLoss, Waiting
from llm_tco.components.router import Router
from llm_tco.components.spill import SpillOver
from llm_tco.components.tax import ValueAddedTax


@hookimpl
def llm_tco_components() -> tuple[type, ...]:
    """Hand over the kinds that come with the library."""
    return (
        ApiUsage,
        Benefit,
        CapitalCharge,
        Cascade,
        Commitment,
        Crew,
        Deferral,
        Delayed,
        Discounted,
        Escalated,
        ExpansionDelay,
        ExpectedLoss,
        Financed,
        Hosting,
        HoursSaved,
        Labour,
        Leased,
        Limited,
        Monthly,
        Network,
        OneOff,
        Periodic,
        Power,
        ProductivityGain,
        Project,
        PromptCache,
        Purchase,
        Quality,
        Rental,
        Router,
        RuleRouter,
        Scaled,
        SemanticCache,
        SpillOver,
        Stack,
        Storage,
        Subscription,
        ThresholdRouter,
        ValueAddedTax,
        VolumeDiscount,
        Waiting,
    )
