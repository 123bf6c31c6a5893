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


@pytest.fixture(scope="session")
def whole_lab():
    try:
        containers.require("runc", "busybox", "gcc", "bpftool")
        if not os.path.exists(ig.IG):
            raise containers.Missing(f"{ig.IG} is not built: make")
        lab = containers.Lab(sorted(f for p in ("tests/programs/*.c", "tests/bench/load_*.c")
                                    for f in glob.glob(os.path.join(containers.TOP, p))))
    except containers.Missing as e:
        pytest.exit(str(e), returncode=1)
    yield lab
    lab.close()


@pytest.fixture
def lab(whole_lab):
    """The session's lab; containers that a test has started end with the test."""
    before = len(whole_lab.containers)
    yield whole_lab
    whole_lab.reap(before)


@pytest.fixture(scope="session")
def podman(whole_lab):
    p = containers.Podman(whole_lab)
    yield p
    p.close()
