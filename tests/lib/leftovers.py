# SPDX-License-Identifier: Apache-2.0
"""What agents of a cluster have left on its node."""

import glob
import os

import containers


def traces_of(cluster):
    """Pins, files and containers' cgroups, of all that there are."""
    folder = cluster.node.folder
    pins = containers.run(*cluster.node.view.enter, "find", "/sys/fs/bpf", "-mindepth", "1", "-not", "-name", "*.debug",
                          "-not", "-path", "*/ig-test-*").text.split()  # nor those of other tests
    files = [f for pattern in ("run/ig*", "run/traceloop*", "var/lib/ig*", "var/lib/kubelet/pods/*")
             for f in glob.glob(os.path.join(folder, pattern))]
    # kubelet forgets the pods' own in cgroup v2 where v1 is beside it.
    cgroups = [folder for top in containers.hierarchies() for folder in glob.glob(os.path.join(top, cluster.node.cgroup, "**/pod*/*/"),
                                                                                  recursive=True)]
    return pins + files + cgroups
