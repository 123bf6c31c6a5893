# SPDX-License-Identifier: Apache-2.0
"""make image: an image without an engine, which engines take."""

import os
import tarfile

import containers
import ig
import pytest

BUILD = os.path.dirname(ig.IG)
TAR = os.path.join(BUILD, "ig-image.tar")
NAME = "localhost/ig:test"
VERSION = "ig " + open(os.path.join(containers.TOP, "VERSION")).read().strip()


def make_image():
    """What it says: name and digest."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of a make that runs the tests
    return containers.run("make", "-s", "-C", containers.TOP, f"B={BUILD}", f"IMAGE={NAME}", "image", timeout=600,
                          env=env).text.split()


@pytest.fixture(scope="module")
def image():
    """Its digest."""
    name, digest = make_image()
    assert name == NAME
    return digest


def test_the_same_again(image):
    with open(TAR, "rb") as f:
        first = f.read()
    os.unlink(TAR)
    assert make_image() == [NAME, image]
    with open(TAR, "rb") as f:
        assert f.read() == first
    assert len(first) < 12e6


def test_nothing_else_in_it(image):
    with tarfile.open(TAR) as tar:
        # What is largest is the layer.
        layer = max(tar.getmembers(), key=lambda m: m.size)
        with tarfile.open(fileobj=tar.extractfile(layer)) as root:
            members = {m.name: m for m in root.getmembers()}
    assert [name for name, m in members.items() if m.isfile()] == ["bin/ig", "etc/ssl/certs/ca-certificates.crt"]
    assert members["bin/ig"].mode == 0o755
    assert members["var/run"].linkname == "/run"
    assert {(m.uid, m.gid, m.mtime) for m in members.values()} == {(0, 0, 0)}


def test_containerd(image, containerd, lab):
    containerd.ctr("image", "import", TAR)
    assert image in containerd.ctr("image", "ls", f"name=={NAME}")
    assert containerd.ctr("run", "--rm", NAME, lab.name(), "/bin/ig", "version") == VERSION


def test_podman(image, podman):
    podman("load", "-q", "-i", TAR)
    assert podman("run", "--rm", NAME, "version") == VERSION


def test_docker(image, docker):
    docker("load", "-q", "-i", TAR)
    assert docker("run", "--rm", "--network", "none", NAME, "version") == VERSION


def test_a_program_that_needs_libraries(tmp_path):
    """It would not run in there."""
    done = containers.run(os.path.join(containers.TOP, "deploy/image"), "/bin/ls", NAME, str(tmp_path / "out.tar"), check=False)
    assert done.returncode == 1 and "static" in done.text
    assert not os.listdir(tmp_path)
