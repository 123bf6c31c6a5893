# SPDX-License-Identifier: Apache-2.0
"""Everything that ig has for the kernel loads and attaches there, one by one, and leaves nothing."""

import glob
import os

import bpf
import gadgets_test
import ig
import pytest

pytestmark = pytest.mark.kernels


def attach(*args):
    """Runs it until it has attached; what it held of the kernel."""
    with ig.Ig(*args, "-o", "none") as running:
        running.ready()
        held = bpf.held_by(running.pid)
        assert running.stop() == 0, running.err
        bpf.assert_gone(held)
        return held


def programs(held):
    return sum(kind == "prog" for kind, _ in held)


@pytest.fixture(scope="module")
def detector(whole_lab):
    """How many programs it has: every run has them."""
    return programs(attach("list-containers", "--watch"))


def test_detector(detector):
    assert detector


def folders():
    """Those without a test are fixtures of other tests."""
    return [f for f in gadgets_test.folders() if glob.glob(f + "*.test")]


@pytest.mark.parametrize("folder", folders(), ids=lambda f: os.path.basename(f.rstrip("/")))
def test_gadget(folder, detector, tmp_path):
    gadget = gadgets_test.gadget_argument(folder, tmp_path)
    if gadgets_test.is_snapshot(gadget):
        ig.once("run", gadget, "--host", "-o", "none", check=0)
    else:
        assert programs(attach("run", gadget, "--host")) > detector
