# SPDX-License-Identifier: Apache-2.0
"""A cluster of nodes that are daemons of this machine, behind kube_api's API server: what happens, each of them sees."""

import os

import containers
import ig
from kube_api import KubeApi, Node


class Plugin:
    """kubectl-gadget at an API server."""

    def __init__(self, folder, api):
        self.program, self.env = os.path.join(folder, "kubectl-gadget"), dict(api.env, TMPDIR=str(folder), XDG_RUNTIME_DIR="")
        if not os.path.exists(self.program):
            os.symlink(ig.IG, self.program)

    def once(self, *args, **kwargs):
        return ig.once(*args, command=(self.program,), env=self.env, **kwargs)

    def start(self, *args, **kwargs):
        return ig.Ig(*args, command=(self.program,), env=self.env, **kwargs)


class Nodes(KubeApi):
    """n1, n2 … are `agents`; a namespace of no other test's is kubectl's."""

    def __init__(self, folder, agents):
        super().__init__(str(folder), [Node(f"n{i}", a.address) for i, a in enumerate(agents, 1)])
        self.daemons = {f"n{i}": a for i, a in enumerate(agents, 1)}
        self.namespace = f"many-{os.getpid()}"
        self.write_config(self.namespace)
        self.plugin = Plugin(str(folder), self)
        self.once = self.plugin.once
        # Without containers whose names did not come, which may be anybody's and are shown whatever the selector.
        self.ours = ("--filter", f"k8s.namespace=={self.namespace}")

    def pod(self, name):
        """Annotations that make a container one of this pod's."""
        return {"io.container.manager": "cri-o", "io.kubernetes.cri-o.ContainerType": "container",
                "io.kubernetes.cri-o.ImageName": "shop:1", "io.kubernetes.pod.name": name, "io.kubernetes.pod.uid": f"uid-{name}",
                "io.kubernetes.pod.namespace": self.namespace, "io.kubernetes.container.name": "main"}

    def start_in(self, lab, pod, script="sleep 1000", **kwargs):
        """A container of this pod, whose names all nodes know."""
        c = lab.start(script, annotations=self.pod(pod), **kwargs)
        self.wait_known(c.name, pod)
        return c

    def wait_known(self, ident, pod):
        """Until all nodes know this container's names. What they do not know is left out, or anybody's."""
        def known(agent):
            rows = ig.records(agent.once("list-containers", "-o", "json", check=0).out)
            return any(ig.get(r, "runtime.containerId") == ident and ig.get(r, "k8s.podName") == pod for r in rows)
        containers.wait_for(lambda: all(known(agent) for agent in self.daemons.values()), 20, "the container's names")

    def attached(self):
        """Ids of what runs, by node."""
        return {node: {r["id"] for r in agent.dump()["runs"] if "totals" in r} for node, agent in self.daemons.items()}

    def start(self, *args, nodes=("n1", "n2"), n=1, **kwargs):
        """A command in the background, whose n gadgets are attached at these nodes."""
        before = self.attached()
        running = self.plugin.start(*args, **kwargs)

        def attached():
            assert running.process.poll() is None, running.err
            now = self.attached()
            return all(len(now[node] - before[node]) == n for node in nodes)
        try:
            containers.wait_for(attached, 20, "the gadgets' start")
        except BaseException:
            running.__exit__()
            raise
        return running
