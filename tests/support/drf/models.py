"""The rows of the app. Each has an id that the client may choose."""

from __future__ import annotations

import uuid

from django.db.models import (
    CASCADE,
    SET_NULL,
    BooleanField,
    CharField,
    DateTimeField,
    EmailField,
    ForeignKey,
    JSONField,
    ManyToManyField,
    Model,
    TextField,
)


def chosen_for_you() -> str:
    return uuid.uuid4().hex


class Kept(Model):
    api_id = CharField(max_length=200, unique=True, default=chosen_for_you)

    class Meta:
        abstract = True
        ordering = ("id",)


class Department(Kept):
    name = CharField(max_length=200)


class User(Kept):
    is_active = BooleanField(default=True)
    first_name = CharField(max_length=200)
    last_name = CharField(max_length=200)
    email = EmailField(null=True, blank=True)
    language = CharField(
        max_length=5, default="en_gb",
        choices=[(name, name) for name in ("en_gb", "en_US", "fr_FR", "nl_NL")],
    )  # fmt: skip
    manager = ForeignKey("self", SET_NULL, null=True, related_name="+")
    department = ForeignKey(Department, SET_NULL, null=True, related_name="+")
    department_2 = ForeignKey(Department, SET_NULL, null=True, related_name="+")
    department_3 = ForeignKey(Department, SET_NULL, null=True, related_name="+")
    department_4 = ForeignKey(Department, SET_NULL, null=True, related_name="+")
    followers = ManyToManyField("self", symmetrical=False)
    properties = JSONField(default=dict)


class TrainingPackage(Kept):
    name = CharField(max_length=200)
    description = TextField(null=True, blank=True)


class TrainingRecord(Kept):
    person = ForeignKey(User, CASCADE)
    package = ForeignKey(TrainingPackage, CASCADE)
    date_assigned = DateTimeField(auto_now_add=True)
    date_started = DateTimeField(null=True)
    date_completed = DateTimeField(null=True)
