"""The site file: the one file a user edits, as frozen models that refuse what is half right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from tasks.core.errors import ConfigError
from tasks.core.times import Times

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
LocalPath = Annotated[Path, AfterValidator(Path.expanduser)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Node(Model):
    """One machine that can run the gateway."""

    address: str = Field(min_length=1, description="host name or IP address")
    user: str = Field(min_length=1, description="the account that runs OpenClaw")
    port: Port = Field(default=22, description="of its sshd")
    gateway_port: Port = Field(default=18789, description="of OpenClaw's gateway, on its loopback")
    alarm: tuple[str, ...] = Field(
        default=(), description="command there that reads a text and tells it to a person"
    )


class Watchdog(Model):
    """T440, the machine that this runs on."""

    name: Name = Field(default="t440", description="its name in records and reports")
    address: str = Field(default="", description="where the nodes reach it; for provisioning")
    user: str = Field(default="", description="the account that runs this; whoever provisions it")
    port: Port = Field(default=22, description="of its sshd")
    state: LocalPath = Field(description="folder of the record, the journal and the staged sources")
    key: LocalPath = Field(description="private key that opens the nodes' rpc door")
    known_hosts: LocalPath = Field(description="the pinned host keys of the nodes")
    joe: LocalPath = Field(description="joe.pyz on this machine")
    node_file: LocalPath = Field(description="node.json of this machine, for joe.pyz")
    python: LocalPath = Field(default=Path("/usr/bin/python3"), description="runs joe.pyz")


class Site(Model):
    """Everything the watchdog must know; see deployments/site.example.yaml."""

    site: Name = Field(description="the name of this pair; deployments carry it")
    preferred: Name = Field(description="the node that serves when both can")
    failback: Literal["automatic", "manual"] = Field(
        default="automatic", description="return to the preferred node by itself, or by hand"
    )
    watchdog: Watchdog
    nodes: dict[Name, Node] = Field(description="exactly two nodes")
    containers: tuple[Name, ...] = Field(
        default=(), description="the watchdog's sources of backups, by their names in node_file"
    )
    times: Times = Field(default_factory=Times)

    @model_validator(mode="after")
    def _two_nodes(self) -> Self:
        if len(self.nodes) != 2:
            raise ValueError(f"nodes: there must be exactly 2, there are {len(self.nodes)}")
        if self.preferred not in self.nodes:
            raise ValueError(f"preferred: {self.preferred!r} is not one of {', '.join(self.nodes)}")
        if self.watchdog.name in self.nodes:
            raise ValueError(f"watchdog.name: {self.watchdog.name!r} is the name of a node, too")
        if self.watchdog.name in self.containers:
            raise ValueError(f"containers: {self.watchdog.name!r} is the watchdog's own name")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """All that is backed up: the containers, and by its name what the watchdog itself is."""
        return (*self.containers, self.watchdog.name)

    def other(self, node: str) -> str:
        """The name of the node that is not `node`."""
        return next(name for name in self.nodes if name != node)


def parse_site(text: str, where: str) -> Site:
    """YAML text -> Site.

    Raises ConfigError that names `where`, the line, the field and what would be right, a line for
    each fault.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{where}:1: the site file must be a mapping of fields")
    try:
        return Site.model_validate(document)
    except ValidationError as error:
        faults = [
            f"{where}:{_line(root, fault['loc'])}: {_sentence(fault)}" for fault in error.errors()
        ]
        raise ConfigError("\n".join(faults)) from None


def _sentence(fault: Any) -> str:
    field = ".".join(str(part) for part in fault["loc"] if part != "[key]") or "site file"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{field}: there is no such field"
    if fault["type"] == "missing":
        return f"{field}: this field is required"
    found = f" (it is {fault['input']!r})" if _scalar(fault) else ""
    return f"{field}: {message}{found}"


def _scalar(fault: Any) -> bool:
    return isinstance(fault["input"], str | int | float | bool | None)


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest part of `path` that the file has."""
    line = 1
    for part in path:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line + 1, value
    return None
