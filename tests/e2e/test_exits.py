# SPDX-License-Identifier: Apache-2.0
"""What trace_exit tells of processes whose threads end at the same moment: each of them once."""

import ig
import pytest


@pytest.mark.kernels
def test_once_each(lab):
    c = lab.container("exit_ways together")
    with ig.Ig("run", "trace_exit", "-o", "json", "-c", c.name, "--filter", "exit_code==6") as running:
        running.ready()
        assert c.run() == 0
        running.stop()
        ended = [r["proc"]["pid"] for r in running.records()]
    assert len(ended) == 200 and len(set(ended)) == 200
