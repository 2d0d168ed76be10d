"""docs/mapping.md says what the grammar is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.mapping import console_file, load_project, schema
from syncengine.mapping.checks import sample_faults
from syncengine.mapping.files import FILES
from syncengine.mapping.functions import MACROS, METHODS, NAMES
from syncengine.mapping.schema import Part
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import TypeName
from tests.support.pages import page, rows, sections, table

MODELS: dict[str, type[Part]] = {
    "The file of connections": schema.ConnectionsFile,
    "Retention": schema.RetentionPart,
    "Approvals": schema.ApprovalsPart,
    "A connection": schema.ConnectionPart,
    "A budget": schema.BudgetPart,
    "A schedule": schema.SchedulePart,
    "A window": schema.WindowPart,
    "The file of an entity": schema.EntityFile,
    "A field": schema.FieldPart,
    "A system": schema.SystemPart,
    "Constants": schema.SetPart,
    "A field rule": schema.RulePart,
    "Safety": schema.SafetyPart,
    "The file of rules": schema.DeriveFile,
    "A rule": schema.DerivePart,
    "The file of the console": console_file.ConsoleFile,
    "All of the console": console_file.ConsolePart,
    "A provider": console_file.OidcPart,
    "A trusted proxy": console_file.ProxyPart,
    "The file of notifications": schema.NotifyFile,
    "All of notifications": schema.NotifyPart,
    "A mail server": schema.MailPart,
    "A channel": schema.ChannelPart,
    "A rule of notifications": schema.NotifyRulePart,
}


def parts_of(model: type[Part]) -> Iterator[type[Part]]:
    """A model and all models that stand in its fields."""
    yield model
    for info in model.model_fields.values():
        due = [info.annotation]
        while due:
            found = due.pop()
            due += get_args(found)
            if isinstance(found, type) and issubclass(found, Part):
                yield from parts_of(found)


def literals(annotation: Any) -> set[str]:
    """The words that a field of a model may hold."""
    if get_origin(annotation) is Literal:
        return {str(choice) for choice in get_args(annotation)}
    return set().union(*(literals(part) for part in get_args(annotation)))


def test_every_part_of_the_grammar_has_a_table() -> None:
    """Each model that the files consist of is described in docs/mapping.md."""
    assert {m for file in FILES.values() for m in parts_of(file)} == set(MODELS.values())


@pytest.mark.parametrize("heading", MODELS)
def test_keys_of_the_grammar(heading: str) -> None:
    """A table has exactly the keys of the grammar, the words that each may hold, and its default."""
    model, found = MODELS[heading], table(sections(page("mapping.md"), 3)[heading])
    assert list(found) == [info.alias or name for name, info in model.model_fields.items()]
    for name, info in model.model_fields.items():
        row = found[info.alias or name]
        for word in literals(info.annotation) - set(get_args(TypeName)):
            assert f"`{word}`" in row[0], (heading, name, word)
        if isinstance(info.default, str):
            assert f"`{info.default}`" in row[0], (heading, name)


def test_types_of_fields() -> None:
    """Each type of a field has a line."""
    names = [row[0] for row in rows(sections(page("mapping.md"))["Types"])]
    told = re.findall(r"`(\w+)`", " ".join(names))
    assert sorted(told) == sorted(get_args(TypeName))


def test_functions_of_expressions() -> None:
    """Every function and method of the expression language is named, and no other."""
    text = sections(page("mapping.md"))["Expressions"]
    told = set(re.findall(r"`(\w+)[(`]", text.split("| function")[1]))
    assert told == NAMES | (METHODS - MACROS)
    assert all(f"`{macro}`" in text for macro in MACROS)


def test_codecs() -> None:
    """The table of codecs has exactly those of the grammar."""
    told = table(sections(page("mapping.md"))["Codecs"])
    assert set(told) == literals(schema.RulePart.model_fields["codec"].annotation)


def test_resources() -> None:
    """The table of resources says what the connectors declare."""
    text = sections(page("mapping.md"))["Resources"]
    told = [[cell.strip("`") for cell in row] for row in rows(text)]
    assert told == [
        [connector, spec.name, spec.parent or "", ", ".join(abilities(spec))]
        for connector, declared in CATALOG.items()
        for spec in declared.resources.values()
    ]


def abilities(spec: ResourceSpec) -> list[str]:
    """What can be done with a resource, in the words of the page."""
    words = {
        "poll": spec.poll, "dates": spec.dated, "single read": spec.single_get, "create": spec.create,
        "update": spec.update, "delete": spec.delete, "chosen id": spec.chosen_id is not None,
    }  # fmt: skip
    return [word for word, can in words.items() if can]


def test_examples_of_the_mapping_load(tmp_path: Path) -> None:
    """The YAML of docs/mapping.md is one valid project, without warnings, whose expressions all compute."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page("mapping.md"), re.M | re.S)
    for block in blocks:
        (tmp_path / block.splitlines()[0].removeprefix("# file: ")).write_text(block, "utf-8")
    project = load_project(tmp_path, CATALOG, {})
    assert set(project.entities) == {"person", "training", "training_record"}
    assert len(project.derivations) == 1
    assert not project.warnings
    assert not sample_faults(project)
