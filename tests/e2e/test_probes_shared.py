# SPDX-License-Identifier: Apache-2.0
"""User-space probes that several runs of a daemon share."""

import os
import time

import containers
import ig

PROBED = "until_probed 10 /lib/*/libc.so.6 || exit"


def sizes(running, name):
    return [r["size"] for r in running.records() if ig.container_of(r) == name and r["operation"] == "malloc" and r["size"] < 1 << 20]


def test_runs_come_and_go(agent, lab):
    """Each sees its own containers, whoever else comes or goes."""
    one, other = lab.name("one"), lab.name("other")
    args = ("trace_malloc", "--min-size", "10000", "-o", "json", "-c")
    with agent.run(*args, one) as first:
        c = lab.start(f"{PROBED}; malloc_ways 11001; while ! test -e /tmp/second-reads; do sleep 0.1; done; malloc_ways 11002; exec sleep 60",
                      name=one)
        containers.wait_for(lambda: 11001 in sizes(first, one), 8, "the first one's call")
        with agent.run(*args, f"{one},{other}") as second:
            # That the file is probed does not say by whom.
            lab.start("while :; do malloc_ways 11003; sleep 0.1; done", name=other)
            containers.wait_for(lambda: 11003 in sizes(second, other), 8, "the second one's")
            c.exec("touch", "/tmp/second-reads")
            containers.wait_for(lambda: 11002 in sizes(second, one), 8, "the first one's at the second")
            assert second.stop() == 0
            n = second.totals()
            assert n.lost == 0 and n.seen == n.delivered + n.discarded
        time.sleep(0.3)
        assert sizes(first, one) == [11001] * 10 + [11002] * 10 and not sizes(first, other)
        assert first.stop() == 0
        n = first.totals()
        assert n.lost == 0 and n.seen == n.delivered == len(first.records())


def test_nothing_piles_up(agent, lab):
    """Containers with files of their own come and go: the probes' descriptors go with them."""
    def descriptors():
        return len(os.listdir(f"/proc/{agent.pid}/fd"))

    with agent.run("trace_malloc", "--min-size", "10000", "-c", f"{lab.prefix}-*") as running:
        time.sleep(0.5 * containers.SLOWER)
        before = descriptors()
        for _ in range(3):
            root = lab.rootfs_with()

            def edit(config, root=root):
                config["root"]["path"] = root
            lab.container(PROBED, edit=edit).run(check=True)
        assert descriptors() > before
        containers.wait_for(lambda: descriptors() <= before, 15, "end of the probes")
        running.stop()
