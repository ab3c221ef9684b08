"""Journal files, without a journald."""
import random
import subprocess
import time

JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"


class Journal:
    """Journal files as systemd-journal-remote writes them."""

    def __init__(self, folder):
        self.folder, self.n, self.boot = folder, 0, "%032x" % random.getrandbits(128)
        folder.mkdir()

    def write(self, n, **fields):
        text, now, lines = [], time.time_ns() // 1000, []
        for _ in range(n):
            self.n += 1
            line = "journal line %d" % self.n
            lines.append(line.encode())
            entry = {"__REALTIME_TIMESTAMP": now + self.n, "__MONOTONIC_TIMESTAMP": self.n * 10, "_BOOT_ID": self.boot,
                     "MESSAGE": line, "PRIORITY": self.n % 8, "_SYSTEMD_UNIT": "app.service", **fields}
            text.append("".join("%s=%s\n" % item for item in entry.items()) + "\n")
        subprocess.run([JOURNAL_REMOTE, "--output=%s/one.journal" % self.folder, "-"], input="".join(text).encode(), check=True, capture_output=True)
        return lines
