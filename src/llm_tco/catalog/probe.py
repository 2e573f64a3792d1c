"""What a plugin does when it is loaded: watched in an interpreter of its own.

`check_plugin` starts it with the distribution and the entry point on its standard input.
Nothing else of the library uses this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from typing import Any, Final

from llm_tco.catalog import plugins
from llm_tco.catalog import reading as reading  # the core's own reader is no weight of a plugin that uses it
from llm_tco.catalog.plugins import Loaded

FORBIDDEN: Final = frozenset(
    {
        "os.exec", "os.posix_spawn", "os.spawn", "os.system", "socket.bind", "socket.connect", "socket.getaddrinfo",
        "socket.gethostbyaddr", "socket.gethostbyname", "socket.sendmsg", "socket.sendto", "subprocess.Popen",
    }
)  # fmt: skip
"""Audit events of the interpreter that reach beyond the plugin's own files."""


def fingerprints(loaded: Loaded) -> dict[str, str]:
    """Give a hash of what a plugin brought, by kind, in the order in which it brought it."""
    texts: dict[str, list[str]] = {}
    for record in (*loaded.records, *loaded.refused):
        texts.setdefault(record.kind, []).append(repr(record))
    for component in loaded.components:
        texts.setdefault("component", []).append(f"{component.__module__}.{component.__qualname__}")
    return {kind: hashlib.sha256("\n".join(lines).encode()).hexdigest() for kind, lines in texts.items()}


def watch(distribution: str, name: str, value: str) -> dict[str, Any]:
    """Import a plugin and call its hooks twice, with the network shut.

    Returns:
        `modules`: what the import added to `sys.modules`. `reached`: the forbidden events,
        whether the plugin noticed or not. `rounds`: the fingerprints of each round.
    """
    points, _ = plugins.entry_points()
    wanted = (distribution, name, value)
    point = next(one for one in points if (plugins.distribution_of(one)[0], one.name, one.value) == wanted)
    before = set(sys.modules)
    reached: list[str] = []

    def audit(event: str, _: object) -> None:
        if event in FORBIDDEN:
            reached.append(event)
            raise PermissionError(f"{event}: a plugin works offline and by itself")

    sys.addaudithook(audit)
    with contextlib.suppress(BaseException):  # loading reports it below
        point.load()
    modules = sorted(set(sys.modules) - before)
    rounds = [fingerprints(plugins.load(point)) for _ in range(2)]
    return {"modules": modules, "reached": sorted(set(reached)), "rounds": rounds}


def main(order: str) -> None:
    """Do what a line of JSON says, and print a line of JSON."""
    out, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints is not the answer
    answer = watch(*json.loads(order))
    print(json.dumps(answer), file=out)
