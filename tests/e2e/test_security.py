# SPDX-License-Identifier: Apache-2.0
"""trace_security's hooks of the security modules: with arguments and verdict where the kernel has them, else a clear no."""

import ig
import pytest

pytestmark = pytest.mark.kernels

HOOKS = {
    "file-open": ("cat /etc/passwd", {"hook": "file_open", "path": "/etc/passwd"}),
    "bprm-check-security": ("/bin/true", {"hook": "bprm_check_security", "path": "/bin/busybox"}),
    "inode-unlink": ("echo >/tmp/gone; rm /tmp/gone", {"hook": "inode_unlink", "path": "gone"}),
    "socket-connect": ("nc 127.0.0.1 9", {"hook": "socket_connect"}),
    "socket-bind": ("nc -l -p 7001 & sleep 0.3; kill $!", {"hook": "socket_bind"}),
    "sb-mount": ("mount -t tmpfs it /tmp", {"hook": "sb_mount", "path": "/tmp", "source": "it", "type": "tmpfs"}),
    "ptrace-access-check": ("cat /proc/1/environ", {"hook": "ptrace_access_check", "syscall": "openat"}),
    "task-kill": ("kill -0 1; sleep 0 & kill -USR1 $!", {"hook": "task_kill", "sig": "SIGUSR1"}),
}


def has_hooks():
    """As `ig doctor` says."""
    return "no fexit on security_file_open" not in ig.once("doctor", "trace_security", check=0).out


@pytest.mark.parametrize("hook", HOOKS)
def test_hook(lab, hook):
    script, expected = HOOKS[hook]
    name = lab.name()
    if not has_hooks():
        done = ig.once("run", "trace_security", f"--hook-{hook}", "-c", name, "--timeout", "1s")
        assert done.returncode and "trace_security needs fexit on security_" in done.err, done.err
        return
    with ig.Ig("run", "trace_security", f"--hook-{hook}", "-o", "json", "-c", name) as running:
        running.ready()
        lab.container(f"{script}; :", name=name).run()
        found = running.wait_record(lambda r: all(r.get(k) == v for k, v in expected.items()))
        assert running.stop() == 0, running.err
    assert found["verdict"] == "allowed" and found["error"] == "" and found["proc"]["comm"], found
    if hook == "ptrace-access-check":
        assert found["target"] == found["proc"]["parent"]["pid"], found
    if hook == "socket-bind":
        assert found["address"]["port"] == 7001, found
    if hook == "socket-connect":
        assert found["address"]["addr"] == "127.0.0.1" and found["address"]["port"] == 9, found
    others = {r["hook"] for r in running.records()} - {expected["hook"], "capable", "seccomp"}
    assert not others, others


def test_only_what_was_refused(lab):
    name = lab.name()
    with ig.Ig("run", "trace_security", *(["--hook-file-open"] if has_hooks() else []), "--failed", "-o", "json", "-c", name) as running:
        running.ready()
        lab.container("cat /etc/passwd; hostname x; :", name=name).run()
        running.wait_record(lambda r: r["hook"] == "capable")
        assert running.stop() == 0, running.err
    assert not [r for r in running.records() if r["verdict"] == "allowed"], running.out


def test_audit_records(lab):
    """A filter's kill is written into the audit log as well, where programs can look at it."""
    name = lab.name()
    probed = "the kernel's audit records" not in ig.once("doctor", "trace_security", check=0).out
    with ig.Ig("run", "trace_security", "-o", "json", "-c", name) as running:
        running.ready()
        lab.container("seccomp_ways kill; :", name=name).run()
        running.wait_record(lambda r: r["verdict"] == "killed")
        assert running.stop() == 0, running.err
    audits = [r for r in running.records() if r["hook"] == "audit"]
    if not probed:
        assert not audits
        return
    (record,) = [r for r in audits if r["audit_type"] == "SECCOMP"]
    pid = record["proc"]["pid"]
    assert record["verdict"] == "logged" and record["syscall"] == "getpriority", record
    assert record["audit"].startswith("audit(") and f" pid={pid} " in record["audit"], record
    assert 'comm="seccomp_ways"' in record["audit"] and " sig=31 " in record["audit"], record
