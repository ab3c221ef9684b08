"""relabel_configs against Prometheus itself: random rules on random labels, each set a job of one real Prometheus, whose /api/v1/targets
shows the labels before and behind them; the shipper is given what was before, and must find what is behind."""
import json
import random
import re
import subprocess
import time
import urllib.request

import pytest

from programs import LONG, SHIPPER, Program, free_port, wait_for

# What Prometheus adds ahead of the rules, and the last rules: without these labels a target is none. Those that begin with __ are not compared.
DEFAULTS = {"__scheme__": "http", "__metrics_path__": "/metrics", "__scrape_interval__": "6w", "__scrape_timeout__": "10s"}
ENDS = [{"target_label": name, "replacement": value} for name, value in DEFAULTS.items()] + [{"regex": "__param_.*", "action": "labeldrop"}]

NAMES = ["a", "b", "app", "A", "a1", "_u", "team_name", "__meta_x_label_app", "__meta_x_label_com_y", "__meta_x_port", "__tmp_hash", "job", "namespace"]
VALUES = ["", "web", "Shop-API", "a;b", "a", "b", "1.2.3.4:80", "x=y", "$1", "über Maß", "İI ǅ ŉ", "9", "a b", "/docker/x_1", "app", "team_name", "0", "ΣΑΣ", "\t\"\\", "日本"]
REGEXES = ["(.*)", "(.+)", "", ".*", ".+", "(?P<n>[A-Za-z]+)[-_](.*)", "(?i)SHOP.*", "([^;]+);(.*)", "(a|b)?(.*)", "web|a", r"(\d+)\..*:(\d+)", "(.)(.*)", "(?:a|x)=?(y?)",
           "__meta_x_label_(.+)", "__meta_(.*)_(.*)", "(.*)_(.*)", "a.*", "[ab]", "__.*", r"\w+", r"\W*", "(?P<n>.)(?P<m>.?).*", "(?U)(.+)(.*)", "(x*)(.*?)", "/?(.*)", r"(\pL+).*", "^a$", "a$|b",
           "(((.)))?.*", "[^a]*", "(?s).*", "job|app"]
REPLACEMENTS = ["$1", "${1}", "$2-$1", "x", "", "$$1", "${n}", "$n", "$1_x", "${1}x", "$", "$9", "a$b", "é$1", "${1", "$1;$2", "${2}$m", "$0", "${0}!", "$-", "a b"]
NEVER_EMPTY = ["x", "${1}x", "é$1", "$1;$2", "${0}!", "$-", "a b"]
TARGETS = ["${1}", "x_$1", "${1}_y", "$1$2", "${n}", "app_${1}", "$1"]
# What labelmap makes of a name is always one: Prometheus sets others too ("", "1a"), which a server would refuse; ours leaves them out.
MAPPED = ["x_$1", "y", "z${2}", "x${1}_y", "_${n}z", "y_$1$2", "a$9"]
MAPS = [("__meta_x_label_(.+)", "$1"), ("__meta_x_label_([a-z]+)", "${1}_y"), ("(.*)", "${1}"), ("(_?[a-z])(.*)", "$1"), ("[a-z_].*", "$0"), ("(a|b).*", "${1}")]


def rule(rng):
    action = rng.choice(["replace"] * 6 + ["labelmap"] * 3 + ["labeldrop", "labelkeep", "hashmod", "lowercase", "uppercase", "keep", "drop", "keepequal", "dropequal"])
    out = {}
    if action not in ("labeldrop", "labelkeep", "labelmap") and rng.randrange(8):
        out["source_labels"] = [rng.choice(NAMES + ["absent"]) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
    equal = action in ("keepequal", "dropequal")
    if action != "replace" or rng.randrange(2):
        out["action"] = rng.choice([action, action, action.upper(), action.title()])
    if action in ("labeldrop", "labelkeep"):
        # Rarely all, or what the next ones would look at is gone.
        out["regex"] = rng.choice(["a.*", "__meta_x_.*", "[a-z]", "A|b|_u", "(job|app)", "x_.*", "nothing"] if action == "labeldrop" else
                                  [".*", "a.*|__.*", "[^_].*|__address__", "__meta.*|job|app|__address__", "(?i)a1?|__meta_x_port|__address__"])
        return out
    if action in ("keep", "drop"):
        # So that most targets live through some rules.
        out["regex"] = rng.choice(REGEXES if rng.randrange(4) == 0 else [".*", "(.*)"] if action == "keep" else ["none", "9x?", "Shop-.*"])
    elif action == "labelmap":
        out["regex"], out["replacement"] = rng.choice(MAPS) if rng.randrange(2) else (rng.choice(REGEXES), rng.choice(MAPPED))
    elif not equal and rng.randrange(5):
        out["regex"] = rng.choice(REGEXES)
    if action not in ("labelmap", "keep", "drop"):
        out["target_label"] = rng.choice(TARGETS) if action == "replace" and rng.randrange(4) == 0 else rng.choice(NAMES)
    if action == "replace" and rng.randrange(5):
        out["replacement"] = rng.choice(REPLACEMENTS)
    if "$" in out.get("target_label", ""):
        out["replacement"] = rng.choice(NEVER_EMPTY)      # an empty value removes the label; before 2.43 Prometheus took "${1}" for its name then
    if action == "hashmod":
        out["modulus"] = rng.choice([1, 2, 7, 16, 1000003, 2 ** 63 - 1])
    if not equal and rng.randrange(4) == 0:
        out["separator"] = rng.choice([";", "", "/", "$1", "é", "-"])
    return out


def case(rng):
    """A rule set, and three sets of labels for it. All keep their __address__, which tells one from the other."""
    names = [n for n in NAMES if n != "job"]
    return [rule(rng) for _ in range(rng.randrange(1, 7))], [{name: rng.choice(VALUES) for name in rng.sample(names, rng.randrange(1, 8))} for _ in range(3)]


def address_of(job, k):
    return "127.0.0.1:%d" % (10 * job + k + 10)


def theirs(folder, started, cases):
    """{address: labels} of the targets that Prometheus keeps."""
    config = {"global": {"scrape_interval": DEFAULTS["__scrape_interval__"]}, "scrape_configs": [
        {"job_name": "job-%d" % i, "static_configs": [{"targets": [address_of(i, k)], "labels": labels} for k, labels in enumerate(sets)], "relabel_configs": rules + ENDS}
        for i, (rules, sets) in enumerate(cases)]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    program = started.add(Program(["prometheus", "--config.file=%s/prometheus.yml" % folder, "--storage.tsdb.path=%s/tsdb" % folder,
                                   "--web.listen-address=127.0.0.1:%d" % port], str(folder / "prometheus.log"))).start()

    def targets():
        assert program.running(), program.log()[-3000:]
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/api/v1/targets" % port) as answer:
                data = json.load(answer)["data"]
        except OSError:
            return None
        return data["activeTargets"] if len(data["activeTargets"]) + len(data["droppedTargets"]) == 3 * len(cases) else None
    active = wait_for("all targets", targets, 120, 0.2)
    program.stop()
    return {labels.pop("instance"): labels for labels in (target["labels"] for target in active)}


PRINTED = re.compile(r"^\S+\t\{(.*)\}\t(case\d+)$")
PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")(?:, |$)')


def ours(folder, cases):
    """The same of the shipper, by a file for each target."""
    logs = folder / "logs"
    logs.mkdir()
    jobs = []
    for i, (rules, sets) in enumerate(cases):
        targets = []
        for k, labels in enumerate(sets):
            (logs / ("case%d" % (10 * i + k + 10))).write_text("case%d\n" % (10 * i + k + 10))
            targets.append({"targets": [address_of(i, k)], "labels": {**labels, **DEFAULTS, "job": "job-%d" % i}})
        path = {"source_labels": ["__address__"], "regex": ".*:(.*)", "target_label": "__path__", "replacement": str(logs).replace("$", "$$") + "/case$1"}
        jobs.append({"job_name": "job-%d" % i, "static_configs": targets, "relabel_configs": rules + [path]})
    config = folder / "shipper.yaml"
    config.write_text(json.dumps({"clients": [{"url": "http://127.0.0.1:9/loki/api/v1/push"}], "positions": {"filename": str(folder / "positions")}, "scrape_configs": jobs}))
    done = subprocess.run([SHIPPER, "--config", config, "--dry-run", "--once"], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    found = {}
    for row in done.stdout.decode().splitlines():
        text, line = PRINTED.match(row).groups()
        pairs = PAIR.findall(text)
        assert ", ".join("%s=%s" % pair for pair in pairs) == text, row
        labels = {name: json.loads(value) for name, value in pairs}
        assert labels.pop("filename") == str(logs / line)
        found["127.0.0.1:" + line[4:]] = labels
    return found


def compare(folder, started, seed, count):
    rng = random.Random(seed)
    cases = [case(rng) for _ in range(count)]
    want, found = theirs(folder, started, cases), ours(folder, cases)
    changed, wrong = 0, []
    for i, (rules, sets) in enumerate(cases):
        for k, labels in enumerate(sets):
            one, other = want.get(address_of(i, k)), found.get(address_of(i, k))
            changed += one is not None and one != {"job": "job-%d" % i, **{name: v for name, v in labels.items() if v and name[:2] != "__"}}
            if one != other:
                wrong.append("job-%d\n  labels %s\n  rules  %s\n  theirs %s\n  ours   %s" % (i, labels, rules, one, other))
    assert not wrong, "seed %d: %d of %d differ\n%s" % (seed, len(wrong), 3 * count, "\n".join(wrong[:5]))
    # They say something: most targets live, and have other labels then; every action is there.
    assert len(want) > 1.5 * count and 3 * count - len(want) > count / 8 and changed > count, (len(want), changed)
    assert len({r.get("action", "replace").lower() for rules, _ in cases for r in rules}) == 11


def test_random_rules_do_what_prometheus_does(started, tmp_path):
    # The long run draws others each time, in several processes of Prometheus: the time that one takes is a square.
    seed, rounds = (int(time.time()), 20) if LONG else (1, 1)
    for k in range(rounds):
        folder = tmp_path / str(k)
        folder.mkdir()
        compare(folder, started, seed + k, 1000)


BAD = [
    ({"action": "hashmod", "target_label": "x"}, "non-zero modulus"),
    ({"action": "hashmod", "target_label": "a-b", "modulus": 2}, "is invalid 'target_label' for hashmod action"),
    ({"action": "replace"}, "requires 'target_label' value"),
    ({"target_label": "a-b"}, "is invalid 'target_label' for replace action"),
    ({"target_label": "$"}, "is invalid 'target_label' for replace action"),
    ({"target_label": "${1"}, "is invalid 'target_label' for replace action"),
    ({"target_label": "a-${1}"}, "is invalid 'target_label' for replace action"),
    ({"target_label": "1$1"}, "is invalid 'target_label' for replace action"),
    ({"target_label": "é"}, "is invalid 'target_label' for replace action"),
    ({"action": "lowercase"}, "requires 'target_label' value"),
    ({"action": "uppercase", "target_label": "x", "replacement": "y"}, "'replacement' can not be set for uppercase action"),
    ({"action": "keepequal", "source_labels": ["a"]}, "requires 'target_label' value"),
    ({"action": "keepequal", "source_labels": ["a"], "target_label": "b", "regex": "x"}, "keepequal action requires only 'source_labels' and"),
    ({"action": "dropequal", "source_labels": ["a"], "target_label": "b", "separator": ","}, "dropequal action requires only 'source_labels' and"),
    ({"action": "dropequal", "source_labels": ["a"], "target_label": "b", "modulus": 3}, "dropequal action requires only 'source_labels' and"),
    ({"action": "labelmap", "regex": "a", "replacement": "a-b"}, "is invalid 'replacement' for labelmap action"),
    ({"action": "labelmap", "regex": "a", "replacement": ""}, "is invalid 'replacement' for labelmap action"),
    ({"action": "labeldrop", "regex": "a", "source_labels": ["x"]}, "labeldrop action requires only 'regex'"),
    ({"action": "labelkeep", "regex": "a", "replacement": "x"}, "labelkeep action requires only 'regex'"),
    ({"action": "labelkeep", "regex": "a", "target_label": "x"}, "labelkeep action requires only 'regex'"),
    ({"action": "labelkep", "regex": "a"}, "unknown relabel action \"labelkep\""),
    ({"action": ""}, "relabel action"),
    ({"source_labels": ["a-b"], "target_label": "x"}, "is not a valid label name"),
    ({"target_label": "x", "regex": "("}, "missing closing )"),
    ({"target_label": "x", "regex": "(?=a)"}, "invalid or unsupported Perl syntax"),
    ({"target_label": "x", "regex": "a**"}, "invalid nested repetition operator"),
]


@pytest.mark.parametrize("rule_, text", BAD, ids=range(len(BAD)))
def test_both_refuse_the_same_mistakes_with_the_same_words(tmp_path, rule_, text):
    (tmp_path / "p.yml").write_text(json.dumps({"scrape_configs": [{"job_name": "a", "relabel_configs": [rule_]}]}))
    (tmp_path / "s.yml").write_text(json.dumps({"clients": [{"url": "http://a/loki/api/v1/push"}], "scrape_configs": [{"job_name": "a", "relabel_configs": [rule_]}]}))
    for argv in (["promtool", "check", "config", tmp_path / "p.yml"], [SHIPPER, "--check", "--config", tmp_path / "s.yml"]):
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode != 0 and text in (done.stdout + done.stderr).replace("`", "'"), (argv[0], done)
