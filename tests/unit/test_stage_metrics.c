/* The metrics stage: promtail's documented examples, each option, and what cannot be meant. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/pipeline/stages_host.h"
#include "tests/support/stage_lines.h"

struct counted {
    struct cw_stages_host host;
    struct cw_stage_lines lines;
};

static void begin(struct counted *counted, const char *stages)
{
    *counted = (struct counted){.host = {.metrics = cw_custom_metrics_new()}};
    cw_stage_lines_init_in(&counted->lines, stages, &counted->host);
}

/* What is shown of the metrics that have `name` in theirs, without heads. */
static const char *shown(struct counted *counted, const char *name)
{
    static char text[8192];
    struct cw_buf out;
    struct cw_str rest, line;
    size_t len = 0;
    cw_buf_init(&out, 1 << 20);
    cw_custom_metrics_render(counted->host.metrics, counted->lines.options.now_ns, &out);
    rest = cw_buf_str(&out);
    text[0] = '\0';
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
        if (line.ptr[0] != '#' && cw_str_find(line, cw_str_of(name)) >= 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "%.*s\n", CW_STR_ARG(line));
    }
    cw_buf_fini(&out);
    return text;
}

static void end(struct counted *counted)
{
    cw_stage_lines_fini(&counted->lines);
    cw_custom_metrics_free(&counted->host.metrics);
}

Test(stage_metrics, counters_of_all_lines_and_their_bytes)
{
    struct counted counted;
    begin(&counted, "- metrics:\n"
                    "    log_lines_total:\n"
                    "      type: Counter\n"
                    "      description: total number of log lines\n"
                    "      prefix: my_promtail_custom_\n"
                    "      max_idle_duration: 24h\n"
                    "      config:\n"
                    "        match_all: true\n"
                    "        action: inc\n"
                    "    log_bytes_total:\n"
                    "      type: Counter\n"
                    "      description: total bytes of log lines\n"
                    "      prefix: my_promtail_custom_\n"
                    "      max_idle_duration: 24h\n"
                    "      config:\n"
                    "        match_all: true\n"
                    "        count_entry_bytes: true\n"
                    "        action: add\n");
    cw_stage_lines_feed(&counted.lines, "four");
    cw_stage_lines_feed(&counted.lines, "");
    cw_stage_lines_feed(&counted.lines, "sixsix");
    cr_expect_str_eq(shown(&counted, "log_"), "my_promtail_custom_log_lines_total{app=\"x\"} 3\n"
                                              "my_promtail_custom_log_bytes_total{app=\"x\"} 10\n");
    end(&counted);
}

Test(stage_metrics, counters_of_lines_that_a_value_was_found_in)
{
    struct counted counted;
    begin(&counted, "- regex:\n"
                    "    expression: \"^.*(?P<order_success>order successful).*$\"\n"
                    "- metrics:\n"
                    "    successful_orders_total:\n"
                    "      type: Counter\n"
                    "      description: \"log lines with the message `order successful`\"\n"
                    "      source: order_success\n"
                    "      config:\n"
                    "        action: inc\n");
    cw_stage_lines_feed(&counted.lines, "an order successful today");
    cw_stage_lines_feed(&counted.lines, "an order failed");
    cr_expect_str_eq(shown(&counted, "orders"),
                     "promtail_custom_successful_orders_total{app=\"x\"} 1\n");
    end(&counted);
}

Test(stage_metrics, counters_by_value)
{
    struct counted counted;
    begin(&counted, "- regex:\n"
                    "    expression: \"^.* order_status=(?P<order_status>.*?) .*$\"\n"
                    "- metrics:\n"
                    "    successful_orders_total:\n"
                    "      type: Counter\n"
                    "      source: order_status\n"
                    "      config: {value: success, action: inc}\n"
                    "    failed_orders_total:\n"
                    "      type: counter\n"
                    "      source: order_status\n"
                    "      config: {value: fail, action: inc}\n");
    cw_stage_lines_feed(&counted.lines, "x order_status=success y");
    cw_stage_lines_feed(&counted.lines, "x order_status=fail y");
    cw_stage_lines_feed(&counted.lines, "x order_status=success y");
    cw_stage_lines_feed(&counted.lines, "nothing");
    cr_expect_str_eq(shown(&counted, "orders"),
                     "promtail_custom_successful_orders_total{app=\"x\"} 2\n"
                     "promtail_custom_failed_orders_total{app=\"x\"} 1\n");
    end(&counted);
}

Test(stage_metrics, gauges_take_all_actions)
{
    struct counted counted;
    begin(&counted, "- regex: {expression: \"^.* retries=(?P<retries>\\\\S+) .*$\"}\n"
                    "- metrics:\n"
                    "    retries_total: {type: Gauge, source: retries, config: {action: add}}\n"
                    "    retries_set: {type: Gauge, source: retries, config: {action: set}}\n"
                    "    retries_sub: {type: Gauge, source: retries, config: {action: sub}}\n"
                    "    retries_inc: {type: Gauge, source: retries, config: {action: inc}}\n"
                    "    retries_dec: {type: Gauge, source: retries, config: {action: dec}}\n");
    cw_stage_lines_feed(&counted.lines, "x retries=3 y");
    cw_stage_lines_feed(&counted.lines, "x retries=1500ms y");
    cw_stage_lines_feed(&counted.lines, "x retries=many y");
    cr_expect_str_eq(
        shown(&counted, "retries_"),
        "promtail_custom_retries_total{app=\"x\"} 4.5\npromtail_custom_retries_set{app=\"x\"} 1.5\n"
        "promtail_custom_retries_sub{app=\"x\"} -4.5\npromtail_custom_retries_inc{app=\"x\"} 3\n"
        "promtail_custom_retries_dec{app=\"x\"} -3\n");
    end(&counted);
}

Test(stage_metrics, histograms_have_buckets)
{
    struct counted counted;
    begin(&counted, "- json: {expressions: {response_time: , ok: , nothing: }}\n"
                    "- metrics:\n"
                    "    http_response_time_seconds:\n"
                    "      type: Histogram\n"
                    "      description: length of each log line\n"
                    "      source: response_time\n"
                    "      config:\n"
                    "        buckets: [0.001, 0.0025, 0.05]\n"
                    "    ok: {type: Histogram, config: {buckets: [1]}}\n"
                    "    nothing: {type: Gauge, config: {action: set}}\n");
    cw_stage_lines_feed(&counted.lines,
                        "{\"response_time\": 0.002, \"ok\": true, \"nothing\": null}");
    cw_stage_lines_feed(&counted.lines, "{\"response_time\": \"60ms\", \"ok\": false}");
    cr_expect_str_eq(
        shown(&counted, "time"),
        "promtail_custom_http_response_time_seconds_bucket{app=\"x\",le=\"0.001\"} 0\n"
        "promtail_custom_http_response_time_seconds_bucket{app=\"x\",le=\"0.0025\"} 1\n"
        "promtail_custom_http_response_time_seconds_bucket{app=\"x\",le=\"0.05\"} 1\n"
        "promtail_custom_http_response_time_seconds_bucket{app=\"x\",le=\"+Inf\"} 2\n"
        "promtail_custom_http_response_time_seconds_sum{app=\"x\"} 0.062\n"
        "promtail_custom_http_response_time_seconds_count{app=\"x\"} 2\n");
    cr_expect_str_eq(shown(&counted, "ok_sum"), "promtail_custom_ok_sum{app=\"x\"} 1\n",
                     "true is 1, false is 0");
    cr_expect_str_eq(shown(&counted, "nothing"), "");
    end(&counted);
}

Test(stage_metrics, series_have_the_labels_that_the_entry_has_by_then)
{
    struct counted counted;
    begin(&counted, "- json: {expressions: {level: }}\n"
                    "- labels: {level: }\n"
                    "- metrics: {lines: {type: Counter, config: {match_all: true, action: inc}}}\n"
                    "- static_labels: {later: y}\n");
    cw_stage_lines_feed(&counted.lines, "{\"level\":\"info\"}");
    cw_stage_lines_feed(&counted.lines, "{\"level\":\"warn\"}");
    cw_stage_lines_feed(&counted.lines, "{}");
    cr_expect_str_eq(
        shown(&counted, "lines"),
        "promtail_custom_lines{app=\"x\",level=\"info\"} 1\n"
        "promtail_custom_lines{app=\"x\",level=\"warn\"} 1\npromtail_custom_lines{app=\"x\"} 1\n");
    end(&counted);
}

Test(stage_metrics, a_line_that_is_read_again_is_not_counted_again)
{
    struct counted counted;
    begin(&counted,
          "- metrics: {lines: {type: Counter, config: {match_all: true, action: inc}}}\n");
    cw_stage_lines_feed(&counted.lines, "a");
    counted.lines.next.counting = false;
    cw_stage_lines_feed(&counted.lines, "a");
    cr_expect_str_eq(shown(&counted, "lines"), "promtail_custom_lines{app=\"x\"} 1\n");
    end(&counted);
}

/* The open block of a keeps the cut from passing that of b, which comes out at each reading. */
Test(stage_metrics, what_came_out_behind_an_open_block_is_not_counted_again)
{
    static const char *const lines[] = {"a start", "b start 1", "b start 2", "b start 3"};
    struct counted counted;
    begin(&counted,
          "- regex: {expression: '^(?P<s>\\w)', labels_from_groups: true}\n"
          "- multiline: {firstline: start}\n"
          "- metrics: {blocks: {type: Counter, config: {match_all: true, action: inc}}}\n");
    for (size_t nfed = 0, end = 1; end <= sizeof lines / sizeof lines[0]; end++) {
        cw_stage_lines_again(&counted.lines);
        counted.lines.next.from = 0;
        for (size_t i = 0; i < end; i++) {
            counted.lines.next.counting = i >= nfed;
            cw_stage_lines_feed(&counted.lines, lines[i]);
        }
        nfed = end;
    }
    cr_expect_str_eq(shown(&counted, "blocks"), "promtail_custom_blocks{app=\"x\",s=\"b\"} 2\n");
    cw_stages_flush(counted.lines.run);
    cr_expect_str_eq(shown(&counted, "blocks"), "promtail_custom_blocks{app=\"x\",s=\"b\"} 3\n"
                                                "promtail_custom_blocks{app=\"x\",s=\"a\"} 1\n");
    end(&counted);
}

Test(stage_metrics, what_cannot_be_meant_is_refused)
{
    static const struct {
        const char *metric, *want;
    } rows[] = {
        {"x: {type: Sum}", "x: type is to be counter, gauge or histogram"},
        {"x: {type: Counter}", "x: config.action of a counter is to be inc or add"},
        {"x: {type: Counter, config: {action: set}}",
         "x: config.action of a counter is to be inc or add"},
        {"x: {type: Gauge, config: {action: square}}",
         "x: config.action of a gauge is to be set, inc, dec, add or sub"},
        {"x: {type: Histogram, config: {action: set}}",
         "x: config.action of a histogram, if any, is inc or add"},
        {"x: {type: Counter, config: {action: inc, match_all: true, value: a}}",
         "x: match_all and value cannot both be given"},
        {"x: {type: Counter, config: {action: add, count_entry_bytes: true}}",
         "x: count_entry_bytes needs match_all"},
        {"x: {type: Counter, config: {action: inc, match_all: true, count_entry_bytes: true}}",
         "x: count_entry_bytes needs action: add"},
        {"x: {type: Counter, config: {action: add, match_all: true}}",
         "x: match_all with action: add needs count_entry_bytes: what is to be added?"},
        {"x: {type: Gauge, config: {action: set, match_all: true}}",
         "x: match_all and count_entry_bytes are for counters"},
        {"x: {type: Histogram, config: {buckets: [2, 1]}}",
         "x: promtail_custom_x: the buckets do not rise"},
        {"x: {type: Histogram, config: {buckets: [one]}}",
         "x: config.buckets: \"one\" is no number"},
        {"x: {type: Gauge, config: {action: set, buckets: [1]}}",
         "x: config.buckets is for histograms"},
        {"a-b: {type: Gauge, config: {action: set}}",
         "a-b: \"promtail_custom_a-b\" is no name of a metric"},
        {"x: {type: Gauge, prefix: cordwood_, config: {action: set}}",
         "x: cordwood_* are the program's own metrics"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char stages[512], want[512];
        snprintf(stages, sizeof stages, "- metrics: {%s}\n", rows[i].metric);
        snprintf(want, sizeof want, "p.yml:2:3: pipeline_stages[0]: metrics: %s", rows[i].want);
        cw_stage_lines_expect_error(stages, want);
    }
}

static void run_again(struct counted *counted, bool counting, int64_t seconds)
{
    counted->lines.options.now_ns += seconds * CW_NS_PER_S;
    cw_stage_lines_again(&counted->lines);
    counted->lines.next.counting = counting;
    counted->lines.next.from = counted->lines.next.to = 0;
}

Test(stage_metrics, a_line_that_a_limit_holds_back_counts_once_on_either_side)
{
    struct counted counted;
    begin(&counted,
          "- metrics: {ahead: {type: Counter, config: {match_all: true, action: inc}}}\n"
          "- limit: {rate: 1, burst: 1}\n"
          "- metrics: {behind: {type: Counter, config: {match_all: true, action: inc}}}\n");
    run_again(&counted, true, 0);
    cw_stage_lines_feed(&counted.lines, "one");
    cw_stage_lines_feed(&counted.lines, "two"); /* no token left */
    for (int i = 0; i < 3; i++) { /* fed again, as a batch is cut again; "one" was settled */
        run_again(&counted, false, i);
        counted.lines.next.from = counted.lines.next.to = 4;
        cw_stage_lines_feed(&counted.lines, "two");
    }
    cr_expect_str_eq(shown(&counted, "ahead"), "promtail_custom_ahead{app=\"x\"} 2\n");
    cr_expect_str_eq(shown(&counted, "behind"), "promtail_custom_behind{app=\"x\"} 2\n");
    end(&counted);
}

Test(stage_metrics, what_is_truncated_is_counted_by_field)
{
    struct counted counted;
    begin(&counted,
          "- regex: {expression: '(?P<a>.*)'}\n"
          "- structured_metadata: {b: a, c: a}\n"
          "- truncate: {rules: [{limit: 3}, {limit: 2, source_type: structured_metadata}]}\n"
          "- truncate: {rules: [{limit: 1, source_type: extracted, sources: [a]}]}\n");
    cw_stage_lines_feed(&counted.lines, "1234");
    cw_stage_lines_feed(&counted.lines, "123");
    cw_stage_lines_feed(&counted.lines, "1");
    counted.lines.next.counting = false; /* it was counted before */
    cw_stage_lines_feed(&counted.lines, "1234");
    cr_expect_str_eq(shown(&counted, "truncated_fields"),
                     "cordwood_shipper_truncated_fields_total{field=\"line\"} 1\n"
                     "cordwood_shipper_truncated_fields_total{field=\"structured_metadata\"} 4\n"
                     "cordwood_shipper_truncated_fields_total{field=\"extracted\"} 2\n");
    end(&counted);
}
