"""A machine of its own with systemd as process 1 (systemd-nspawn): this system's /usr read-only, all else empty and in memory, and a
network that has lo alone."""
import os
import subprocess
import uuid

from programs import Program, wait_for


class Machine(Program):
    def __init__(self, folder, binds=(), read_only_binds=()):
        self.leader = None
        argv = ["systemd-nspawn", "--quiet", "--directory=/", "--volatile=yes", "--register=no", "--keep-unit", "--private-network",
                "--machine=cw-" + uuid.uuid4().hex[:12], "--console=pipe"]
        argv += ["--bind=%s:%s" % pair for pair in binds] + ["--bind-ro=%s:%s" % pair for pair in read_only_binds]
        super().__init__(argv + ["--boot", "systemd.firstboot=no", "systemd.unit=basic.target"], os.path.join(str(folder), "machine.log"))

    def start(self):
        super().start()

        def booted():
            assert self.running(), self.log()[-3000:]
            with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as f:
                children = f.read().split()
            self.leader = children[0] if children else None
            return self.leader and self.run("systemctl", "is-active", "basic.target", check=False)[0] == 0
        wait_for("a machine with systemd", booted, 120, 0.2)
        return self

    def run(self, *argv, check=True):
        """(exit status, what it printed) of a program inside."""
        done = subprocess.run(["nsenter", "--target", self.leader, "--all", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        assert not check or done.returncode == 0, (argv, done)
        return done.returncode, done.stdout.decode()

    def show(self, unit, prop):
        return self.run("systemctl", "show", "--value", "--property=" + prop, unit)[1].strip()

    def status_of(self, unit):
        """/proc/PID/status of a unit's main process, as a dictionary."""
        rows = self.run("cat", "/proc/%s/status" % self.show(unit, "MainPID"))[1].splitlines()
        return {name: value.strip() for name, _, value in (row.partition(":") for row in rows)}

    def kill(self):
        if self.running() and self.leader:
            subprocess.run(["nsenter", "--target", self.leader, "--all", "systemctl", "--force", "--force", "poweroff"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        super().kill()
