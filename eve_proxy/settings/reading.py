"""From the environment's texts to values, one variable at a time; faults are collected, not raised."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eve_proxy.model.text import clean
from eve_proxy.settings import kinds
from eve_proxy.settings.files import ReadFile
from eve_proxy.settings.secret import HIDDEN
from eve_proxy.settings.variables import BY_NAME, Variable
from eve_proxy.signing.secret import secret_from_file

_CREDENTIALS: Final = ("$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where one variable's value comes from: a line of ``eve-proxy config``.

    :ivar text: as written, or the default; ``******`` for a secret that has a value.
    :ivar source: ``default``, ``env`` or ``file``.
    :ivar guarded: what ``sha256`` is of must not be guessed at either: a secret, a private key, a plugin's variable.
    :ivar sha256: hex, of the effective text, and of the content of the file that it names.
    """

    name: str
    text: str
    source: str
    help: str
    secret: bool = False
    guarded: bool = False
    sha256: str = field(default="", repr=False)


@dataclass(slots=True, kw_only=True)
class Reading:
    """What has been read so far. Lives only while the configuration is parsed.

    :ivar texts: known names with their texts, as the environment has them.
    :ivar credentials: ``$CREDENTIALS_DIRECTORY``, where systemd puts a unit's credentials (systemd.exec(5)).
    :ivar paths: variable name to the file that it names.
    :ivar contents: variable name to the bytes of that file.
    :ivar values: ``Config`` attribute to value; the attribute of a faulty variable is absent.
    """

    texts: Mapping[str, str]
    read_file: ReadFile
    credentials: str | None = None
    paths: dict[str, str] = field(default_factory=dict)
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
        if source == "env" and not self._acceptable(variable, text):
            return
        try:
            if variable.kind is kinds.FILE:
                text = self._located(text)
            value = variable.kind.read(text)
        except ValueError as error:
            written = variable.name if variable.kind.quiet else f"{variable.name}={_shown(text)}"
            self.faults.append(f"{written}: {error}")
            return
        content = b""
        if variable.kind is kinds.FILE and text and variable.field is not None:
            content = self.content(variable.name, text) or b""
        self.entries.append(
            Entry(
                name=variable.name,
                text=text,
                source=source,
                help=variable.help,
                guarded=variable.private,
                sha256=digest(text.encode("utf-8", "surrogateescape"), content),
            )
        )
        if variable.field is not None:
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
        self.paths[name] = path
        self.contents[name] = content.data
        return content.data

    def _located(self, text: str) -> str:
        """Put systemd's directory in: an EnvironmentFile cannot (nothing in it is expanded).

        :raises ValueError: there is none.
        """
        for prefix in _CREDENTIALS:
            if text.startswith(prefix):
                if not self.credentials:
                    raise ValueError("there is no $CREDENTIALS_DIRECTORY here; use LoadCredential= in the unit")
                return f"{self.credentials}/{text[len(prefix) :]}"
        return text

    def _acceptable(self, variable: Variable, text: str) -> bool:
        if text == "" and not variable.empty:
            self.faults.append(
                f"{variable.name} is set but empty: give it a value, or unset it {_unset_means(variable)}"
            )
            return False
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
            try:
                path = self._located(path)
            except ValueError:  # the row of the file itself says so
                return
            data = self.content(file_name, path)
            if data is None:
                return
            text = secret_from_file(data).decode("utf-8", "surrogateescape")
            if not text:
                self.faults.append(f"{file_name}={_shown(path)}: the file is empty; put the secret into it")
                return
        self.entries.append(
            Entry(
                name=variable.name,
                text=HIDDEN if text else "",
                source=source,
                help=variable.help,
                secret=True,
                guarded=True,
                sha256=digest((text or "").encode("utf-8", "surrogateescape")),
            )
        )
        try:
            self.values[variable.field or ""] = variable.kind.read(text or "")
        except ValueError as error:
            # Never the value: not even its length.
            self.faults.append(f"{file_name if source == 'file' else variable.name}: {error}")


def digest(*parts: bytes) -> str:
    """SHA-256 (hex) of a value; of a path and its file's content with their lengths in front."""
    whole = parts[0] if not any(parts[1:]) else b"".join([b"%d:%b" % (len(part), part) for part in parts])
    return hashlib.sha256(whole).hexdigest()


def _shown(text: str) -> str:
    return repr(clean(text, 80))


def _unset_means(variable: Variable) -> str:
    return f"for the default ({variable.default})" if variable.default else "to leave it off"
