"""What the shipper finds to read: static and file_sd configs with relabelling, a node's pods by their folders and by an API server."""
import base64
import json
import os
import ssl
import subprocess
import time

import pytest

from kube_api import KubeApi, pod
from load import differences
from programs import SHIPPER, free_port, wait_for
from refusing_server import refusing



def config_of(ingester, folder, scrape, more=""):
    return ("clients: [{url: %s/loki/api/v1/push, batchwait: 20ms}]\npositions: {filename: %s/positions.yaml}\n"
            "target_config: {sync_period: 200ms}\n%sscrape_configs:\n%s" % (ingester.url, folder, more, scrape))


def lines_of(ingester, selector, want):
    wait_for("%d lines of %s" % (len(want), selector), lambda: ingester.count(selector) >= len(want), 30, 0.05)
    difference = differences(want, ingester.export_lines(selector))
    assert difference is None, difference


def labels_of(ingester, selector):
    return [{k: v for k, v in e["labels"].items() if k != "service_name"} for e in ingester.export(selector)]


def test_static_targets_are_relabelled(ingester, make_shipper, tmp_path):
    (tmp_path / "shop-web.log").write_text("w1\nw2\n")
    (tmp_path / "secret.log").write_text("never\n")
    shipper = make_shipper(config=config_of(ingester, tmp_path, """
- job_name: files
  static_configs:
    - targets: [web-1]
      labels: {service: "shop/web", __file__: %s/shop-*.log}
    - targets: [other]
      labels: {service: hidden, __file__: %s/secret.log}
    - targets: [elsewhere]
      labels: {service: x, __file__: %s/secret.log, __host__: another-machine}
  relabel_configs:
    - {source_labels: [__file__], target_label: __path__}
    - {source_labels: [__address__], target_label: instance}
    - {source_labels: [service], regex: '(.+)/(.+)', target_label: team, replacement: '$1'}
    - {source_labels: [service], regex: 'hidden', action: drop}
    - {regex: service, action: labeldrop}
""" % ((tmp_path,) * 3))).start()
    lines_of(ingester, '{team="shop"}', [b"w1", b"w2"])
    assert labels_of(ingester, '{team="shop"}')[0] == {"team": "shop", "instance": "web-1", "filename": str(tmp_path / "shop-web.log")}
    assert shipper.stop() == 0
    assert ingester.count('{filename=~".+"}') == 2


def test_files_name_targets_and_are_watched(ingester, make_shipper, tmp_path):
    sd = tmp_path / "sd"
    sd.mkdir()
    for name in "abc":
        (tmp_path / (name + ".log")).write_text("%s1\n" % name)
    (sd / "one.yml").write_text("# ours\n- targets: [localhost]\n  labels: {job: a, __path__: %s/a.log}\n" % tmp_path)
    (sd / "two.json").write_text(json.dumps([{"targets": ["localhost"], "labels": {"job": "b", "__path__": "%s/b.log" % tmp_path}}], indent="\t"))
    shipper = make_shipper(config=config_of(ingester, tmp_path, """
- job_name: sd
  file_sd_configs: [{files: ['%s/*.yml', '%s/*.json'], refresh_interval: 1h}]
  relabel_configs:
    - {source_labels: [__meta_filepath], regex: '.*/(.*)', target_label: from}
""" % (sd, sd))).start()
    lines_of(ingester, '{job="a", from="one.yml"}', [b"a1"])
    lines_of(ingester, '{job="b", from="two.json"}', [b"b1"])
    # One that is wrong leaves what it said; a new one is found; labels change in place, without a line twice.
    (sd / "two.json").write_text("[{")
    (sd / "three.yml").write_text("- labels: {job: c, __path__: %s/c.log}\n" % tmp_path)
    lines_of(ingester, '{job="c"}', [b"c1"])
    wait_for("the mistake to be told", lambda: "two.json" in shipper.log())
    (sd / "new").write_text("- targets: [localhost]\n  labels: {job: a, team: x, __path__: %s/a.log}\n" % tmp_path)
    os.replace(sd / "new", sd / "one.yml")

    def renamed():
        with open(tmp_path / "a.log", "a") as f:
            f.write("more\n")
        return ingester.count('{job="a", team="x"}') > 0
    wait_for("the new label", renamed, 15, 0.3)
    with open(tmp_path / "b.log", "a") as f:
        f.write("b2\n")
    lines_of(ingester, '{job="b"}', [b"b1", b"b2"])
    assert ingester.export_lines('{job="a"}').count(b"a1") == 1
    assert shipper.stop() == 0


def test_a_target_names_its_tenant_and_another_later(make_ingester, make_shipper, tmp_path):
    """Tenants that nobody met before; two files take each other's: what one tenant has goes to no other."""
    server = make_ingester(config="auth_enabled: true\n").start()
    sd = tmp_path / "targets.json"

    def name(tenants):
        (tmp_path / "new").write_text(json.dumps([
            {"targets": ["localhost"], "labels": {"job": f, "__path__": "%s/%s.log" % (tmp_path, f), "__tenant_id__": t}}
            for f, t in tenants.items()]))
        os.replace(tmp_path / "new", sd)

    def write(first):
        for f in "ab":
            with open(tmp_path / (f + ".log"), "a") as log:
                log.write("".join("%s%d\n" % (f, i) for i in range(first, first + 100)))

    def arrived(tenant, want):
        tenant = {"X-Scope-OrgID": tenant}
        wait_for("%d lines" % len(want), lambda: len(server.export_lines('{job=~".+"}', headers=tenant)) >= len(want), 30, 0.1)
        assert sorted(server.export_lines('{job=~".+"}', headers=tenant)) == sorted(want)

    def lines(f, first, end):
        return [b"%s%d" % (f, i) for i in range(first, end)]

    name({"a": "one", "b": "two"})
    write(0)
    shipper = make_shipper(config=config_of(server, tmp_path, """
- job_name: sd
  file_sd_configs: [{files: ['%s'], refresh_interval: 1h}]
""" % sd, "server: {graceful_shutdown_timeout: 2m}\n")).start()
    arrived("one", lines(b"a", 0, 100))
    arrived("two", lines(b"b", 0, 100))
    write(100)
    arrived("one", lines(b"a", 0, 200))
    arrived("two", lines(b"b", 0, 200))
    (tmp_path / "c.log").write_text("c0\n")
    name({"a": "two", "b": "one", "c": "three"})
    arrived("three", [b"c0"])                               # it was in the same list
    write(200)
    arrived("one", lines(b"a", 0, 200) + lines(b"b", 200, 300))
    arrived("two", lines(b"b", 0, 200) + lines(b"a", 200, 300))
    assert shipper.stop() == 0                              # in half of the two minutes that it may take


def test_a_file_whose_target_is_taken_from_a_list_is_read_no_further(ingester, make_shipper, tmp_path):
    sd, log = tmp_path / "sd.json", tmp_path / "a.log"

    def append(*lines):
        with open(log, "a") as f:
            f.write("".join(line + "\n" for line in lines))

    def list_targets(*paths):
        (tmp_path / "new").write_text(json.dumps([{"targets": ["localhost"], "labels": {"job": "sd", "__path__": str(path)}} for path in paths]))
        os.replace(tmp_path / "new", sd)
    append("wanted 1", "wanted 2")
    list_targets(log)
    shipper = make_shipper(config=config_of(ingester, tmp_path, "- {job_name: s, file_sd_configs: [{files: ['%s'], refresh_interval: 100ms}]}\n" % sd)).start()
    lines_of(ingester, '{job="sd"}', [b"wanted 1", b"wanted 2"])
    list_targets()
    wait_for("the end of its file", lambda: "a.log has no target any more" in shipper.log())
    append("not for us", "nor this")
    (tmp_path / "other.log").write_text("other\n")
    list_targets(tmp_path / "other.log")
    lines_of(ingester, '{job="sd"}', [b"wanted 1", b"wanted 2", b"other"])
    assert shipper.stop() == 0                              # which delivers what is in the files that it reads
    lines_of(ingester, '{job="sd"}', [b"wanted 1", b"wanted 2", b"other"])
    list_targets(log)
    shipper.start()
    lines_of(ingester, '{job="sd"}', [b"wanted 1", b"wanted 2", b"other", b"not for us", b"nor this"])
    assert shipper.stop() == 0


def pods_folder(tmp_path):
    root = tmp_path / "pods"
    root.mkdir()

    def write(namespace, name, uid, container, lines, restart=0):
        folder = root / ("%s_%s_%s" % (namespace, name, uid)) / container
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / ("%d.log" % restart), "a") as f:
            for i, line in enumerate(lines):
                f.write("%s%09dZ stdout F %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime()), i, line))
    return root, write


def test_pods_are_found_by_their_folders(ingester, make_shipper, tmp_path):
    root, write = pods_folder(tmp_path)
    write("shop", "web-1", "u1", "app", ["w%d" % i for i in range(5)])
    shipper = make_shipper(config=config_of(ingester, tmp_path, """
- job_name: pods
  pod_logs_configs: [{path: %s, refresh_interval: 1h}]
  pipeline_stages: [{cri: {}}]
""" % root)).start()
    lines_of(ingester, '{namespace="shop", pod="web-1", container="app"}', [b"w%d" % i for i in range(5)])
    write("shop", "web-1", "u1", "side", ["s"])
    write("kube-system", "dns", "u2", "dns", ["d"])
    write("shop", "web-1", "u1", "app", ["again"], restart=1)
    lines_of(ingester, '{container="side"}', [b"s"])
    lines_of(ingester, '{namespace="kube-system"}', [b"d"])
    lines_of(ingester, '{container="app"}', [b"w%d" % i for i in range(5)] + [b"again"])
    assert labels_of(ingester, '{container="side"}') == [
        {"namespace": "shop", "pod": "web-1", "container": "side", "stream": "stdout", "filename": str(root / "shop_web-1_u1" / "side" / "0.log")}]
    assert shipper.stop() == 0


@pytest.fixture
def kube():
    api = KubeApi(page=2)
    yield api
    api.stop()


def kubernetes_config(ingester, tmp_path, kube, root, more=""):
    (tmp_path / "token").write_text("first\n")
    return config_of(ingester, tmp_path, """
- job_name: kubernetes-pods
  pipeline_stages: [{cri: {}}]
  kubernetes_sd_configs: [{role: pod, api_server: %s, bearer_token_file: %s/token%s}]
  relabel_configs:
    - {source_labels: [__meta_kubernetes_pod_node_name], target_label: __host__}
    - {action: drop, source_labels: [__meta_kubernetes_pod_annotation_logs], regex: "off"}
    - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
    - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
    - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
    - {source_labels: [__meta_kubernetes_pod_container_name], target_label: container}
    - {source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, replacement: '%s/*$1/*.log', target_label: __path__}
""" % (kube.url, tmp_path, more, root))


def test_pods_of_an_api_server(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    for i in range(5):                                      # three pages
        kube.put(pod("web-%d" % i, "u%d" % i, containers=("app", "side"), labels={"app": "web", "tier": "front"}))
        write("shop", "web-%d" % i, "u%d" % i, "app", ["w%d" % i])
    kube.put(pod("quiet", "q", annotations={"logs": "off"}))
    kube.put(pod("far", "f", node="n2"))
    for name, uid in (("quiet", "q"), ("far", "f")):
        write("shop", name, uid, "app", ["never"])
    shipper = make_shipper(config=kubernetes_config(ingester, tmp_path, kube, root), env={"HOSTNAME": "n1"}).start()
    lines_of(ingester, '{app="web"}', [b"w%d" % i for i in range(5)])
    assert labels_of(ingester, '{pod="web-3"}') == [
        {"app": "web", "tier": "front", "namespace": "shop", "pod": "web-3", "container": "app", "stream": "stdout",
         "filename": str(root / "shop_web-3_u3" / "app" / "0.log")}]

    # A new pod, one that changes its labels, one that goes.
    late = pod("late", "l", labels={"app": "late"})
    kube.put(late)
    write("shop", "late", "l", "app", ["l1"])
    lines_of(ingester, '{app="late"}', [b"l1"])
    late["metadata"]["labels"]["tier"] = "back"
    kube.put(late)

    def changed():
        write("shop", "late", "l", "app", ["more"])
        return ingester.count('{app="late", tier="back"}') > 0
    wait_for("the new label", changed, 15, 0.2)
    assert ingester.export_lines('{app="late"}').count(b"l1") == 1

    # The watch ends; then the token is rotated; then the server forgets: each time the shipper goes on.
    def goes_on(name):
        kube.put(pod(name, name, labels={"app": name}))
        write("shop", name, name, "app", [name])
        lines_of(ingester, '{app="%s"}' % name, [name.encode()])
    kube.cut()
    goes_on("after-cut")
    kube.token = "second"
    kube.cut()
    wait_for("the old token to be refused", lambda: kube.refused > 0)
    (tmp_path / "token").write_text("second\n")
    goes_on("after-rotation")
    lists = sum("watch=1" not in path for path in kube.requests)
    kube.delete(late)
    kube.cut(forget=True)
    goes_on("after-410")
    assert sum("watch=1" not in path for path in kube.requests) > lists, "it listed again"
    assert ingester.count('{pod=~"quiet|far"}') == 0
    assert shipper.stop() == 0


def test_a_list_whose_continue_token_expires_begins_anew(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    for i in range(5):                                      # three pages; the second is asked for too late, twice
        kube.put(pod("web-%d" % i, "u%d" % i, labels={"app": "web"}))
        write("shop", "web-%d" % i, "u%d" % i, "app", ["w%d" % i])
    kube.expire = 2
    shipper = make_shipper(config=kubernetes_config(ingester, tmp_path, kube, root), env={"HOSTNAME": "n1"}).start()
    lines_of(ingester, '{app="web"}', [b"w%d" % i for i in range(5)])
    assert kube.expire == 0 and "status 410" in shipper.log() and "answers again" in shipper.log()
    late = pod("late", "l", labels={"app": "late"})          # and is followed from its end
    kube.put(late)
    write("shop", "late", "l", "app", ["l1"])
    lines_of(ingester, '{app="late"}', [b"l1"])
    assert shipper.stop() == 0


def test_why_a_cluster_fails_is_told_when_it_becomes_another_reason(ingester, make_shipper, tmp_path):
    port = free_port()
    shipper = make_shipper(config=config_of(ingester, tmp_path, "- kubernetes_sd_configs: [{role: pod, api_server: 'http://127.0.0.1:%d'}]\n" % port)).start()
    wait_for("the silence to be told", lambda: "Failed to connect" in shipper.log())
    with refusing(port):
        wait_for("the refusal to be told", lambda: "status 403" in shipper.log())
    wait_for("the silence to be told again", lambda: shipper.log().count("Failed to connect") == 2)


def test_namespaces_and_selectors_are_asked_for(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    for namespace in ("a", "b", "c"):
        for app in ("web", "db"):
            name = "%s-%s" % (namespace, app)
            kube.put(pod(name, name, namespace=namespace, labels={"app": app}))
            write(namespace, name, name, "app", [name])
    more = ", namespaces: {names: [a, b]}, selectors: [{role: pod, label: app=web, field: spec.nodeName=n1}]"
    shipper = make_shipper(config=kubernetes_config(ingester, tmp_path, kube, root, more), arguments=["--once"],
                           env={"HOSTNAME": "n1"})
    shipper.start()
    shipper.finish()
    assert sorted(ingester.export_lines('{namespace=~".+"}')) == [b"a-web", b"b-web"]


# ---- TLS, service accounts, kubeconfig files, and what is made of several kinds of objects ----

def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A CA, and certificates of it for the server (127.0.0.1) and a client."""
    folder = tmp_path_factory.mktemp("pki")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other-ca"):
        openssl(folder, "req", "-x509", *curve, "-keyout", name + ".key", "-out", name + ".pem", "-subj", "/CN=" + name)
    for name in ("server", "client"):
        openssl(folder, "req", *curve, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem", "-extfile", "names")
    return folder


def tls_context(pki, client_certificates=False):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki / "ca.pem")
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def pods_config(ingester, tmp_path, root, sd, rules=""):
    return config_of(ingester, tmp_path, """
- job_name: pods
  pipeline_stages: [{cri: {}}]
  kubernetes_sd_configs: [{%s}]
  relabel_configs:
    - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
    - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
    - {source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], separator: /, replacement: '%s/*$1/*.log', target_label: __path__}
%s""" % (sd, root, rules))


def test_a_service_account_whose_token_is_rotated(ingester, make_shipper, tmp_path, pki):
    """As in a pod: the address from the environment, CA, token and namespace from the service account's folder."""
    kube = KubeApi(tls=tls_context(pki))
    root, write = pods_folder(tmp_path)
    account = tmp_path / "account"
    account.mkdir()
    (account / "ca.crt").write_text((pki / "other-ca.pem").read_text())
    (account / "token").write_text("first")
    (account / "namespace").write_text("shop")
    for name, namespace in (("web", "shop"), ("else", "elsewhere")):
        kube.put(pod(name, name, namespace=namespace))
        write(namespace, name, name, "app", [name])
    shipper = make_shipper(config=pods_config(ingester, tmp_path, root, "role: pod, namespaces: {own_namespace: true}"),
                           env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(kube.port)})
    shipper.argv = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && '
                    'mount --bind %s /run/secrets/kubernetes.io/serviceaccount && exec "$@"' % account, "sh"] + shipper.argv
    try:
        shipper.start()
        wait_for("the certificate to be refused", lambda: "certificate" in shipper.log())
        assert ingester.count('{namespace=~".+"}') == 0 and not kube.requests
        (account / "ca.crt").write_text((pki / "ca.pem").read_text())
        lines_of(ingester, '{namespace="shop"}', [b"web"])
        assert all("/namespaces/shop/pods?" in path for path in kube.requests), kube.requests
        for n in range(2, 5):
            # The kubelet swaps the file; from the expiry on the server refuses the old token, also for new watches.
            (account / "new").write_text("token-%d" % n)
            os.rename(account / "new", account / "token")
            kube.token = "token-%d" % n
            kube.cut()
            kube.put(pod("web-%d" % n, "w%d" % n))
            write("shop", "web-%d" % n, "w%d" % n, "app", ["web-%d" % n])
            lines_of(ingester, '{pod="web-%d"}' % n, [b"web-%d" % n])
        assert kube.refused == 0, "no request came with a token that had expired"
        kube.token = "unknown"
        kube.cut()
        wait_for("the refusal to be told", lambda: "status 401" in shipper.log())
        assert kube.refused > 0
        (account / "token").write_text("unknown")
        kube.put(pod("last", "l"))
        write("shop", "last", "l", "app", ["last"])
        lines_of(ingester, '{pod="last"}', [b"last"])
        assert ingester.count('{namespace="elsewhere"}') == 0
        assert shipper.stop() == 0
    finally:
        kube.stop()


def indented(path):
    return "\n".join("      " + line for line in path.read_text().splitlines())


def test_certificates_as_text(ingester, make_shipper, tmp_path, pki):
    kube = KubeApi(token=None, tls=tls_context(pki, client_certificates=True))
    root, write = pods_folder(tmp_path)
    kube.put(pod("web", "w"))
    write("shop", "web", "w", "app", ["w"])
    text = "tls_config:\n      ca: |\n%s\n      cert: |\n%s\n      key: |\n%s\n" % tuple(
        indented(pki / n).replace("      ", "        ") for n in ("ca.pem", "client.pem", "client.key"))
    config = pods_config(ingester, tmp_path, root, "X").replace("[{X}]", "\n  - role: pod\n    api_server: %s\n    %s" % (kube.url, text))
    try:
        shipper = make_shipper(config=config, arguments=["--once"]).start()
        shipper.finish()
        assert ingester.export_lines('{pod="web"}') == [b"w"]
        shown = subprocess.run([SHIPPER, "--config", shipper.argv[2], "--check"], capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
        other = config.replace(indented(pki / "ca.pem").replace("      ", "        "), indented(pki / "other-ca.pem").replace("      ", "        "))
        assert other != config
        without = make_shipper("without", config=other).start()
        wait_for("the refusal", lambda: "server certificate verification failed" in without.log())
        without.kill()
    finally:
        kube.stop()


def test_a_kubeconfig_file(ingester, make_shipper, tmp_path, pki):
    kube = KubeApi(token=None, tls=tls_context(pki, client_certificates=True))
    root, write = pods_folder(tmp_path)
    kube.put(pod("web", "w"))
    write("shop", "web", "w", "app", ["w"])

    def data(name):
        return base64.b64encode((pki / name).read_bytes()).decode()
    file = tmp_path / "kubeconfig"
    file.write_text("""apiVersion: v1
kind: Config
current-context: here
clusters:
- {name: far, cluster: {server: 'https://far:6443'}}
- {name: near, cluster: {server: '%s', certificate-authority-data: %s}}
contexts:
- {name: there, context: {cluster: far, user: nobody}}
- {name: here, context: {cluster: near, user: me}}
users:
- {name: nobody, user: {exec: {command: aws}}}
- {name: me, user: {client-certificate-data: %s, client-key: %s/client.key}}
""" % (kube.url, data("ca.pem"), data("client.pem"), os.path.relpath(pki, tmp_path)))
    config = pods_config(ingester, tmp_path, root, "role: pod, kubeconfig_file: %s" % file)
    try:
        make_shipper(config=config, arguments=["--once"]).start().finish()
        assert ingester.export_lines('{pod="web"}') == [b"w"]
        file.write_text(file.read_text().replace("current-context: here", "current-context: there"))
        told = subprocess.run([SHIPPER, "--config", tmp_path / "shipper" / "shipper.yaml", "--check"], capture_output=True, text=True)
        assert told.returncode == 2 and 'user "nobody": credentials of a program (exec) are not supported' in told.stderr, told.stderr
    finally:
        kube.stop()


def test_redirects_are_followed_or_not(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    kube.put(pod("web", "w"))
    write("shop", "web", "w", "app", ["w"])
    sd = "role: pod, bearer_token: first, api_server: %s/old" % kube.url
    refused = make_shipper("refused", config=pods_config(ingester, tmp_path, root, sd + ", follow_redirects: false")).start()
    wait_for("the refusal", lambda: "status 307" in refused.log())
    refused.kill()
    make_shipper(config=pods_config(ingester, tmp_path, root, sd), arguments=["--once"]).start().finish()
    assert ingester.export_lines('{pod="web"}') == [b"w"]


def node(name, **labels):
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}


def test_pods_have_their_nodes_labels(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    kube.put(node("n1", zone="a"), "nodes")
    kube.put(node("n2", zone="b"), "nodes")
    for i in (1, 2, 3):
        kube.put(pod("web-%d" % i, "w%d" % i, node="n%d" % i))
        write("shop", "web-%d" % i, "w%d" % i, "app", ["w"])
    sd = "role: pod, bearer_token: first, api_server: %s, attach_metadata: {node: true}" % kube.url
    shipper = make_shipper(config=pods_config(ingester, tmp_path, root, sd,
                           "    - {source_labels: [__meta_kubernetes_node_label_zone], target_label: zone}\n")).start()
    for pod_name, zone in (("web-1", "a"), ("web-2", "b"), ("web-3", "")):
        lines_of(ingester, '{pod="%s", zone="%s"}' % (pod_name, zone), [b"w"])

    def labelled(pod_name, uid, zone):
        def seen():
            write("shop", pod_name, uid, "app", ["more"])
            return ingester.count('{pod="%s", zone="%s"}' % (pod_name, zone)) > 0
        wait_for("%s in zone %s" % (pod_name, zone), seen, 15, 0.2)
    kube.put(node("n1", zone="moved"), "nodes")                # a node's labels change,
    labelled("web-1", "w1", "moved")
    kube.put(node("n3", zone="late"), "nodes")                 # one comes behind its pod,
    labelled("web-3", "w3", "late")
    kube.delete(node("n2"), "nodes")                           # one goes.
    labelled("web-2", "w2", "")
    kube.cut(forget=True)                                      # and all of it is listed again
    kube.put(node("n1", zone="again"), "nodes")
    labelled("web-1", "w1", "again")
    kube.put(pod("web-4", "w4"))
    labelled("web-4", "w4", "again")
    assert shipper.stop() == 0


def test_endpoints_of_services(ingester, make_shipper, tmp_path, kube):
    root, write = pods_folder(tmp_path)
    service = {"metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}}, "spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}
    endpoints = {"metadata": {"name": "web", "namespace": "shop"}, "subsets": [
        {"addresses": [{"ip": "10.0.0.9", "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "shop"}}], "ports": [{"port": 80}]}]}
    for name in ("web-1", "web-2", "alone"):
        kube.put(pod(name, name))
        kube.objects[("pods", "shop", name)]["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
        write("shop", name, name, "app", [name])
    kube.put(service, "services")
    kube.put(endpoints, "endpoints")
    sd = "role: endpoints, bearer_token: first, api_server: %s, selectors: [{role: service, label: tier=front}]" % kube.url
    shipper = make_shipper(config=pods_config(ingester, tmp_path, root, sd,
                           "    - {source_labels: [__meta_kubernetes_service_name, __meta_kubernetes_service_label_tier], target_label: service}\n"
                           "    - {action: keep, source_labels: [__meta_kubernetes_service_name], regex: .+}\n")).start()
    lines_of(ingester, '{service="web;front"}', [b"web-1"])
    endpoints["subsets"][0]["addresses"].append({"ip": "10.0.0.9", "targetRef": {"kind": "Pod", "name": "web-2"}})
    kube.put(endpoints, "endpoints")
    lines_of(ingester, '{service="web;front"}', [b"web-1", b"web-2"])
    kube.delete(service, "services")

    kube.put(endpoints, "endpoints")
    kube.put({"metadata": {"name": "other", "namespace": "shop", "labels": {"tier": "front"}}, "spec": {}}, "services")
    kube.put({**endpoints, "metadata": {"name": "other", "namespace": "shop"}, "subsets": [
        {"addresses": [{"ip": "10.0.0.9", "targetRef": {"kind": "Pod", "name": "web-2"}}], "ports": [{"port": 80}]}]}, "endpoints")

    def other_known():
        write("shop", "web-2", "web-2", "app", ["more"], restart=1)
        return ingester.count('{service="other;front"}') > 0
    wait_for("the other service", other_known, 30, 0.2)        # and by then that the first is gone
    write("shop", "web-1", "web-1", "app", ["web-1 again"], restart=1)
    write("shop", "web-2", "web-2", "app", ["web-2 at last"], restart=2)
    wait_for("what is written last", lambda: b"web-2 at last" in ingester.export_lines('{service="other;front"}'))
    assert sorted(set(ingester.export_lines('{service="web;front"}')) - {b"more"}) == [b"web-1", b"web-2"]   # it has no service any more
    assert ingester.count('{pod="alone"}') == 0
    assert shipper.stop() == 0


def test_a_file_of_two_jobs_is_told(ingester, make_shipper, tmp_path):
    (tmp_path / "nginx-access.log").write_text("one\n")
    shipper = make_shipper(config=config_of(ingester, tmp_path, """
- {job_name: varlogs, static_configs: [{labels: {job: varlogs, __path__: %s/*log}}]}
- {job_name: nginx, static_configs: [{labels: {job: nginx, __path__: %s/nginx-access.log}}]}
""" % (tmp_path, tmp_path))).start()
    lines_of(ingester, '{job="varlogs"}', [b"one"])
    wait_for("the warning", lambda: "nginx-access.log is in the jobs" in shipper.log())
    wait_for("some looks", lambda: shipper.log().count("reading") > 0)
    assert shipper.stop() == 0
    assert shipper.log().count("is in the jobs") == 1 and 'jobs \\"varlogs\\" and \\"nginx\\"' in shipper.log()
