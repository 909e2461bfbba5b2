# SPDX-License-Identifier: Apache-2.0
"""Systems that call CDS Hooks with tokens they sign themselves: keys and signatures are openssl's,
tokens the test's own hand's. What a token lacks, or says of another, opens nothing."""
import hashlib
import hmac
import json
import shutil
import subprocess
import time
import uuid

import pytest
from conftest import ONE, PROGRAM, base64url, command, new_key, read_episode

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl program")
URL = "https://xinglin.hospital.example"
SERVICE = "/clinic/cds-services/xinglin-discharge"
HIS, LAB = "https://his.example.org", "https://lab.example.org"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True,
                          check=True).stdout


class Key:
    """A private key, its JSON Web Key, and signatures as tokens have them."""

    def __init__(self, folder, name, kind, size):
        self.path, self.name, self.kind = folder / f"{name}.pem", name, kind
        option = {"EC": f"ec_paramgen_curve:{size}", "RSA": f"rsa_keygen_bits:{size}"}[kind]
        openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", self.path)

    @property
    def jwk(self):
        if self.kind == "EC":
            point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-96:]
            return {"kty": "EC", "crv": "P-384", "kid": self.name, "x": base64url(point[:48]),
                    "y": base64url(point[48:]), "alg": "ES384", "use": "sig"}
        text = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode()
        return {"kty": "RSA", "kid": self.name, "e": "AQAB",
                "n": base64url(bytes.fromhex(text.strip().split("=")[1]))}

    def sign(self, data, digest="sha384"):
        signature = openssl("dgst", f"-{digest}", "-sign", self.path, data=data)
        if self.kind == "RSA":
            return signature
        at, numbers = (3 if signature[1] & 0x80 else 2), b""
        for _ in range(2):  # ASN.1: two whole numbers, with a sign
            size = signature[at + 1]
            numbers += signature[at + 2:at + 2 + size].lstrip(b"\0").rjust(48, b"\0")
            at += 2 + size
        return numbers

    def token(self, header=None, key=None, digest="sha384", **claims):
        """`key` signs it in this one's place."""
        head = {"alg": "ES384" if self.kind == "EC" else "RS384", "typ": "JWT", "kid": self.name,
                **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        now = int(time.time())
        body = {"iss": HIS, "aud": URL + SERVICE, "iat": now, "exp": now + 240,
                "jti": uuid.uuid4().hex, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, body))
        return text + "." + base64url((key or self).sign(text.encode(), digest))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {name: Key(folder, name, kind, size) for name, kind, size in [
        ("his-ec", "EC", "secp384r1"), ("his-rsa", "RSA", 2048), ("lab-ec", "EC", "secp384r1"),
        ("thief", "EC", "secp384r1"), ("thief-rsa", "RSA", 2048)]}


def write_clients(path, clients):
    path.write_text(json.dumps({"format": "xinglin-cds-clients", "version": 1, "clients": [
        {"iss": name, "keys": list(jwks)} for name, jwks in clients.items()]}))
    return path


@pytest.fixture(scope="module")
def trusting(serve, keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    file = write_clients(folder / "clients.json", {
        HIS: [keys["his-ec"].jwk, keys["his-rsa"].jwk], LAB: [keys["lab-ec"].jwk]})
    secret, key_file = new_key(folder, "his", "scopes=clinic")
    clinic = serve("--api-key-file", key_file, "--clinic-url", URL, "--clinic-cds-clients", file)
    clinic.secret = secret
    return clinic


def call(clinic, token, path=SERVICE, body=None):
    patient = read_episode(1)["patient"]["id"]
    hook = {"hook": "encounter-discharge", "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/1", "patientId": patient, "encounterId": ONE}}
    return clinic.post(path, body or hook, key=token)


def last_line(clinic, **query):
    return clinic.user("auditor").post("audit/search", {**query, "limit": 1}).json["rows"][0]


@pytest.mark.parametrize("name", ["his-ec", "his-rsa"])
def test_a_clients_token(trusting, keys, name):
    reply = call(trusting, keys[name].token())
    assert reply.status == 200, reply.bytes
    assert reply.json["cards"][0]["links"][0]["url"].startswith(URL + "/clinic")
    line = last_line(trusting, user=f"cds:{HIS}")
    assert (line["action"], line["episode"]) == ("read", ONE)


def test_another_client_and_feedback(trusting, keys):
    token = keys["lab-ec"].token(iss=LAB, aud=["https://other", URL + SERVICE + "/feedback"])
    body = {"feedback": [{"card": str(uuid.uuid4()), "outcome": "accepted"}]}
    assert call(trusting, token, SERVICE + "/feedback", body).status == 200
    assert last_line(trusting, user=f"cds:{LAB}")["action"] == "cds.feedback"


def test_keys_go_on_working(trusting):
    assert call(trusting, trusting.secret).status == 200
    assert call(trusting, "xl-" + "0" * 40).status == 401
    assert trusting.post(SERVICE, {}).status == 401
    assert trusting.get("/clinic/cds-services").status == 200


def test_a_token_is_for_once(trusting, keys):
    token = keys["his-ec"].token()
    assert call(trusting, token).status == 200
    reply = call(trusting, token)
    assert (reply.status, reply.code) == (401, "client_not_trusted")
    assert "used before" in last_line(trusting, action="login.failed")["after"]["why"]
    assert call(trusting, keys["his-rsa"].token(jti="the-same")).status == 200
    assert call(trusting, keys["his-ec"].token(jti="the-same")).status == 401
    assert call(trusting, keys["lab-ec"].token(iss=LAB, jti="the-same")).status == 200


NOW = int(time.time())
HOSTILE = [
    ("wrong key", "kid", lambda k: k["his-ec"].token(key=k["thief"])),
    ("wrong rsa key", "kid", lambda k: k["his-rsa"].token(key=k["thief-rsa"])),
    ("unknown key", "kid", lambda k: k["thief"].token()),
    ("no kid", "kid", lambda k: k["his-ec"].token({"kid": None})),
    ("its own address of keys", "kid",
     lambda k: k["thief"].token({"jku": "http://127.0.0.1:1/keys", "jwk": k["thief"].jwk})),
    ("another client's name", "iss", lambda k: k["lab-ec"].token(iss=HIS)),
    ("no name", "iss", lambda k: k["his-ec"].token(iss=None)),
    ("algorithm none", "signature", lambda k: unsigned(k["his-ec"], "none")),
    ("algorithm None", "kid", lambda k: k["his-ec"].token({"alg": "None"})),
    ("algorithm of the other kind", "kid", lambda k: k["his-rsa"].token({"alg": "ES384"})),
    ("weaker digest", "kid", lambda k: k["his-rsa"].token({"alg": "RS256"}, digest="sha256")),
    ("weaker digest under a strong name", "kid", lambda k: k["his-rsa"].token(digest="sha256")),
    ("the public key as a shared one", "kid", lambda k: shared(k["his-ec"])),
    ("crit", "header", lambda k: k["his-ec"].token({"crit": ["b64"], "b64": False})),
    ("other type", "header", lambda k: k["his-ec"].token({"typ": "at+jwt"})),
    ("a changed byte", "kid", lambda k: changed(k["his-ec"].token())),
    ("a cut signature", "kid", lambda k: k["his-ec"].token()[:-4]),
    ("signature of nothing", "kid", lambda k: k["his-ec"].token().rsplit(".", 1)[0] + "." + "A" * 128),
    ("expired", "expired", lambda k: k["his-ec"].token(iat=NOW - 200, exp=NOW - 1)),
    ("valid for a day", "five minutes", lambda k: k["his-ec"].token(exp=NOW + 86400)),
    ("not yet", "nbf", lambda k: k["his-ec"].token(nbf=2 ** 40)),
    ("no exp", "iat and exp", lambda k: k["his-ec"].token(exp=None)),
    ("for another address", "aud", lambda k: k["his-ec"].token(aud="https://other" + SERVICE)),
    ("for the address we were called", "aud",
     lambda k: k["his-ec"].token(aud="http://127.0.0.1" + SERVICE)),
    ("for the other route", "aud", lambda k: k["his-ec"].token(aud=URL + SERVICE + "/feedback")),
    ("for nobody", "aud", lambda k: k["his-ec"].token(aud=None)),
    ("without a name of its own", "jti", lambda k: k["his-ec"].token(jti=None)),
    ("with a number as name", "jti", lambda k: k["his-ec"].token(jti=7)),
    ("no token", "JSON Web Token", lambda k: "a.b"),
    ("four parts", "JSON Web Token", lambda k: k["his-ec"].token() + ".x"),
    ("too long", "JSON Web Token", lambda k: k["his-ec"].token(more="x" * 5000)),
]


def unsigned(key, algorithm):
    head, body, _ = key.token({"alg": algorithm}).split(".")
    return f"{head}.{body}."


def shared(key):
    """HS384 with what everybody can know as its secret."""
    head, body, _ = key.token({"alg": "HS384"}).split(".")
    secret = openssl("pkey", "-in", key.path, "-pubout")
    mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha384).digest()
    return f"{head}.{body}.{base64url(mac)}"


def changed(token):
    head, body, signature = token.split(".")
    return ".".join([head, body, ("A" if signature[0] != "A" else "B") + signature[1:]])


@pytest.fixture(scope="module")
def attacked(serve, keys, tmp_path_factory):
    """For what fails: thirty failures of an address are written down, no more."""
    folder = tmp_path_factory.mktemp("attacked")
    clients = {HIS: [keys["his-ec"].jwk, keys["his-rsa"].jwk], LAB: [keys["lab-ec"].jwk]}
    return [serve("--clinic-url", URL, "--clinic-cds-clients",
                  write_clients(folder / f"{n}.json", clients)) for n in range(2)]


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=[case[0] for case in HOSTILE])
def test_hostile_tokens(attacked, keys, number):
    _, why, make = HOSTILE[number]
    clinic = attacked[number % 2]
    reply = call(clinic, make(keys))
    assert (reply.status, reply.code) == (401, "client_not_trusted"), reply.bytes
    assert "cards" not in reply.json
    assert why in last_line(clinic, action="login.failed")["after"]["why"]


def test_failures_of_others_keep_nobody_out(attacked, keys):
    for _ in range(40):
        assert call(attacked[0], "no.such.token").status == 401
    rows = attacked[0].user("auditor").post("audit/search", {"action": "login.failed",
                                                             "limit": 1000}).json["rows"]
    assert len(rows) < 40
    assert call(attacked[0], keys["his-ec"].token()).status == 200


def test_tokens_open_nothing_else(trusting, keys):
    for method, path in [("get", "/clinic/api/me"), ("get", f"/clinic/api/episodes/{ONE}")]:
        token = keys["his-ec"].token(aud=URL + path)
        assert getattr(trusting, method)(path, key=token).status == 401
    token = keys["his-ec"].token(aud=URL + "/clinic/episodes")
    assert trusting.post("/clinic/episodes", read_episode(1), key=token).status == 401


def test_without_the_option_tokens_are_nothing(clinic, keys):
    assert call(clinic, keys["his-ec"].token()).status == 401


@pytest.mark.parametrize("change,words", [
    (lambda jwk: {**jwk, "d": "AAAA"}, "private key"), (lambda jwk: {**jwk, "kid": None}, "kid"),
    (lambda jwk: {**jwk, "crv": "P-256"}, "P-384"), (lambda jwk: {**jwk, "alg": "ES256"}, "P-384"),
    (lambda jwk: {**jwk, "x": jwk["y"]}, "no point"), (lambda jwk: {**jwk, "x": "AA"}, "no point"),
    (lambda jwk: {**jwk, "kty": "oct"}, "kty"), (lambda jwk: {**jwk, "use": "enc"}, "use")])
def test_bad_files_of_clients(keys, tmp_path, change, words):
    command("init", tmp_path / "store")  # of its own: a store has one server
    file = write_clients(tmp_path / "clients.json", {HIS: [change(keys["his-ec"].jwk)]})
    done = subprocess.run([PROGRAM, "serve", "--port", "0", "--clinic", tmp_path / "store", "--clinic-url",
                           URL, "--clinic-cds-clients", file], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode != 0 and words in done.stderr and "clients[0].keys[0]" in done.stderr


@pytest.mark.parametrize("flags,words", [
    (["--clinic-cds-clients", "x"], "--clinic-url"), (["--clinic-url", "xinglin"], "https://NAME"),
    (["--clinic-url", "https://a/b"], "nothing behind it"), (["--clinic-url", "ftp://a"], "https://"),
    (["--clinic-url", "https://"], "https://NAME")])
def test_bad_options(tmp_path, flags, words):
    done = subprocess.run([PROGRAM, "serve", "--check-config", "--clinic", tmp_path, *flags],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and words in done.stderr


def test_the_cookie_is_secure_behind_a_proxy(trusting, clinic):
    assert "; Secure" in trusting.login("doctor").headers["Set-Cookie"]
    assert "; Secure" not in clinic.login("doctor").headers["Set-Cookie"]
