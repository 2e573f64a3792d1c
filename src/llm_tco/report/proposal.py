"""A budget proposal in Markdown: figures and texts, laid out by a template."""

from __future__ import annotations

import functools
import itertools
import re
import traceback
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from llm_tco.errors import InvalidValueError, missing_extra
from llm_tco.report.figures import Figures, Price
from llm_tco.texts import Proposal

if TYPE_CHECKING:
    from jinja2 import Environment

LOCALES: Final[Mapping[str, str]] = {"en": "en", "zh": "zh_CN"}
"""The locale of numbers and dates, by language."""


def render(
    figures: Figures,
    *,
    title: str,
    description: str = "",
    texts: Proposal | None = None,
    lang: str | None = None,
    template: str | Path | None = None,
) -> str:
    """Write a proposal in Markdown.

    Args:
        figures: Its figures.
        title: Its heading.
        description: What stands below the heading.
        texts: Its texts; what is missing is left out with its heading.
        lang: `"en"` or `"zh"`; without it, the language of the texts.
        template: A Jinja template in the place of the library's own, which it may extend:
            `{% extends "proposal.en.md.j2" %}` and the blocks that differ.

    Raises:
        InvalidValueError: There is no such language, or the template cannot be read or
            used.
        ModuleNotFoundError: Jinja2 or Babel is missing.
    """
    texts = texts or Proposal()
    lang = texts.lang if lang is None else lang
    if lang not in LOCALES:
        words = ", ".join(repr(word) for word in LOCALES)
        raise InvalidValueError("lang", f"must be one of {words}, got {lang!r}")
    environment = _environment(lang, figures.currency, template)
    from jinja2 import TemplateError, TemplateNotFound

    name = f"proposal.{lang}.md.j2" if template is None else Path(template).name
    section = functools.partial(next, itertools.count(1))
    try:
        text = environment.get_template(name).render(
            figures=figures, case=figures.case, texts=texts, title=title, description=description, section=section
        )
    except TemplateNotFound as error:
        raise InvalidValueError("template", f"there is none named {error.name} in {_folder(template)}") from None
    except UnicodeDecodeError:
        raise InvalidValueError("template", f"{name} is no text in UTF-8") from None
    except OSError as error:
        raise InvalidValueError("template", f"{name} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InvalidValueError("template", f"{name} leads back to itself; give it another name") from None
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidValueError("template", f"{_place(error, name)}: {str(error) or type(error).__name__}") from error
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _folder(template: str | Path | None) -> str:
    return "the library" if template is None else f"{Path(template).parent} or in the library"


def _place(error: Exception, name: str) -> str:
    """Say where in a template an error is, as far as that is known."""
    line = getattr(error, "lineno", None)  # a mistake in writing; others are found when the line is reached
    if line is None:
        reached = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename.endswith(name)]
        line = reached[-1] if reached else None
    return name if line is None else f"{name}, line {line}"


def _environment(lang: str, currency: str, template: str | Path | None) -> Environment:
    """Make the environment of the templates: strict, and without a way out of it."""
    try:
        import babel.numbers  # noqa: F401 - so that either is missed here
        from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a proposal needs {error.name}: {missing_extra('report')}", name=error.name
        ) from None
    own = PackageLoader("llm_tco.report")
    environment = ImmutableSandboxedEnvironment(
        loader=own if template is None else ChoiceLoader([FileSystemLoader(Path(template).parent), own]),
        undefined=StrictUndefined,
        autoescape=False,  # it writes Markdown, and escapes by filters of its own
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _filters(LOCALES[lang], currency)
    return environment


def _filters(locale: str, own_currency: str) -> dict[str, Callable[..., str]]:
    """Make the filters of the templates: amounts, ratios and dates by locale, and texts in Markdown."""
    from babel.dates import format_date, format_skeleton
    from babel.numbers import format_currency, format_decimal, format_percent

    def money(value: float) -> str:
        whole = abs(value) >= 1_000 or abs(value - round(value)) < 1e-6
        rounded = round(value) if whole else value
        digits = "#,##0" if whole else "#,##0.00"
        return format_currency(rounded, own_currency, f"¤{digits}", locale=locale, currency_digits=False)

    def price(value: Price) -> str:
        return format_currency(
            value.amount, value.currency, "¤#,##0.00", locale=locale, currency_digits=False, decimal_quantization=False
        )

    def number(value: float, digits: int = 2) -> str:
        return format_decimal(value, f"#,##0.{'#' * digits}" if digits else "#,##0", locale=locale)

    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day)  # Babel asserts where it is given something else

    return {
        "money": money,
        "price": price,
        "number": number,
        "percent": lambda value, digits=1: format_percent(value, f"#,##0.{'#' * digits}%", locale=locale),
        "day": lambda value: format_date(midnight(value), "long", locale=locale),
        "month": lambda value: format_skeleton("yMMM", midnight(value), locale=locale),
        "inline": lambda value: " ".join(value.split()),
        "cell": lambda value: re.sub(r"(?<!\\)\|", r"\\|", " ".join(value.split())),
        "plain": _plain,
    }


def _plain(value: str) -> str:
    """Write a text that is not meant as Markdown."""
    return re.sub(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(value.split()))
