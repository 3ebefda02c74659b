"""Finding pre-filters by required names (architecture.md, "Plugins").

``twisted.plugin.getPlugins`` logs and drops a drop-in that fails to import, and answers from a cache on disk: a rule
could vanish without anybody noticing. Here every drop-in is imported, one that does not import is a fault, and every
required name must be found exactly once. With one fault nothing starts.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final

from twisted.plugin import IPlugin
from zope.interface import Invalid
from zope.interface.verify import verifyObject

from eve_proxy.interfaces import IPreFilter, IPreFilterMaker, Stage
from eve_proxy.model.errors import ConfigurationError
from eve_proxy.model.text import clean
from eve_proxy.policy.mandatory import RESERVED_RULES

# Always required, and asked before the drop-ins: naming a drop-in must not switch the blocklist off.
BUILT_IN: Final = ("blocklist", "allowlist", "body_limit")
# Named as text: drop-ins are found, not imported (import-linter keeps this module and theirs apart).
PACKAGE: Final = "eve_proxy.plugins"
_LONGEST_NAME: Final = 32
_VARIABLE: Final = re.compile(r"EVE_PROXY_[A-Z0-9_]{1,64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the plugin package holds.

    :ivar makers: objects that provide IPlugin and IPreFilterMaker, each with the module it came from.
    :ivar faults: one line per module that could not be imported.
    """

    makers: tuple[tuple[str, IPreFilterMaker], ...]
    faults: tuple[str, ...] = ()


def installed(package: str = PACKAGE) -> Found:
    """Import every module of the plugin package and collect what they offer.

    Imported modules stay imported: asking twice costs little and changes nothing.
    """
    makers: dict[int, tuple[str, IPreFilterMaker]] = {}
    faults: list[str] = []
    for module_info in sorted(pkgutil.iter_modules(import_module(package).__path__), key=lambda info: info.name):
        name = f"{package}.{module_info.name}"
        try:
            module = import_module(name)
        except Exception as error:  # noqa: BLE001  an import runs foreign code, which may raise anything
            faults.append(
                f"{name} cannot be imported ({_described(error)}): repair or uninstall it; a pre-filter must not vanish"
            )
            continue
        for value in vars(module).values():
            # A maker that another module imports from its own is still one maker.
            if IPlugin.providedBy(value) and IPreFilterMaker.providedBy(value):
                makers.setdefault(id(value), (name, value))
    return Found(makers=tuple(makers.values()), faults=tuple(faults))


def discover(
    names: Sequence[str], settings: Mapping[str, str], plugins: Callable[[], Found] = installed
) -> tuple[IPreFilter, ...]:
    """The pre-filters to run, in order: the built-in ones, then ``names``; those without work are left out.

    :param names: EVE_PROXY_PREFILTERS.
    :param settings: the texts of all settings, ``EVE_PROXY_*`` names as keys, without secrets.
    :raises ConfigurationError: every fault at once: a drop-in that does not import, a name that is missing, offered
        twice, listed twice or reserved, settings a maker refuses, a filter that is not an IPreFilter.
    """
    found = plugins()
    faults = list(found.faults)
    readable = MappingProxyType(dict(settings))
    filters: list[IPreFilter] = []
    for name, maker in _required(names, found, faults):
        prefilter = _made(name, maker, readable, faults)
        if prefilter is not None:
            filters.append(prefilter)
    if faults:
        raise ConfigurationError(tuple(faults))
    return tuple(filters)


def declared_variables(names: Sequence[str], plugins: Callable[[], Found] = installed) -> tuple[str, ...]:
    """The ``EVE_PROXY_*`` variables that the named drop-ins read, so that no other unknown name passes for theirs.

    A maker declares them in an optional attribute ``variables``, a tuple of names.

    :raises ConfigurationError: as ``discover``, and for a declaration that is not a tuple of such names.
    """
    found = plugins()
    faults = list(found.faults)
    declared: list[str] = []
    for name, maker in _required(names, found, faults):
        variables = getattr(maker, "variables", ())
        if not isinstance(variables, tuple) or not all(_is_variable(variable) for variable in variables):
            faults.append(
                f"pre-filter {name}: its `variables` must be a tuple of EVE_PROXY_* names; repair the drop-in"
            )
            continue
        declared.extend(variables)
    if faults:
        raise ConfigurationError(tuple(faults))
    return tuple(dict.fromkeys(declared))


def _required(names: Iterable[str], found: Found, faults: list[str]) -> list[tuple[str, IPreFilterMaker]]:
    """The one maker of each required name; what stands in the way is added to ``faults``."""
    offers: dict[str, list[tuple[str, IPreFilterMaker]]] = {}
    for module, maker in found.makers:
        offered_name = getattr(maker, "name", None)
        if isinstance(offered_name, str):
            offers.setdefault(offered_name, []).append((module, maker))
        else:
            faults.append(f"{module} offers a pre-filter whose name is not text: repair or uninstall it")
    wanted = [*BUILT_IN, *(name for name in names if name not in BUILT_IN)]
    chosen: list[tuple[str, IPreFilterMaker]] = []
    for name in dict.fromkeys(wanted):
        offered = offers.get(name, [])
        if wanted.count(name) > 1:
            faults.append(f"EVE_PROXY_PREFILTERS names {_quoted(name)} twice: remove one")
        elif name in RESERVED_RULES:
            faults.append(f"EVE_PROXY_PREFILTERS names {_quoted(name)}, a rule that is always on: remove it")
        elif not name or len(name) > _LONGEST_NAME:
            faults.append(f"EVE_PROXY_PREFILTERS names {_quoted(name)}: a name has 1 to {_LONGEST_NAME} characters")
        elif not offered:
            faults.append(
                f"EVE_PROXY_PREFILTERS names {_quoted(name)}, which no module of {PACKAGE} offers: install it"
                f" or remove the name; offered: {_listed(offers)}"
            )
        elif len(offered) > 1:
            modules = ", ".join(module for module, _ in offered)
            faults.append(f"pre-filter {_quoted(name)} is offered more than once, by {modules}: uninstall all but one")
        else:
            chosen.append((name, offered[0][1]))
    return chosen


def _made(name: str, maker: IPreFilterMaker, settings: Mapping[str, str], faults: list[str]) -> IPreFilter | None:
    try:
        prefilter = maker.make(settings)
    except ValueError as error:
        faults.append(f"pre-filter {name}: {clean(str(error), 2000)}")
        return None
    except Exception as error:  # noqa: BLE001  foreign code; without its filter nothing may start
        faults.append(f"pre-filter {name} could not be made ({_described(error)}): repair or uninstall its drop-in")
        return None
    if prefilter is None:
        return None
    try:
        verifyObject(IPreFilter, prefilter)
    except Invalid as error:
        faults.append(f"pre-filter {name} made something that is not an IPreFilter ({_described(error)}): repair it")
        return None
    if prefilter.name != name:
        faults.append(
            f"pre-filter {name} made a filter that calls itself {_quoted(prefilter.name)}: repair the drop-in"
        )
    elif not isinstance(prefilter.stage, Stage):
        faults.append(f"pre-filter {name} has the stage {prefilter.stage!r}: it must be Stage.HEAD or Stage.BODY")
    else:
        return prefilter
    return None


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and _VARIABLE.match(value) is not None


def _described(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}", 300)


def _quoted(name: object) -> str:
    return f'"{clean(str(name), _LONGEST_NAME)}"'


def _listed(offers: Iterable[str]) -> str:
    return ", ".join(sorted(clean(name, _LONGEST_NAME) for name in offers))
