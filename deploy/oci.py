# SPDX-License-Identifier: Apache-2.0
"""Writes container images as one tar, without a registry or an engine.

The tar is an OCI layout (`ctr image import`, `podman load`, image-spec 1.0) and a docker-archive (`docker load`). The same input
gives the same bytes: all times are 0, all owners root.
"""

import gzip
import hashlib
import io
import json
import tarfile


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_of(descriptor):
    return "blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")


class Archive:
    """add_layer(), then add_image() for each image of it, then close()."""

    def __init__(self, path):
        self.tar = tarfile.open(path, "w")
        self.index, self.docker = [], []

    def close(self):
        self._add_json("oci-layout", {"imageLayoutVersion": "1.0.0"})
        self._add_json("index.json", {"schemaVersion": 2, "manifests": self.index})
        self._add_json("manifest.json", self.docker)
        self.tar.close()

    def add_layer(self, data, compress=False):
        """A tar of files, for add_image()."""
        packed = gzip.compress(data, mtime=0) if compress else data
        return {"descriptor": self._blob(packed, "layer.v1.tar+gzip" if compress else "layer.v1.tar"),
                "diff_id": digest_of(data)}

    def add_image(self, name, architecture, layer, config):
        """config: as image-spec has it, Entrypoint, Env, Labels … Returns (image id, digest of the manifest)."""
        image = self._json_blob({
            "architecture": architecture, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"]]},
            "history": [{"created": "1970-01-01T00:00:00Z"}]}, "config.v1+json")
        manifest = self._json_blob({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                    "config": image, "layers": [layer["descriptor"]]}, "manifest.v1+json")
        self.index.append({**manifest, "annotations": {"io.containerd.image.name": name,
                                                       "org.opencontainers.image.ref.name": name.rpartition(":")[2]}})
        self.docker.append({"Config": file_of(image), "RepoTags": [name], "Layers": [file_of(layer["descriptor"])]})
        return image["digest"], manifest["digest"]

    def _add(self, name, data):
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))

    def _add_json(self, name, value):
        self._add(name, json.dumps(value).encode())

    def _json_blob(self, value, kind):
        return self._blob(json.dumps(value).encode(), kind)

    def _blob(self, data, kind):
        """Puts data in under its digest. Its descriptor."""
        descriptor = {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest_of(data), "size": len(data)}
        self._add(file_of(descriptor), data)
        return descriptor
