#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "common/pipeline/redact.h"
#include "common/pipeline/stages_host.h"
#include "tests/support/stage_lines.h"

#define LINE "2026-01-05T09:00:00Z {app=\"x\"} "

static void expect(const char *stages, const char *line, const char *want)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, stages);
    cw_stage_lines_feed(&lines, line);
    cw_stage_lines_expect(&lines, want);
    cw_stage_lines_fini(&lines);
}

Test(stage_redact, without_options_all_detectors_mask)
{
    expect("- redact: {}\n", "bob@example.org paid by 4111-1111-1111-1111 from 10.0.0.7",
           LINE "***@*******.*** paid by ****-****-****-**** from **.*.*.*\n");
}

Test(stage_redact, detectors_and_rules_have_actions)
{
    expect("- redact: {detectors: [email], action: replace}\n", "a@b.org 10.0.0.7",
           LINE "[redacted] 10.0.0.7\n");
    expect(
        "- redact:\n"
        "    detectors: [email, ipv4]\n"
        "    action: hash\n"
        "    salt: pepper\n"
        "    rules:\n"
        "      - {name: card, action: mask}\n"
        "      - {name: order, expression: 'order-\\d+', action: replace, replacement: 'order-N'}\n",
        "a@b.com order-17 4111111111111111",
        LINE "[email:5cdefeca3b2dd2a6] order-N ****************\n");
    expect("- redact: {rules: [{name: email}]}\n", "a@b.org 10.0.0.7", LINE "*@*.*** 10.0.0.7\n");
}

Test(stage_redact, an_extracted_value_instead_of_the_line)
{
    expect("- regex: {expression: 'user=(?P<user>\\S+)'}\n"
           "- redact: {source: user, detectors: [email], action: replace, replacement: someone}\n"
           "- labels: {user: }\n",
           "user=a@b.org", "2026-01-05T09:00:00Z {app=\"x\", user=\"someone\"} user=a@b.org\n");
}

Test(stage_redact, the_salt_may_be_in_a_file)
{
    char path[64], stages[256];
    snprintf(path, sizeof path, "/tmp/stage_redact.%d", (int)getpid());
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs("pepper\n", file);
    fclose(file);
    snprintf(stages, sizeof stages, "- redact: {detectors: [email], action: hash, salt_file: %s}\n",
             path);
    expect(stages, "a@b.com", LINE "[email:5cdefeca3b2dd2a6]\n");
    unlink(path);
}

/* ---- labels and structured metadata ---- */

Test(stage_redact, labels_and_metadata_when_they_are_asked_for)
{
    static const char before[] = "- static_labels: {user: a@b.org, app: x}\n"
                                 "- regex: {expression: '(?P<ip>\\S+)$'}\n"
                                 "- structured_metadata: {ip: }\n"
                                 "- redact: {detectors: [email, ipv4], action: replace";
    static const struct {
        const char *more, *want;
    } rows[] = {
        {"}\n",
         "2026-01-05T09:00:00Z {app=\"x\", user=\"a@b.org\"} {ip=\"10.0.0.7\"} from [redacted]\n"},
        {", labels: true}\n",
         "2026-01-05T09:00:00Z {app=\"x\", user=\"[redacted]\"} {ip=\"10.0.0.7\"} from [redacted]\n"},
        {", structured_metadata: true}\n",
         "2026-01-05T09:00:00Z {app=\"x\", user=\"a@b.org\"} {ip=\"[redacted]\"} from [redacted]\n"},
        {", labels: true, structured_metadata: true, dry_run: true}\n",
         "2026-01-05T09:00:00Z {app=\"x\", user=\"a@b.org\"} {ip=\"10.0.0.7\"} from 10.0.0.7\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char stages[1024];
        snprintf(stages, sizeof stages, "%s%s", before, rows[i].more);
        expect(stages, "from 10.0.0.7", rows[i].want);
    }
}

/* ---- private keys, line by line ---- */

#define BODY "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
#define STARS "****************************************************************"

static void expect_lines(const char *stages, const char *const *in, const char *const *want)
{
    struct cw_stage_lines lines;
    struct cw_buf all;
    cw_buf_init(&all, 1 << 16);
    for (size_t i = 0; want[i] != NULL; i++)
        cw_buf_addf(&all, LINE "%s\n", want[i]);
    cw_stage_lines_init(&lines, stages);
    for (size_t i = 0; in[i] != NULL; i++)
        cw_stage_lines_feed(&lines, in[i]);
    cw_stages_flush(lines.run);
    cw_stage_lines_expect(&lines, cw_buf_z(&all));
    cw_stage_lines_fini(&lines);
    cw_buf_fini(&all);
}

Test(stage_redact, a_private_key_whose_lines_come_one_by_one)
{
    static const struct {
        const char *in[8], *want[8];
    } rows[] = {
        {{"begin", "-----BEGIN PRIVATE KEY-----", BODY, BODY, "kSE=", "-----END PRIVATE KEY-----",
          BODY},
         {"begin", "-----***** ******* ***-----", STARS, STARS, "***=", "-----*** ******* ***-----",
          BODY}},
        /* A logger's words in front; lines of others between them. */
        {{"12:00 key: -----BEGIN RSA PRIVATE KEY-----", "12:00 key: " BODY, "12:00 other done",
          "12:00 key: kSE=", "12:00 key: -----END RSA PRIVATE KEY-----", "12:00 key: kSE="},
         {"12:00 key: -----***** *** ******* ***-----", "12:00 key: " STARS, "12:00 other done",
          "12:00 key: ***=", "12:00 key: -----*** *** ******* ***-----", "12:00 key: kSE="}},
        /* One that never ends is given up at the flush, and what follows it is no key. */
        {{"-----BEGIN EC PRIVATE KEY-----", BODY, "done"},
         {"-----***** ** ******* ***-----", STARS, "****"}},
        /* The end may share a line with the body; another may begin behind it. */
        {{"-----BEGIN PRIVATE KEY-----",
          BODY "-----END PRIVATE KEY----- x -----BEGIN PRIVATE KEY-----", BODY},
         {"-----***** ******* ***-----",
          STARS "-----*** ******* ***----- x -----***** ******* ***-----", STARS}},
        {{"a public one: -----BEGIN PUBLIC KEY-----", BODY, "-----END PUBLIC KEY-----"},
         {"a public one: -----BEGIN PUBLIC KEY-----", BODY, "-----END PUBLIC KEY-----"}},
        /* One that begins within it ends it: whole in a line of JSON, and line by line. */
        {{"-----BEGIN PRIVATE KEY-----", BODY,
          "{\"k\":\"-----BEGIN PRIVATE KEY-----\\n" BODY "\\n-----END PRIVATE KEY-----\\n\"}",
          BODY},
         {"-----***** ******* ***-----", STARS,
          "{\"k\":\"-----***** ******* ***-----\\*" STARS "\\*-----*** ******* ***-----\\n\"}",
          BODY}},
        {{"-----BEGIN PRIVATE KEY-----", "x: -----BEGIN PRIVATE KEY-----",
          "x: kSE=", "x: -----END PRIVATE KEY-----", BODY},
         {"-----***** ******* ***-----", "x: -----***** ******* ***-----",
          "x: ***=", "x: -----*** ******* ***-----", BODY}},
        /* In a format, cut where it is long; the end of a certificate is none. */
        {{"{\"m\":\"-----BEGIN PRIVATE KEY-----\\nkSE", "{\"m\":\"\\n" BODY "\\n" BODY "\"}",
          "-----END CERTIFICATE----- PRIVATE KEY", "{\"m\":\"kSE=\",\"n\":\"done\"}",
          "{\"m\":\"kSE=\\n-----END PRIVATE KEY-----\"}", "{\"m\":\"kSE=\"}"},
         {"{\"m\":\"-----***** ******* ***-----\\****", "{\"m\":\"\\*" STARS "\\*" STARS "\"}",
          "-----END CERTIFICATE----- PRIVATE KEY", "{\"m\":\"***=\",\"n\":\"done\"}",
          "{\"m\":\"***=\\*-----*** ******* ***-----\"}", "{\"m\":\"kSE=\"}"}},
        /* A digest is no key. */
        {{"-----BEGIN PRIVATE KEY-----", BODY, "deploy 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
          "deploy 4B825DC642CB6EB9A060E54BF8D69288FBEE4904"},
         {"-----***** ******* ***-----", STARS, "deploy 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
          "deploy 4B825DC642CB6EB9A060E54BF8D69288FBEE4904"}},
        {{"whole: -----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----", BODY},
         {"whole: -----***** ******* ***-----\\****\\*-----*** ******* ***-----", BODY}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_lines("- redact: {detectors: [private_key]}\n", rows[i].in, rows[i].want);
}

Test(stage_redact, a_key_is_bounded)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- redact: {detectors: [private_key], action: replace}\n");
    cw_stage_lines_feed(&lines, "-----BEGIN PRIVATE KEY-----");
    for (int i = 0; i < 254; i++)
        cw_stage_lines_feed(&lines, BODY);
    cr_expect_neq(cw_stages_unfinished(lines.run), UINT64_MAX);
    cw_stage_lines_feed(&lines, BODY); /* the 256th */
    cr_expect_eq(cw_stages_unfinished(lines.run), UINT64_MAX);
    cw_stage_lines_feed(&lines, "behind it: " BODY);
    struct cw_buf all;
    cw_buf_init(&all, 1 << 16);
    for (int i = 0; i < 256; i++)
        cw_buf_addz(&all, LINE "[redacted]\n");
    cw_buf_addz(&all, LINE "behind it: " BODY "\n");
    cw_stage_lines_expect(&lines, cw_buf_z(&all));
    cw_stage_lines_fini(&lines);
    cw_buf_fini(&all);
}

/* A writer that stops in the midst of a key: what follows is not held for long, nor taken for the key. */
Test(stage_redact, a_key_is_over_when_lines_do_not_look_like_it)
{
    enum { OTHERS = 16 };
    struct cw_stage_lines lines;
    struct cw_buf all;
    cw_buf_init(&all, 1 << 16);
    cw_stage_lines_init(&lines, "- redact: {detectors: [private_key], action: replace}\n");
    cw_stage_lines_feed(&lines, "-----BEGIN PRIVATE KEY-----");
    cw_buf_addz(&all, LINE "[redacted]\n");
    for (int round = 0; round < 2; round++) {
        cw_stage_lines_feed(&lines, BODY);
        cw_buf_addz(&all, LINE "[redacted]\n");
        for (int i = 0; i < OTHERS - 1 + round; i++) {
            cr_expect_neq(cw_stages_unfinished(lines.run), UINT64_MAX, "%d", i);
            cw_stage_lines_feed(&lines, "it goes on");
            cw_buf_addz(&all, LINE "it goes on\n");
        }
    }
    cr_expect_eq(cw_stages_unfinished(lines.run), UINT64_MAX);
    cw_stage_lines_feed(&lines, "behind it: " BODY);
    cw_buf_addz(&all, LINE "behind it: " BODY "\n");
    cw_stage_lines_expect(&lines, cw_buf_z(&all));
    cw_stage_lines_fini(&lines);
    cw_buf_fini(&all);
}

/* As long as a key may be, in one line that begins one. */
Test(stage_redact, a_long_line_that_begins_a_key_is_one)
{
    enum { LEN = 70000 };
    static char line[LEN + 1], want[LEN + 64];
    memset(line, 'A', LEN);
    memcpy(line, "-----BEGIN PRIVATE KEY-----", 27);
    memset(want, '*', sizeof want - 1);
    memcpy(want, LINE "-----***** ******* ***-----", strlen(LINE) + 27);
    memcpy(want + strlen(LINE) + LEN, "\n", 2);
    expect("- redact: {detectors: [private_key]}\n", line, want);
}

Test(stage_redact, what_else_is_in_a_line_of_a_key_is_redacted_too)
{
    static const char *const in[] = {
        "-----BEGIN PRIVATE KEY-----", "a@b.org says " BODY " to c@d.org",
        "10.0.0.7 is somebody else's",
        /* A token that begins within what is taken for the key. */
        "A/eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4",
        BODY "-----END PRIVATE KEY----- of a@b.org", NULL};
    static const char *const want[] = {"[redacted]",
                                       "[redacted] says [redacted] to [redacted]",
                                       "[redacted] is somebody else's",
                                       "[redacted][redacted]",
                                       "[redacted] of [redacted]",
                                       NULL};
    expect_lines("- redact: {action: replace}\n", in, want);
}

/* Lines of two streams through one stage: each has its own key. */
Test(stage_redact, a_key_is_of_a_stream)
{
    static const char *const in[] = {"a -----BEGIN PRIVATE KEY-----", "b " BODY, "a " BODY,
                                     "b -----END PRIVATE KEY-----", "a -----END PRIVATE KEY-----"};
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<s>.) (?P<rest>.*)'}\n- labels: {s: }\n"
                                "- output: {source: rest}\n"
                                "- redact: {detectors: [private_key], action: replace}\n"
                                "- labeldrop: [app]\n");
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        cw_stage_lines_feed(&lines, in[i]);
    cw_stage_lines_expect(&lines, "2026-01-05T09:00:00Z {s=\"b\"} " BODY "\n"
                                  "2026-01-05T09:00:00Z {s=\"b\"} -----END PRIVATE KEY-----\n"
                                  "2026-01-05T09:00:00Z {s=\"a\"} [redacted]\n"
                                  "2026-01-05T09:00:00Z {s=\"a\"} [redacted]\n"
                                  "2026-01-05T09:00:00Z {s=\"a\"} [redacted]\n");
    cw_stage_lines_fini(&lines);
}

static void on_finding(void *arg, struct cw_str rule, uint64_t n, bool left)
{
    cw_buf_addf(arg, "%.*s %d %d;", CW_STR_ARG(rule), (int)n, left);
}

Test(stage_redact, what_was_found_is_told)
{
    struct cw_stage_lines lines;
    struct cw_buf told;
    cw_buf_init(&told, 1 << 16);
    cw_stage_lines_init(
        &lines,
        "- redact: {detectors: [email, card]}\n"
        "- match: {selector: '{app=\"x\"}', stages: [redact: {detectors: [ipv4], dry_run: true}]}\n");
    cw_stage_lines_feed(&lines, "a@b.org c@d.org 10.0.0.7");
    cw_stages_findings(lines.stages, on_finding, &told);
    cr_assert_str_eq(cw_buf_z(&told), "email 2 0;card 0 0;ipv4 1 1;");
    cw_buf_fini(&told);
    cw_stage_lines_fini(&lines);
}

static void expect_counts(const char *stages, const char *want)
{
    struct cw_stages_host host = {cw_custom_metrics_new()};
    struct cw_stage_lines lines;
    struct cw_buf out;
    cw_buf_init(&out, 1 << 16);
    cw_stage_lines_init_in(&lines, stages, &host);
    cw_stage_lines_feed(&lines, "a@b.org c@d.org");
    cw_stage_lines_feed(&lines, "10.0.0.7");
    lines.next.counting = false;
    cw_stage_lines_feed(&lines, "10.0.0.7");
    lines.next.counting = true;
    cw_stage_lines_feed(&lines, "e@f.org");
    cw_custom_metrics_render(host.metrics, lines.options.now_ns, &out);
    cr_expect(strstr(cw_buf_z(&out), want) != NULL, "%s", cw_buf_z(&out));
    cw_buf_fini(&out);
    cw_stage_lines_fini(&lines);
    cw_custom_metrics_free(&host.metrics);
}

Test(stage_redact, findings_are_counted_by_rule_once_for_each_line)
{
    expect_counts("- redact: {detectors: [email, ipv4]}\n",
                  "# TYPE cordwood_shipper_redacted_total counter\n"
                  "cordwood_shipper_redacted_total{mode=\"redact\",rule=\"email\"} 3\n"
                  "cordwood_shipper_redacted_total{mode=\"redact\",rule=\"ipv4\"} 1\n");
    expect_counts("- redact: {dry_run: true}\n",
                  "cordwood_shipper_redacted_total{mode=\"dry_run\",rule=\"email\"} 3\n"
                  "cordwood_shipper_redacted_total{mode=\"dry_run\",rule=\"ipv4\"} 1\n");
}

Test(stage_redact, a_dry_run_leaves_the_line)
{
    expect("- redact: {dry_run: true}\n", "a@b.org", LINE "a@b.org\n");
}

Test(stage_redact, what_cannot_be_meant_is_refused)
{
    static const struct {
        const char *options, *want;
    } rows[] = {
        {"detectors: [emails]", "there is no detector \"emails\"; did you mean \"email\"?"},
        {"detectors: [email, email]", "the detector \"email\" is there twice"},
        {"action: hash", "email: a hash needs a salt, or everybody could try all values"},
        {"salt: a, salt_file: b", "salt and salt_file cannot both be given"},
        {"salt_file: /nowhere/salt",
         "salt_file /nowhere/salt: open /nowhere/salt: No such file or directory"},
        {"rules: [{name: x, expression: '('}]", "x: error parsing regexp: missing closing ): `(`"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char stages[512], want[512];
        snprintf(stages, sizeof stages, "- redact: {%s}\n", rows[i].options);
        snprintf(want, sizeof want, "p.yml:2:3: pipeline_stages[0]: redact: %s", rows[i].want);
        cw_stage_lines_expect_error(stages, want);
    }
}

static const struct cw_key_def *find_key(const struct cw_table_def *table, const char *name)
{
    for (size_t i = 0; i < table->nkeys; i++) {
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    }
    cr_assert_fail("no key %s", name);
    return NULL;
}

Test(stage_redact, the_manual_names_every_detector)
{
    const char *doc = find_key(find_key(&cw_stage_table, "redact")->table, "detectors")->doc, *name;
    for (size_t i = 0; (name = cw_redact_detector(i, NULL)) != NULL; i++)
        cr_expect(strstr(doc, name) != NULL, "%s", name);
}
