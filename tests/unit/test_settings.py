from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncengine.errors import ConfigInvalid
from syncengine.settings import Settings, read_settings, read_variables

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_nothing_set_is_the_embedded_default() -> None:
    """An empty environment gives SQLite, the embedded broker and the documented times."""
    settings = read_settings({})
    assert settings.database_url == "sqlite:///syncengine.db"
    assert settings.broker_url == "embedded"
    assert (settings.lease, settings.request_timeout, settings.sweep) == (20, 10, 5)
    assert settings.project == Path("mappings")


def test_every_field_is_read_from_its_variable() -> None:
    """A variable SYNCENGINE_<FIELD> reaches the field of that name."""
    settings = read_settings(
        {
            "SYNCENGINE_PROJECT": "flows",
            "SYNCENGINE_DATABASE_URL": "postgresql+psycopg://u@h/d",
            "SYNCENGINE_BROKER_URL": "amqp://h/v",
            "SYNCENGINE_BROKER_PREFIX": "a.",
            "SYNCENGINE_ENCRYPTION_KEYS": "new, old",
            "SYNCENGINE_LOG_FORMAT": "json",
            "SYNCENGINE_WEBHOOK_SECRET": SECRET,
            "SYNCENGINE_METRICS_TOKEN": "a token for figures",
            "SYNCENGINE_HOSTS": "Sync.example.com, 10.0.0.7",
            "SYNCENGINE_LEASE": "4",
            "SYNCENGINE_REQUEST_TIMEOUT": "1.5",
            "SYNCENGINE_SWEEP": "0.5",
            "SYNCENGINE_BATCH": "7",
        }
    )
    assert settings == Settings(
        project=Path("flows"),
        database_url="postgresql+psycopg://u@h/d",
        broker_url="amqp://h/v",
        broker_prefix="a.",
        encryption_keys=("new", "old"),
        log_format="json",
        webhook_secret=SECRET,
        metrics_token="a token for figures",
        hosts=("sync.example.com", "10.0.0.7"),
        lease=4,
        request_timeout=1.5,
        sweep=0.5,
        batch=7,
    )


def test_empty_variables_count_as_unset() -> None:
    """A variable that is set to nothing leaves the default in force."""
    assert read_settings({"SYNCENGINE_LEASE": "", "SYNCENGINE_WEBHOOK_SECRET": ""}) == Settings()


def test_all_faults_are_named_at_once() -> None:
    """Every wrong variable is named in one error."""
    with pytest.raises(ConfigInvalid) as caught:
        read_settings(
            {
                "SYNCENGINE_LEASE": "soon",
                "SYNCENGINE_LOG_FORMAT": "xml",
                "SYNCENGINE_BATCH": "0",
                "SYNCENGINE_BROKER_URL": "kafka://h",
            }
        )
    named = {fault.partition(":")[0].removeprefix("SYNCENGINE_") for fault in caught.value.faults}
    assert named == {"LEASE", "LOG_FORMAT", "BATCH", "BROKER_URL"}


@given(st.text(st.characters(categories=("L", "N")), min_size=8))
def test_no_value_is_ever_shown(value: str) -> None:
    """An error about a variable quotes neither a URL's password nor a secret."""
    for name in ("DATABASE_URL", "BROKER_URL", "WEBHOOK_SECRET"):
        with pytest.raises(ConfigInvalid) as caught:
            read_settings({f"SYNCENGINE_{name}": f"mysql://root:{value}@@"})
        assert f"root:{value}" not in str(caught.value)


def test_secrets_are_not_in_the_representation() -> None:
    """Printing the settings shows no password, key or secret."""
    settings = read_settings(
        {
            "SYNCENGINE_DATABASE_URL": "postgresql+psycopg://u:hush1@h/d",
            "SYNCENGINE_BROKER_URL": "amqp://u:hush2@h/v",
            "SYNCENGINE_ENCRYPTION_KEYS": "hush3",
            "SYNCENGINE_WEBHOOK_SECRET": SECRET,
        }
    )
    assert "hush" not in repr(settings)
    assert SECRET not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    """Settings are a value."""
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.lease = 1.0


def test_a_timeout_must_fit_into_a_lease() -> None:
    """A request timeout that no lease can outlast is refused, for no write could ever be sent."""
    with pytest.raises(ConfigInvalid, match="REQUEST_TIMEOUT"):
        read_settings({"SYNCENGINE_LEASE": "5", "SYNCENGINE_REQUEST_TIMEOUT": "5"})


def test_a_secrets_folder_fills_in_what_the_environment_lacks(tmp_path: Path) -> None:
    """A file of the secrets folder is a variable, and the environment outranks it."""
    (tmp_path / "SYNCENGINE_WEBHOOK_SECRET").write_text(SECRET + "\n")
    (tmp_path / "HAKUNA_TOKEN").write_text("from file")
    environment = {"SYNCENGINE_SECRETS_DIR": str(tmp_path), "HAKUNA_TOKEN": "from environment"}
    assert read_settings(environment).webhook_secret == SECRET
    assert read_variables(environment)["HAKUNA_TOKEN"] == "from environment"


def test_a_secrets_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped secrets folder is not taken for an empty one."""
    with pytest.raises(ConfigInvalid, match="SYNCENGINE_SECRETS_DIR"):
        read_settings({"SYNCENGINE_SECRETS_DIR": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("write\r", "a carriage return (U+000D) at its end"),
        (" x", "a space (U+0020) at its beginning"),
        ("\ufeffx", "a byte order mark (U+FEFF) at its beginning"),
        ("a\x1bb", "a character that is not seen (U+001B) inside"),
        ("a\u200bb", "a zero-width space (U+200B) inside"),
        ("a\udce4", "a byte that is no UTF-8 at its end"),
    ],
)
@pytest.mark.parametrize(
    "name", ["SYNCENGINE_PROJECT", "SYNCENGINE_DATABASE_URL", "SYNCENGINE_WEBHOOK_SECRET"]
)
def test_a_character_that_nobody_meant_is_named(name: str, value: str, what: str) -> None:
    """The variable and the character are told, and nothing else of the value."""
    with pytest.raises(ConfigInvalid) as raised:
        read_settings({name: value})
    assert list(raised.value.faults) == [f"{name}: it has {what}; remove it"]


def test_files_of_secrets_may_be_anything_but_those_that_are_read(tmp_path: Path) -> None:
    """A file that is no text harms nobody as long as no variable is read from it; keys may stand on several lines."""
    (tmp_path / "keystore").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "SYNCENGINE_ENCRYPTION_KEYS").write_text("one\r\ntwo\n")
    settings = read_settings({"SYNCENGINE_SECRETS_DIR": str(tmp_path)})
    assert settings.encryption_keys == ("one", "two")
    (tmp_path / "SYNCENGINE_LOG_FORMAT").write_bytes("json".encode("utf-16"))
    with pytest.raises(
        ConfigInvalid, match="SYNCENGINE_LOG_FORMAT: it has a byte that is no UTF-8"
    ):
        read_settings({"SYNCENGINE_SECRETS_DIR": str(tmp_path)})
