# SPDX-License-Identifier: Apache-2.0
"""Names of users and groups: a container's own, whatever stands in its files; the host's for the host."""

import os
import shutil

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

UID = 1234
LIVES = "sleep 0.5; cat /dev/null; true"


def files(lab, passwd, group=""):
    """For Lab.container(edit=…): runs as UID:UID with these as its files."""
    folder = os.path.join(lab.dir, lab.name("etc"))
    os.mkdir(folder)
    for name, text in (("passwd", passwd), ("group", group)):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)

    def edit(config):
        config["process"]["user"] = {"uid": UID, "gid": UID}
        for name in ("passwd", "group"):
            config["mounts"].append({"destination": f"/etc/{name}", "type": "bind", "source": os.path.join(folder, name),
                                     "options": ["bind", "rw"]})
    edit.folder = folder
    return edit


def names(out):
    """{container: {(user, group)}}"""
    found = {}
    for r in ig.records(out):
        found.setdefault(ig.container_of(r), set()).add((ig.get(r, "proc.creds.user"), ig.get(r, "proc.creds.group")))
    return found


@pytest.fixture(scope="module")
def two(whole_lab, tmp_path_factory):
    """The same id in two containers that are gone, and one on the host; (record file, JSON, names)."""
    path = str(tmp_path_factory.mktemp("owners") / "all.rec")
    web, db, plain = whole_lab.name("web"), whole_lab.name("db"), whole_lab.name("plain")

    def numbers(config):
        config["process"]["user"] = {"uid": UID, "gid": UID}
    with ig.Ig("run", "trace_exec", "-o", "json", "--host", "-c", f"{web},{db},{plain}", "--record", path) as running:
        running.ready()
        whole_lab.container(LIVES, name=web,
                      edit=files(whole_lab, f"root:x:0:0::/:\nweb:x:{UID}:{UID}::/:\n", f"www:x:{UID}:\n")).run(check=True)
        whole_lab.container(LIVES, name=db, edit=files(whole_lab, f"postgres:x:{UID}:{UID}::/:\n")).run(check=True)
        whole_lab.container(LIVES, name=plain, edit=numbers).run(check=True)
        assert running.stop() == 0, running.err
    return path, running.out, (web, db, plain)


def test_two_containers_with_the_same_id(two):
    _, out, (web, db, plain) = two
    got = names(out)
    assert got[web] == {("web", "www")}
    assert got[db] == {("postgres", str(UID))}
    assert got[plain] == {(str(UID), str(UID))}  # its own files do not name it, and the host's are not asked
    assert ("root", "root") in got[None]


def test_replayed(two):
    path, out, _ = two
    assert ig.once("replay", path, "-o", "json", check=0).out == out


@pytest.mark.parametrize("expression, wanted", (("proc.creds.user==web", 0), ("group==www", 0), ("user==postgres", 1),
                                                 (f"user=={UID},user!=web,user!=postgres", 2), ("user~^post", 1)))
def test_filters_by_name(two, expression, wanted):
    path, _, which = two
    got = names(ig.once("replay", path, "-o", "json", "--filter", expression, check=0).out)
    assert set(got) == {which[wanted]}


def test_at_a_daemon(agent, two, lab):
    path, out, _ = two
    name = lab.name("far")
    with agent.run("trace_exec", "-o", "json", "-c", name) as running:
        lab.container(LIVES, name=name,
                      edit=files(lab, f"web:x:{UID}:{UID}::/:\n", f"www:x:{UID}:\n")).run(check=True)
        assert running.stop() == 0, running.err
    assert names(running.out) == {name: {("web", "www")}}
    with open(path, "rb") as f, open(os.path.join(agent.records, "owners.rec"), "wb") as to:
        to.write(f.read())
    assert agent.once("replay", "owners.rec", "-o", "json", check=0).out == out


def test_files_that_change(lab):
    """Names follow, by and by: a container that adds its users when it starts."""
    name, edit = lab.name("later"), files(lab, "root:x:0:0::/:\n")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        c = lab.start("while true; do cat /dev/null; sleep 0.1; done", name=name, edit=edit)
        containers.wait_for(lambda: (str(UID), str(UID)) in names(running.out).get(name, ()), 10, "a number")
        with open(os.path.join(edit.folder, "passwd"), "a") as f:
            f.write(f"added:x:{UID}:{UID}::/:\n")
        containers.wait_for(lambda: ("added", str(UID)) in names(running.out).get(name, ()), 20, "the new name")
        c.delete()
        assert running.stop() == 0, running.err


def test_ids_of_a_user_namespace(lab):
    """Records have the host's ids, its files have its own."""
    rootfs = lab.rootfs_with()
    os.chmod(rootfs, 0o755)
    with open(rootfs + "/etc/passwd", "w") as f:
        f.write(f"inner:x:0:0::/:\nouter:x:{200000}:0::/:\n")

    def edit(config):
        config["root"]["path"] = rootfs
        config["linux"]["namespaces"].append({"type": "user"})
        for ids in ("uidMappings", "gidMappings"):
            config["linux"][ids] = [{"containerID": 0, "hostID": 200000, "size": 10}]
    os.chmod(lab.dir, 0o755)
    name = lab.name("mapped")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        lab.container(LIVES, name=name, edit=edit).run(check=True)
        assert running.stop() == 0, running.err
    assert names(running.out)[name] == {("inner", "root")}


@pytest.mark.parametrize("user_namespace", [False, True])
def test_gone_at_once(lab, user_namespace):
    """It has ended, and its runtime too, before anybody could look at its root: its bundle says where that was."""
    rootfs, base = lab.rootfs_with(), 200000 if user_namespace else 0
    os.chmod(rootfs, 0o755)
    os.chmod(lab.dir, 0o755)
    text("inner:x:0:0::/:\n")(rootfs + "/etc/passwd")

    def edit(config):
        config["root"]["path"] = rootfs
        if user_namespace:
            config["linux"]["namespaces"].append({"type": "user"})
            for ids in ("uidMappings", "gidMappings"):
                config["linux"][ids] = [{"containerID": 0, "hostID": base, "size": 10}]
    made = [lab.name("short") for _ in range(20)]
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", ",".join(made)) as running:
        running.ready()
        for name in made:
            lab.container("/bin/true", name=name, edit=edit).run(check=True)
        assert running.stop() == 0, running.err
    assert names(running.out) == {name: {("inner", "root")} for name in made}


# ---- files that are not what they should be ---------------------------------------------

def link(to):
    return lambda path: os.symlink(to, path)


def text(content):
    def write(path):
        with open(path, "w") as f:
            f.write(content)
    return write


LINE = "evil:x:0:0::/:\n"
OUTSIDE = "/tmp/ig-test-stolen-passwd"
HOSTILE = {
    "link out of the root": (link("../../../../../../../../../.." + OUTSIDE), None),
    "absolute link": (link(OUTSIDE), None),
    "link through proc": (link("/proc/1/root/usr/passwd"), None),
    "link to itself": (link("passwd"), None),
    "link within the root": (link("/usr/passwd"), "evil"),
    "pipe": (os.mkfifo, None),
    "terminal": (lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(5, 0)), None),
    "endless": (lambda path: os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5)), None),
    "folder": (os.mkdir, None),
    "huge": (text(LINE + "x" * 100 + LINE * 100000), None),
    "garbage": (text("\0\xff:::\n:" * 1000 + "\n" + LINE), "evil"),
    "steering": (text("\033[2J\033]0;x\007\u202e:x:0:0::/:\n"), "\033[2J\033]0;x\007\u202e"),
    "a long name": (text("n" * 65 + ":x:0:0::/:\n"), None),
}


@pytest.fixture
def outside():
    """A file of the host's that no container has."""
    text("stolen:x:0:0::/:\n")(OUTSIDE)
    yield
    os.remove(OUTSIDE)


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files(lab, outside, what):
    """Found there when ig starts: runc itself would stumble over some."""
    make, expected = HOSTILE[what]
    rootfs, name = lab.rootfs_with(), lab.name("evil")
    os.makedirs(rootfs + "/usr", exist_ok=True)
    text(LINE)(rootfs + "/usr/passwd")

    def edit(config):
        config["root"]["path"] = rootfs
    c = lab.start("while true; do cat /dev/null; sleep 0.1; done", name=name, edit=edit)
    os.remove(rootfs + "/etc/passwd")
    make(rootfs + "/etc/passwd")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        containers.wait_for(lambda: name in names(running.out), 10, "a record")
        assert running.stop() == 0, running.err
    c.delete()
    shutil.rmtree(rootfs)  # a guest's disk is small
    assert {user for user, _ in names(running.out)[name]} == {expected or "0"}
    assert "\033" not in running.out and "\u202e" not in running.out  # what steers a terminal is escaped
