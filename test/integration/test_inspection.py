"""linnetd -t: it reads what a start reads, and tells all that is wrong."""
import os
import shutil
import subprocess

import pytest

from authority import Authority

SECONDS_MAX = 20


def inspect(folder, lines, *arguments):
    """Exit code, and what it says."""
    file = folder / "linnet.conf"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run([os.environ["LINNETD"], "-t", "-c", file, *arguments],
                          capture_output=True, text=True, timeout=SECONDS_MAX)
    return done.returncode, done.stdout + done.stderr


def tls(folder, **options):
    key = "listener.tls.door"
    values = {"certfile": folder / "server.pem", "keyfile": folder / "server.key", **options}
    return [f"{key} = 127.0.0.1:8883", f"data_dir = {folder}/data",
            *(f"{key}.{option} = {value}" for option, value in values.items())]


@pytest.fixture
def folder(tmp_path):
    """With files that are good."""
    authority = Authority(tmp_path)
    authority.issue("server")
    authority.issue("other")
    authority.revoke("other")
    for name, text in {"keys": "robot:00112233445566778899aabbccddeeff\n",
                       "acl": "{allow, all}.\n", "jwks": '{"keys": []}\n'}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_all_that_is_good_is_good(folder):
    (folder / "passwords").touch(mode=0o600)
    code, said = inspect(folder, tls(
        folder, verify="peer", cacertfile=folder / "authority.pem", crlfile=folder / "list.pem",
        psk_file=folder / "keys") + [f"acl.file = {folder}/acl", "auth.chain = password_file",
                                     f"auth.password_file = {folder}/passwords"])
    assert (code, said) == (0, "the configuration is good\n")
    assert not (folder / "data").exists()       # it makes nothing


def test_each_bad_file_is_named(folder):
    (folder / "bad").write_text("what is this\n")
    bad = folder / "bad"
    more = {"verify": "peer", "cacertfile": folder / "authority.pem"}
    for options, why in [
            ({"certfile": folder / "none"}, f"certfile {folder}/none: there is no such file"),
            ({"certfile": bad}, f"certfile {bad}: it has no certificate in PEM"),
            ({"keyfile": folder / "other.key"}, f"keyfile {folder}/other.key: it is not the key"),
            ({"cacertfile": bad, "verify": "peer"}, f"cacertfile {bad}: no certificate"),
            ({"crlfile": bad, **more}, f"crlfile {bad}: it has no revocation list in PEM"),
            ({"psk_file": bad}, f"psk_file {bad}: line 1"),
            ({"ciphers": "NONE-SUCH"}, "ciphers NONE-SUCH: OpenSSL knows none of these")]:
        code, said = inspect(folder, tls(folder, **options))
        assert code == 1 and f"listener.tls.door.{why}" in said, said
    for chain, key in [("password_file", "auth.password_file"), ("jwt", "auth.jwt.jwks_file"),
                       ("jwt", "auth.jwt.pubkey"), ("http", "auth.http.ca_file")]:
        also = ["auth.http.auth_req = http://127.0.0.1:1/"] if chain == "http" else []
        for file in [bad, folder / "none"][key == "auth.http.ca_file":]:
            code, said = inspect(folder, [f"auth.chain = {chain}", f"{key} = {file}", *also])
            assert code == 1 and str(file) in said, said


def test_all_that_is_wrong_is_said_at_once(folder):
    code, said = inspect(folder, tls(folder, certfile=folder / "none") + [
        "listener.unix.u = /tmp/u", "listener.unix.u.owner = none-such-user",
        f"acl.file = {folder}/none", "auth.chain = password_file",
        f"auth.password_file = {folder}/none"])
    assert code == 1 and len(said.splitlines()) == 4, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_files_are_read_as_the_user_who_will_read_them(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy(folder / "server.key", closed / "server.key")
    for each in [folder, *folder.parents][:3]:
        each.chmod(each.stat().st_mode | 0o055)
    lines = tls(folder, keyfile=closed / "server.key")
    (folder / "server.pem").chmod(0o644)
    assert inspect(folder, lines, "-o", "user=root")[0] == 0
    code, said = inspect(folder, lines, "-o", "user=nobody")
    assert code == 1 and f"permission denied on the directory {closed}" in said, said
