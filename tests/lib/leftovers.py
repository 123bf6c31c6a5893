# SPDX-License-Identifier: Apache-2.0
"""What agents of a cluster have left on its node."""

import glob
import os

import containers


def traces_of(cluster):
    """Pins, files and cgroups of pods, of all that there are."""
    folder = cluster.node.folder
    pins = containers.run(*cluster.node.view.enter, "find", "/sys/fs/bpf", "-mindepth", "1", "-not", "-name", "*.debug",
                          "-not", "-path", "*/ig-test-*").text.split()  # nor those of other tests
    files = [f for pattern in ("run/ig*", "run/traceloop*", "var/lib/ig*", "var/lib/kubelet/pods/*")
             for f in glob.glob(os.path.join(folder, pattern))]
    pods = [folder for top in containers.hierarchies() for folder, _, _ in os.walk(os.path.join(top, cluster.node.cgroup))]
    return pins + files + pods
