"""TCP ports that stay a test's own while nobody listens on them, whatever runs beside it: a program that is killed can have its port again."""
import random
import socket

CHOICE = random.SystemRandom()      # tests seed the other one


def lowest_that_the_kernel_gives():
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        return int(f.read().split()[0])


class OwnPort:
    """`number` is of those that the kernel gives to nobody who asks for any port, and is claimed among all that use this class
    until the object is closed or forgotten: by an abstract socket, which no end of a process leaves behind."""

    def __init__(self):
        above = max(lowest_that_the_kernel_gives(), 20000)
        while True:
            self.number = CHOICE.randrange(10000, above)
            self.claim = socket.socket(socket.AF_UNIX)
            try:
                self.claim.bind("\0cordwood-test-port-%d" % self.number)
                socket.create_server(("127.0.0.1", self.number)).close()
                return
            except OSError:
                self.claim.close()

    def close(self):
        self.claim.close()
