"""The rivals' image: built once from the cluster's own base, so that all have the same system."""

import os
import shutil
import subprocess
from pathlib import Path

from bench.lab.engine import docker_cli

IMAGE = "jobctl-bench-rivals"
HERE = Path(__file__).parent
_BUNDLES = ("SSL_CERT_FILE", "PIP_CERT")


def build(base: str, work: Path) -> str:
    """Build the image, if the engine has none from this base; return its reference."""
    reference = f"{IMAGE}:{base.rpartition(':')[2]}"
    if docker_cli("images", "--quiet", reference):
        return reference
    context = work / "rivals"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    shutil.copy(HERE / "Dockerfile", context)
    if bundle := next((os.environ[name] for name in _BUNDLES if name in os.environ), None):
        shutil.copy(bundle, context / "ca-bundle.crt")
    bullmq = context / "bullmq"
    bullmq.mkdir()
    if (npm := shutil.which("npm")) and (node := shutil.which("node")):
        subprocess.run([npm, "install", "--silent", "bullmq", "ioredis"], cwd=bullmq, check=True)
        shutil.copy(Path(node).resolve(), context / "node")
    else:
        (context / "node-is-missing").touch()
    docker_cli("build", "--build-arg", f"BASE={base}", "-t", reference, str(context))
    return reference


def versions(reference: str) -> dict[str, str]:
    """Return what the image holds of each rival, and its Redis."""
    names = "celery|dramatiq|huey|taskiq|taskiq-redis|redis"
    script = (
        "for d in /opt/*/bin/pip; do n=${d%/bin/pip}; "
        f"echo \"${{n##*/}}=$($d freeze | grep -iE '^({names})==' "
        "| tr '\\n' ' ')\"; done; "
        'echo "redis-server=$(redis-server --version | cut -d" " -f3)"; '
        '[ -x /usr/local/bin/node ] && echo "bullmq=bullmq==$(node -p '
        '"require(\'/opt/bullmq/node_modules/bullmq/package.json\').version") node $(node -v)"'
    )
    said = docker_cli("run", "--rm", reference, "bash", "-c", f"{script}; true")
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
