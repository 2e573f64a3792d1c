"""What users may rely on in the reference records."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import llm_tco_reference
import pluggy
import pytest

from llm_tco.catalog import hookspecs

SERVERS = llm_tco_reference.llm_tco_servers()
MODELS = llm_tco_reference.llm_tco_models()
TARIFFS = llm_tco_reference.llm_tco_tariffs()
THROUGHPUTS = llm_tco_reference.llm_tco_throughputs()
SCORES = llm_tco_reference.llm_tco_model_scores()
LOSSES = llm_tco_reference.llm_tco_quantisation_losses()
NEEDS = llm_tco_reference.llm_tco_task_needs()
CLAIMS = llm_tco_reference.llm_tco_memory_claims()
RECORDS = (*SERVERS, *MODELS, *TARIFFS, *THROUGHPUTS, *SCORES, *LOSSES, *NEEDS, *CLAIMS)

ACCELERATORS = {
    "a100-80gb-pcie",
    "a100-80gb-sxm",
    "b200-sxm",
    "h100-80gb-pcie",
    "h100-80gb-sxm",
    "h200-141gb-sxm",
    "l40s",
    "rtx-3090",
    "rtx-4090",
}
"""Keys of `llm-tco-accelerators` that are used here; the plugins do not import each other."""

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.kind}:{record.title}")


def server(key):
    """Give the server of a key."""
    return next(server for server in SERVERS if server.key == key)


@each_record
def test_every_record_has_a_source(record):
    """A reader can follow every record to a document, or learns that it has no address."""
    assert record.source.title
    assert date(2026, 11, 23) <= record.source.checked
    assert record.source.note
    assert record.source.url is not None or "no public address" in record.source.note


@each_record
def test_claims_are_called_claims(record):
    """What stands without an address is a claim, and nothing else is."""
    assert (record.source.url is None) == (record.authority == "claim")


def test_identities_are_unique():
    """No two records of one kind answer to the same words."""
    identities = [(record.kind, record.identity) for record in RECORDS]

    assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("records", [SERVERS, MODELS, TARIFFS, NEEDS], ids=["servers", "models", "tariffs", "needs"])
def test_names_are_unique(records):
    """A key or an alias names one record, whatever its capitals."""
    owners: dict[str, set[str]] = {}
    for record in records:
        for name in (record.key, *record.aliases):
            owners.setdefault(name.casefold(), set()).add(record.key)

    assert [name for name, keys in owners.items() if len(keys) > 1] == []


@pytest.mark.parametrize(
    ("key", "total"),
    [
        ("rtx-4090-workstation", 25_900),
        ("a100-server", 132_000),
        ("dual-h100-server", 609_500),
        ("rtx-4070-ti-box", 12_000),
        ("a100-enterprise-server", 150_000),
    ],
)
def test_bundles_sum_to_the_stated_total(key, total):
    """Parts add up, exactly, to the total that the article states."""
    price = server(key).price

    assert price is not None
    assert (Decimal(total), "CNY") == (price.amount, price.currency)


def test_pair_of_gpus_is_priced_each():
    """The line for two H100 keeps its total and counts two cards."""
    pair = next(part for part in server("dual-h100-server").parts if part.name.startswith("GPU"))

    assert (2, Decimal(260_000), Decimal(520_000)) == (pair.quantity, pair.price.amount, (pair.price * 2).amount)


@pytest.mark.parametrize(
    ("key", "gpu", "gpus", "tdp_w"),
    [
        ("rtx-4090-workstation", "rtx-4090", 1, 450),
        ("a100-server", "a100-80gb-pcie", 1, 300),
        ("dual-h100-server", "h100-80gb-sxm", 2, 700),
    ],
)
def test_watts_follow_from_the_articles_formula(key, gpu, gpus, tdp_w):
    """Power is the article's own and says that it is a claim."""
    machine = server(key)

    assert (gpu, gpus) == (machine.gpu, machine.gpus)
    assert (30 * gpus + 75, tdp_w * gpus + 150) == (machine.idle_w, machine.peak_w)
    assert "not a measurement" in machine.note


@pytest.mark.parametrize("key", ["rtx-4070-ti-box", "a100-enterprise-server"])
def test_unstated_watts_are_left_out(key):
    """Where an article states no power, there is none, and the price is marked approximate."""
    machine = server(key)

    assert (machine.idle_w, machine.peak_w, machine.approximate) == (None, None, True)


def test_accelerators_are_known():
    """Every accelerator is one of llm-tco-accelerators, but for the consumer box's."""
    named = {machine.gpu for machine in SERVERS} | {row.gpu for row in THROUGHPUTS}

    assert ACCELERATORS | {"rtx-4070-ti"} == named


def test_the_models_that_others_name_are_there():
    """Every throughput finds its model, and the articles' lists are whole."""
    listed = {f"qwen2.5-{size}" for size in ("0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b")}
    listed |= {"phi-3-mini", "mistral-7b", "qwen2-72b"}

    named = {row.model for row in (*THROUGHPUTS, *SCORES, *CLAIMS, *LOSSES) if row.model}

    assert named | listed <= {model.key for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_parameters_agree_with_the_name(model):
    """A model's size is, rounded, the one in its name; the names of experts and of one announcement say less or more."""
    sizes = [word for word in model.key.split("-") if word.endswith("b") and word[:-1].replace(".", "").isdigit()]
    away = {"gpt-oss-120b": 3.3}.get(model.key, 1)

    assert not sizes or abs(model.parameters / 1e9 - float(sizes[0][:-1])) < away
    assert model.active_parameters is None or model.active_parameters < model.parameters


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_shapes_are_whole(model):
    """Every model states what its memory and its speed follow from."""
    latent = model.kv_elements_per_token is not None

    assert None not in (model.layers, model.hidden_size, model.attention_heads, model.head_dim, model.vocabulary)
    assert model.tied_embeddings is not None
    assert latent or model.attention_heads % model.kv_heads == 0
    assert (model.active_parameters is None) == (model.experts is None)


@pytest.mark.parametrize("model", [model for model in MODELS if model.experts is None], ids=lambda model: model.key)
def test_attention_and_tables_take_less_than_all_parameters(model):
    """A shape leaves parameters for the rest of the model, and not too many of them."""
    width, heads = model.hidden_size, model.head_dim * (2 * model.attention_heads + 2 * model.kv_heads)
    tables = model.vocabulary * width * (1 if model.tied_embeddings else 2)

    assert 0.1 < (model.layers * width * heads + tables) / model.parameters < 0.6


@pytest.mark.parametrize(
    ("key", "kib"), [("llama-3.1-8b", 128), ("llama-3.3-70b", 320), ("qwen2.5-7b", 56), ("phi-3-mini", 384)]
)
def test_a_token_takes_what_is_known_of_it(key, kib):
    """The cache of a token in 16 bits is that of the published shape."""
    model = next(model for model in MODELS if model.key == key)

    assert 2 * 2 * model.layers * model.kv_heads * model.head_dim == kib * 1024


def test_scores_are_shares_with_sources():
    """Published scores are entered as shares of the best there is, each with its source."""
    scores = [score for model in MODELS for score in model.quality]

    assert {score.best for score in scores} == {1, 10}
    assert all(score.source.url for score in scores)


def test_only_one_throughput_is_a_claim():
    """The article's one figure that can be placed is entered, and says what it leaves open."""
    (claim,) = [row for row in THROUGHPUTS if row.authority == "claim"]

    assert (claim.gpu, claim.model, claim.quantisation) == ("rtx-4090", "qwen2.5-7b", "q4_k_m")
    assert claim.output_tokens_per_s == 120
    assert "names no GPU" in claim.note


@pytest.mark.parametrize("row", [row for row in THROUGHPUTS if row.authority == "measured"], ids=lambda row: row.title)
def test_measurements_state_their_conditions(row):
    """A measurement names its engine and says how it was loaded."""
    assert row.engine
    assert row.conditions
    assert not row.estimate


@pytest.mark.parametrize(
    "row", [row for row in THROUGHPUTS if row.engine.startswith("llama.cpp")], ids=lambda row: row.title
)
def test_single_streams_are_slower_than_memory(row):
    """One stream reads all weights for each token, so bandwidth bounds its speed."""
    bandwidth = {
        "a100-80gb-pcie": 1935e9,
        "a100-80gb-sxm": 2039e9,
        "h100-80gb-pcie": 2e12,
        "l40s": 864e9,
        "rtx-3090": 936e9,
        "rtx-4090": 1008e9,
    }
    weights = {"q4_k_m": {"llama-3-8b": 4.58, "llama-3-70b": 39.59}, "f16": {"llama-3-8b": 14.96}}  # GiB

    share = row.output_tokens_per_s * weights[row.quantisation][row.model] * 2**30 / bandwidth[row.gpu]

    assert "single stream" in row.conditions
    assert 0.3 < share < 1


@pytest.mark.parametrize(
    "row", [row for row in THROUGHPUTS if row.engine.startswith("tensorrt-llm")], ids=lambda row: row.title
)
def test_saturated_rows_hold_their_operating_point(row):
    """The lengths stand in the engine's text and in the conditions, and the output rate stands alone."""
    point = row.engine.removeprefix("tensorrt-llm 1.0, ")

    assert row.conditions.startswith(f"{point}, ")
    assert (row.input_tokens_per_s, row.total_tokens_per_s, row.requests_per_s) == (None, None, None)


@pytest.mark.parametrize(
    ("gpu", "gpus", "engine", "rate"),
    [
        ("h100-80gb-sxm", 2, "tensorrt-llm 1.0, 1000 in / 1000 out", 4_205),
        ("h200-141gb-sxm", 1, "tensorrt-llm 1.0, 1000 in / 1000 out", 2_909),
        ("b200-sxm", 1, "tensorrt-llm 1.0, 2048 in / 128 out", 1_339),
    ],
)
def test_published_rates_are_literal(gpu, gpus, engine, rate):
    """Rows of Llama 3.3 70B are those of the published table."""
    (row,) = [
        row for row in THROUGHPUTS if (row.gpu, row.gpus, row.model, row.engine) == (gpu, gpus, "llama-3.3-70b", engine)
    ]

    assert rate == row.output_tokens_per_s


def test_tariffs_are_literal():
    """Prices are the article's and the EIA's, to the digit."""
    assert {tariff.key: str(tariff.price_per_kwh) for tariff in TARIFFS} == {
        "seed-cny-1.0": "1.0 CNY",
        "us-ca-commercial-2023": "0.2391 USD",
        "us-ny-commercial-2023": "0.1801 USD",
        "us-tx-commercial-2023": "0.0882 USD",
        "us-va-commercial-2023": "0.0895 USD",
    }


def test_hooks_are_known_and_repeatable():
    """The plugin implements hooks that exist, and they return the same records each time."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(llm_tco_reference)

    manager.check_pending()

    assert manager.hook.llm_tco_servers() == [SERVERS]
    assert manager.hook.llm_tco_models() == [MODELS]
    assert manager.hook.llm_tco_tariffs() == [TARIFFS]
    assert manager.hook.llm_tco_throughputs() == [THROUGHPUTS]
    assert manager.hook.llm_tco_model_scores() == [SCORES]
    assert manager.hook.llm_tco_quantisation_losses() == [LOSSES]
    assert manager.hook.llm_tco_task_needs() == [NEEDS]
    assert manager.hook.llm_tco_memory_claims() == [CLAIMS]


def test_entry_point_names_the_plugin():
    """The distribution declares its module in the group that the core reads."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"reference": llm_tco_reference.__name__} == project["entry-points"]["llm_tco"]


def test_hosting_and_work_are_literal():
    """Ranges are those that the articles print, and the operations rows sum to 12,600 to 22,000 a month."""
    prices = {row.key: row for row in llm_tco_reference.llm_tco_service_prices()}
    monthly = ["devops-20h", "on-call", "model-updates", "dashboards"]

    assert (str(prices["rack-unit"].low), str(prices["rack-unit"].high)) == ("800 CNY", "1500 CNY")
    assert {row.authority for row in prices.values()} == {"claim"}
    assert sum(prices[key].low.value for key in monthly) + prices["security-audit"].low.value / 3 == 12_600
    assert sum(prices[key].high.value for key in monthly) + prices["security-audit"].high.value / 3 == 22_000


def test_every_grade_that_a_task_asks_for_is_given_to_a_model():
    """A task names a benchmark in which models have scores, in formats whose cost in it is stated."""
    for need in NEEDS:
        scores = [row.score for row in SCORES if row.benchmark == need.benchmark]
        costed = {row.quantisation for row in LOSSES if row.benchmark == need.benchmark} | {"f16"}

        assert need.least_parameters or max(scores) >= need.minimum_score
        assert set(need.quantisations) <= costed


def test_every_claim_on_memory_names_a_task():
    """The use of a claim is a kind of task that asks for a model of no more than its size."""
    sizes = {model.key: model.parameters for model in MODELS}
    asked = {need.key: need.least_parameters for need in NEEDS}

    assert all(asked[claim.use] <= sizes[claim.model] for claim in CLAIMS)


@pytest.mark.parametrize(
    ("form", "model", "loss"),
    [("int8", "llama-3-8b", 1 - 66.55 / 66.54), ("int8", "llama-3-70b", 1 - 78.69 / 80.18), ("int4", "llama-3.1-8b", 0.003)],
)  # fmt: skip
def test_losses_are_those_of_the_published_scores(form, model, loss):
    """What a format costs follows from the scores before and after, to four digits."""
    (row,) = [row for row in LOSSES if (row.quantisation, row.model) == (form, model)]

    assert row.loss == pytest.approx(loss, abs=5e-5)
