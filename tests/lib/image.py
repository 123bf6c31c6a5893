# SPDX-License-Identifier: Apache-2.0
"""Container images without a registry.

One tar holds both images, and is an OCI layout (`ctr image import`) and a docker-archive (`docker load`, `podman load`).
They share one layer, the lab's root file system.
"""

import hashlib
import io
import json
import os
import tarfile

BUSYBOX = "localhost/busybox:test"
PAUSE = "localhost/pause:test"  # holds a pod's namespaces

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIGS = {
    BUSYBOX: {"Cmd": ["/bin/sh"]},
    PAUSE: {"Entrypoint": ["/bin/sleep", "2147483647"]},
}


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def layer_of(rootfs):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    return data.getvalue()


class Archive:
    """The tar. blob() puts data in under its digest."""

    def __init__(self, path):
        self.tar = tarfile.open(path, "w")

    def add(self, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))

    def add_json(self, name, value):
        self.add(name, json.dumps(value).encode())

    def blob(self, data, kind):
        """Its descriptor."""
        digest = digest_of(data)
        self.add(f"blobs/sha256/{digest}", data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}


def file_of(descriptor):
    return descriptor["digest"].replace("sha256:", "blobs/sha256/")


def write(rootfs, path):
    """Both images at `path`. Returns {name: (image id, digest of its manifest)}."""
    archive = Archive(path)
    layer = archive.blob(layer_of(rootfs), "layer.v1.tar")
    index, docker, ids = [], [], {}
    for name, config in CONFIGS.items():
        image = archive.blob(json.dumps({
            "architecture": ARCHITECTURES[os.uname().machine], "os": "linux", "created": "1970-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], **config},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            "history": [{"created": "1970-01-01T00:00:00Z"}]}).encode(), "config.v1+json")
        manifest = archive.blob(json.dumps({"schemaVersion": 2, "config": image, "layers": [layer],
                                            "mediaType": "application/vnd.oci.image.manifest.v1+json"}).encode(),
                                "manifest.v1+json")
        index.append({**manifest, "annotations": {"io.containerd.image.name": name,
                                                  "org.opencontainers.image.ref.name": name.split(":")[1]}})
        docker.append({"Config": file_of(image), "RepoTags": [name], "Layers": [file_of(layer)]})
        ids[name] = (image["digest"], manifest["digest"])
    archive.add_json("oci-layout", {"imageLayoutVersion": "1.0.0"})
    archive.add_json("index.json", {"schemaVersion": 2, "manifests": index})
    archive.add_json("manifest.json", docker)
    archive.tar.close()
    return ids
