"""The floor's controller: the engine's client, listening."""

import docker

for _ in docker.DockerClient(base_url="unix:///var/run/docker.sock").events():
    pass
