"""Cheaply made values are the same frozen values."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from eve_proxy.model.certificate import LogLink
from eve_proxy.model.lean import lean


@lean
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value.

    :ivar z: mostly zero.
    """

    x: int
    y: int
    z: int = 0
    note: str | None = field(default=None, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y + self.z


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    x: int
    y: int
    z: int = 0
    note: str | None = field(default=None, repr=False)


def test_fields_defaults_and_methods_are_there() -> None:
    """Every field of an exchange holds what was given, or its default."""
    point = Point(x=1, y=2)
    assert (point.x, point.y, point.z, point.note, point.sum) == (1, 2, 0, None, 3)
    assert Point(y=2, x=1, z=3, note="n").z == 3


@pytest.mark.parametrize("name", ["x", "z", "more", "__class__"])
def test_nothing_can_be_changed(name: str) -> None:
    """A decision that was recorded cannot become another one."""
    point = Point(x=1, y=2)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        setattr(point, name, 9)
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point == Point(x=1, y=2)


def test_its_class_is_the_one_that_was_decorated() -> None:
    """The open twin is not to be found anywhere afterwards."""
    point = Point(x=1, y=2)
    assert type(point) is Point
    assert not hasattr(point, "__dict__")
    assert Point.__name__ == "Point"
    assert repr(point) == f"{Point.__qualname__}(x=1, y=2, z=0)"


def test_comparing_hashing_and_replacing_work() -> None:
    """Values are compared by what they hold."""
    point = Point(x=1, y=2)
    assert point == Point(x=1, y=2) != Point(x=1, y=3)
    assert len({point, Point(x=1, y=2)}) == 1
    assert replace(point, y=3, note="n") == Point(x=1, y=3, note="n")
    assert type(replace(point, y=3)) is Point
    assert [one.name for one in fields(point)] == ["x", "y", "z", "note"]


def test_it_can_be_copied_and_sent_to_another_process() -> None:
    """An error that carries a certificate survives a process pool."""
    link = LogLink(id="log_1", seq=7, prev="sha256-ab")
    assert pickle.loads(pickle.dumps(link)) == copy.copy(link) == copy.deepcopy(link) == link
    assert type(pickle.loads(pickle.dumps(link))) is LogLink


@pytest.mark.parametrize("arguments", [{}, {"x": 1}, {"x": 1, "y": 2, "w": 3}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    """A field that is forgotten is a defect found at once."""
    with pytest.raises(TypeError):
        Point(**arguments)
    with pytest.raises(TypeError):
        Point(1, 2)  # type: ignore[misc]


def test_the_signature_is_that_of_the_dataclass() -> None:
    """An editor shows the same parameters."""
    assert list(inspect.signature(Point).parameters) == list(inspect.signature(Ordinary).parameters)


def test_what_it_does_not_cover_is_refused_at_import() -> None:
    """Nobody gets a value without its factory's default or its checks, silently."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Factory:
        x: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Positional:
        x: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        x: int

        def __post_init__(self) -> None: ...

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Ordinary):
        w: int

    for cls in (Factory, Positional, Checked, Derived):
        with pytest.raises(TypeError, match=cls.__name__):
            lean(cls)
