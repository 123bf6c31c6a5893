# SPDX-License-Identifier: Apache-2.0
"""Networks between containers: an Ethernet cable (veth) from one to the other, and nothing else."""

import os

import containers

# Of this run alone: others may run beside it.
NET4, NET6 = f"10.{64 + os.getpid() // 256 % 64}.{os.getpid() % 256}", f"fd99:{os.getpid() % 65536:x}:"


def address(n, version=4):
    """Of the n-th end, 1 or 2."""
    return f"{NET4}.{n}" if version == 4 else f"{NET6}:{n}"


def inside(c, *command):
    return containers.run("nsenter", "-t", str(c.pid), "-n", *command)


def join(one, other):
    """A cable: `one` has address(1), `other` address(2). It goes with their network namespaces."""
    containers.require("ip", "nsenter")
    names = [f"igw{one.pid}a"[-15:], f"igw{one.pid}b"[-15:]]
    containers.run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1])
    for n, (c, name) in enumerate(zip((one, other), names), 1):
        containers.run("ip", "link", "set", name, "netns", str(c.pid))
        inside(c, "ip", "link", "set", name, "up")
        inside(c, "ip", "addr", "add", f"{address(n)}/24", "dev", name)
        inside(c, "ip", "addr", "add", f"{address(n, 6)}/64", "dev", name, "nodad")


def may(*capabilities):
    """An `edit` of a container's config: it has these capabilities."""
    def edit(config):
        caps = [f"CAP_{c}" for c in capabilities]
        config["process"]["capabilities"] = {s: caps for s in ("bounding", "effective", "permitted")}
    return edit
