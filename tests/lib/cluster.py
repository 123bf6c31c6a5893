# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes cluster of one node: etcd, API server, controllers, scheduler, kubelet and containerd.

All of it runs in a network namespace and a mount namespace of its own, in which /run, /var/lib, /var/log, the bpffs and the
settings that kubelet changes are its own as well: to the machine it is some processes, cgroups of one name, and a folder.

The API server listens at the first address of the services, which the pods' bridge carries. So that is the service
`kubernetes`, for pods as well; there is no kube-proxy and no DNS, and no other service has a route.
"""

import contextlib
import functools
import json
import os
import shutil
import signal

import containers
import daemon
import view
from certificates import Authority
from containerd import Containerd

API = "10.254.0.1"
SERVICES = "10.254.0.0/24"
PODS, GATEWAY = "10.88.77.0/24", "10.88.77.1"
NODE = "lab"

# What kubelet wants of the kernel, and would else set for the whole machine.
SETTINGS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
            "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}

VIEW = """
mount --make-rshared /
for folder in run var/lib var/log; do
	mount --bind {dir}/$folder /$folder
done
for setting in {settings}; do
	mount --bind {dir}/settings/$setting /proc/sys/$setting
done
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
ip link add {bridge} type bridge
ip address add {gateway}/24 dev {bridge}
ip address add {api}/32 dev {bridge}
ip link set {bridge} up
"""


class Node(Containerd):
    """Its containerd, where a system's is."""

    NAMESPACES = ("k8s.io",)

    def __init__(self, lab, folder):
        self.folder, self.view = folder, None
        try:
            super().__init__(lab)
        except BaseException:
            self._close_view()
            raise

    def _place(self):
        for name in ("run", "var/lib", "var/log"):
            os.makedirs(f"{self.folder}/{name}")
        for name, value in SETTINGS.items():
            path = f"{self.folder}/settings/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(f"{value}\n")
        self.view = view.View(VIEW.format(dir=self.folder, settings=" ".join(SETTINGS), bridge=self.bridge,
                                          gateway=GATEWAY, api=API), "--net")
        self.state, self.address = "/run/containerd", "/run/containerd/containerd.sock"
        self.socket = f"{self.folder}{self.address}"

    def _network(self):
        return {"isDefaultGateway": True}

    def _close_view(self):
        if self.view:
            self.view.close()

    def close(self):
        super().close()
        self._close_view()


class Cluster:
    """Ready as soon as it is made. kubectl(…) is its administrator."""

    def __init__(self, lab):
        containers.require("openssl", "mount")
        self.bin = containers.run(os.path.join(containers.TOP, "tests/k8s/build"), timeout=3600).text.splitlines()[-1]
        self.dir = os.path.join(lab.dir, "cluster")
        self.daemons, self.starts = {}, {}
        self.env = dict(os.environ, NO_PROXY="*", no_proxy="*")
        self.node = None
        try:
            os.makedirs(f"{self.dir}/pki")
            self.authority = Authority(f"{self.dir}/pki")
            self.node = Node(lab, f"{self.dir}/node")
            self._start_controllers(self._start_api())
            self._start_kubelet()
        except BaseException:
            self.close()
            raise

    # ---- its programs ------------------------------------------------------------------------------

    def _start(self, name, *args, ready=lambda: True):
        self.starts[name] = functools.partial(daemon.Daemon, self.dir, name, [*self.node.view.enter, f"{self.bin}/{name}", *args],
                                              ready, 90, self.env)
        self.daemons[name] = self.starts[name]()

    def _start_api(self):
        certificate, key = self.authority.sign("apiserver", f"IP:{API},DNS:kubernetes.default.svc")
        client, client_key = self.authority.sign("to-kubelet", subject="/O=system:masters/CN=apiserver")
        signed, signs = self.authority.sign("service-accounts")
        etcd = "http://127.0.0.1:2379"
        self._start("etcd", "--data-dir", f"{self.dir}/etcd", "--unsafe-no-fsync",
                    "--listen-client-urls", etcd, "--advertise-client-urls", etcd)
        self._start(
            "kube-apiserver", f"--etcd-servers={etcd}", f"--bind-address={API}", "--secure-port=443",
            f"--service-cluster-ip-range={SERVICES}", "--allow-privileged", "--authorization-mode=Node,RBAC",
            f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}", f"--client-ca-file={self.authority.ca}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={signed}", f"--service-account-signing-key-file={signs}",
            f"--kubelet-client-certificate={client}", f"--kubelet-client-key={client_key}",
            "--kubelet-preferred-address-types=InternalIP", ready=self._api_answers)
        return signs

    def _start_controllers(self, signs):
        quiet = ("--leader-elect=false", "--port=0", "--secure-port=0")
        # A node of which nothing is heard is soon said to be not ready.
        soon = ("--node-monitor-grace-period=20s", "--node-monitor-period=1s")
        self._start("kube-controller-manager", f"--kubeconfig={self.user('system:kube-controller-manager', 'system:masters')}",
                    f"--service-account-private-key-file={signs}", f"--root-ca-file={self.authority.ca}", *soon, *quiet)
        self._start("kube-scheduler", f"--kubeconfig={self.user('system:kube-scheduler')}", *quiet)

    def _api_answers(self):
        return self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def _start_kubelet(self):
        config = f"{self.dir}/kubelet.json"
        containers.make_cgroups(self.node.cgroup)
        with open(f"{self.dir}/resolv.conf", "w"), open(config, "w") as f:
            json.dump({
                "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
                "address": GATEWAY, "readOnlyPort": 0, "healthzPort": 0, "resolvConf": f"{self.dir}/resolv.conf",
                "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                                   "x509": {"clientCAFile": self.authority.ca}},
                "authorization": {"mode": "Webhook"},
                # kubelet ends what it does not know below its root: that one has to be ours alone.
                "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.node.cgroup}", "enforceNodeAllocatable": ["pods"],
                "failSwapOn": False, "makeIPTablesUtilChains": False, "protectKernelDefaults": True,
                # Where root lacks CAP_SYS_RESOURCE it may not have more.
                "oomScoreAdj": 0, "maxOpenFiles": 4096,
                "evictionHard": {}, "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
                "nodeStatusUpdateFrequency": "2s", "nodeLeaseDurationSeconds": 8, "syncFrequency": "2s"}, f)
        self._start("kubelet", f"--kubeconfig={self.user(f'system:node:{NODE}', 'system:nodes')}", f"--config={config}",
                    f"--cert-dir={self.dir}/pki/kubelet", f"--hostname-override={NODE}", f"--node-ip={GATEWAY}",
                    "--container-runtime=remote", f"--container-runtime-endpoint=unix://{self.node.address}",
                    ready=self._node_is_ready)
        # Pods are refused until their service account has its token.
        containers.wait_for(lambda: self.get("serviceaccount", "default").get("secrets"), 60, "service account")

    def _node_is_ready(self):
        return "True" in self.kubectl("get", "node", NODE, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}",
                                      check=False).text

    @contextlib.contextmanager
    def without_api(self):
        """The API server does not answer, as long as the context lasts."""
        pid = self.daemons["kube-apiserver"].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            containers.wait_for(self._api_answers, 60, "answer of the API server")

    @contextlib.contextmanager
    def without(self, name):
        """One of its programs is gone, as if it had crashed, as long as the context lasts."""
        process = self.daemons[name].process
        process.kill()
        process.wait()
        try:
            yield
        finally:
            self.daemons[name] = self.starts[name]()

    # ---- its users -----------------------------------------------------------------------------------

    def user(self, name, group=None):
        """A kubeconfig of one."""
        file = name.replace(":", "-")
        path = f"{self.dir}/{file}.kubeconfig"
        if not os.path.exists(path):
            certificate, key = self.authority.sign(file, subject=f"/O={group}/CN={name}" if group else f"/CN={name}")
            with open(path, "w") as f:
                json.dump({
                    "apiVersion": "v1", "kind": "Config", "current-context": "lab",
                    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
                    "clusters": [{"name": "lab", "cluster": {"server": f"https://{API}",
                                                             "certificate-authority": self.authority.ca}}],
                    "users": [{"name": name, "user": {"client-certificate": certificate, "client-key": key}}]}, f)
        return path

    @property
    def admin(self):
        return self.user("admin", "system:masters")

    def command(self, *args, user=None):
        """kubectl's command line, to be run from the machine."""
        return [*self.node.view.enter, f"{self.bin}/kubectl", "--kubeconfig", user or self.admin, *args]

    def kubectl(self, *args, user=None, **kwargs):
        return containers.run(*self.command(*args, user=user), env=self.env, **kwargs)

    def get(self, kind, name=None, namespace="default", selector=None):
        """An object, or {"items": […]} of those that the selector chooses."""
        what = [name] if name else ["-l", selector] if selector else []
        return json.loads(self.kubectl("get", kind, *what, "-n", namespace, "-o", "json").text)

    def _objects(self, verb, objects, *flags):
        path = f"{self.dir}/objects.json"
        with open(path, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, f)
        self.kubectl(verb, "-f", path, *flags)

    def apply(self, *objects):
        self._objects("apply", objects)

    @contextlib.contextmanager
    def applied(self, *objects):
        """They are there, with what belongs to them, as long as the context lasts."""
        self.apply(*objects)
        try:
            yield
        finally:
            self._objects("delete", objects, "--cascade=foreground", "--timeout=50s")

    # ---- the end -----------------------------------------------------------------------------------

    def close(self):
        # kubelet first: it would start again what is removed.
        for started in reversed(self.daemons.values()):
            started.stop()
        if self.node:
            self.node.close()
        shutil.rmtree(self.dir, ignore_errors=True)
