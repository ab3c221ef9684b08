"""A server that refuses whatever it is asked."""
import contextlib
import http.server
import threading


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(403)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def refusing(port):
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()
