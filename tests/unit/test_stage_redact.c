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
