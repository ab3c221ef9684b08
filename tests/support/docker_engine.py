"""A real Docker Engine on a private socket, without networks of its own; its first image is made of busybox alone."""
import contextlib
import os
import socket
import subprocess
import tarfile
import tempfile
import threading

from programs import Program, wait_for


class Engine(Program):
    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.socket = os.path.join(self.folder, "sock")
        argv = ["/usr/sbin/dockerd", "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none",
                "--data-root", os.path.join(self.folder, "data"), "--exec-root", os.path.join(self.folder, "exec"),
                "--pidfile", os.path.join(self.folder, "pid"), "-H", "unix://" + self.socket]
        super().__init__(argv, os.path.join(self.folder, "dockerd.log"))

    def docker(self, *arguments, check=True):
        done = subprocess.run(["docker", "-H", "unix://" + self.socket, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert not check or done.returncode == 0, (arguments, done.stderr, self.log()[-2000:])
        return done

    def start(self):
        super().start()
        wait_for("Docker Engine", lambda: self.docker("info", check=False).returncode == 0, 60)
        return self

    def stop(self, *arguments):
        try:
            return super().stop(*arguments)
        finally:  # what a container in the host's network leaves mounted
            subprocess.run(["umount", "-q", os.path.join(self.folder, "exec", "netns", "default")], stderr=subprocess.DEVNULL)

    def image(self):
        path = os.path.join(self.folder, "busybox.tar")
        with tarfile.open(path, "w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
            for name in ("sh", "sleep", "head", "tr", "seq"):
                link = tarfile.TarInfo("bin/" + name)
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        self.docker("import", path, "bb:1")
        return self

    def run(self, name, script, *more):
        return self.docker("run", "-d", "--network", "none", "--name", name, *more, "bb:1", "/bin/sh", "-c", script).stdout.decode().strip()


@contextlib.contextmanager
def running_engine():
    """In a folder of its own in /tmp: a socket's path may have 108 bytes, and pytest's folders are too deep. Ends its containers, and
    removes its networks: their bridges would stay in the kernel, which after some thirty has no more addresses for others."""
    engine = Engine(tempfile.mkdtemp(prefix="cw-docker-", dir="/tmp"))
    try:
        yield engine.start()
    finally:
        for name in engine.docker("ps", "-aq", check=False).stdout.decode().split():
            engine.docker("rm", "-f", name, check=False)
        engine.docker("network", "prune", "-f", check=False)
        try:
            engine.stop()
        finally:
            subprocess.run(["rm", "-rf", engine.folder])


def forwarded(engine, tls=None):
    """The Engine's socket at a TCP port, perhaps with TLS; (the listener, its port)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve_one(client):
        try:
            client = tls.wrap_socket(client, server_side=True) if tls else client
        except OSError:
            return
        inside = socket.socket(socket.AF_UNIX)
        inside.connect(engine.socket)
        threading.Thread(target=copy, args=(client, inside), daemon=True).start()
        copy(inside, client)

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(client,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]
