"""Discovery by required names: exactly once each, or nothing starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.plugin import IPlugin
from zope.interface import implementer

from eve_proxy.discover import BUILT_IN, Found, declared_variables, discover, installed
from eve_proxy.interfaces import IPreFilter, IPreFilterMaker, Stage
from eve_proxy.model.errors import ConfigurationError


@implementer(IPreFilter)
class Filter:
    def __init__(self, name: Any, stage: Any = Stage.HEAD) -> None:
        self.name = name
        self.stage = stage

    def examine(self, exchange):
        return None


@implementer(IPlugin, IPreFilterMaker)
class Maker:
    help = "For tests."

    def __init__(self, name: Any, make: Any = None, **attributes: object) -> None:
        self.name = name
        self._make = make or (lambda settings: Filter(name))
        vars(self).update(attributes)

    def make(self, settings):
        return self._make(settings)


def offering(*makers: Maker, without: str | None = None, faults: tuple[str, ...] = ()):
    """A plugin package with the built-in makers and these."""
    built_in = [Maker(name) for name in BUILT_IN if name != without]
    return lambda: Found(makers=tuple(("some.module", maker) for maker in (*built_in, *makers)), faults=faults)


def faults_of(names: tuple[str, ...], plugins, settings: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        discover(names, settings or {}, plugins)
    return caught.value.faults


def names_of(names: tuple[str, ...], plugins) -> list[str]:
    return [prefilter.name for prefilter in discover(names, {}, plugins)]


def test_the_order_is_the_operators_after_the_built_in_ones() -> None:
    """Rules are asked in the order of EVE_PROXY_PREFILTERS."""
    plugins = offering(Maker("one"), Maker("two"))
    assert names_of(("two", "one"), plugins) == [*BUILT_IN, "two", "one"]


def test_naming_a_plugin_does_not_switch_the_blocklist_off() -> None:
    """The built-in rules are required whether they are named or not, and named ones run once."""
    assert names_of((), offering()) == list(BUILT_IN)
    assert names_of(("allowlist", "mine", "blocklist"), offering(Maker("mine"))) == [*BUILT_IN, "mine"]


def test_a_filter_without_work_is_left_out() -> None:
    """An empty list costs a request nothing."""
    assert names_of(("idle",), offering(Maker("idle", lambda settings: None))) == list(BUILT_IN)


def test_makers_get_the_settings_and_cannot_change_them() -> None:
    """One plugin's code cannot edit what the next one reads."""
    seen = []

    def make(settings):
        seen.append(settings["EVE_PROXY_X"])
        settings["EVE_PROXY_X"] = "changed"

    (fault,) = faults_of(("mine",), offering(Maker("mine", make)), {"EVE_PROXY_X": "1"})
    assert seen == ["1"]
    assert "TypeError" in fault


@pytest.mark.parametrize(
    ("names", "makers", "expected"),
    [
        (("gone",), (), '"gone", which no module of eve_proxy.plugins offers'),
        (("two",), (Maker("two"), Maker("two")), 'pre-filter "two" is offered more than once'),
        (("one", "one"), (Maker("one"),), 'names "one" twice'),
        (("destination",), (Maker("destination"),), '"destination", a rule that is always on'),
        (("sni",), (Maker("sni"),), '"sni", a rule that is always on'),
        (("x" * 33,), (Maker("x" * 33),), "1 to 32 characters"),
        (("",), (Maker(""),), "1 to 32 characters"),
        (("mine",), (Maker("mine"), Maker(None)), "some.module offers a pre-filter whose name is not text"),
        (("mine",), (Maker("mine", lambda settings: object()),), "not an IPreFilter"),
        (("mine",), (Maker("mine", lambda settings: Filter("other")),), 'calls itself "other"'),
        (("mine",), (Maker("mine", lambda settings: Filter("mine", "head")),), "stage 'head'"),
        (("mine",), (Maker("mine", lambda settings: 1 / 0),), "ZeroDivisionError: division by zero"),
    ],
)
def test_what_stops_the_start(names: tuple[str, ...], makers: tuple[Maker, ...], expected: str) -> None:
    """A rule that is missing, ambiguous or broken is one fault with a remedy, and nothing listens."""
    (fault,) = faults_of(names, offering(*makers))
    assert expected in fault
    assert "\n" not in fault


def test_a_filter_that_only_claims_to_be_one() -> None:
    """A class that says it is a pre-filter but lacks ``examine`` is found out before the first request."""

    @implementer(IPreFilter)
    class Hollow:
        name = "mine"
        stage = Stage.HEAD

    (fault,) = faults_of(("mine",), offering(Maker("mine", lambda settings: Hollow())))
    assert "not an IPreFilter" in fault


def test_a_makers_complaint_is_passed_on_in_its_words() -> None:
    """A ValueError's text reaches the operator, on one line."""

    def make(settings):
        raise ValueError("EVE_PROXY_X: write\ndigits")

    (fault,) = faults_of(("mine",), offering(Maker("mine", make)))
    assert fault.startswith("pre-filter mine: EVE_PROXY_X: write")
    assert "\n" not in fault


def test_a_built_in_that_is_missing_stops_the_start() -> None:
    """A damaged installation without the blocklist does not run unprotected."""
    (fault,) = faults_of((), offering(without="blocklist"))
    assert '"blocklist", which no module' in fault


def test_all_faults_come_at_once() -> None:
    """One start shows everything that is to be repaired, broken imports first."""
    plugins = offering(Maker("bad", lambda settings: object()), faults=("some.broken cannot be imported",))
    faults = faults_of(("gone", "bad"), plugins)
    assert len(faults) == 3
    assert faults[0] == "some.broken cannot be imported"


class TestDeclaredVariables:
    def test_only_the_named_plugins_count(self) -> None:
        """The variable of a plugin that is not in use stays unknown, and so a typo."""
        one = Maker("one", variables=("EVE_PROXY_ONE", "EVE_PROXY_SHARED"))
        two = Maker("two", variables=("EVE_PROXY_TWO", "EVE_PROXY_SHARED"))
        silent = Maker("silent")
        plugins = offering(one, two, silent)
        assert declared_variables(("one", "silent"), plugins) == ("EVE_PROXY_ONE", "EVE_PROXY_SHARED")
        assert declared_variables(("two", "one"), plugins) == ("EVE_PROXY_TWO", "EVE_PROXY_SHARED", "EVE_PROXY_ONE")
        assert declared_variables((), plugins) == ()

    @pytest.mark.parametrize(
        "variables", ["EVE_PROXY_X", ("X",), ("EVE_PROXY_x",), (1,), ["EVE_PROXY_X"], ("EVE_PROXY_",)]
    )
    def test_a_wrong_declaration_stops_the_start(self, variables: object) -> None:
        """A plugin can claim names of its own kind only."""
        with pytest.raises(ConfigurationError, match="`variables` must be a tuple"):
            declared_variables(("mine",), offering(Maker("mine", variables=variables)))

    def test_a_missing_plugin_is_a_fault_here_too(self) -> None:
        """Nothing is accepted on behalf of a plugin that is not there."""
        with pytest.raises(ConfigurationError, match="gone"):
            declared_variables(("gone",), offering())

    def test_a_broken_drop_in_is_a_fault_here_too(self) -> None:
        """The configuration is not read past a drop-in that does not import."""
        with pytest.raises(ConfigurationError, match=r"some\.broken"):
            declared_variables((), offering(faults=("some.broken cannot be imported",)))


class TestInstalled:
    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """A plugin package of its own: ``write(module, text)``; what it imports is forgotten afterwards."""
        name = f"dropins_{tmp_path.name.replace('-', '_')}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path))
        yield name, lambda module, text: (folder / f"{module}.py").write_text(text)
        for module in [module for module in sys.modules if module.startswith(name)]:
            del sys.modules[module]

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("1/0", "ZeroDivisionError: division by zero"),
            ("import nowhere_to_be_found", "ModuleNotFoundError"),
            ("def :", "SyntaxError"),
            ("raise BaseExceptionGroup('x', [ValueError()])", "ExceptionGroup"),
        ],
    )
    def test_a_module_that_does_not_import_is_a_fault(self, package, text: str, error: str) -> None:
        """Whatever an import raises is shown to the operator, and the other modules are still looked at."""
        name, write = package
        write("broken", text)
        write("fine", "")
        (fault,) = installed(name).faults
        assert fault.startswith(f"{name}.broken cannot be imported ({error}")

    def test_a_maker_that_is_imported_elsewhere_is_one_maker(self, package) -> None:
        """Two modules that share a maker do not make it a duplicate."""
        name, write = package
        write("a_first", "from eve_proxy.plugins.builtin_prefilters import blocklist")
        write("b_second", "from eve_proxy.plugins.builtin_prefilters import blocklist, BuiltIn")
        assert [module for module, _ in installed(name).makers] == [f"{name}.a_first"]

    def test_what_is_not_a_twisted_plugin_is_not_offered(self, package) -> None:
        """A maker registers itself by IPlugin; classes, interfaces and unregistered makers register nothing."""
        name, write = package
        write(
            "module",
            "from zope.interface import implementer\n"
            "from eve_proxy.interfaces import IPreFilterMaker\n"
            "from eve_proxy.plugins.builtin_prefilters import BuiltIn\n"
            "@implementer(IPreFilterMaker)\n"
            "class Unregistered: name = 'mine'\n"
            "maker = Unregistered()\n",
        )
        assert installed(name) == Found(makers=())

    def test_ours_are_there(self) -> None:
        """The shipped package offers the three built-in rules and imports without a fault."""
        found = installed()
        assert sorted(maker.name for _, maker in found.makers) == sorted(BUILT_IN)
        assert found.faults == ()
