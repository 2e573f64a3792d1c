"""What a model takes of memory, and what fits."""

from __future__ import annotations

from datetime import date

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_tco.catalog.hardware import Gpu
from llm_tco.catalog.models import Model, QualityScore
from llm_tco.catalog.records import Source
from llm_tco.errors import InvalidValueError, UnknownRecordError
from llm_tco.serving.memory import (
    KV_BYTES,
    UnknownFigureError,
    fit,
    gpus_needed,
    kv_bytes,
    kv_bytes_per_token,
    weights_bytes,
)
from llm_tco.serving.quantisation import QUANTISATIONS, Quantisation, quantisation_of

SOURCE = Source(title="made for a test", checked=date(2026, 11, 1))
GIB = 2**30

LLAMA_8B = Model(
    key="8b", name="8B", parameters=8.03e9, layers=32, hidden_size=4096, attention_heads=32, kv_heads=8, head_dim=128,
    vocabulary=128_256, tied_embeddings=False, context_tokens=131_072, source=SOURCE,
)  # fmt: skip
LLAMA_70B = attrs.evolve(LLAMA_8B, key="70b", parameters=70.55e9, layers=80, hidden_size=8192, attention_heads=64)
CARD = Gpu(
    key="card", name="Card", vendor="Maker", memory_bytes=80 * GIB, memory_bandwidth_bytes_per_s=2e12, tdp_w=400,
    bf16_flops_per_s=300e12, source=SOURCE,
)  # fmt: skip

formats = st.sampled_from(sorted(QUANTISATIONS))
precisions = st.sampled_from(sorted(KV_BYTES))


@st.composite
def models(draw):
    """Draw dense models with every field stated."""
    layers = draw(st.integers(1, 120))
    return Model(
        key="drawn", name="Drawn", parameters=draw(st.floats(3e9, 500e9)), layers=layers,
        hidden_size=draw(st.integers(64, 8192)), attention_heads=draw(st.integers(8, 128)),
        kv_heads=draw(st.integers(1, 8)), head_dim=draw(st.sampled_from([64, 128, 256])),
        vocabulary=draw(st.integers(1_000, 150_000)), tied_embeddings=draw(st.booleans()),
        sliding_window_tokens=(window := draw(st.none() | st.integers(1, 8192))),
        sliding_layers=None if window is None else draw(st.integers(1, layers)), source=SOURCE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "form", "gib"),
    [
        (LLAMA_8B, "q4_k_m", 4.58),
        (LLAMA_8B, "Q8_0", 7.95),
        (LLAMA_8B, "F16", 14.96),
        (LLAMA_70B, "q4_k_m", 39.59),
        (LLAMA_70B, "q2_k", 24.56),
        (LLAMA_70B, "fp16", 131.42),
    ],
)
def test_files_are_as_large_as_published(model, form, gib):
    """Weights take what published files take, within the spread of the shares of their tensors."""
    assert weights_bytes(model, form) / GIB == pytest.approx(gib, rel=0.06)


def test_tables_stay_in_sixteen_bits():
    """FP8 halves all weights but those of the tables."""
    tables = 2 * 128_256 * 4096

    assert weights_bytes(LLAMA_8B, "fp8") == (8.03e9 - tables) + 2 * tables
    assert weights_bytes(attrs.evolve(LLAMA_8B, tied_embeddings=True), "fp8") == (8.03e9 - tables / 2) + tables


def test_a_cache_holds_keys_and_values_of_every_layer():
    """Llama 3 8B keeps 128 KiB for a token in 16 bits, and half of it in 8."""
    assert kv_bytes_per_token(LLAMA_8B) == 128 * 1024
    assert kv_bytes_per_token(LLAMA_8B, "FP8") == 64 * 1024


def test_a_latent_cache_is_what_the_model_states():
    """A model with a latent cache needs no key and value heads."""
    latent = attrs.evolve(LLAMA_8B, kv_heads=None, head_dim=None, kv_elements_per_token=35_136)

    assert kv_bytes_per_token(latent) == 2 * 35_136
    assert kv_bytes(latent, 10) == 20 * 35_136


@given(models(), st.floats(1, 1e5), precisions)
def test_a_window_stops_the_cache_from_growing(model, tokens, precision):
    """A cache with windows is at most one without, and equal while the window is not full."""
    window = model.sliding_window_tokens or np.inf
    unlimited = attrs.evolve(model, sliding_window_tokens=None, sliding_layers=None)
    windowed, full = kv_bytes(model, tokens, precision), kv_bytes(unlimited, tokens, precision)

    assert windowed <= full * (1 + 1e-12)
    assert tokens > window or windowed == pytest.approx(full)


@given(models(), formats, formats)
def test_more_bits_never_take_less_memory(model, one, other):
    """Of two formats that treat tables alike the wider one takes at least as much."""
    narrow, wide = sorted((QUANTISATIONS[one], QUANTISATIONS[other]), key=lambda form: form.bits_per_weight)

    assert narrow.table_bits != wide.table_bits or weights_bytes(model, narrow) <= weights_bytes(model, wide)


@given(models(), formats, st.integers(1, 16), st.integers(1, 100_000), st.integers(1, 100_000))
def test_longer_context_never_fits_more_sequences(model, form, gpus, one, other):
    """Sequences fall with the context and rise with the GPUs."""
    lengths = np.array(sorted((one, other)))
    few = fit(model, form, CARD, gpus=gpus, context_tokens=lengths)
    more = fit(model, form, CARD, gpus=gpus + 1, context_tokens=lengths)

    assert few.sequences[0] >= few.sequences[1] >= 0
    assert np.all(more.sequences >= few.sequences)
    assert np.all(few.sequences == np.floor(few.sequences))


@given(models(), formats, st.integers(1, 16), st.integers(1, 50_000))
def test_what_fits_is_used_and_what_does_not_is_missing(model, form, gpus, context):
    """Sequences fill the room but for less than one; where none fits, what is missing makes one fit."""
    state = fit(model, form, CARD, gpus=gpus, context_tokens=context)

    assert state.fits == (state.short_bytes == 0)
    if state.fits:
        assert 0 <= state.room_bytes - state.sequences * state.sequence_bytes + 1e-3
        assert state.room_bytes - state.sequences * state.sequence_bytes < state.sequence_bytes * (1 + 1e-9)
        assert "fits, with" in str(state)
    else:
        enough = attrs.evolve(CARD, memory_bytes=CARD.memory_bytes + float(state.short_bytes) * 1.001 / 0.95 / gpus + 1)
        assert fit(model, form, enough, gpus=gpus, context_tokens=context).fits
        assert "GB are missing" in str(state)


@given(models(), formats, st.integers(1, 50_000), st.integers(1, 64))
def test_the_fewest_gpus_fit_and_one_less_does_not(model, form, context, sequences):
    """The number of GPUs is the least that holds the weights and the sequences."""
    count = int(gpus_needed(model, form, CARD, context_tokens=context, sequences=sequences))
    enough = fit(model, form, CARD, gpus=count, context_tokens=context)
    power = int(gpus_needed(model, form, CARD, context_tokens=context, sequences=sequences, power_of_two=True))

    assert enough.sequences >= sequences
    assert count == 1 or fit(model, form, CARD, gpus=count - 1, context_tokens=context).sequences < sequences
    assert count <= power < 2 * count
    assert power & (power - 1) == 0


@given(models(), st.lists(st.integers(1, 8), min_size=2, max_size=4), st.lists(st.integers(1, 9_000), min_size=1))
def test_arrays_are_scalars_side_by_side(model, counts, contexts):
    """Candidates, counts and contexts broadcast, and each entry is its scalar run."""
    half = attrs.evolve(CARD, memory_bytes=CARD.memory_bytes / 2)
    cards = [CARD, half] * (len(counts) // 2) + [CARD] * (len(counts) % 2)
    state = fit(model, "q4_k_m", cards, gpus=np.array(counts), context_tokens=np.array(contexts)[:, None])

    assert state.sequences.shape == (len(contexts), len(counts))
    for row, context in enumerate(contexts):
        for column, (card, count) in enumerate(zip(cards, counts, strict=True)):
            alone = fit(model, "q4_k_m", card, gpus=count, context_tokens=context)
            assert state.sequences[row, column] == alone.sequences
    assert "combinations fit" in str(state)


@pytest.mark.parametrize("field", ["layers", "kv_heads", "head_dim"])
def test_what_a_model_does_not_state_is_named(field):
    """An unknown shape is an error that names the field, never a cache of nothing."""
    with pytest.raises(UnknownFigureError, match=f"'8b' does not state {field}"):
        kv_bytes_per_token(attrs.evolve(LLAMA_8B, **{field: None}))


def test_unknown_tables_are_an_error_where_they_matter():
    """A format that keeps its tables needs their size; one that does not, does not."""
    bare = Model(key="bare", name="Bare", parameters=7e9, source=SOURCE)

    assert weights_bytes(bare, "f16") == 14e9
    with pytest.raises(UnknownFigureError, match="vocabulary, hidden_size, tied_embeddings"):
        weights_bytes(bare, "fp8")


def test_unknown_words_name_the_nearest_known():
    """A misspelt format or precision is an error with a suggestion; an own format passes."""
    own = Quantisation(name="own", bits_per_weight=3.5, source="measured")

    assert quantisation_of(own) is own
    with pytest.raises(UnknownRecordError, match="q4_k_m"):
        quantisation_of("q4_k_n")
    with pytest.raises(InvalidValueError, match="kv_precision"):
        kv_bytes_per_token(LLAMA_8B, "fp9")


def test_a_context_beyond_the_models_own_is_refused():
    """No model is asked for more context than it has."""
    with pytest.raises(InvalidValueError, match="at most the 131072"):
        fit(LLAMA_8B, "f16", CARD, context_tokens=131_073)


def test_a_reserve_larger_than_the_card_is_refused():
    """A card that holds nothing but the engine has no number of cards that suffices."""
    with pytest.raises(InvalidValueError, match="reserve_bytes"):
        gpus_needed(LLAMA_8B, "f16", CARD, context_tokens=1, reserve_bytes=1e12)


def test_halves_of_a_statement_are_refused():
    """Experts come with their use, windows with their layers, and shares stay within the whole."""
    with pytest.raises(InvalidValueError, match="experts_per_token are stated together"):
        attrs.evolve(LLAMA_8B, experts=8)
    with pytest.raises(InvalidValueError, match="sliding_layers are stated together"):
        attrs.evolve(LLAMA_8B, sliding_window_tokens=4096)
    with pytest.raises(InvalidValueError, match="at most the experts"):
        attrs.evolve(LLAMA_8B, experts=8, experts_per_token=9)
    with pytest.raises(InvalidValueError, match="at most the layers"):
        attrs.evolve(LLAMA_8B, sliding_window_tokens=4096, sliding_layers=33)
    with pytest.raises(InvalidValueError, match="at most the parameters"):
        attrs.evolve(LLAMA_8B, active_parameters=9e9)
    with pytest.raises(InvalidValueError, match="at most 10"):
        QualityScore(benchmark="MT-Bench", score=11, best=10, source=SOURCE)
