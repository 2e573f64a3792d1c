"""Candidates: what is asked for, where models may run, and what a server costs a month."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import date

import attrs

from llm_tco._fields import is_a, number, text, whole
from llm_tco.catalog.hardware import Gpu, Server
from llm_tco.catalog.models import Model
from llm_tco.catalog.needs import check_quality
from llm_tco.errors import InvalidValueError, NotInForceError
from llm_tco.money import ExchangeRates, Money, money
from llm_tco.serving.quantisation import quantisation_of
from llm_tco.units import HOURS_PER_MONTH, MONTHS_PER_YEAR, WATTS_PER_KILOWATT


@attrs.frozen(kw_only=True)
class Task:
    """What is asked for: a load, a quality, and a latency.

    Attributes:
        name: What people call it.
        requests_per_month: Requests. [1/month]
        input_tokens: Prompt tokens of a request. [tokens]
        output_tokens: Generated tokens of a request. [tokens]
        peak_to_mean: Highest over mean load.
        planning_utilisation: Share of a replica's capacity that the peak may use.
        benchmark: Benchmark in which a score is asked for.
        minimum_score: The least score, in the unit of the benchmark, after what the format costs.
        least_parameters: The least parameters, where no score is known.
        quantisations: The only formats that are allowed; any where none is named.
        ttft_s: Longest time to the first token of a prompt that waits for nobody. [s]
        tpot_s: Longest mean time of a further token. [s]
        ignore_quantisation_loss: Whether a format whose loss nobody states counts as one without.
    """

    name: str = text()
    requests_per_month: float = number(gt=0)
    input_tokens: float = number(ge=0)
    output_tokens: float = number(ge=1)
    peak_to_mean: float = number(ge=1, default=1.0)
    planning_utilisation: float = number(gt=0, le=1, default=1.0)
    benchmark: str | None = None
    minimum_score: float | None = number(ge=0, default=None, optional=True)
    least_parameters: float | None = number(gt=0, default=None, optional=True)
    quantisations: tuple[str, ...] = ()
    ttft_s: float | None = number(gt=0, default=None, optional=True)
    tpot_s: float | None = number(gt=0, default=None, optional=True)
    ignore_quantisation_loss: bool = False

    def __attrs_post_init__(self) -> None:
        check_quality(self.benchmark, self.minimum_score, self.least_parameters)


@attrs.frozen(kw_only=True)
class Hardware:
    """Machines that are at hand, or can be bought or rented.

    A rented card costs `price_per_gpu_hour`, or the catalog's latest rental price, for every hour of
    the month. A server of one's own costs its price over its life, unless it is owned already, and
    its energy.

    Attributes:
        name: What people call it.
        gpu: The accelerator.
        server: The machine, where it is bought or owned; without one, cards are rented.
        gpus: GPUs of a replica that are tried.
        gpus_per_server: GPUs that are rented together; those of the server where there is one.
        price_per_gpu_hour: Rent of a card for an hour, in the place of the catalog's.
        life_years: Years over which the server's price is spread. [year]
        owned: Whether the servers are there already, so that only their energy costs.
        price_per_kwh: Price of electricity of a server of one's own.
        pue: Energy of the facility over energy of its computers.
        at_hand: Servers that there are at most; any number without it.
    """

    name: str = text()
    gpu: Gpu = attrs.field(validator=is_a(Gpu))
    server: Server | None = attrs.field(default=None, validator=is_a(Server, optional=True))
    gpus: tuple[int, ...] = (1,)
    gpus_per_server: int = whole(ge=1, default=1)
    price_per_gpu_hour: Money | None = money(default=None, optional=True)
    life_years: float | None = number(gt=0, default=None, optional=True)
    owned: bool = False
    price_per_kwh: Money | None = money(default=None, optional=True)
    pue: float | None = number(ge=1, default=None, optional=True)
    at_hand: int | None = whole(ge=1, default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        if not self.gpus or min(self.gpus) < 1:
            raise InvalidValueError("gpus", f"must list whole numbers of at least 1, got {list(self.gpus)}")
        if self.server is None:
            stray = [name for name in ("life_years", "price_per_kwh", "pue") if getattr(self, name) is not None]
            if stray or self.owned:
                raise InvalidValueError(stray[0] if stray else "owned", "has no meaning without a server")
            return
        if self.server.gpu != self.gpu.key:
            raise InvalidValueError("server", f"holds {self.server.gpu!r}, not {self.gpu.key!r}")
        if self.price_per_gpu_hour is not None:
            raise InvalidValueError("price_per_gpu_hour", "is a rent; leave server out, or the rent")
        if self.gpus_per_server != self.server.gpus:
            raise InvalidValueError("gpus_per_server", f"must be the {self.server.gpus} of {self.server.key!r}")

    def replicas_per_server(self, gpus: int) -> float:
        """Give the replicas that one server holds; below 1 where a replica spans servers."""
        if gpus <= self.gpus_per_server:
            return float(self.gpus_per_server // gpus)
        return 1.0 / -(-gpus // self.gpus_per_server)


@attrs.frozen(kw_only=True)
class Candidate:
    """One combination.

    Attributes:
        model: The model.
        quantisation: Format of its weights.
        engine: Inference engine.
        hardware: Where it would run.
        gpus: GPUs of a replica.
    """

    model: Model
    quantisation: str
    engine: str
    hardware: Hardware
    gpus: int

    @property
    def words(self) -> tuple[str, str, str, int, str]:
        """Its names, by which ties are decided."""
        return (self.model.key, self.quantisation, self.hardware.name, self.gpus, self.engine)

    def __str__(self) -> str:
        return f"{self.model.key} {self.quantisation} in {self.engine} on {self.gpus} × {self.hardware.gpu.key}"


def candidates_of(
    hardware: Iterable[Hardware], models: Iterable[Model], engines: Mapping[str, Iterable[str]]
) -> tuple[Candidate, ...]:
    """List every combination.

    Args:
        hardware: Where models may run.
        models: The models.
        engines: The formats that each engine runs, by its name.
    """
    return tuple(
        Candidate(model=model, quantisation=quantisation_of(form).name, engine=engine, hardware=machine, gpus=gpus)
        for machine, model, (engine, forms) in itertools.product(hardware, tuple(models), engines.items())
        for gpus, form in itertools.product(machine.gpus, forms)
    )


@attrs.frozen(eq=False)
class MonthlyPrice:
    """What a server costs, or why nobody knows.

    Attributes:
        fixed: Cost of a month, whatever the server does.
        busy: What comes to it in a month in which the server is busy throughout.
        problem: What is missing; None where the price is known.
    """

    fixed: float = 0.0
    busy: float = 0.0
    problem: str | None = None


def price_of(hardware: Hardware, fx: ExchangeRates, on: date) -> MonthlyPrice:
    """Price a server for a month, in the base currency of the rates.

    Args:
        hardware: What is rented, bought or owned.
        fx: Exchange rates.
        on: The day whose rental price is meant.

    Returns:
        The price; where a figure is missing, the price says which.
    """

    def converted(amount: Money) -> float:
        return float(amount.value) * float(fx.factors(amount.currency, fx.base, [on])[0])

    server = hardware.server
    if server is None:
        rent = hardware.price_per_gpu_hour
        if rent is None:
            try:
                rent = hardware.gpu.price("rental", on=on).price
            except NotInForceError as error:
                return MonthlyPrice(problem=str(error))
        return MonthlyPrice(fixed=converted(rent) * hardware.gpus_per_server * HOURS_PER_MONTH)
    missing = [name for name in ("price_per_kwh", "pue") if getattr(hardware, name) is None]
    missing += [f"{name} of the server {server.key}" for name in ("idle_w", "peak_w") if getattr(server, name) is None]
    if not hardware.owned:
        missing += ["life_years"] if hardware.life_years is None else []
        missing += [f"the parts of the server {server.key}"] if server.price is None else []
    if missing:
        return MonthlyPrice(problem=f"{hardware.name} has no price: {', '.join(missing)} is not stated")
    assert hardware.price_per_kwh is not None
    kwh = converted(hardware.price_per_kwh) * (hardware.pue or 1.0) * HOURS_PER_MONTH / WATTS_PER_KILOWATT
    idle, peak = float(server.idle_w or 0.0), float(server.peak_w or 0.0)
    bought = 0.0
    if not hardware.owned and server.price is not None and hardware.life_years is not None:
        bought = converted(server.price) / (hardware.life_years * MONTHS_PER_YEAR)
    return MonthlyPrice(fixed=bought + idle * kwh, busy=(peak - idle) * kwh)
