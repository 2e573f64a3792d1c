"""A JSON Schema of scenario files, for editors, read off the classes themselves."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import attrs

from llm_tco._fields import Number
from llm_tco.catalog.catalog import Catalog
from llm_tco.catalog.hardware import Server
from llm_tco.catalog.models import Throughput
from llm_tco.catalog.prices import Rate, TokenPrice
from llm_tco.catalog.records import SET_BY_LIBRARY, Record, Source
from llm_tco.catalog.tariffs import Tariff
from llm_tco.components.agreement import Above
from llm_tco.components.base import Component
from llm_tco.demand import Lengths
from llm_tco.money import Money, Quote
from llm_tco.references import KeyRef, PriceRef, ThroughputRef
from llm_tco.scenario import Scenario
from llm_tco.serving.fleet import Fleet
from llm_tco.structure import settable

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MONEY: Final = {"type": "string", "pattern": r"^\s*[+-]?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?\s*[A-Z]{3}\s*$"}
_DECIMAL: Final = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?\d+(\.\d+)?$"}]}
_ATTRIBUTE: Final = re.compile(r"^        (\w+): (.*)$")


def scenario_schema(catalog: Catalog) -> dict[str, Any]:
    """Give the JSON Schema of a scenario file.

    Args:
        catalog: Brings the component kinds.
    """
    return _Schema(catalog).whole()


def descriptions(kind: type) -> dict[str, str]:
    """Read what a class says of its attributes in its docstring."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        if line.endswith(":") and not line.startswith(" "):
            inside = line == "Attributes:"
            continue
        match = _ATTRIBUTE.match(f"    {line}") if inside else None
        if match:
            name, text = match.groups()
            found[name] = text
        elif inside and name and line.strip():
            found[name] += f" {line.strip()}"
    return found


class _Schema:
    def __init__(self, catalog: Catalog) -> None:
        self.components = {kind: catalog.component(kind) for kind in catalog.kinds}
        self.definitions: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        top = self._object(Scenario)
        properties = top["properties"]
        properties["extends"] = {"type": "string", "description": "A file that this one extends."}
        properties["sources"] = self._table(self._define("Source", lambda: self._object(Source)))
        properties["options"] = self._table(self._option())
        properties["components"] = self._table(self._option())
        properties["fleets"] = self._table(self._define("Fleet", lambda: self._object(Fleet, optional=("name",))))
        references: dict[type, type] = {TokenPrice: PriceRef, Throughput: ThroughputRef, Server: KeyRef, Tariff: KeyRef}
        for table, kind in (
            ("servers", Server),
            ("throughputs", Throughput),
            ("prices", TokenPrice),
            ("tariffs", Tariff),
        ):
            properties[table] = self._table(self._record(kind, references[kind]))
        return {
            "$schema": DIALECT,
            "title": "llm-tco scenario",
            **top,
            "required": [],  # a file may leave to the one that it extends what it likes
            "$defs": self.definitions,
        }

    def _table(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": schema}

    def _define(self, name: str, make: Any) -> dict[str, Any]:
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _option(self) -> dict[str, Any]:
        stack = {
            "type": "object",
            "properties": {"costs": self._costs()},
            "required": ["costs"],
            "additionalProperties": False,
        }
        return {"anyOf": [stack, *self._kinds()]}

    def _costs(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 1, "items": self._component()}

    def _component(self) -> dict[str, Any]:
        by_name = {"type": "string", "description": "The name of an option."}
        return self._define("component", lambda: {"anyOf": [by_name, self._costs(), *self._kinds()]})

    def _kinds(self) -> list[dict[str, Any]]:
        return [
            self._define(f"kind-{name}", lambda name=name, kind=kind: self._object(kind, tag=name))
            for name, kind in sorted(self.components.items())
        ]

    def _record(self, kind: type[Record], reference: type) -> dict[str, Any]:
        inline = self._define(
            kind.__name__, lambda: self._object(kind, optional=("key", "name"), leave=tuple(SET_BY_LIBRARY))
        )
        return {"anyOf": [inline, self._define(reference.__name__, lambda: self._object(reference))]}

    def _object(
        self, kind: type, *, optional: tuple[str, ...] = (), leave: tuple[str, ...] = (), tag: str | None = None
    ) -> dict[str, Any]:
        said = descriptions(kind)
        for base in kind.__mro__[1:-1]:
            said = {**descriptions(base), **said}
        properties: dict[str, Any] = {} if tag is None else {"kind": {"const": tag}}
        required = list(properties)
        for name, field in settable(kind).items():
            if name in leave:
                continue
            properties[name] = dict(self._type(field.type))
            if name in said:
                properties[name]["description"] = said[name]
            if field.default is attrs.NOTHING and name not in optional:
                required.append(name)
        return {
            "type": "object",
            "description": inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " "),
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def _type(self, kind: Any) -> dict[str, Any]:
        simple: dict[Any, dict[str, Any]] = {
            str: {"type": "string"},
            bool: {"type": "boolean"},
            int: {"type": "integer"},
            float: {"type": "number"},
            Number: {"type": "number"},
            Above: {"anyOf": [{"type": "number"}, _MONEY]},
            Quote: {"anyOf": [{"type": "number"}, {"type": "object", "additionalProperties": {"type": "number"}}]},
            date: {"type": "string", "format": "date"},
            Decimal: _DECIMAL,
            Money: _MONEY,
            Lengths: {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
            Fleet: {"type": "string"},
            Server: {"anyOf": [{"type": "string"}, {"type": "object"}]},
            Tariff: {"anyOf": [{"type": "string"}, {"type": "object"}]},
            TokenPrice: {"anyOf": [{"type": "string"}, {"type": "object"}]},
            TokenPrice | tuple[TokenPrice, ...]: {
                "anyOf": [
                    {"type": "string"},
                    {"type": "object"},
                    {"type": "array", "items": {"type": ["string", "object"]}},
                ]
            },
            Mapping[str, Rate]: {"anyOf": [*_DECIMAL["anyOf"], {"type": "object"}]},
            Throughput | Mapping[str, Throughput]: {"anyOf": [{"type": "string"}, {"type": "object"}]},
        }
        for known, schema in simple.items():
            if kind == known:
                return schema
        if kind == Component:
            return self._component()
        if kind == Source:
            named = {"type": "string", "description": "The name of a source in the table [sources]."}
            return {"anyOf": [named, self._define("Source", lambda: self._object(Source))]}
        if kind == Rate:
            return {"anyOf": [*_DECIMAL["anyOf"], self._define("Rate", lambda: self._object(Rate))]}
        if attrs.has(kind):
            return self._define(kind.__name__, lambda: self._object(kind))
        return self._generic(kind)

    def _generic(self, kind: Any) -> dict[str, Any]:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (tuple, list):
            return {"type": "array", "items": self._type(arguments[0])}
        if origin in (dict, Mapping):
            return self._table(self._type(arguments[1]))
        rest = [part for part in arguments if part is not type(None)]
        inner: Any = rest[0]
        for part in rest[1:]:
            inner = inner | part
        return self._type(inner)
