"""A kubelet's hand: makes pods through the Container Runtime Interface, and removes them."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

import grpc

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = "/runtime.v1.RuntimeService/"
OF_THE_NODE = 2


@functools.lru_cache
def messages():
    """The module that protoc makes of cri_test.proto."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"-I{HERE}", f"--python_out={folder}", HERE / "cri_test.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            import cri_test_pb2
        finally:
            sys.path.remove(folder)
    return cri_test_pb2


class Cri:
    def __init__(self, socket, cgroup_root):
        self.pb = messages()
        self.cgroup_root = cgroup_root
        self.channel = grpc.insecure_channel("unix:" + socket, options=[
            ("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1)])

    def call(self, method, request, answer, seconds=60):
        return self.channel.unary_unary(SERVICE + method, request_serializer=type(request).SerializeToString,
                                        response_deserializer=answer.FromString)(request, timeout=seconds,
                                                                                 wait_for_ready=True)

    def is_ready(self):
        """containerd 2 has more conditions, for example that its configuration is of the newest form."""
        status = self.call("Status", self.pb.Empty(), self.pb.StatusResponse, 5).status
        return {"RuntimeReady", "NetworkReady"} <= {one.type for one in status.conditions if one.status}

    def config(self, name, host_network=False):
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        config = self.pb.PodSandboxConfig(hostname=name, log_directory="/run/lab-logs", labels={
            "app": "lab", "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "lab",
            "io.kubernetes.pod.uid": uid})
        config.metadata.name, config.metadata.uid, config.metadata.namespace = name, uid, "lab"
        config.linux.cgroup_parent = f"{self.cgroup_root}/kubepods/besteffort/pod{uid}"
        if host_network:
            config.hostname = ""  # it has the node's
            config.linux.security_context.namespace_options.network = OF_THE_NODE
        return config

    def run(self, name, host_network=False):
        """Makes a pod; its id. CNI ADD has returned when this does."""
        request = self.pb.RunPodSandboxRequest(config=self.config(name, host_network))
        return self.call("RunPodSandbox", request, self.pb.SandboxId).pod_sandbox_id

    def start_container(self, sandbox, name, image):
        request = self.pb.CreateContainerRequest(pod_sandbox_id=sandbox, sandbox_config=self.config(name))
        request.config.metadata.name = "app"
        request.config.image.image = image
        container = self.call("CreateContainer", request, self.pb.ContainerId).container_id
        self.call("StartContainer", self.pb.ContainerId(container_id=container), self.pb.Empty)
        return container

    def stop(self, sandbox):
        self.call("StopPodSandbox", self.pb.SandboxId(pod_sandbox_id=sandbox), self.pb.Empty)

    def remove(self, sandbox):
        self.stop(sandbox)
        self.call("RemovePodSandbox", self.pb.SandboxId(pod_sandbox_id=sandbox), self.pb.Empty)

    def truth(self, sandbox):
        """(inode of its network namespace, its address), by the process that the runtime started in it."""
        pid, address = self.place(sandbox)
        return os.stat(f"/proc/{pid}/ns/net").st_ino, address

    def place(self, sandbox):
        """(the process that the runtime started in it, its address)"""
        answer = self.call("PodSandboxStatus", self.pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox, verbose=True),
                           self.pb.PodSandboxStatusResponse)
        return json.loads(answer.info["info"])["pid"], answer.status.network.ip
