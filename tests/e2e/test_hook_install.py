# SPDX-License-Identifier: Apache-2.0
"""`ig hook install` and `uninstall`, below a folder of the test's."""

import json
import os
import subprocess

import containers
import ig
import pytest

TOML = "/etc/containerd/config.toml"
DAEMON = "/etc/docker/daemon.json"
SPEC = "/etc/containerd/ig-base-spec.json"
CRI = 'plugins."io.containerd.grpc.v1.cri".containerd'


@pytest.fixture(scope="module")
def ctr_root(whole_lab):
    return whole_lab.rootfs_with("ctr")


@pytest.fixture
def root(tmp_path, ctr_root):
    """A host's root with containerd's client."""
    for name in os.listdir(ctr_root):
        path = os.path.join(ctr_root, name)
        if name != "etc":
            containers.run("cp", "-al", path, str(tmp_path))
    return str(tmp_path)


def put(root, path, text):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    with open(root + path, "w", newline="") as f:
        f.write(text)


def get(root, path):
    try:
        with open(root + path, newline="") as f:
            return f.read()
    except FileNotFoundError:
        return None


def command(verb, runtime, root, *args, check=0):
    return ig.once("hook", verb, "--runtime", runtime, "--root", root, *args, check=check)


def tree(root):
    """All files below its /etc and /usr/share, with what is in them."""
    return {os.path.join(top, f): open(os.path.join(top, f)).read()
            for sub in ("etc", "usr/share") for top, _, files in os.walk(os.path.join(root, sub)) for f in files}


def check_round(runtime, root, *args):
    """Installs it, twice with one result; takes it out, and all is as it was."""
    before = tree(root)
    diff = command("install", runtime, root, "--dry-run", *args).out
    assert tree(root) == before
    command("install", runtime, root, *args)
    installed = tree(root)
    assert installed != before
    command("install", runtime, root, *args)
    assert tree(root) == installed
    command("uninstall", runtime, root, "--dry-run")
    assert tree(root) == installed
    command("uninstall", runtime, root)
    assert tree(root) == before
    # What was shown is what was done.
    patched = subprocess.run(["patch", "-s", "-p0", "-d", "/"], input=diff.encode(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    assert patched.returncode == 0, (diff, patched.stdout)
    assert tree(root) == installed
    command("uninstall", runtime, root)
    assert tree(root) == before
    return installed


@pytest.mark.parametrize("runtime, folder", [("podman", "/etc/containers/oci/hooks.d"), ("crio", "/usr/share/containers/oci/hooks.d")])
def test_hooks_d(runtime, folder, root):
    put(root, f"{folder}/other.json", "{}")
    installed = check_round(runtime, root, "--host", "unix:///a \"b\"", "--program", "/opt/ig")
    hook = json.loads(installed[f"{root}{folder}/ig-poststop.json"])
    assert hook == {"version": "1.0.0", "when": {"always": True}, "stages": ["poststop"],
                    "hook": {"path": "/opt/ig", "args": ["ig", "hook", "poststop", "--host", "unix:///a \"b\""]}}
    command("install", runtime, root, "--stages", "prestart")
    assert set(os.listdir(root + folder)) == {"other.json", "ig-prestart.json"}


@pytest.mark.parametrize("text", [
    None, "{}", "{}\n", "{\n}\n", '{"runtimes":{}}', '{ "runtimes" : { "x": {"path": "/x"} }, "debug": true }\n',
    '{\n  "debug": true,\n  "big": 18446744073709551615\n}', '\n\t{"log-level":"warn", "a":{"runtimes":{"ig":1}}}'])
@pytest.mark.parametrize("args", [(), ("--default",)])
def test_docker(text, args, root):
    if text is not None:
        put(root, DAEMON, text)
    installed = json.loads(check_round("docker", root, *args)[root + DAEMON])
    assert installed["runtimes"]["ig"]["path"] == os.path.realpath(ig.IG)
    assert installed.get("default-runtime") == ("ig" if args else None)
    for key, value in json.loads(text or "{}").items():
        assert installed[key] == value if key != "runtimes" else value.items() <= installed[key].items()


@pytest.mark.parametrize("text, args", [
    ("", ()), ("nonsense", ()), ("[]", ()), ('{"a":1', ()), ('{"a":1}x', ()), ('{"runtimes":[]}', ()),
    ('{"runtimes":{"ig":{"path":"/mine"}}}', ()), ('{"default-runtime":"x"}', ("--default",)), ('{"a":"\0"}', ())])
def test_docker_refuses(text, args, root):
    put(root, DAEMON, text)
    done = command("install", "docker", root, *args, check=None)
    assert done.returncode and "daemon.json" in done.err
    assert get(root, DAEMON) == text


CONFIGS = {
    "none": None,
    "empty": "",
    "comment": "# nothing\n",
    "version": "version = 2",
    "elsewhere": 'version = 2\nroot = "/x"\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    sandbox_image = "p"',
    "table": f'version = 2\n[{CRI}.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n[{CRI}.runtimes.runc.options]\n  A = 1\n',
    "table last": f"version = 2\n[ plugins . 'io.containerd.grpc.v1.cri'.containerd.runtimes.runc ]  # here",
    "empty key": f'version = 2\n[{CRI}.runtimes.runc]\n  a = "x"\n  base_runtime_spec = ""\n  b = [\n  [1],\n  ["["]\n]\n[x]\n',
    "key last": f'version = 2\n[{CRI}.runtimes.runc]\n  base_runtime_spec = ""',
    "other runtime": f'version = 2\n[{CRI}]\n  default_runtime_name = "kata"\n[{CRI}.runtimes.kata]\n a = 1\n[{CRI}.runtimes.runc]\n',
    "v3": "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n  runtime_type = 'x'\n",
    "crlf": f'version = 2\r\n[{CRI}.runtimes.runc]\r\n  runtime_type = "x"\r\n',
}


@pytest.mark.parametrize("name", CONFIGS)
def test_containerd(name, root):
    toml = containers.require_module("tomllib", "python3")
    text = CONFIGS[name]
    if text is not None:
        put(root, TOML, text)
    installed = check_round("containerd", root)
    config = toml.loads(installed[root + TOML])
    plugin = "io.containerd.cri.v1.runtime" if name == "v3" else "io.containerd.grpc.v1.cri"
    runtime = config["plugins"][plugin]["containerd"]["runtimes"]["kata" if name == "other runtime" else "runc"]
    assert runtime["base_runtime_spec"] == SPEC
    assert config["version"] == (3 if name == "v3" else 2)
    spec = json.loads(installed[root + SPEC])
    assert spec.pop("hooks") == {s: [{"path": os.path.realpath(ig.IG), "args": ["ig", "hook", s]}] for s in ("createRuntime", "poststop")}
    assert spec == json.loads(containers.run("ctr", "oci", "spec").text)


def test_containerd_default_config(root):
    put(root, TOML, containers.run("containerd", "config", "default").text)
    check_round("containerd", root)


def test_containerd_own_base(root):
    """Hooks are added to the specification that there is."""
    put(root, "/etc/containerd/base.json", '{"ociVersion":"1.0.2","hooks":{"prestart":[{"path":"/x"}],"poststop":[{"path":"/y"}]}}')
    put(root, TOML, f'version = 2\n[{CRI}.runtimes.runc]\nbase_runtime_spec = "/etc/containerd/base.json"\n')
    spec = json.loads(check_round("containerd", root)[root + SPEC])
    assert spec["hooks"]["prestart"] == [{"path": "/x"}]
    assert [h["path"] for h in spec["hooks"]["poststop"]] == [os.path.realpath(ig.IG), "/y"]


@pytest.mark.parametrize("text", [
    'root = "/x"\n', "version = 1\n[a]\n", 'version = 2\nimports = ["/x"]\n',
    "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  runtimes = {runc = {}}\n",
    f'version = 2\n[{CRI}.runtimes]\n  runc.runtime_type = "x"\n',
    "version = 2\nplugins = {}\n", 'version = 2\na = """\n[b]\n"""\n', "version = 2\n[a\n", "version = 2\nnonsense\n",
    f'version = 2\n[{CRI}]\n  default_runtime_name = "kata"\n', f'version = 2\n[{CRI}.runtimes.runc]\nbase_runtime_spec = 7\n',
    f'version = 2\n[{CRI}.runtimes.runc]\nbase_runtime_spec = "/none"\n'])
def test_containerd_refuses(text, root):
    put(root, TOML, text)
    done = command("install", "containerd", root, check=None)
    assert done.returncode and done.err
    assert get(root, TOML) == text and get(root, SPEC) is None


def test_links_are_left_alone(root):
    put(root, "/elsewhere.json", "{}")
    os.makedirs(f"{root}/etc/docker")
    os.symlink("/elsewhere.json", root + DAEMON)
    assert "symbolic link" in command("install", "docker", root, check=1).err
    assert get(root, "/elsewhere.json") == "{}"


def test_owner_and_mode_stay(root):
    put(root, DAEMON, "{}")
    os.chown(root + DAEMON, 12, 34)
    os.chmod(root + DAEMON, 0o640)
    command("install", "docker", root)
    st = os.stat(root + DAEMON)
    assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (12, 34, 0o640)
    assert os.listdir(f"{root}/etc/docker") == ["daemon.json"]


def test_usage(root):
    assert "no stage" in command("install", "podman", root, "--stages", "x", check=2).err
    assert "one of podman" in command("install", "lxc", root, check=2).err
    assert "--runtime" in ig.once("hook", "install", check=2).err
    assert ig.once("hook", check=2).err and ig.once("hook", "nonsense", check=2).err
