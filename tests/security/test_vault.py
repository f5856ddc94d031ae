"""Secrets at rest: what is needed to have them back."""

import base64
from pathlib import Path

import pytest

from milepost.security import People, PrivateFileError, Tokens, Vault, VaultError


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets.key")


@pytest.mark.parametrize("secret", ["x", "", "ä€😀" * 100, '{"a": "\\n"}'])
def test_what_was_encrypted_is_decrypted_by_whoever_has_the_key(vault, tmp_path, secret):
    sealed = vault.encrypt("a registry", secret)
    assert Vault(tmp_path / "secrets.key").decrypt("a registry", sealed) == secret
    if len(secret) > 3:  # a single letter may well be among bytes of chance
        assert secret.encode() not in base64.urlsafe_b64decode(sealed)


def test_one_secret_never_looks_the_same_twice(vault):
    assert len({vault.encrypt("a registry", "secret") for _ in range(50)}) == 50


def test_a_secret_of_another_purpose_is_none(vault):
    sealed = vault.encrypt("a registry", "secret")
    with pytest.raises(VaultError):
        vault.decrypt("another registry", sealed)


def test_what_was_changed_or_made_up_is_refused(vault, tmp_path):
    sealed = vault.encrypt("a registry", "secret")
    other = "A" if sealed[20] != "A" else "B"
    for text in (sealed[:20] + other + sealed[21:], sealed[:-8], "", "AAAA", "no base64!", "é", "A" * 40):
        with pytest.raises(VaultError, match=r"secrets\.key.*enter the secret again"):
            vault.decrypt("a registry", text)


def test_under_another_key_it_is_lost_and_said_so(vault, tmp_path):
    sealed = vault.encrypt("a registry", "secret")
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(VaultError, match="put the key back from a backup"):
        vault.decrypt("a registry", sealed)


def test_the_key_is_private_and_a_damaged_one_is_named(vault, tmp_path):
    vault.encrypt("a registry", "secret")
    key = tmp_path / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("half")
    with pytest.raises(
        PrivateFileError, match=r"put it back from a backup.*enter the secrets of the site again"
    ):
        vault.encrypt("a registry", "secret")


def test_replacing_the_key_of_the_tokens_leaves_secrets_alone(vault, tmp_path):
    sealed = vault.encrypt("a registry", "secret")
    with People(tmp_path / "people.sqlite") as people:
        Tokens(tmp_path / "token.key", people).rotate()
    assert vault.decrypt("a registry", sealed) == "secret"
