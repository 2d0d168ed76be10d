"""What the app serves: a view set for each kind of row, looked up by ``api_id``, and the way to a token."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.fields import CharField, DictField
from rest_framework.relations import SlugRelatedField
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from tests.support.drf.models import Department, TrainingPackage, TrainingRecord, User


def by_id(kind: type[Model], source: str, **more: Any) -> SlugRelatedField[Any]:
    """A field that names a row by its ``api_id``."""
    return SlugRelatedField(slug_field="api_id", source=source, queryset=kind.objects.all(), **more)


class DepartmentSerializer(ModelSerializer):
    class Meta:
        model = Department
        exclude = ("id",)


class UserSerializer(ModelSerializer):
    manager_api_id = by_id(User, "manager", allow_null=True, required=False)
    department_api_id = by_id(Department, "department", allow_null=True, required=False)
    department_2_api_id = by_id(Department, "department_2", allow_null=True, required=False)
    department_3_api_id = by_id(Department, "department_3", allow_null=True, required=False)
    department_4_api_id = by_id(Department, "department_4", allow_null=True, required=False)
    follower_api_ids = by_id(User, "followers", many=True, required=False)
    properties = DictField(child=CharField(allow_null=True), required=False)

    class Meta:
        model = User
        exclude = (
            "id", "manager", "department", "department_2", "department_3", "department_4",
            "followers",
        )  # fmt: skip


class TrainingPackageSerializer(ModelSerializer):
    class Meta:
        model = TrainingPackage
        exclude = ("id",)


class TrainingRecordSerializer(ModelSerializer):
    person_api_id = by_id(User, "person")
    package_api_id = by_id(TrainingPackage, "package")
    package_desc = CharField(source="package.name", read_only=True)

    class Meta:
        model = TrainingRecord
        exclude = ("id", "person", "package")


SERIALIZERS = {
    "departments": DepartmentSerializer,
    "users": UserSerializer,
    "training_packages": TrainingPackageSerializer,
    "training_records": TrainingRecordSerializer,
}
"""By the names that the connector has for its resources, in an order in which they refer to each other."""
PATHS = {"training_packages": "training/package", "training_records": "training/record"}
NAMES = {"users": ("first_name", "last_name"), "training_records": ("package__name",)}


def views(resource: str) -> type[ModelViewSet]:
    """The view set of a resource."""
    serializer = SERIALIZERS[resource]
    about = {
        "lookup_field": "api_id",
        "queryset": serializer.Meta.model.objects.all(),
        "search_fields": NAMES.get(resource, ("name",)),
        "serializer_class": serializer,
    }
    return type(f"{serializer.Meta.model.__name__}ViewSet", (ModelViewSet,), about)


router = DefaultRouter()
for _resource in SERIALIZERS:
    router.register(PATHS.get(_resource, _resource), views(_resource))

urlpatterns = [
    path("api/v1/obtainauthtoken/", obtain_auth_token),
    path("api/v1/", include(router.urls)),
]
