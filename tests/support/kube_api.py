"""A strict little Kubernetes API server: list and watch of pods, nodes, services, endpoints (and slices) and ingresses as the API's concepts page describes them (resourceVersion,
limit and continue, watch events, bookmarks, 410 for a version that is forgotten), bearer tokens, label and field selectors."""
import base64
import http.server
import json
import threading
import time
import urllib.parse


def _matches(item, query):
    labels = item["metadata"].get("labels", {})
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, _, value = term.partition("=")
        if labels.get(name.rstrip("=")) != value.lstrip("="):
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = term.partition("=")
        have = item
        for part in path.split("."):
            have = have.get(part, {})
        if have != value:
            return False
    return True


KINDS = {("api", "v1"): ("pods", "nodes", "services", "endpoints"), ("apis", "discovery.k8s.io", "v1"): ("endpointslices",),
         ("apis", "networking.k8s.io", "v1"): ("ingresses",)}


class KubeApi:
    def __init__(self, token="first", page=None, bookmark_every=0.2, tls=None):
        self.token, self.page, self.bookmark_every = token, page, bookmark_every
        self.condition = threading.Condition()
        self.objects, self.events, self.version, self.oldest = {}, [], 100, 100   # objects: (kind, namespace, name) -> item
        self.requests, self.refused, self.stopping = [], 0, False
        self.expire = 0                  # so many continue tokens are too old when they come back
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                api.requests.append(self.path)
                # None: whoever has a certificate of our CA is let in.
                if api.token is not None and self.headers.get("Authorization") != "Bearer " + api.token:
                    api.refused += 1
                    return self.status(401, "Unauthorized")
                url = urllib.parse.urlsplit(self.path)
                query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True, strict_parsing=bool(url.query)).items()}
                parts = url.path.strip("/").split("/")
                if parts[0] == "old":
                    self.send_response(307)
                    self.send_header("Location", self.path[len("/old"):])
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                group = next((g for g in KINDS if tuple(parts[:len(g)]) == g), None)
                if group is None or set(query) - {"limit", "continue", "watch", "resourceVersion", "timeoutSeconds",
                                                              "allowWatchBookmarks", "labelSelector", "fieldSelector"}:
                    return self.status(400, "unknown request %s" % self.path)
                parts = parts[len(group):]
                namespace, kind = (parts[1], parts[2]) if parts[0] == "namespaces" else (None, parts[0])
                if kind not in KINDS[group]:
                    return self.status(404, "the server could not find the requested resource")
                if query.get("watch") in ("1", "true"):
                    return self.watch(kind, namespace, query)
                return self.list(kind, namespace, query)

            def send(self, code, body):
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def status(self, code, message):
                self.send(code, json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}).encode())

            def list(self, kind, namespace, query):
                with api.condition:
                    items = [i for (k, ns, _), i in sorted(api.objects.items()) if k == kind and namespace in (None, ns) and _matches(i, query)]
                    version = str(api.version)
                if "continue" in query and api.expire > 0:
                    api.expire -= 1
                    return self.status(410, "The provided continue parameter is too old to display a consistent list result.")
                start, limit = 0, min(int(query.get("limit", 0)) or len(items) + 1, api.page or len(items) + 1)
                if "continue" in query:
                    version, start = json.loads(base64.b64decode(query["continue"]))
                metadata = {"resourceVersion": version}
                if start + limit < len(items):
                    metadata["continue"] = base64.b64encode(json.dumps([version, start + limit]).encode()).decode()
                self.send(200, json.dumps({"kind": kind[:-1].title() + "List", "apiVersion": "v1", "metadata": metadata,
                                           "items": items[start:start + limit]}).encode())

            def watch(self, kind, namespace, query):
                since = int(query["resourceVersion"])
                end = time.monotonic() + int(query["timeoutSeconds"])
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()

                def event(type_, item):
                    data = json.dumps({"type": type_, "object": item}).encode() + b"\n"
                    # In pieces: an event need not come in one.
                    for piece in (data[:7], data[7:]):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                        self.wfile.flush()
                try:
                    generation = api.generation
                    while time.monotonic() < end and not api.stopping and api.generation == generation:
                        with api.condition:
                            if since < api.oldest:
                                event("ERROR", {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410,
                                                "message": "too old resource version: %d (%d)" % (since, api.oldest)})
                                break
                            news = [e for e in api.events if e[0] > since]
                            if not news:
                                api.condition.wait(api.bookmark_every)
                                news = [e for e in api.events if e[0] > since]
                            if api.generation != generation:
                                break
                            since = api.version
                        for _, type_, item_kind, item in news:
                            if item_kind == kind and namespace in (None, item["metadata"].get("namespace")) and _matches(item, query):
                                event(type_, item)
                        if not news:
                            event("BOOKMARK", {"kind": kind[:-1].title(), "apiVersion": "v1", "metadata": {"resourceVersion": str(since)}})
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    pass
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.generation = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, item, kind="pods"):
        with self.condition:
            key = (kind, item["metadata"].get("namespace"), item["metadata"]["name"])
            self.version += 1
            item["metadata"]["resourceVersion"] = str(self.version)
            self.events.append((self.version, "MODIFIED" if key in self.objects else "ADDED", kind, json.loads(json.dumps(item))))
            self.objects[key] = item
            self.condition.notify_all()

    def delete(self, item, kind="pods"):
        with self.condition:
            self.version += 1
            item["metadata"]["resourceVersion"] = str(self.version)
            del self.objects[(kind, item["metadata"].get("namespace"), item["metadata"]["name"])]
            self.events.append((self.version, "DELETED", kind, json.loads(json.dumps(item))))
            self.condition.notify_all()

    def cut(self, forget=False):
        """End all watches; with `forget` what was before is compacted away: they get 410."""
        with self.condition:
            self.generation += 1
            if forget:
                self.version += 10
                self.oldest = self.version
                self.events = []
            self.condition.notify_all()

    def stop(self):
        self.stopping = True
        with self.condition:
            self.condition.notify_all()
        self.server.shutdown()
        self.server.server_close()


def pod(name, uid, containers=("app",), namespace="shop", node="n1", labels=None, annotations=None):
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": labels or {}, "annotations": annotations or {}},
            "spec": {"nodeName": node, "containers": [{"name": c, "image": c + ":1"} for c in containers]},
            "status": {"phase": "Running", "podIP": "10.0.0.9", "hostIP": "10.0.0.1",
                       "conditions": [{"type": "Ready", "status": "True"}]}}
