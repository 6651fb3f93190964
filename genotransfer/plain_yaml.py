"""YAML from outside, as plain as JSON: no tags, no aliases, no key twice, and neither deep nor long."""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_CHARACTERS = 1 << 20
MOST_DEPTH = 40
PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-6 is a number and 2022-11-15 is text, as in JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node that is plain."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            # A few of them, each of the one before, would be more than memory holds.
            raise _refuse("*aliases are not read: write the value out", event.start_mark)
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _refuse(f"groups within groups, more than {MOST_DEPTH} deep", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag not in PLAIN:
            raise _refuse(f"{node.tag} is not read: write plain text or a number", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            _refuse_doubles(node)
        return node


_Loader.yaml_implicit_resolvers = {
    start: [(tag, pattern) for tag, pattern in known if tag in PLAIN]
    for start, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(text: str) -> tuple[Any, yaml.Node | None]:
    """Return the value of YAML text, and its nodes, which know their rows.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, or not as plain as settings are.
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"it is longer than {MOST_CHARACTERS:,} characters")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), node
    except (ValueError, OverflowError, TypeError) as error:  # a number of a thousand digits, a list as a key
        raise yaml.YAMLError(f"a value or key cannot be read: {error}") from error
    finally:
        loader.dispose()


def _refuse_doubles(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise _refuse(f"the key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)


def _refuse(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
