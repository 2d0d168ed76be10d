"""weekly10 as what its public pages point at: an app of Django REST framework. These are its settings; whoever
imports a part of it has set Django up."""

from __future__ import annotations

import tempfile
from pathlib import Path

import django
from django.conf import settings

_FOLDER = tempfile.TemporaryDirectory(prefix="syncengine-django-")

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(_FOLDER.name, "weekly10.db")),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF",
            },
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
        "tests.support.drf",
    ],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_FILTER_BACKENDS": ["rest_framework.filters.SearchFilter"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "PAGE_SIZE": 100,
    },
    ROOT_URLCONF="tests.support.drf.api",
    TIME_ZONE="America/Chicago",
    USE_TZ=True,
)
django.setup()
