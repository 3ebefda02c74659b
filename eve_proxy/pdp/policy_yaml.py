"""YAML as strictly as a policy needs it: no duplicate keys, no aliases, no tags, bounded depth."""

from __future__ import annotations

from typing import Any, Final

import yaml  # type: ignore[import-untyped,unused-ignore]

_DEEPEST: Final = 16


class YamlFault(ValueError):
    """Not YAML that we accept.

    :ivar faults: one line each, with the line of the file.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_yaml(text: bytes) -> Any:
    """The document's value.

    :raises YamlFault: syntax, encoding, aliases (a few lines of them can expand to gigabytes), duplicate keys,
        nesting beyond reason, more than one document.
    """
    try:
        loader = _Strict(text.decode("utf-8"))
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlFault((f"line {mark.line + 1 if mark else 1}: {error.problem or 'not YAML'}",)) from error
    except (yaml.YAMLError, ValueError) as error:
        # Encoding, control characters, and impossible dates and numbers.
        raise YamlFault((f"not YAML in UTF-8: {str(error).partition(chr(10))[0]}",)) from error
    if loader.duplicates:
        raise YamlFault(tuple(loader.duplicates))
    return value


class _Strict(yaml.SafeLoader):  # type: ignore[misc,unused-ignore]
    """Plain data only; says so where ``SafeLoader`` would quietly take the last of two equal keys."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.duplicates: list[str] = []
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call, unused-ignore]
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not accepted; write it out", problem_mark=mark)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_DEEPEST} levels", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen:
                line = key.start_mark.line + 1
                self.duplicates.append(f"line {line}: the key {name!r:.80} is there twice; keep one")
            seen.add(name)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made
