"""The strings of JSON as text: in order, then grouped by member name, so that what was split over members meets."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_SHORT: Final = 64
_MOST_LINES: Final = 4096
_MOST_NESTED: Final = 64
# Members that carry what people write: their name is no part of it.
PROSE: Final = frozenset((
    "content", "text", "prompt", "input", "message", "query", "q", "question", "body", "instruction", "instructions",
    "system", "arguments", "value", "description", "comment", "note", "chunk", "piece", "part", "fragment",
    "parts", "messages",
))  # fmt: skip
# Members with words of the protocol, which would stand between the pieces of a message.
_PROTOCOL: Final = frozenset(("role", "model", "type", "object", "finish_reason", "tool_call_id"))
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


def json_as_text(content: bytes) -> bytes:
    """The text of a JSON document, or of one document a line (NDJSON).

    :raises ValueError: it is neither, or nested beyond reason.
    """
    try:
        return _Walk().text(_parsed(content))
    except json.JSONDecodeError as error:
        # One document is followed by something: the next line's?
        if error.msg != "Extra data":
            raise
        lines = [line for line in content.split(b"\n", _MOST_LINES) if line.strip()]
        return _Walk().text([_parsed(line) for line in lines])


def _parsed(content: bytes | str) -> Any:
    try:
        return json.loads(content, object_pairs_hook=tuple)
    except RecursionError:
        raise ValueError("nested too deep") from None


class _Walk:
    """Collects the strings of a JSON value."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._groups: dict[str, list[str]] = {}
        self._nested = 0

    def text(self, value: Any) -> bytes:
        """Everything in document order, then every name that occurred more than once with its values in a row.

        The second half is what puts ``messages[0].content`` next to ``messages[1].content``.
        """
        # A stack instead of recursion: the parser's own limit bounds the depth.
        stack: list[tuple[str, Any]] = [("", value)]
        while stack:
            name, item = stack.pop()
            if isinstance(item, str):
                inner = self._document(item)
                if inner is None:
                    self._string(name, item)
                else:
                    stack.append((name, inner))
            elif isinstance(item, list) and len(item) > 1 and all(type(child) is int for child in item):
                # One list, one line: code points belong together.
                self._lines.append(f"{name} = {', '.join(map(str, item))}")
            elif isinstance(item, list):
                stack.extend([(name, child) for child in reversed(item)])
            elif isinstance(item, tuple):
                stack.extend(reversed(item))
            elif name and item is not None:
                self._lines.append(f"{name} = {item}")
        for values in self._groups.values():
            if len(values) > 1:
                self._lines.append("\n".join(values))
        return "\n".join(self._lines).encode("utf-8", "replace")

    def _document(self, text: str) -> Any:
        """The JSON inside a string, such as the arguments of a tool call; None when it is none."""
        if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]") or self._nested >= _MOST_NESTED:
            return None
        self._nested += 1
        try:
            return _parsed(text)
        except ValueError:
            return None

    def _string(self, name: str, value: str) -> None:
        if name in _PROTOCOL and _IDENTIFIER.fullmatch(value):
            return
        short = len(value) <= _SHORT and "\n" not in value and '"' not in value and name not in PROSE
        shown = f'"{value}"' if short else value
        self._lines.append(f"{name} = {shown}" if short and name else shown)
        self._groups.setdefault(name, []).append(shown)
