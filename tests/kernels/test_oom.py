# SPDX-License-Identifier: Apache-2.0
"""trace_oomkill where the whole machine is out of memory, which only a guest may be: the kernel is told that it is."""

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels


@pytest.fixture(autouse=True)
def guest(pytestconfig):
    assert pytestconfig.getoption("--guest"), "this asks the kernel to kill a process of its choice"


def test_machine(lab):
    def chosen(config):
        config["process"]["oomScoreAdj"] = 1000

    c = lab.start("exec tail -f /dev/null", edit=chosen)
    with ig.Ig("run", "trace_oomkill", "-o", "json", "-c", c.name) as running:
        running.ready()
        containers.run("sh", "-c", "echo f >/proc/sysrq-trigger")
        got = running.wait_record(lambda r: r["tcomm"] == "tail")
    assert got["scope"] == "machine" and got["limit"] == 0 and got["usage"] > 0
    assert got["oom_score_adj"] == 1000 and got["fprocess"]["comm"].startswith("kworker")
