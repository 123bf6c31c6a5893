# SPDX-License-Identifier: Apache-2.0
"""A containerd of our own: pods through the CRI, and plain containers by ctr.

All its state lies in one folder, but for runc's, which containerd keeps in /run/containerd/runc/NAMESPACE/ID wherever its
own is. Pods have addresses on a bridge that goes nowhere: it has no address itself.
"""

import contextlib
import json
import os
import shutil
import sys
import uuid

import containers
import daemon
import image

PROTO = os.path.join(containers.HERE, "cri.proto")

CONFIG = """version = 2
root = "{dir}/root"
state = "{state}"
disabled_plugins = [{disabled}]
[grpc]
  address = "{address}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  # Where root lacks CAP_SYS_RESOURCE it may not lower oom_score_adj, and runc would fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
"""


def load_stubs(folder):
    """(messages, services) of cri.proto; generated code lies in `folder`."""
    protoc = containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
    containers.require_module("grpc", "python3-grpcio")
    if "cri_pb2_grpc" not in sys.modules:
        os.makedirs(folder, exist_ok=True)
        if protoc.main(["protoc", f"-I{containers.HERE}", f"--python_out={folder}", f"--grpc_python_out={folder}", PROTO]):
            raise RuntimeError(f"protoc refuses {PROTO}")
        sys.path.insert(0, folder)
    import cri_pb2
    import cri_pb2_grpc
    return cri_pb2, cri_pb2_grpc


class Container:
    """A container of a pod: id, name, and the pod."""

    def __init__(self, pod, name, ident, config):
        self.pod, self.name, self.id, self.config = pod, name, ident, config

    def start(self):
        p, cri = self.pod.runtime.p, self.pod.runtime.cri
        cri.StartContainer(p.StartContainerRequest(container_id=self.id))
        return self

    def exec(self, *command):
        """(exit code, what it printed)"""
        return self.pod.runtime.exec_in(self.id, *command)

    def status(self):
        p, cri = self.pod.runtime.p, self.pod.runtime.cri
        return cri.ContainerStatus(p.ContainerStatusRequest(container_id=self.id, verbose=True))

    @property
    def pid(self):
        return json.loads(self.status().info["info"])["pid"]

    def wait(self, seconds=20):
        """Until it has ended by itself."""
        exited = self.pod.runtime.p.CONTAINER_EXITED
        containers.wait_for(lambda: self.status().status.state == exited, seconds, f"end of {self.name}")

    def remove(self):
        p, cri = self.pod.runtime.p, self.pod.runtime.cri
        cri.StopContainer(p.StopContainerRequest(container_id=self.id))
        cri.RemoveContainer(p.RemoveContainerRequest(container_id=self.id))


class Pod:
    """A pod that runs: id (of its sandbox), name, namespace, uid, labels. As a context it is removed on leaving."""

    def __init__(self, runtime, name, namespace, uid, labels, options):
        self.runtime, self.name, self.namespace = runtime, name, namespace
        self.uid, self.labels = uid or str(uuid.uuid4()), dict(labels)
        self.config = self._config(**options)
        self.id = runtime.cri.RunPodSandbox(runtime.p.RunPodSandboxRequest(config=self.config)).pod_sandbox_id

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def _config(self, annotations=(), host_network=False, host_pid=False, share_pid=False, privileged=False):
        p = self.runtime.p
        # As the kubelet labels them.
        labels = {"io.kubernetes.pod.name": self.name, "io.kubernetes.pod.namespace": self.namespace,
                  "io.kubernetes.pod.uid": self.uid, **self.labels}
        pid = p.NODE if host_pid else p.POD if share_pid else p.CONTAINER
        namespaces = p.NamespaceOption(network=p.NODE if host_network else p.POD, pid=pid, ipc=p.POD)
        return p.PodSandboxConfig(
            metadata=p.PodSandboxMetadata(name=self.name, uid=self.uid, namespace=self.namespace),
            # With the host's network there is no UTS namespace to set a name in.
            hostname="" if host_network else self.name.replace("_", "-")[:60], labels=labels, annotations=dict(annotations),
            linux=p.LinuxPodSandboxConfig(
                # Below a folder of our own: a kubelet that may run here ends what it does not know in /kubepods.
                cgroup_parent=f"/{self.runtime.cgroup}/kubepods/besteffort/pod{self.uid}",
                security_context=p.LinuxSandboxSecurityContext(namespace_options=namespaces, privileged=privileged)))

    @property
    def ip(self):
        p = self.runtime.p
        return self.runtime.cri.PodSandboxStatus(p.PodSandboxStatusRequest(pod_sandbox_id=self.id)).status.network.ip

    @property
    def pid(self):
        """The process that holds its namespaces."""
        p = self.runtime.p
        status = self.runtime.cri.PodSandboxStatus(p.PodSandboxStatusRequest(pod_sandbox_id=self.id, verbose=True))
        return json.loads(status.info["info"])["pid"]

    def create(self, name, *command, annotations=(), mounts=()):
        """A container in it that does not run yet. One string is for its shell; mounts: (host's path, container's)."""
        if len(command) == 1:
            command = ("sh", "-c", command[0])
        p, context = self.runtime.p, self.config.linux.security_context
        labels = {k: v for k, v in self.config.labels.items() if k.startswith("io.kubernetes.pod.")}
        config = p.ContainerConfig(
            metadata=p.ContainerMetadata(name=name), image=p.ImageSpec(image=image.BUSYBOX),
            command=command[:1], args=command[1:], labels={**labels, "io.kubernetes.container.name": name},
            annotations={"io.kubernetes.container.restartCount": "0", **dict(annotations)},
            mounts=[p.Mount(host_path=host, container_path=inside) for host, inside in mounts],
            linux=p.LinuxContainerConfig(security_context=p.LinuxContainerSecurityContext(
                privileged=context.privileged, namespace_options=context.namespace_options)))
        ident = self.runtime.cri.CreateContainer(p.CreateContainerRequest(
            pod_sandbox_id=self.id, config=config, sandbox_config=self.config)).container_id
        return Container(self, name, ident, config)

    def run(self, name, *command, **kwargs):
        """The same, started."""
        return self.create(name, *command, **kwargs).start()

    def remove(self):
        self.runtime.remove_pod(self.id)


class Containerd:
    """The daemon. ctr(…) is its own client; cri and p are the CRI's calls and messages."""

    NAME = "containerd"
    IMAGE = image.BUSYBOX
    NAMESPACES = ("k8s.io", "default", "other")  # with the images in them

    def __init__(self, lab, runc="runc", view=None):
        containers.require("containerd", "ctr", "containerd-shim-runc-v2", "runc", "ip",
                           "/usr/lib/cni/bridge", "/usr/lib/cni/host-local")
        self.p, services = load_stubs(os.path.join(lab.dir, "stubs"))
        import grpc
        number = next(lab.numbers)
        self.dir = os.path.join(lab.dir, f"containerd{number}")
        self.cgroup = f"{lab.prefix}-pods{number}"
        self.bridge = f"ig{os.getpid()}n{number}"[-15:]
        self.runc, self.view = shutil.which(runc), view
        os.makedirs(f"{self.dir}/cni")
        self._place()
        self._start()
        self.channel = grpc.insecure_channel(f"unix://{self.socket}")
        self.cri = services.RuntimeServiceStub(self.channel)
        try:
            for namespace in self.NAMESPACES:
                self.ctr("image", "import", lab.images, namespace=namespace)
            # By its digest as well, as an image that was pulled.
            by_digest = f"{self.IMAGE.split(':')[0]}@{lab.image_ids[self.IMAGE][1]}"
            self.ctr("image", "tag", self.IMAGE, by_digest, namespace="k8s.io")
        except BaseException:
            self.close()
            raise

    def _place(self):
        """Where it has its state and its socket; socket is as we see it."""
        self.state = f"{self.dir}/state"
        self.socket = self.address = f"{self.dir}/containerd.sock"

    def _network(self):
        """How pods' bridge is made: it leads nowhere."""
        return {"isGateway": False}

    def _start(self, cri=True):
        self._write_config(["io.containerd.internal.v1.opt"] + ([] if cri else ["io.containerd.grpc.v1.cri"]))
        self.daemon = daemon.Daemon(self.dir, "containerd", [
            *(self.view.enter if self.view else ()), "containerd", "-c", f"{self.dir}/config.toml"], self._answers)

    def restart(self):
        """What runs goes on running."""
        self.daemon.stop()
        self._start()
        containers.wait_for(self._serves_pods, 20, "pods after the restart")

    @contextlib.contextmanager
    def without_cri(self):
        """What runs goes on running, and containerd serves its own API alone."""
        self.daemon.stop()
        self._start(cri=False)
        try:
            yield
        finally:
            self.restart()

    def _write_config(self, disabled):
        with open(f"{self.dir}/config.toml", "w") as f:
            f.write(CONFIG.format(dir=self.dir, state=self.state, address=self.address, pause=image.PAUSE, runc=self.runc,
                                  disabled=", ".join(f'"{name}"' for name in disabled)))
        with open(f"{self.dir}/cni/10-test.conflist", "w") as f:
            json.dump({"cniVersion": "0.4.0", "name": self.bridge, "plugins": [
                {"type": "bridge", "bridge": self.bridge, **self._network(), "ipMasq": False, "ipam": {
                    "type": "host-local", "dataDir": f"{self.dir}/ipam", "ranges": [[{"subnet": "10.88.77.0/24"}]]}}]}, f)

    def _serves_pods(self):
        import grpc
        try:
            self.pods()
        except grpc.RpcError:
            return False
        return True

    def _answers(self):
        return containers.run("ctr", "-a", self.socket, "version", check=False).returncode == 0

    @property
    def flags(self):
        """What ig has to be told to find it."""
        return ["--containerd-socketpath", self.socket]

    def bundle(self, ident, namespace="k8s.io"):
        return f"{self.state}/io.containerd.runtime.v2.task/{namespace}/{ident}"

    # ---- pods ------------------------------------------------------------------------------------

    def run_pod(self, name, namespace="default", labels=(), uid=None, **options):
        """A pod without containers. options: annotations, host_network, host_pid, share_pid, privileged."""
        return Pod(self, name, namespace, uid, labels, options)

    def pods(self):
        """Ids of all."""
        return [item.id for item in self.cri.ListPodSandbox(self.p.ListPodSandboxRequest()).items]

    def exec_in(self, ident, *command):
        """In a container of a pod: (exit code, what it printed)."""
        done = self.cri.ExecSync(self.p.ExecSyncRequest(container_id=ident, cmd=command, timeout=60))
        return done.exit_code, (done.stdout + done.stderr).decode(errors="replace")

    def remove_pod(self, ident):
        self.cri.StopPodSandbox(self.p.StopPodSandboxRequest(pod_sandbox_id=ident))
        self.cri.RemovePodSandbox(self.p.RemovePodSandboxRequest(pod_sandbox_id=ident))

    # ---- containers outside the CRI ------------------------------------------------------------------

    def ctr(self, *args, namespace="default", check=True):
        return containers.run("ctr", "-a", self.socket, "-n", namespace, *args, check=check).text.strip()

    def start(self, name, *command, options=()):
        """A container in the background, by ctr. One string is for its shell."""
        if len(command) == 1:
            command = ("sh", "-c", command[0])
        self.ctr("run", "-d", "--runc-binary", self.runc, *options, self.IMAGE, name, *command)
        return containers.Started(self, name, name)

    def run(self, name, *command, options=(), namespace="default"):
        """A container to its end, and away; what it printed."""
        return self.ctr("run", "--rm", "--runc-binary", self.runc, *options, self.IMAGE, name, *command, namespace=namespace)

    def exec(self, name, *command):
        return self.ctr("task", "exec", "--exec-id", uuid.uuid4().hex, name, *command)

    def runs(self, name):
        return any(line.split()[0] == name and "RUNNING" in line for line in self.ctr("task", "ls").splitlines())

    def pid_of(self, name):
        return next(int(line.split()[1]) for line in self.ctr("task", "ls").splitlines() if line.split()[0] == name)

    def remove(self, name, namespace="default"):
        self.ctr("task", "rm", "-f", name, namespace=namespace, check=False)
        self.ctr("container", "rm", name, namespace=namespace, check=False)

    # ---- the end -----------------------------------------------------------------------------------

    def _remove_all(self):
        import grpc
        # Pods by the CRI, which alone gives back their network namespaces. Shims would outlive the daemon.
        with contextlib.suppress(grpc.RpcError):
            for ident in self.pods():
                with contextlib.suppress(grpc.RpcError):
                    self.remove_pod(ident)
        for namespace in self.ctr("namespace", "ls", "-q", check=False).split():
            for name in self.ctr("container", "ls", "-q", namespace=namespace, check=False).split():
                self.remove(name, namespace)

    def close(self):
        if self.daemon.process.poll() is None:
            self._remove_all()
        self.channel.close()
        self.daemon.stop()
        daemon.unmount_below(self.dir)
        containers.run("ip", "link", "del", self.bridge, check=False)
        containers.remove_cgroups(self.cgroup)
        daemon.remove_empty_cgroups(*self.NAMESPACES)
        top = "/run/containerd"
        daemon.remove_empty(*(f"{top}/runc/{namespace}" for namespace in self.NAMESPACES), f"{top}/runc", f"{top}/fifo", f"{top}/s", top,
                            "/var/lib/cni/results", "/var/lib/cni")
        shutil.rmtree(self.dir, ignore_errors=True)
