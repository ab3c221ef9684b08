"""What the shipper finds to read: static and file_sd configs with relabelling, a node's pods by their folders and by an API server."""
import json
import os
import time

import pytest

from kube_api import KubeApi, pod
from load import differences
from programs import wait_for



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
