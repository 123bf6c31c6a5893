# SPDX-License-Identifier: Apache-2.0
"""User-space probes: in the libraries of the containers that are wanted, once each, and where there are none, that is said."""

import contextlib
import os
import shutil
import tempfile
import time

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

PROBED = "until_probed 10 /lib/*/libc.so.6 || exit"
PROBED_MUSL = "until_probed 10 /lib/ld-musl-* || exit"
ONCE_MORE = 1.0 * containers.SLOWER  # what would be looked at a second time has been by then


def rooted(path):
    def edit(config):
        config["root"]["path"] = path
    return edit


@contextlib.contextmanager
def overlays(lab, count):
    """So many root file systems over the lab's own, as a runtime's containers of one image have them."""
    with tempfile.TemporaryDirectory(dir=lab.dir) as top:
        containers.run("mount", "-t", "tmpfs", "none", top)
        roots = []
        try:
            for i in range(count):
                for part in ("upper", "work", "root"):
                    os.makedirs(f"{top}/{i}/{part}")
                options = f"lowerdir={lab.rootfs},upperdir={top}/{i}/upper,workdir={top}/{i}/work"
                containers.run("mount", "-t", "overlay", "-o", options, "none", f"{top}/{i}/root")
                roots.append(f"{top}/{i}/root")
            yield roots
        finally:
            for root in roots:
                containers.run("umount", root)
            containers.run("umount", top)


def tracing(*args):
    return ig.Ig("run", "trace_malloc", "--min-size", "10000", "-o", "json", *args)


def calls(running, name, size=11111):
    return [r for r in running.records() if r["size"] == size and ig.container_of(r) == name]


def expect(running, name, count, size=11111):
    """Exactly so many, also a moment later."""
    with contextlib.suppress(TimeoutError):
        containers.wait_for(lambda: len(calls(running, name, size)) >= count, 5)
    time.sleep(0.2)
    assert len(calls(running, name, size)) == count, f"{running.out}\n{running.err}"


def test_one_file_in_many_containers(lab):
    """Overlayfs gives it another number in each; what one does is shown once, and only if it is wanted."""
    names = [lab.name("o") for _ in range(3)]
    with overlays(lab, 3) as roots:
        with tracing("-c", ",".join(names[:2])) as running:
            running.ready()
            for name, root in zip(names, roots):
                lab.start(f"{PROBED}; sleep {ONCE_MORE}; malloc_ways; exec sleep 60", name=name, edit=rooted(root))
            expect(running, names[0], 1)
            expect(running, names[1], 1)
            assert not calls(running, names[2])
        lab.reap()


@pytest.mark.parametrize("pause", (0, 3.05, 6), ids=str)
def test_one_ends_and_another_starts(lab, pause):
    """The file's probes stay for a moment, and while they are taken off nobody gets others: never both."""
    first, second = lab.name("a"), lab.name("b")
    with overlays(lab, 2) as roots:
        with tracing("-c", f"{first},{second}") as running:
            running.ready()
            lab.container(f"{PROBED}; malloc_ways", name=first, edit=rooted(roots[0])).run()
            time.sleep(pause)
            # The first one's may still be there, and go.
            lab.container(f"{PROBED}; sleep {ONCE_MORE}; {PROBED}; malloc_ways", name=second, edit=rooted(roots[1])).run()
            expect(running, first, 1)
            expect(running, second, 1)
            running.stop()
            assert ig.totals(running.err).lost == 0
        lab.reap()


def test_a_container_that_runs_already(lab):
    c = lab.start(f"{PROBED}; malloc_ways; exec sleep 60")
    with tracing("-c", c.name) as running:
        expect(running, c.name, 1)


def bare_root(lab):
    """Busybox and what waits for probes, and no library."""
    root = tempfile.mkdtemp(prefix="bare-", dir=lab.dir)
    for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(f"{root}/{folder}")
    for program in ("busybox", "until_probed"):
        shutil.copy(f"{lab.rootfs}/bin/{program}", f"{root}/bin/{program}")
    for applet in ("sh", "sleep", "mkfifo", "ln"):
        os.symlink("busybox", f"{root}/bin/{applet}")
    return root


def test_no_library_is_said(lab):
    with tracing() as running:
        running.ready()
        c = lab.start("exec sleep 60", edit=rooted(bare_root(lab)))
        containers.wait_for(lambda: c.name in running.err, 5, "word that there is no library")
        said = [line for line in running.err.splitlines() if c.name in line]
        assert len(said) == 1 and "libc" in said[0], running.err


def test_others_are_not_spoken_of(lab):
    name = lab.name("wanted")
    with tracing("-c", name) as running:
        running.ready()
        c = lab.start("exec sleep 60", edit=rooted(bare_root(lab)))
        lab.start(f"{PROBED}; malloc_ways; exec sleep 60", name=name)
        expect(running, name, 1)
        time.sleep(1.5 * containers.SLOWER)
        assert c.name not in running.err


def test_a_library_in_an_odd_place(lab):
    """Found where a process has it mapped, also later."""
    root = bare_root(lab)
    shutil.copy(f"{lab.rootfs}/bin/malloc_ways.musl", f"{root}/bin/odd")
    os.makedirs(f"{root}/odd")
    loader = next(f for f in os.listdir(f"{lab.rootfs}/lib") if f.startswith("ld-musl"))
    shutil.copy(f"{lab.rootfs}/lib/{loader}", f"{root}/odd/{loader}")
    odd = f"/odd/{loader} /bin/odd"
    name = lab.name("odd")
    with tracing("-c", name) as running:
        running.ready()
        lab.start(f"sleep 0.5; sleep 60 | {odd} 12345 & until_probed 10 /odd/{loader} && {odd}; exec sleep 60", name=name,
                  edit=rooted(root))
        expect(running, name, 1)


def test_hostile_files(lab):
    """Pipes, loops, folders, lies and empty files in libraries' places; the one real library is found."""
    root = bare_root(lab)
    for folder in ("lib", "usr/lib", "usr/lib64"):
        os.makedirs(f"{root}/{folder}")
    os.mkfifo(f"{root}/lib/libc.so.6")
    os.symlink("libc.so.8", f"{root}/lib/libc.so.7")
    os.symlink("libc.so.7", f"{root}/lib/libc.so.8")
    os.symlink("/proc/self/fd/0", f"{root}/lib/libc.so.9")
    os.symlink("/", f"{root}/usr/lib/libc.so.1")
    os.makedirs(f"{root}/usr/lib/libc.so.2")
    os.mknod(f"{root}/usr/lib/libc.so.3", 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
    with open(f"{root}/usr/lib/libc.so.4", "w"):
        pass
    with open(f"{lab.rootfs}/bin/malloc_ways", "rb") as f:
        program = bytearray(f.read())
    program[0x20:0x40] = b"\xff" * 0x20  # where its headers are
    with open(f"{root}/usr/lib/libc.so.5", "wb") as f:
        f.write(program)
    os.symlink("/../../../../../../etc/passwd", f"{root}/usr/lib64/libc.so.1")
    shutil.copy(f"{lab.rootfs}/bin/malloc_ways.musl", f"{root}/bin/ways")
    loader = next(f for f in os.listdir(f"{lab.rootfs}/lib") if f.startswith("ld-musl"))
    shutil.copy(f"{lab.rootfs}/lib/{loader}", f"{root}/lib/{loader}")
    name = lab.name("hostile")
    with tracing("-c", name) as running:
        running.ready()
        lab.start(f"{PROBED_MUSL}; ways; exec sleep 60", name=name, edit=rooted(root))
        expect(running, name, 1)


def test_the_host(lab):
    """With --host the host's own libraries; and nothing of a container becomes the host's."""
    mark = 23456 + os.getpid() % 1000
    program = os.path.join(lab.rootfs, "bin/malloc_ways")
    with open("/proc/self/maps") as f:
        libc = next(line.split()[-1] for line in f if "/libc.so.6" in line)
    with tracing("--host", "--comm", "malloc_ways") as running:
        running.ready()
        containers.run(os.path.join(lab.rootfs, "bin/until_probed"), "10", libc)
        containers.run(program, str(mark))
        containers.wait_for(lambda: len([r for r in running.records() if r["size"] == mark]) >= 10, 5, "the host's calls")
        found = [r for r in running.records() if r["size"] == mark]
        assert len(found) == 10 and not any(ig.container_of(r) for r in found), found
