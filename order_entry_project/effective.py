"""The configuration in force: each key's value, without secrets, and where it comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_settings import EnvSettingsSource, YamlConfigSettingsSource

from order_entry_project.config import Config, place
from order_entry_project.config.values import MASK, without_passwords


@dataclass(slots=True, frozen=True)
class Entry:
    """`value` as YAML and JSON know it; `source`: the file, the variable, or `default`."""

    section: str
    key: str
    value: Any
    source: str


def entries(config: Config) -> Iterator[Entry]:
    """Of every key there is, in the order of the sections."""
    file = place.path()
    in_file: Mapping[str, Any] = YamlConfigSettingsSource(Config, yaml_file=file)() if file else {}
    in_environment = EnvSettingsSource(
        Config,
        env_prefix=place.ENV_PREFIX,
        env_nested_delimiter=Config.model_config["env_nested_delimiter"],
        env_parse_none_str=Config.model_config["env_parse_none_str"],
    )()
    for name in Config.model_fields:
        section = getattr(config, name)
        for key in type(section).model_fields:
            source = "default"
            if key in in_environment.get(name, {}):
                source = _variable(name, key)
            elif key in in_file.get(name, {}):
                source = str(file)
            yield Entry(name, key, shown(getattr(section, key)), source)


def chosen(config: Config) -> dict[str, Any]:
    """What is not left at its default, as `section.key`."""
    return {
        f"{entry.section}.{entry.key}": entry.value for entry in entries(config) if entry.source != "default"
    }


def _variable(section: str, key: str) -> str:
    """The key's own, else the one that holds its section as JSON."""
    whole = f"{place.ENV_PREFIX}{section}".upper()
    own = f"{whole}__{key}".upper()
    return own if any(name.upper().startswith(own) for name in os.environ) else whole


def shown(value: Any) -> Any:
    """`value` with its secrets masked, made of what YAML and JSON know."""
    if isinstance(value, SecretStr | SecretBytes):
        return MASK
    if isinstance(value, BaseModel):
        return {key: shown(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): shown(held) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(held) for held in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    # Paths, networks, decimal numbers.
    return without_passwords(str(value))
