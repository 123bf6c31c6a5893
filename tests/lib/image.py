# SPDX-License-Identifier: Apache-2.0
"""The labs' container images, in one tar for every runtime. They share one layer, the lab's root file system."""

import io
import os
import sys
import tarfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "deploy"))

import oci  # noqa: E402

BUSYBOX = "localhost/busybox:test"
PAUSE = "localhost/pause:test"  # holds a pod's namespaces

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
CONFIGS = {
    BUSYBOX: {"Cmd": ["/bin/sh"]},
    PAUSE: {"Entrypoint": ["/bin/sleep", "2147483647"]},
}


def layer_of(rootfs):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    return data.getvalue()


def write(rootfs, path):
    """Both images at `path`. Returns {name: (image id, digest of its manifest)}."""
    archive = oci.Archive(path)
    layer = archive.add_layer(layer_of(rootfs))
    ids = {name: archive.add_image(name, ARCHITECTURES[os.uname().machine], layer,
                                   {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], **config})
           for name, config in CONFIGS.items()}
    archive.close()
    return ids
