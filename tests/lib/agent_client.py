# SPDX-License-Identifier: Apache-2.0
"""A client of `ig daemon` that is not ours: grpcio, with stubs made from .proto files when the tests run."""

import contextlib
import importlib
import json
import os
import queue
import sys
import tempfile
import threading

import api_client
import containers

SOURCES = {
    "api": containers.HERE,
    "health": containers.HERE,
    "gadgettracermanager": os.path.join(containers.TOP, "src", "api"),
    "node": os.path.join(containers.TOP, "src", "wire"),
}
INFO, LOG = 4, 1 << 16  # types of events


def _load(folder, name):
    protoc = importlib.import_module("grpc_tools.protoc")
    if protoc.main(["protoc", f"-I{SOURCES[name]}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                    os.path.join(SOURCES[name], f"{name}.proto")]):
        raise RuntimeError(f"protoc refuses {name}.proto")


class _Stubs:
    """Messages and services of every package by their file's name: STUBS.api.GadgetData, STUBS.api_grpc.GadgetManagerStub."""

    def __getattr__(self, name):
        containers.require_module("grpc_tools.protoc", "python3-grpc-tools")
        containers.require_module("grpc", "python3-grpcio")
        with tempfile.TemporaryDirectory() as folder:
            sys.path.insert(0, folder)
            try:
                for source in SOURCES:
                    if f"{source}_pb2" not in sys.modules:
                        _load(folder, source)
                    setattr(self, source, importlib.import_module(f"{source}_pb2"))
                    setattr(self, f"{source}_grpc", importlib.import_module(f"{source}_pb2_grpc"))
            finally:
                sys.path.remove(folder)
        return self.__dict__[name]


STUBS = _Stubs()


def status_of(call):
    """(name of the status, text) that a call ends with."""
    import grpc
    try:
        result = call()
        if hasattr(result, "__iter__") and hasattr(result, "code"):
            for _ in result:
                pass
            return result.code().name, result.details()
        return "OK", ""
    except grpc.RpcError as e:
        return e.code().name, e.details()


def wanted(account):
    """Of the records that were seen, those that were not other people's: a moment passes until that is known."""
    return account.totals.seen - account.totals.discarded


class Client:
    """One connection. Its services: tracers, gadgets, builtin, instances, node, health."""

    def __init__(self, address, credentials=None, options=()):
        import grpc
        # Each client a connection of its own: grpcio shares those of equal channels otherwise.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1), *options]
        target = address.removeprefix("tcp://")
        self.channel = grpc.secure_channel(target, credentials, options) if credentials else \
            grpc.insecure_channel(target, options)
        s = STUBS
        self.tracers = s.gadgettracermanager_grpc.GadgetTracerManagerStub(self.channel)
        self.gadgets = s.api_grpc.GadgetManagerStub(self.channel)
        self.builtin = s.api_grpc.BuiltInGadgetManagerStub(self.channel)
        self.instances = s.api_grpc.GadgetInstanceManagerStub(self.channel)
        self.node = s.node_grpc.NodeStub(self.channel)
        self.health = s.health_grpc.HealthStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    # ---- tracers ----

    def add_tracer(self, ident="", **selector):
        s = STUBS.gadgettracermanager
        labels = [s.Label(key=k, value=v) for k, v in selector.pop("labels", {}).items()]
        return self.tracers.AddTracer(s.AddTracerRequest(
            id=ident, selector=s.ContainerSelector(labels=labels, **selector))).id

    def remove_tracer(self, ident):
        return self.tracers.RemoveTracer(STUBS.gadgettracermanager.TracerID(id=ident))

    def receive(self, ident):
        return Lines(self.tracers.ReceiveStream(STUBS.gadgettracermanager.TracerID(id=ident)))

    def state(self):
        return json.loads(self.tracers.DumpState(STUBS.gadgettracermanager.DumpStateRequest()).state)

    # ---- gadgets ----

    def run(self, gadget, timeout=0, **kwargs):
        return Run(self, runRequest=STUBS.api.GadgetRunRequest(imageName=gadget, version=1, paramValues=params(**kwargs),
                                                               timeout=int(timeout * 1e9)))

    def attach(self, ident):
        return Run(self, attachRequest=STUBS.api.GadgetAttachRequest(id=ident, version=1))

    def create(self, gadget, name="", ident="", history=0, tags=(), **kwargs):
        s = STUBS.api
        config = s.GadgetRunRequest(imageName=gadget, version=1, paramValues=params(**kwargs))
        return self.instances.CreateGadgetInstance(s.CreateGadgetInstanceRequest(
            gadgetInstance=s.GadgetInstance(id=ident, name=name, tags=tags, gadgetConfig=config),
            eventBufferLength=history)).gadgetInstance

    def remove(self, ident):
        return self.instances.RemoveGadgetInstance(STUBS.api.GadgetInstanceId(id=ident))

    def listed(self):
        return list(self.instances.ListGadgetInstances(STUBS.api.ListGadgetInstancesRequest()).gadgetInstances)

    def account(self, ident):
        """The last event of an Account stream: the totals, when the run has ended."""
        return [e for e in self.node.Account(STUBS.node.AccountRequest(id=ident))][-1].account


def params(container=None, tracer=None, **gadget):
    """paramValues: operator.ig.containername, operator.ig.tracer, and the gadget's own."""
    of_ig = {"containername": container, "tracer": tracer}
    return {**{f"operator.ig.{k}": v for k, v in of_ig.items() if v},
            **{f"operator.oci.ebpf.{k.replace('_', '-')}": v for k, v in gadget.items()}}


class Stream:
    """A call's messages, read by a thread of its own as they come."""

    def __init__(self, call):
        self.call, self.error = call, None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        import grpc
        try:
            for message in self.call:
                self.take(message)
        except grpc.RpcError as e:
            self.error = e
        self.ended()

    def ended(self):
        pass

    def end(self, seconds=20):
        """Waits for the end of the stream: (status, text)."""
        self.thread.join(seconds * containers.SLOWER)
        assert not self.thread.is_alive(), "the stream does not end"
        return self.call.code().name, self.call.details()

    def cancel(self):
        self.call.cancel()
        self.thread.join(20)

    def wait(self, condition, seconds=20, what="such record"):
        def look():
            assert self.thread.is_alive() or condition(), f"the stream has ended: {self.error}"
            return condition()
        return containers.wait_for(look, seconds, what)


class Lines(Stream):
    """ReceiveStream: the records, and what ig says of itself."""

    def __init__(self, call):
        self.records, self.notes = [], []
        super().__init__(call)

    def take(self, message):
        line = json.loads(message.line)
        if set(line) == {"ig"}:
            self.notes.append(line["ig"])
        else:
            self.records.append(line)


class Run(Stream):
    """RunGadget. Rows are {full name: value}, of tables lists of them; `gaps` is how many events were left out."""

    def __init__(self, client, **request):
        self.requests = queue.Queue()
        self.ask(**request)
        self.info, self.rows, self.tables, self.log, self.gaps, self.seq = None, [], [], [], 0, 0
        self.read, self.decode = 0, True
        self.may_read = threading.Event()
        self.may_read.set()
        super().__init__(client.gadgets.RunGadget(iter(self.requests.get, None)))

    def ended(self):
        self.requests.put(None)  # a thread of grpcio's waits for them, and keeps the connection

    def ask(self, **request):
        self.requests.put(STUBS.api.GadgetControlRequest(**request))

    def take(self, event):
        if event.type == INFO:
            assert self.info is None
            self.info = STUBS.api.GadgetInfo.FromString(event.payload)
        elif event.type >= LOG:
            self.log.append((event.type >> 16, event.payload.decode()))
        else:
            assert event.type == 0 and self.info
            self.count(event)
        self.may_read.wait()

    def count(self, event):
        source = next(s for s in self.info.dataSources if s.id == event.dataSourceID)
        array = source.type == 2
        data = (STUBS.api.GadgetDataArray if array else STUBS.api.GadgetData).FromString(event.payload)
        assert event.seq == data.seq > self.seq
        self.gaps += event.seq - self.seq - 1
        self.seq = event.seq
        self.read += 1
        if not self.decode:
            return
        elements = data.dataArray if array else [data.data]
        rows = [api_client.row(source, e) for e in elements]
        if array:
            self.tables.append(rows)
        else:
            self.rows.extend(rows)

    def started(self, seconds=20):
        self.wait(lambda: self.info, seconds, "GadgetInfo")
        return self

    def stop(self, seconds=20):
        """By stopRequest: (status, text) of the end."""
        self.ask(stopRequest=STUBS.api.GadgetStopRequest())
        return self.end(seconds)

    @contextlib.contextmanager
    def stalled(self):
        """Reads no more while it lasts."""
        self.may_read.clear()
        try:
            yield
        finally:
            self.may_read.set()
