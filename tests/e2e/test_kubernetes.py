"""deploy/kubernetes: valid for several versions of Kubernetes, with configurations that the shipper takes and does what they say."""
import glob
import os
import subprocess

import kubernetes_validate
import pytest
import yaml

from kube_api import KubeApi, pod
from programs import SHIPPER, wait_for

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "deploy", "kubernetes")
FILES = sorted(os.path.basename(p) for p in glob.glob(os.path.join(FOLDER, "*.yaml")))


def documents(name):
    with open(os.path.join(FOLDER, name)) as f:
        return [d for d in yaml.safe_load_all(f) if d["kind"] != "Kustomization"]


def config_in(name):
    return next(d["data"]["shipper.yaml"] for d in documents(name) if d["kind"] == "ConfigMap")


# Native sidecars came with 1.29.
@pytest.mark.parametrize("version", ["1.29", "1.32", kubernetes_validate.latest_version()])
def test_manifests_are_valid(version):
    assert len(FILES) == 6
    for name in FILES:
        for document in documents(name):
            kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_would_be_found():
    daemonset = documents("daemonset.yaml")[0]
    daemonset["spec"]["template"]["spec"]["containers"][0]["agrs"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(daemonset, kubernetes_validate.latest_version(), strict=True)


def test_what_a_pod_names_exists():
    daemonset, sidecar = documents("daemonset.yaml")[0], documents("sidecar.yaml")
    assert daemonset["spec"]["template"]["spec"]["serviceAccountName"] == documents("rbac.yaml")[0]["metadata"]["name"]
    for kind, spec in (("configmap.yaml", daemonset), ("sidecar.yaml", next(d for d in sidecar if d["kind"] == "Deployment"))):
        pod_spec = spec["spec"]["template"]["spec"]
        names = {v["configMap"]["name"] for v in pod_spec["volumes"] if "configMap" in v}
        assert names == {d["metadata"]["name"] for d in documents(kind) if d["kind"] == "ConfigMap"}
        volumes = {v["name"] for v in pod_spec["volumes"]}
        for container in pod_spec["containers"] + pod_spec.get("initContainers", []):
            assert {m["name"] for m in container["volumeMounts"]} <= volumes
    assert next(d for d in sidecar if d["kind"] == "Deployment")["spec"]["template"]["spec"]["initContainers"][0]["restartPolicy"] == "Always"


@pytest.mark.parametrize("name", ["configmap.yaml", "sidecar.yaml"])
def test_the_shipper_takes_the_configuration(name, tmp_path):
    path = tmp_path / "shipper.yaml"
    path.write_text(config_in(name))
    done = subprocess.run([SHIPPER, "--config", path, "--config.expand-env", "--check"], capture_output=True, text=True,
                          env={"HOSTNAME": "n1", "NAMESPACE": "a", "POD_NAME": "b"})
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_the_daemonsets_configuration_reads_pods(ingester, make_shipper, tmp_path):
    kube = KubeApi()
    try:
        config = config_in("configmap.yaml").replace("http://cordwood-ingester.cordwood.svc:3100", ingester.url)
        config = config.replace("/var/lib/cordwood-shipper", str(tmp_path)).replace("/var/log/pods", str(tmp_path)).replace("9080", "-1")
        config = config.replace("- role: pod\n        # Only", "- role: pod\n        api_server: %s\n        bearer_token: first\n        # Only" % kube.url)
        kube.put(pod("web-1", "u1", labels={"app": "web"}))
        kube.put(pod("named", "u2", labels={"app.kubernetes.io/name": "named", "app": "other"}))
        kube.put(pod("etcd-n1", "u3", annotations={"kubernetes.io/config.hash": "h4sh"}))
        kube.put(pod("noisy", "u4", annotations={"cordwood.enable": "false"}))
        kube.put(pod("far", "u5", node="n2"))
        for folder, line in (("shop_web-1_u1", "web"), ("shop_named_u2", "named"), ("shop_etcd-n1_h4sh", "etcd"), ("shop_noisy_u4", "no"), ("shop_far_u5", "no")):
            (tmp_path / folder / "app").mkdir(parents=True)
            (tmp_path / folder / "app" / "0.log").write_text("2026-01-02T03:04:05.000000006Z stderr F %s\n" % line)
        shipper = make_shipper(config=config, arguments=["--config.expand-env"], env={"HOSTNAME": "n1"}).start()
        wait_for("three pods", lambda: len(ingester.export('{namespace="shop"}')) >= 3)
        got = {e["line"]: {k: v for k, v in e["labels"].items() if k in ("app", "pod", "container", "node", "stream")}
               for e in ingester.export('{namespace="shop"}')}
        assert got == {"web": {"app": "web", "pod": "web-1", "container": "app", "node": "n1", "stream": "stderr"},
                       "named": {"app": "named", "pod": "named", "container": "app", "node": "n1", "stream": "stderr"},
                       "etcd": {"pod": "etcd-n1", "container": "app", "node": "n1", "stream": "stderr"}}
        assert shipper.stop() == 0
    finally:
        kube.stop()
