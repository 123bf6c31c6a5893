# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests in Python. A machine without root, BPF or runc fails them; nothing is skipped."""

import glob
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "lib"))

import containers  # noqa: E402
import ig  # noqa: E402
import view  # noqa: E402
from agent import Agent  # noqa: E402
from cluster import Cluster  # noqa: E402
from containerd import Containerd  # noqa: E402
from docker import Docker  # noqa: E402
from nodes import Nodes  # noqa: E402
from podman import Podman  # noqa: E402

# Those of which all tests with `every_runtime` have containers. Not crun, which refuses cgroup v1 and v2 side by side.
RUNTIMES = os.environ.get("RUNTIMES", "runc").split()

# Fixtures that check-kernels' guests lack: what they want would make the guests big.
NOT_IN_GUESTS = {"containerd", "docker", "podman", "podman_crun", "cgroup2", "cluster"}


def pytest_addoption(parser):
    parser.addoption("--guest", action="store_true", help="run the tests marked `kernels`, but for those that want more")


def pytest_configure(config):
    config.addinivalue_line("markers", "kernels: check-kernels runs it, too, in its guests")
    config.addinivalue_line("markers", "every_runtime: once for each of RUNTIMES, of which its lab's containers are")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--guest"):
        left = [i for i in items if not i.get_closest_marker("kernels") or NOT_IN_GUESTS & set(i.fixturenames)]
        config.hook.pytest_deselected(items=left)
        items[:] = [i for i in items if i not in left]


def pytest_generate_tests(metafunc):
    if "lab" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_runtime"):
        metafunc.parametrize("lab", RUNTIMES, indirect=True)


@pytest.fixture(scope="session")
def whole_lab():
    try:
        containers.require(*RUNTIMES, "busybox", "bpftool")
        if not os.path.exists(ig.IG):
            raise containers.Missing(f"{ig.IG} is not built: make")
        lab = containers.Lab(sorted(f for p in ("tests/programs/*.c", "tests/programs/dynamic/*.c", "tests/bench/load_*.c")
                                    for f in glob.glob(os.path.join(containers.TOP, p))))
    except containers.Missing as e:
        pytest.exit(str(e), returncode=1)
    yield lab
    lab.close()


@pytest.fixture
def lab(whole_lab, request):
    """The session's lab; containers that a test has started end with the test."""
    before, roots = len(whole_lab.containers), len(whole_lab.roots)
    whole_lab.runtime = getattr(request, "param", "runc")
    yield whole_lab
    whole_lab.reap(before)
    whole_lab.remove_roots(roots)
    whole_lab.runtime = "runc"


@pytest.fixture(scope="module")
def agent(whole_lab):
    """An `ig daemon` that the tests of a file share."""
    with Agent() as running:
        yield running


@pytest.fixture(scope="module")
def two_agents(containerd):
    """Two nodes' daemons, of what is one machine: what happens is seen by both."""
    containers.require("kubectl")
    with Agent(*containerd.flags) as one, Agent(*containerd.flags) as two:
        yield one, two


@pytest.fixture
def nodes(two_agents, tmp_path):
    """A cluster of them."""
    with Nodes(tmp_path, two_agents) as nodes:
        yield nodes


# Real runtimes. Each starts with the first test that asks for it, and ends with the session.

def until_the_end(thing):
    yield thing
    thing.close()


@pytest.fixture(scope="session")
def containerd(whole_lab):
    yield from until_the_end(Containerd(whole_lab))


@pytest.fixture(scope="session")
def docker(whole_lab):
    yield from until_the_end(Docker(whole_lab))


@pytest.fixture(scope="session")
def podman(whole_lab):
    yield from until_the_end(Podman(whole_lab))


@pytest.fixture(scope="session")
def podman_crun(whole_lab):
    """crun in cgroup v1 alone: it refuses v1 and v2 side by side, so v2 is hidden from it."""
    containers.require("crun")
    yield from until_the_end(Podman(whole_lab, "crun", view.without_cgroup2()))


@pytest.fixture(scope="session")
def cluster(whole_lab):
    """Kubernetes; some twenty seconds."""
    yield from until_the_end(Cluster(whole_lab))


@pytest.fixture(scope="session")
def cgroup2():
    """A view of the machine in which cgroups are v2 alone: lab.container(…, view=cgroup2), ig.Ig(…, view=cgroup2)."""
    yield from until_the_end(view.pure_cgroup2())
