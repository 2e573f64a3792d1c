"""Hypothesis strategies for the records of catalogs. Everything that they draw passes the loader's checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from llm_tco.catalog.checks import RISING
from llm_tco.catalog.hardware import Gpu, GpuPrice, Part, Server
from llm_tco.catalog.models import Model, QualityScore, Throughput
from llm_tco.catalog.needs import MemoryClaim, ModelScore, QuantisationLoss, TaskNeed
from llm_tco.catalog.prices import Rate, Tier, TokenPrice, Window
from llm_tco.catalog.records import AUTHORITIES, Period, Record, Source
from llm_tco.catalog.tariffs import Band, ServicePrice, Tariff
from llm_tco.catalog.weeks import DAYS
from llm_tco.money import Money
from llm_tco.serving.quantisation import QUANTISATIONS

CURRENCIES: Final = ("USD", "EUR", "CNY")
_Fields = dict[str, st.SearchStrategy[Any]]


def keys() -> st.SearchStrategy[str]:
    """Draw keys of records, as people write them."""
    return st.text("abc123-.", min_size=1, max_size=8).map(lambda rest: f"k{rest}k")


def texts() -> st.SearchStrategy[str]:
    """Draw texts that say something, in any script."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda rest: f"a{rest}")


def days() -> st.SearchStrategy[date]:
    """Draw days on which records may hold."""
    return st.dates(date(2018, 1, 1), date(2030, 12, 31))


def decimals(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Draw exact decimal numbers, some with zeros at their end."""
    return st.integers(low * 10_000, high * 10_000).map(lambda value: Decimal(value).scaleb(-4))


def money(low: int, high: int) -> st.SearchStrategy[Money]:
    """Draw exact amounts in some currency."""
    return st.builds(Money, decimals(low, high), st.sampled_from(CURRENCIES))


def sources() -> st.SearchStrategy[Source]:
    """Draw sources at https addresses."""
    address = keys().map(lambda key: f"https://{key}.example/page")
    return st.builds(Source, title=texts(), checked=days(), url=address, note=_stated(texts()))


def periods() -> st.SearchStrategy[Period]:
    """Draw periods, open ones included."""

    def make(start: date | None, length: int | None, end: date | None) -> Period:
        closed = start + timedelta(days=length) if start and length else None
        return Period(start=start, end=closed if start else end)

    return st.builds(make, _stated(days()), _stated(st.integers(1, 1_000)), _stated(days()))


def _stated(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=2).map(tuple)


def _common() -> _Fields:
    """What every record states."""
    return {
        "source": sources(),
        "authority": st.sampled_from(AUTHORITIES[1:]),
        "approximate": st.booleans(),
        "period": periods(),
        "note": _stated(texts()),
    }


def _named() -> _Fields:
    """What every record with a key states."""
    return {**_common(), "key": keys(), "name": texts(), "aliases": _some(keys())}


def gpus() -> st.SearchStrategy[Gpu]:
    """Draw accelerators whose throughput rises as precision falls."""

    def make(idle_share: float | None, speeds: list[float], offers: list[GpuPrice], **fields: Any) -> Gpu:
        apart = {(offer.basis, offer.on): offer for offer in offers}
        rising: dict[str, Any] = dict(zip(RISING, sorted(speeds), strict=False))
        idle_w = None if idle_share is None else fields["tdp_w"] * idle_share
        return Gpu(idle_w=idle_w, prices=tuple(apart.values()), **rising, **fields)

    return st.builds(
        make,
        idle_share=_stated(st.floats(0.0, 1.0)),
        speeds=st.lists(st.floats(1e11, 1e16), max_size=len(RISING)),
        offers=st.lists(gpu_prices(), max_size=2),
        **_named(),
        vendor=texts(),
        memory_bytes=st.floats(1e9, 9e11),
        memory_bandwidth_bytes_per_s=st.floats(1e10, 2e13),
        tdp_w=st.floats(5.0, 2_000.0),
        int8_ops_per_s=_stated(st.floats(1e11, 1e16)),
        interconnect=_stated(texts()),
        interconnect_bytes_per_s=_stated(st.floats(1e9, 1e13)),
        released=_stated(days()),
        field_sources=st.dictionaries(st.sampled_from(["tdp_w", "idle_w"]), sources(), max_size=1),
    )


def gpu_prices() -> st.SearchStrategy[GpuPrice]:
    """Draw what a card or its hour cost."""
    common: _Fields = {"on": days(), "source": sources(), "note": _stated(texts())}
    basis = st.sampled_from(["list", "street"])
    return st.one_of(
        st.builds(GpuPrice, basis=basis, per=st.just("card"), price=money(200, 50_000), **common),
        st.builds(GpuPrice, basis=st.just("rental"), per=st.just("card hour"), price=money(1, 50), **common),
    )


def servers() -> st.SearchStrategy[Server]:
    """Draw servers with and without watts and a bill of materials."""

    def make(parts: tuple[Part, ...], **fields: Any) -> Server:
        return Server(parts=tuple(part for part in parts if part.price.currency == parts[0].price.currency), **fields)

    part = st.builds(Part, name=texts(), price=money(0, 500_000), quantity=st.integers(1, 16))
    return st.builds(
        make,
        parts=_some(part),
        **_named(),
        gpu=_stated(keys()),
        gpus=st.integers(1, 72),
        idle_w=_stated(st.floats(0.0, 5_000.0)),
        peak_w=_stated(st.floats(5_000.0, 150_000.0)),
        loaded_w=_stated(st.just(5_000.0)),
    )


def models() -> st.SearchStrategy[Model]:
    """Draw language models: dense ones and mixtures of experts, some with sliding windows."""

    def make(
        active_share: float | None, experts: tuple[int, int] | None, sliding: tuple[int, int] | None, **fields: Any
    ) -> Model:
        if active_share is not None:
            fields["active_parameters"] = fields["parameters"] * active_share
        if experts is not None:
            fields |= {"experts": max(experts), "experts_per_token": min(experts)}
        if sliding is not None and fields["layers"] is not None:
            fields |= {"sliding_layers": min(sliding[0], fields["layers"]), "sliding_window_tokens": sliding[1]}
        return Model(**fields)

    score = st.builds(QualityScore, benchmark=texts(), score=st.floats(0.0, 1.0), best=st.just(1.0), source=sources())
    size = _stated(st.integers(1, 1_024))
    return st.builds(
        make,
        active_share=_stated(st.floats(0.1, 1.0)),
        experts=_stated(st.tuples(st.integers(2, 512), st.integers(2, 512))),
        sliding=_stated(st.tuples(st.integers(1, 200), st.integers(1, 8_192))),
        **_named(),
        **dict.fromkeys(("layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "vocabulary"), size),
        parameters=st.floats(1e6, 1e13),
        tied_embeddings=_stated(st.booleans()),
        context_tokens=_stated(st.integers(1, 10_000_000)),
        kv_elements_per_token=_stated(st.floats(1.0, 1e7)),
        quality=_some(score),
        license=_stated(texts()),
    )


def throughputs() -> st.SearchStrategy[Throughput]:
    """Draw measured and calculated throughputs."""
    rate = st.floats(1.0, 1e5)
    return st.builds(
        Throughput,
        **_common(),
        gpu=keys(),
        model=keys(),
        quantisation=st.sampled_from(["fp16", "fp8", "q4_k_m"]),
        engine=st.just("") | texts(),
        gpus=st.integers(1, 72),
        output_tokens_per_s=rate,
        input_tokens_per_s=_stated(rate),
        total_tokens_per_s=_stated(rate),
        requests_per_s=_stated(st.floats(1e-3, 1e3)),
        conditions=st.just("") | texts(),
        input_length=_stated(st.floats(0.0, 1e6)),
        output_length=_stated(st.floats(1.0, 1e6)),
        concurrency=_stated(st.floats(1.0, 1e4)),
        estimate=st.booleans(),
        low_ratio=st.floats(0.01, 1.0),
        high_ratio=st.floats(1.0, 100.0),
    )


def model_scores() -> st.SearchStrategy[ModelScore]:
    """Draw scores of models, out of one and out of more."""

    def make(share: float, best: float, **fields: Any) -> ModelScore:
        return ModelScore(score=share * best, best=best, **fields)

    return st.builds(
        make,
        share=st.floats(0.0, 1.0),
        best=st.sampled_from([1.0, 7.0, 10.0, 100.0]),
        **_common(),
        model=keys(),
        benchmark=texts(),
    )


def quantisation_losses() -> st.SearchStrategy[QuantisationLoss]:
    """Draw what formats cost in quality, gains included, of a model or benchmark and of any."""
    return st.builds(
        QuantisationLoss,
        **_common(),
        quantisation=_formats(),
        loss=st.floats(-0.5, 1.0),
        benchmark=st.just("") | texts(),
        model=st.just("") | keys(),
    )


def task_needs() -> st.SearchStrategy[TaskNeed]:
    """Draw what tasks ask for: a score, parameters, or both."""
    graded: _Fields = {"benchmark": texts(), "minimum_score": st.floats(0.0, 100.0)}
    large: _Fields = {"least_parameters": st.floats(1e6, 1e13)}
    common: _Fields = {**_common(), "key": keys(), "aliases": _some(keys()), "quantisations": _some(_formats())}
    return st.one_of(*(st.builds(TaskNeed, **common, **asked) for asked in (graded, large, {**graded, **large})))


def memory_claims() -> st.SearchStrategy[MemoryClaim]:
    """Draw memory that models are said to need."""
    return st.builds(
        MemoryClaim,
        **_common(),
        model=keys(),
        memory_bytes=st.floats(1e8, 1e13),
        gpus=st.integers(1, 72),
        use=texts(),
    )


def _formats() -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(QUANTISATIONS))


def bands(currency: str) -> st.SearchStrategy[tuple[Band, ...]]:
    """Draw bands of a tariff that do not overlap: one in the night, one by day in some months."""
    amount = decimals(0, 5).map(lambda value: Money(value, currency))
    carbon = _stated(st.floats(0.0, 1.5))
    days = st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple)
    months = st.lists(st.integers(1, 12), min_size=1, unique=True).map(tuple)
    night = st.builds(
        Band,
        name=texts(),
        price_per_kwh=amount,
        days=days,
        start=st.just("23:00"),
        end=st.sampled_from(["23:30", "24:00", "07:00"]),
        carbon_kg_per_kwh=carbon,
    )
    day = st.builds(
        Band,
        name=texts(),
        price_per_kwh=amount,
        start=st.sampled_from(["07:00", "08:30"]),
        end=st.sampled_from(["11:30", "21:00"]),
        months=months,
        carbon_kg_per_kwh=carbon,
    )
    return st.sampled_from([(), (night,), (day,), (night, day)]).flatmap(lambda chosen: st.tuples(*chosen))


def tariffs() -> st.SearchStrategy[Tariff]:
    """Draw prices of electricity: one for all hours, and with bands and a charge for the highest power."""

    def of(currency: str) -> st.SearchStrategy[Tariff]:
        amount = decimals(0, 5).map(lambda value: Money(value, currency))
        return st.builds(
            Tariff,
            **_named(),
            price_per_kwh=amount,
            timezone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
            bands=bands(currency),
            demand_charge_per_kw_month=_stated(amount),
            carbon_kg_per_kwh=st.floats(0.0, 1.5),
        )

    plain = st.builds(Tariff, **_named(), price_per_kwh=money(0, 5), carbon_kg_per_kwh=_stated(st.floats(0.0, 1.5)))
    return plain | st.sampled_from(CURRENCIES).flatmap(of)


def service_prices() -> st.SearchStrategy[ServicePrice]:
    """Draw ranges of market prices."""

    def make(ends: tuple[Decimal, Decimal], currency: str, **fields: Any) -> ServicePrice:
        return ServicePrice(low=Money(min(ends), currency), high=Money(max(ends), currency), **fields)

    return st.builds(
        make,
        ends=st.tuples(decimals(1, 10_000), decimals(1, 10_000)),
        currency=st.sampled_from(CURRENCIES),
        **_named(),
        per=st.sampled_from(["hour", "month", "rack unit and month"]),
    )


def token_rates(*, graduated: bool = False) -> st.SearchStrategy[Rate]:
    """Draw rates per million tokens, some with tiers for longer requests.

    Args:
        graduated: Whether some may have graduated tiers, as only those of input tokens can.
    """

    def make(base: Decimal, tiers: dict[int, Decimal], steps: bool) -> Rate:
        rows = tuple(Tier(above_tokens=above, price=price) for above, price in sorted(tiers.items()))
        return Rate(base=base, tiers=rows, graduated=steps and bool(rows))

    amount = decimals(0, 500)
    tiers = st.dictionaries(st.integers(1, 1_000_000), amount, max_size=2)
    return st.builds(make, amount, tiers, st.booleans() if graduated else st.just(False))


def _rates() -> _Fields:
    of_input, of_output = token_rates(graduated=True), token_rates()
    return {
        "input": _stated(of_input),
        "cached_input": _stated(of_input),
        "cache_write": st.dictionaries(st.sampled_from(["5m", "1h"]), of_input, max_size=2),
        "output": _stated(of_output),
        "reasoning": _stated(of_output),
    }


def token_price_rows() -> st.SearchStrategy[TokenPrice]:
    """Draw rows of price sheets: of any currency and variant, with windows, and rates that are not stated.

    See `llm_tco.testing.strategies.token_prices` for prices that state every rate.
    """
    fee = decimals(0, 1)
    window = st.builds(
        Window,
        days=st.lists(st.sampled_from(["mon", "wed", "fri", "sun"]), min_size=1, max_size=3, unique=True).map(tuple),
        start=st.sampled_from(["00:00", "08:30"]),
        end=st.sampled_from(["12:00", "24:00"]),
        per_request=_stated(fee),
        minimum_per_request=_stated(fee),
        **_rates(),
    )
    return st.builds(
        TokenPrice,
        **_common(),
        **_rates(),
        provider=keys(),
        model=keys(),
        currency=st.sampled_from(CURRENCIES),
        per_request=fee,
        minimum_per_request=fee,
        timezone=st.sampled_from(["UTC", "Asia/Shanghai", "America/Los_Angeles"]),
        windows=st.lists(window, max_size=1).map(tuple),
        holidays=st.lists(st.dates(date(2024, 1, 1), date(2027, 12, 31)), max_size=2),
        variant=st.sampled_from(["standard", "batch", "flex"]),
        region=st.sampled_from(["", "eu"]),
        aliases=_some(keys()),
    )


KINDS: Final[dict[type[Record], Callable[[], st.SearchStrategy[Any]]]] = {
    Gpu: gpus,
    Server: servers,
    Model: models,
    Throughput: throughputs,
    TokenPrice: token_price_rows,
    Tariff: tariffs,
    ServicePrice: service_prices,
    ModelScore: model_scores,
    QuantisationLoss: quantisation_losses,
    TaskNeed: task_needs,
    MemoryClaim: memory_claims,
}
"""A strategy for each kind of record that a plugin may bring."""


def records() -> st.SearchStrategy[Record]:
    """Draw records of every kind."""
    return st.one_of(*(strategy() for strategy in KINDS.values()))
