"""Which engine is meant: DOCKER_HOST, else a context by name or choice, else the default."""

import hashlib
import json
from pathlib import Path

import pytest

from jobctl.engine.endpoint import DEFAULT_SOCKET, Endpoint, resolve
from jobctl.engine.errors import EngineUnreachable


def _context(home: Path, name: str, url: str, **more: object) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()
    folder = home / ".docker" / "contexts" / "meta" / digest
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": url, **more}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return home / ".docker" / "contexts" / "tls" / digest / "docker"


def _choose(home: Path, name: str) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": name}))


def test_the_default_socket_when_nothing_is_said(tmp_path: Path) -> None:
    assert resolve({}, tmp_path) == Endpoint(DEFAULT_SOCKET, "default")
    assert resolve({"DOCKER_HOST": "", "DOCKER_CONTEXT": "default"}, tmp_path).source == "default"


def test_docker_host_goes_first(tmp_path: Path) -> None:
    _context(tmp_path, "far", "tcp://far:1")
    _choose(tmp_path, "far")
    env = {"DOCKER_HOST": "tcp://near:1", "DOCKER_CONTEXT": "far"}
    assert resolve(env, tmp_path) == Endpoint("tcp://near:1", "DOCKER_HOST")


def test_the_current_context_and_the_one_of_the_environment(tmp_path: Path) -> None:
    _context(tmp_path, "far", "tcp://far:1")
    _context(tmp_path, "other", "ssh://me@other")
    _choose(tmp_path, "far")
    assert resolve({}, tmp_path) == Endpoint("tcp://far:1", "context far")
    named = resolve({"DOCKER_CONTEXT": "other"}, tmp_path)
    assert named == Endpoint("ssh://me@other", "context other")


def test_docker_config_moves_the_folder(tmp_path: Path) -> None:
    _context(tmp_path, "far", "tcp://far:1")
    _choose(tmp_path, "far")
    env = {"DOCKER_CONFIG": str(tmp_path / ".docker")}
    assert resolve(env, Path("/nowhere")).source == "context far"


def test_a_context_that_does_not_exist_is_an_error_not_the_default(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match=r"'far'.*DOCKER_CONTEXT") as error:
        resolve({"DOCKER_CONTEXT": "far"}, tmp_path)
    assert error.value.hint
    _choose(tmp_path, "far")
    with pytest.raises(EngineUnreachable, match=r"config\.json"):
        resolve({}, tmp_path)


def test_a_broken_config_file_chooses_nothing(tmp_path: Path) -> None:
    _choose(tmp_path, "far")
    (tmp_path / ".docker" / "config.json").write_text("[]")
    assert resolve({}, tmp_path).source == "default"


def test_certificates_of_the_environment(tmp_path: Path) -> None:
    env = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    tls = resolve(env, tmp_path).tls
    assert tls is not None
    assert (tls.ca, tls.verify) == (Path("/certs/ca.pem"), True)
    tls = resolve({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1"}, tmp_path).tls
    assert tls is not None
    assert tls.key == tmp_path / ".docker" / "key.pem"
    assert resolve({"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": ""}, tmp_path).tls is None


def test_certificates_of_a_context(tmp_path: Path) -> None:
    certs = _context(tmp_path, "far", "tcp://far:2376", SkipTLSVerify=True)
    certs.mkdir(parents=True)
    tls = resolve({"DOCKER_CONTEXT": "far"}, tmp_path).tls
    assert tls is not None
    assert (tls.cert, tls.verify) == (certs / "cert.pem", False)
