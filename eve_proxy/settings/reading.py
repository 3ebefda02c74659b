"""From the environment's texts to values, one variable at a time; faults are collected, not raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eve_proxy.model.text import clean
from eve_proxy.settings import kinds
from eve_proxy.settings.files import ReadFile
from eve_proxy.settings.secret import HIDDEN
from eve_proxy.settings.variables import BY_NAME, Variable
from eve_proxy.signing.secret import secret_from_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where one variable's value comes from: a line of ``eve-proxy config``.

    :ivar text: as written, or the default; ``******`` for a secret that has a value.
    :ivar source: ``default``, ``env`` or ``file``.
    """

    name: str
    text: str
    source: str
    help: str
    secret: bool = False


@dataclass(slots=True, kw_only=True)
class Reading:
    """What has been read so far. Lives only while the configuration is parsed.

    :ivar texts: known names with their texts, as the environment has them.
    :ivar contents: variable name to the bytes of the file that it names.
    :ivar values: ``Config`` attribute to value; the attribute of a faulty variable is absent.
    """

    texts: Mapping[str, str]
    read_file: ReadFile
    contents: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, variable: Variable) -> None:
        """Read one row of the table."""
        text = self.texts.get(variable.name)
        if variable.secret:
            self._take_secret(variable, text)
            return
        source = "default" if text is None else "env"
        if text is None:
            text = variable.default
        self.entries.append(Entry(name=variable.name, text=text, source=source, help=variable.purpose))
        if source == "env" and not self._acceptable(variable, text):
            return
        try:
            value = variable.kind.read(text)
        except ValueError as error:
            written = variable.name if variable.kind.quiet else f"{variable.name}={_shown(text)}"
            self.faults.append(f"{written}: {error}")
            return
        if variable.field is None:
            return
        if variable.kind is kinds.FILE and text:
            self.content(variable.name, text)
        self.values[variable.field] = value

    def content(self, name: str, path: str) -> bytes | None:
        """The bytes of the file that ``name`` names; None with a fault when there are none."""
        try:
            content = self.read_file(path)
        except OSError as error:
            why = error.strerror or str(error)
            self.faults.append(f"{name}={_shown(path)}: cannot be read ({why}); name a file that this user can read")
            return None
        if BY_NAME[name].private and content.world_readable:
            self.warnings.append(f"{name}={_shown(path)}: every user of this machine can read it; chmod 0600")
        self.contents[name] = content.data
        return content.data

    def _acceptable(self, variable: Variable, text: str) -> bool:
        if text == "" and not variable.empty:
            self.faults.append(
                f"{variable.name} is set but empty: give it a value, or unset it {_unset_means(variable)}"
            )
            return False
        if variable.later and text:
            self.warnings.append(f"{variable.name} is not available yet ({variable.later}): it has no effect")
        return True

    def _take_secret(self, variable: Variable, text: str | None) -> None:
        file_name = f"{variable.name}_FILE"
        path = self.texts.get(file_name)
        source = "default"
        if text is not None and path:
            self.faults.append(f"{variable.name} and {file_name} are both set: unset one")
            return
        if text is not None:
            source = "env"
            if text == "":
                self.faults.append(f"{variable.name} is set but empty: give it a value, or unset it")
                return
        elif path:
            source = "file"
            data = self.content(file_name, path)
            if data is None:
                return
            text = secret_from_file(data).decode("utf-8", "surrogateescape")
            if not text:
                self.faults.append(f"{file_name}={_shown(path)}: the file is empty; put the secret into it")
                return
        self.entries.append(
            Entry(name=variable.name, text=HIDDEN if text else "", source=source, help=variable.purpose, secret=True)
        )
        try:
            self.values[variable.field or ""] = variable.kind.read(text or "")
        except ValueError as error:
            # Never the value: not even its length.
            self.faults.append(f"{file_name if source == 'file' else variable.name}: {error}")


def _shown(text: str) -> str:
    return repr(clean(text, 80))


def _unset_means(variable: Variable) -> str:
    return f"for the default ({variable.default})" if variable.default else "to leave it off"
