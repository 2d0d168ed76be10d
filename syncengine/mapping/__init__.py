"""The YAML project: read, checked, and compiled to what planning and flows work with."""

from syncengine.mapping.expressions import Expression
from syncengine.mapping.loader import load_project
from syncengine.mapping.project import (
    Approvals,
    Budget,
    Connection,
    Derivation,
    Entity,
    Project,
    Retention,
    Safety,
    Schedule,
    System,
)
from syncengine.mapping.rule import Context, Field, Rule, Unresolved

__all__ = [
    "Approvals",
    "Budget",
    "Connection",
    "Context",
    "Derivation",
    "Entity",
    "Expression",
    "Field",
    "Project",
    "Retention",
    "Rule",
    "Safety",
    "Schedule",
    "System",
    "Unresolved",
    "load_project",
]
