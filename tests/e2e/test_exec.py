# SPDX-License-Identifier: Apache-2.0
"""What trace_exec tells only of an image's container: its upper layer; and of one with a terminal: its name."""

import ig

CHANGED = ("mkdir /own; cp /bin/busybox /own/sh; printf '#!/own/sh\\n/bin/true; :\\n' >/own/script; chmod +x /own/script; "
           "/own/script; true")


def test_upper_layer(lab, podman):
    name = lab.name()
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        podman("run", "--rm", "--name", name, podman.IMAGE, "sh", "-c", CHANGED)
        by_file = {r["file"]: r for r in (running.wait_record(lambda r, f=f: r["file"] == f)
                                          for f in ("/bin/sh", "/own/script", "/bin/true"))}
    assert [by_file[f]["upper_layer"] for f in ("/bin/sh", "/own/script", "/bin/true")] == [False, True, False]
    assert by_file["/bin/true"]["pupper_layer"] and not by_file["/own/script"]["pupper_layer"]
    assert all(r["from_rootfs"] for r in by_file.values())


def test_terminal(lab, podman):
    name = lab.name()
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        podman("run", "--rm", "-t", "--name", name, podman.IMAGE, "sh", "-c", "/bin/true; :")
        assert running.wait_record(lambda r: r["file"] == "/bin/true")["tty"].startswith("pts/")
