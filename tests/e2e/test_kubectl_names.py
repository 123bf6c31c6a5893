# SPDX-License-Identifier: Apache-2.0
"""Commands of kubectl-gadget as they were before it had `run`: each does what it did, or says what to do instead."""

import os

import ig
import pytest

# Of v0.12.1, and the flat names of v0.1 to v0.4.
GADGETS = {
    "advise network-policy": "advise_networkpolicy", "advise network-policy monitor": "advise_networkpolicy",
    "advise seccomp-profile": "advise_seccomp", "audit seccomp": "audit_seccomp",
    "profile block-io": "profile_blockio", "profile cpu": "profile_cpu", "profile cpu -U": "profile_cpu", "profile cpu -K": "profile_cpu",
    "snapshot process": "snapshot_process", "snapshot process -t": "snapshot_process", "snapshot socket": "snapshot_socket",
    "top block-io": "top_blockio", "top ebpf": "bpfstats", "top file": "top_file", "top file -a": "top_file", "top tcp": "top_tcp",
    "top block-io 5": "top_blockio", "top ebpf 5 -m 3": "bpfstats", "top file --max-rows 3": "top_file", "top tcp 2 -f 4": "top_tcp",
    "trace bind": "trace_bind", "trace bind -P 80 -i": "trace_bind", "trace capabilities": "trace_capabilities",
    "trace capabilities --audit-only --unique": "trace_capabilities", "trace dns": "trace_dns", "trace exec": "trace_exec",
    "trace fsslower": "trace_fsslower", "trace fsslower -f ext4 -m 5": "trace_fsslower", "trace mount": "trace_mount",
    "trace network": "trace_network", "trace oomkill": "trace_oomkill", "trace open": "trace_open", "trace signal": "trace_signal",
    "trace signal -f -k --signal SIGTERM --pid 7": "trace_signal", "trace sni": "trace_sni", "trace tcp": "trace_tcp",
    "trace tcpconnect": "trace_tcp",
    "execsnoop": "trace_exec", "opensnoop": "trace_open", "tcptop": "top_tcp", "tcpconnect": "trace_tcp", "tcptracer": "trace_tcp",
    "bindsnoop": "trace_bind", "mountsnoop": "trace_mount", "profile": "profile_cpu", "profile -U": "profile_cpu",
    "profile -K": "profile_cpu", "capabilities": "trace_capabilities", "capabilities --print-stack --unique": "trace_capabilities",
    "biotop": "top_blockio", "biolatency": "profile_blockio", "process-collector": "snapshot_process",
    "socket-collector": "snapshot_socket", "dns": "trace_dns", "network-policy monitor": "advise_networkpolicy",
    "seccomp-advisor": "advise_seccomp", "filetop": "top_file", "fsslower": "trace_fsslower", "oomkill": "trace_oomkill",
    "sigsnoop": "trace_signal", "snisnoop": "trace_sni", "ebpftop": "bpfstats", "audit-seccomp": "audit_seccomp",
    "network-graph": "trace_network",
}

COMMANDS = {
    "advise network-policy report --input f": "replay", "network-policy report --input=f": "replay",
    "advise seccomp-profile list": "ps", "seccomp-advisor list": "ps", "biolatency list": "ps",
    "traceloop list": "traceloop", "traceloop show 5": "traceloop", "traceloop delete 5": "traceloop", "traceloop close 5": "traceloop",
    "deploy": "deploy", "undeploy": "undeploy", "version": "version",
}

INSTEAD = {
    "advise seccomp-profile start": "run advise_seccomp", "advise seccomp-profile stop": "attach NAME",
    "seccomp-advisor start": "run advise_seccomp", "seccomp-advisor stop 1": "attach NAME",
    "biolatency start": "run profile_blockio -o histogram", "biolatency stop": "attach NAME",
    "traceloop start": "traceloop list", "traceloop stop": "traceloop list", "traceloop pod ns web 0": "traceloop show NAMESPACE/POD",
}

COMMON = "--selector app=web --node n1 -p web -c main -A -n shop --timeout 30 -o json".split()


@pytest.fixture
def kubectl_gadget(tmp_path):
    """Where no cluster is."""
    os.symlink(ig.IG, tmp_path / "kubectl-gadget")
    return lambda *args: ig.once(*args, command=(str(tmp_path / "kubectl-gadget"),), env={"KUBECTL": "/no/such"})


@pytest.mark.parametrize("words", GADGETS)
def test_a_gadget(kubectl_gadget, words):
    """With the flags of its own and those that all had."""
    done = kubectl_gadget(*words.split(), *COMMON, "--help")
    assert done.returncode == 0 and f"\n{GADGETS[words]}: " in done.out and not done.err, done.err
    wrong = kubectl_gadget(*words.split(), "--rhubarb")
    assert wrong.returncode == 2 and "no program kubectl" in wrong.err, wrong.err


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command(kubectl_gadget, words):
    done = kubectl_gadget(*words.split(), "--help")
    assert done.returncode == 0 and f"Usage: kubectl gadget {COMMANDS[words]}" in done.out, done.err


@pytest.mark.parametrize("words", INSTEAD)
def test_what_to_do_instead(kubectl_gadget, words):
    done = kubectl_gadget(*words.split())
    assert done.returncode == 2 and INSTEAD[words] in done.err and not done.out, done.err


def test_no_such_gadget(kubectl_gadget):
    for words, name in ((("trace",), "trace"), (("trace", "--node", "n1"), "trace"), (("top", "cats"), "top_cats")):
        done = kubectl_gadget(*words)
        assert done.returncode == 2 and f"no gadget '{name}'" in done.err, done.err


@pytest.mark.parametrize("category, words", (("trace", ["exec", "network"]), ("top", ["tcp", "ebpf"]), ("advise", ["seccomp"])))
@pytest.mark.parametrize("flag", ("--help", "-h"))
def test_help_of_a_category(kubectl_gadget, category, words, flag):
    """Its gadgets, by words that it takes."""
    done = kubectl_gadget(category, flag)
    assert done.returncode == 0 and not done.err and f"Usage: kubectl gadget {category} GADGET" in done.out
    listed = [line.split()[0] for line in done.out.split("Gadgets:\n")[1].splitlines()]
    assert set(words) <= set(listed)
    for word in listed:
        assert kubectl_gadget(category, word, "--help").returncode == 0, word


def test_help_names_no_command_of_the_other_program(kubectl_gadget):
    assert "ig docs" in ig.once("run", "trace_exec", "--help", check=0).out
    assert "ig docs" not in kubectl_gadget("run", "trace_exec", "--help").out
