# SPDX-License-Identifier: Apache-2.0
"""Advice is good: a container runs with what its own profile leaves to it, and with no more."""

import contextlib
import json
import os
import subprocess
import time

import containers
import ig
import pytest
import view

pytestmark = pytest.mark.kernels

# The same calls each time: a shell that waits for what runs beside it makes others as that is slow or quick.
WORK = "cat /etc/passwd >/dev/null; busybox sleep 0.1; (exit 0); echo worked"


@pytest.fixture(scope="module")
def crun_view():
    """crun refuses cgroup v1 and v2 side by side. None: they are not."""
    containers.require("crun")
    if containers.cgroup2_root() == "/sys/fs/cgroup":
        yield None
        return
    v = view.pure_cgroup2()
    yield v
    v.close()


@contextlib.contextmanager
def advice(gadget, name, *args):
    """ig beside what is done; .document is what it has written at its end."""
    with ig.Ig("run", gadget, "-c", name, *args) as running:
        running.ready()
        yield running
        assert running.stop() == 0, running.err
    running.document = running.out


def profile_of(lab, script, *args, exec=None):
    name = lab.name()
    with advice("advise_seccomp", name, *args) as a:
        c = lab.container(script, name=name)
        if exec:
            c.start()
            c.exec(*exec)
        else:
            c.run(check=True)
    return json.loads(a.document)


def names(profile):
    return set(profile["syscalls"][0]["names"])


def run_with(lab, profile, script, runtime="runc", nnp=True, view=None):
    def edit(config):
        config["linux"]["seccomp"] = profile
        config["process"]["noNewPrivileges"] = nnp
        if runtime == "crun":
            config["linux"].pop("resources", None)
    c = lab.container(script, edit=edit, runtime=runtime, view=view)
    return c.run(), c.log()


@pytest.mark.parametrize("nnp", (True, False))
@pytest.mark.parametrize("runtime", ("runc", "crun"))
def test_a_container_runs_with_its_own_profile(lab, crun_view, runtime, nnp):
    profile = profile_of(lab, WORK)
    v = crun_view if runtime == "crun" else None
    code, log = run_with(lab, profile, WORK, runtime, nnp, v)
    assert code == 0 and "worked" in log, log
    # What it did not do is refused: a folder, a link, another name for the machine.
    assert not {"mkdir", "mkdirat", "link", "linkat", "sethostname", "unshare", "mount"} & names(profile)
    code, log = run_with(lab, profile, "mkdir /tmp/d && echo made; " + WORK, runtime, nnp, v)
    assert "made" not in log and "not permitted" in log and "worked" in log, log


def test_without_the_runtimes_calls_it_does_not_start(lab):
    """Else the list of them would be of no use."""
    profile = profile_of(lab, WORK, "--runtime-calls", "no")
    assert len(profile["syscalls"]) == 1
    code, log = run_with(lab, profile, WORK, nnp=False)
    assert code and "worked" not in log, log


def test_the_runtimes_way_in_is_not_counted(lab):
    """runc exec joins namespaces, drops capabilities and loads filters; the container did none of it."""
    profile = profile_of(lab, "echo up; exec sleep 30", exec=("/bin/busybox", "mkdir", "/tmp/by-exec"))
    assert {"mkdir", "mkdirat"} & names(profile)
    foreign = {"setns", "capset", "epoll_ctl", "seccomp", "unshare", "pivot_root", "madvise", "gettid"} & names(profile)
    assert not foreign, foreign


def test_the_profile_is_the_same_whatever_the_runtime(lab, crun_view):
    """crun makes and joins containers without an exec of its own, and in other ways than runc."""
    def profile(runtime, view=None):
        name = lab.name()

        def edit(config):
            if runtime == "crun":
                config["linux"].pop("resources", None)
        with advice("advise_seccomp", name) as a:
            c = lab.container(f"{WORK}; exec sleep 30", name=name, runtime=runtime, view=view, edit=edit).start()
            c.exec("/bin/busybox", "mkdir", "/tmp/by-exec")
            containers.wait_for(lambda: "worked" in c.log(), what="work")
        c.delete()
        return names(json.loads(a.document))
    by_runc, by_crun = profile("runc"), profile("crun", crun_view)
    assert {"mkdir", "mkdirat"} & by_runc and by_runc == by_crun, by_runc ^ by_crun


def test_replay_gives_the_same_document(lab, tmp_path):
    name, file = lab.name(), str(tmp_path / "calls")
    with advice("advise_seccomp", name, "--record", file) as a:
        lab.container(WORK, name=name).run(check=True)
    assert ig.once("replay", file, check=0).out == a.document
    spo = ig.once("replay", file, "-o", "spo", check=0).out
    assert spo.startswith("apiVersion: security-profiles-operator.x-k8s.io/") and f"name: {name}\n" in spo
    listed = [line.strip()[2:] for line in spo.splitlines() if line.startswith("    - ")]
    assert set(listed) == {n for rule in json.loads(a.document)["syscalls"] for n in rule["names"]}
    assert {r["syscall"] for r in ig.records(ig.once("replay", file, "-o", "json", check=0).out)} == names(json.loads(a.document))
    wrong = ig.once("replay", file, "-o", "k8s")
    assert wrong.returncode and "advise_seccomp has no output mode" in wrong.err or "no output mode" in wrong.err


def test_several_containers(lab, tmp_path):
    one, two, file = lab.name(), lab.name(), str(tmp_path / "calls")
    with advice("advise_seccomp", f"{one},{two}", "--record", file) as a:
        lab.container("mkdir /tmp/a", name=one).run(check=True)
        lab.container("ln -s a /tmp/b", name=two).run(check=True)
    both = json.loads(a.document)
    assert set(both) == {one, two}
    assert "mkdir" in names(both[one]) and "mkdir" not in names(both[two]), both
    merged = json.loads(ig.once("replay", file, "--merge", "all", check=0).out)
    assert names(merged) == names(both[one]) | names(both[two])
    assert ig.once("replay", file, "--merge", "rhubarb").returncode


def test_difference(lab, tmp_path):
    there = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["swapon", "write"], "action": "SCMP_ACT_ALLOW"}, {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(there))
    name = lab.name()
    with advice("advise_seccomp", name, "--diff", str(file)) as a:
        lab.container("echo a; mkdir /tmp/a", name=name).run(check=True)
    used, allowed = [line for line in a.document.splitlines() if ":" in line]
    assert "not allowed" in used and " mkdir" in used and " write" not in used, a.document
    assert "not used (1): swapon" in allowed, a.document


def test_difference_from_what_is_in_force(lab):
    """All is let through but one call, which the container does not make."""
    def edit(config):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}, {"names": ["reboot"], "action": "SCMP_ACT_ALLOW"}]}
    name = lab.name()
    with advice("advise_seccomp", name, "--diff", "in-force") as a:
        c = lab.container("sleep 30", name=name, edit=edit).start()
        c.exec("true")
    assert "lets through all" in a.document and "not allowed (0):" in a.document and "not used (1): reboot" in a.document, a.document


def test_nothing_to_report(lab):
    done = ig.once("run", "advise_seccomp", "-c", lab.name(), "--timeout", "300ms")
    assert done.returncode and "no container did anything" in done.err and not done.out, done.err


@pytest.mark.parametrize("gadget, told", (("advise_seccomp", True), ("trace_exec", False)))
def test_who_waits_at_a_terminal_is_told_for_what(lab, gadget, told):
    master, slave = os.openpty()
    subprocess.run([ig.IG, "run", gadget, "-c", lab.name(), "--timeout", "200ms"], stdout=subprocess.DEVNULL, stderr=slave,
                   stdin=subprocess.DEVNULL, timeout=60, env=ig.ENV)
    os.close(slave)
    said = os.read(master, 10000).decode()
    os.close(master)
    assert ("the result comes at the end" in said) == told, said


def test_options_are_for_reports(lab):
    done = ig.once("run", "advise_seccomp", "-o", "json", "--merge", "all", "--timeout", "300ms")
    assert done.returncode and "--merge" in done.err
    done = ig.once("run", "trace_exec", "-o", "oci")
    assert done.returncode and "trace_exec has no output mode 'oci'" in done.err
    assert ig.once("run", "trace_exec", "--merge", "all").returncode


def test_what_is_written_down():
    help_text = ig.once("run", "advise_seccomp", "--help", check=0).out
    page = ig.once("docs", "advise_seccomp", check=0).out
    for word in ("oci", "spo", "--merge", "--diff"):
        assert word in help_text and word in page, word
    assert {"oci", "spo"} <= set(ig.once("complete", "run", "advise_seccomp", "-o", check=0).out.split())
    assert not {"oci", "spo"} & set(ig.once("complete", "run", "trace_exec", "-o", check=0).out.split())
    assert "--merge" in ig.once("replay", "--help", check=0).out


def test_from_a_daemon(lab, agent):
    """Who comes later to the same gadget is told all as well."""
    name = lab.name()
    lab.start("while :; do busybox mkdir /tmp/d; busybox rmdir /tmp/d; busybox sleep 0.05; done", name=name)
    remote = ("--remote", agent.address, "run", "advise_seccomp", "-c", name)
    with ig.Ig(*remote, "--timeout", "4s") as first:
        time.sleep(2 * containers.SLOWER)
        second = ig.once(*remote, "--timeout", "2s", check=0)
        assert first.wait() == 0, first.err
    assert {"mkdir", "rmdir", "execve"} <= names(json.loads(second.out)), second.out
    assert names(json.loads(second.out)) == names(json.loads(first.out))


# ---- capabilities ------------------------------------------------------------------

def with_capabilities(sets):
    def edit(config):
        config["process"]["capabilities"] = sets
    return edit


def given(*names):
    return with_capabilities({s: [f"CAP_{n}" for n in names] for s in ("bounding", "effective", "permitted")})


def bounding(lab, script, edit):
    c = lab.container(f"{script}; grep CapBnd /proc/self/status", edit=edit)
    c.run()
    return int(c.log().split("CapBnd:")[1].split()[0], 16), c.log()


def test_a_container_runs_with_the_capabilities_that_it_used(lab, tmp_path):
    name, file, script = lab.name(), str(tmp_path / "caps"), "chown 5:5 /tmp && echo worked"
    with advice("advise_capabilities", name, "--record", file) as a:
        lab.container(script, name=name, edit=given("CHOWN", "KILL", "NET_RAW", "SYS_ADMIN")).run(check=True)
    drop = a.document[a.document.index("  drop"):]
    assert all(f"CAP_{n}" in drop for n in ("KILL", "NET_RAW", "SYS_ADMIN")) and "CAP_CHOWN" not in drop, a.document
    sets = json.loads(ig.once("replay", file, "-o", "oci", check=0).out)
    assert sets == {s: ["CAP_CHOWN"] for s in ("bounding", "effective", "permitted")}
    caps, log = bounding(lab, script, with_capabilities(sets))
    assert caps == 1 and "worked" in log, log
    caps, log = bounding(lab, script, given("KILL", "NET_RAW"))
    assert "worked" not in log, log
    context = ig.once("replay", file, "-o", "k8s", check=0).out
    assert context == f"# {name}\nsecurityContext:\n  capabilities:\n    drop:\n    - ALL\n    add:\n    - CHOWN\n"


def test_capabilities_in_a_namespace_of_its_own_are_not_granted_ones(lab):
    """Whoever makes a user namespace has all capabilities there, with none given."""
    name = lab.name()
    with advice("advise_capabilities", name) as a:
        c = lab.container("busybox unshare -Uru hostname x; echo done", name=name, edit=given("KILL"))
        c.run(check=True)
    used = next(line for line in a.document.splitlines() if "  used" in line)
    assert "SYS_ADMIN" not in used, a.document


def test_the_runtimes_own_capabilities_are_not_counted(lab):
    name = lab.name()
    with advice("advise_capabilities", name) as a:
        c = lab.start("echo up; exec sleep 30", name=name, edit=given("KILL"))
        c.exec("true")
    assert "SETPCAP" not in a.document and "SETGID" not in a.document, a.document
    assert "used      none" in a.document, a.document


# ---- a read-only root --------------------------------------------------------------

WRITES = ("mkdir -p /var/cache/app && echo x >/var/cache/app/f && mv /var/cache/app/f /var/cache/app/g && "
          "busybox touch /tmp/t && echo worked")


def writable(lab):
    folder = lab.rootfs_with()
    os.makedirs(f"{folder}/var/cache", exist_ok=True)

    def edit(config):
        config["root"] = {"path": folder, "readonly": False}
    return edit


def test_a_container_runs_with_a_read_only_root_and_the_volumes_it_is_advised(lab, tmp_path):
    name, file = lab.name(), str(tmp_path / "writes")
    with advice("advise_readonly", name, "--record", file) as a:
        lab.container(WRITES, name=name, edit=writable(lab)).run(check=True)
    text = a.document
    assert f"{name}: writes to 2 folders of its root\n" in text and "/tmp (tmpfs)" in text, text
    assert "  /var/cache: created" in text and "  /var/cache/app: created, renamed" in text, text
    config = json.loads(ig.once("replay", file, "-o", "oci", check=0).out)
    assert [m["destination"] for m in config["mounts"]] == ["/var/cache"]
    pod = ig.once("replay", file, "-o", "k8s", check=0).out
    assert "readOnlyRootFilesystem: true" in pod and 'mountPath: "/var/cache"\n' in pod and "emptyDir: {}" in pod, pod

    def advised(volumes):
        def edit(c):
            writable(lab)(c)
            c["root"]["readonly"] = config["root"]["readonly"]
            c["mounts"] += volumes
        return edit
    c = lab.container(WRITES, edit=advised(config["mounts"]))
    c.run(check=True)
    assert "worked" in c.log()
    c = lab.container(WRITES, edit=advised([]))
    assert c.run() and "Read-only" in c.log() and "worked" not in c.log()


def test_a_container_that_writes_to_mounts_alone(lab):
    name = lab.name()
    with advice("advise_readonly", name) as a:
        lab.container("echo x >/tmp/x; cat /etc/passwd", name=name).run(check=True)
    assert f"{name}: can run with a read-only root\n" in a.document and "/tmp (tmpfs)" in a.document, a.document


def test_what_a_read_only_root_has_refused(lab):
    name = lab.name()
    with advice("advise_readonly", name) as a:
        lab.container("mkdir /made; echo x >/etc/passwd; true", name=name).run()
    assert "refused as it is read-only" in a.document and "such as /etc/passwd" in a.document, a.document
