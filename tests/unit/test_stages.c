#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include <stdio.h>

#include "common/config/docs.h"
#include "tests/support/stage_lines.h"

#define NOW "2026-01-05T09:00:00Z"

Test(stages, json_labels_and_timestamp_make_an_entry)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines,
                        "- json:\n"
                        "    expressions: {level: , ts: time, user: ctx.user, id: ctx.\"the id\"}\n"
                        "- labels: {level: , who: user}\n"
                        "- timestamp: {source: ts, format: RFC3339Nano}\n");
    cw_stage_lines_feed(&lines,
                        "{\"level\":\"info\",\"time\":\"2026-01-05T10:00:00.5Z\",\"ctx\":{\"user\":"
                        "\"\\u00e4da\",\"the id\":7}}");
    cw_stage_lines_expect(
        &lines, "2026-01-05T10:00:00.5Z {app=\"x\", level=\"info\", who=\"äda\"} "
                "{\"level\":\"info\",\"time\":\"2026-01-05T10:00:00.5Z\",\"ctx\":{\"user\":"
                "\"\\u00e4da\",\"the id\":7}}\n");
    cw_stage_lines_feed(&lines, "not json"); /* an entry of other labels: its time stays */
    cw_stage_lines_expect(&lines, "2026-01-05T09:00:00Z {app=\"x\"} not json\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, what_is_wrong_is_told_with_its_place)
{
    cw_stage_lines_expect_error("- {}\n", "p.yml:2:3: pipeline_stages[0]: a stage is missing");
    cw_stage_lines_expect_error(
        "- labels: {a: }\n  json: {expressions: {a: b}}\n",
        "p.yml:2:3: pipeline_stages[0]: json and labels are each a stage of its own, with a dash in front");
    cw_stage_lines_expect_error(
        "- docker: {}\n- match:\n    selector: '{a=\"b\"}'\n    stages:\n"
        "      - regex: {expression: '('}\n",
        "p.yml:6:9: pipeline_stages[1].match.stages[0]: regex: expression: error "
        "parsing regexp: missing closing ): `(`");
    cw_stage_lines_expect_error("- jsn: {}\n",
                                "p.yml:2:3: unknown key \"jsn\" in pipeline_stages[0]; did "
                                "you mean \"json\"?");
    cw_stage_lines_expect_error(
        "- drop: {source: a, value: b, expression: c}\n",
        "p.yml:2:3: pipeline_stages[0]: drop: value and expression cannot both be given");
}

Test(stages, a_reference_ends_though_stages_nest_stages)
{
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cw_docs_config(&cw_stage_table, &out);
    cr_expect(strstr(cw_buf_z(&out), "# The keys are those of match.") != NULL);
    cw_buf_fini(&out);
}

Test(stages, the_tables_are_sound)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_schema_check(&cw_stage_table, &err), 0, "%s", err.text);
}

Test(stages, an_entry_is_all_bytes_of_its_lines)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- multiline: {firstline: '^-'}\n");
    lines.shows_offsets = true;
    cr_expect_eq(cw_stages_wait_ns(lines.stages), 3000000000);
    cr_expect_eq(cw_stages_unfinished(lines.run), UINT64_MAX);
    cw_stage_lines_feed(&lines, "x");
    cw_stage_lines_feed(&lines, "-a");
    cr_expect_eq(cw_stages_unfinished(lines.run), 2);
    cw_stage_lines_feed(&lines, "b");
    cr_expect_eq(cw_stages_unfinished(lines.run), 2);
    cw_stage_lines_feed(&lines, "-c");
    cr_expect_eq(cw_stages_unfinished(lines.run), 7);
    cw_stages_flush(lines.run);
    cr_expect_eq(cw_stages_unfinished(lines.run), UINT64_MAX);
    cw_stage_lines_expect(&lines, NOW " {app=\"x\"} 0-2 x\n" NOW " {app=\"x\"} 2-7 -a\nb\n" NOW
                                      " {app=\"x\"} 7-10 -c\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, partial_lines_are_unfinished_together)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- cri: {}\n");
    lines.shows_offsets = true;
    cr_expect_eq(cw_stages_wait_ns(lines.stages), 5 * CW_NS_PER_S);
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:00Z stdout P a");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:00Z stderr P b");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:00Z stdout F c");
    cr_expect_eq(cw_stages_unfinished(lines.run), 32);
    cw_stages_flush(lines.run);
    cw_stage_lines_expect(&lines, "2019-01-01T01:00:00Z {app=\"x\", stream=\"stdout\"} 0-96 ac\n"
                                  "2019-01-01T01:00:00Z {app=\"x\", stream=\"stderr\"} 32-64 b\n");
    cw_stage_lines_fini(&lines);
}

/* What the first line extracted is what the entry has, whatever was extracted meanwhile. */
Test(stages, a_held_entry_keeps_what_was_extracted)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines,
                        "- regex: {expression: '(?P<n>\\d+)'}\n- multiline: {firstline: '^-'}\n"
                        "- labels: {n: }\n");
    cw_stage_lines_feed(&lines, "-1");
    cw_stage_lines_feed(&lines, "2");
    cw_stage_lines_feed(&lines, "-3");
    cw_stages_flush(lines.run);
    cw_stage_lines_expect(&lines,
                          NOW " {app=\"x\", n=\"1\"} -1\n2\n" NOW " {app=\"x\", n=\"3\"} -3\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, labels_that_were_fed_are_never_changed_in_place)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- static_labels: {app: y, b: 1}\n");
    const struct cw_label *fed = lines.next.labels;
    cw_stage_lines_feed(&lines, "a");
    cr_expect(cw_str_eqz(fed[0].value, "x"));
    cw_stage_lines_expect(&lines, NOW " {app=\"y\", b=\"1\"} a\n");
    cw_stage_lines_fini(&lines);
}

static size_t ncounted(struct cw_stage_lines *lines, size_t n)
{
    size_t nlines = 0;
    lines->next.from = 0;
    cw_stage_lines_again(lines);
    cw_buf_clear(&lines->out);
    for (size_t i = 0; i < n; i++)
        cw_stage_lines_feed(lines, "l");
    for (size_t i = 0; i < lines->out.len; i++)
        nlines += lines->out.ptr[i] == '\n' && i >= 2 && lines->out.ptr[i - 1] == 'l';
    return nlines;
}

Test(stages, sampling_keeps_its_share_and_the_same_lines_again)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- sampling: {rate: 0.25}\n");
    size_t first = ncounted(&lines, 4000);
    cr_expect(first > 850 && first < 1150, "%zu of 4000", first);
    struct cw_buf before = lines.out;
    cw_buf_init(&lines.out, 1 << 20);
    cr_expect_eq(ncounted(&lines, 4000), first);
    cr_expect(cw_str_eq(cw_buf_str(&before), cw_buf_str(&lines.out)));
    cw_buf_fini(&before);
    lines.options.seed = 2;
    ncounted(&lines, 4000);
    cw_stage_lines_fini(&lines);
    cw_stage_lines_init(&lines, "- sampling: {rate: 0}\n- sampling: {rate: 1}\n");
    cr_expect_eq(ncounted(&lines, 100), 0);
    cw_stage_lines_fini(&lines);
    cw_stage_lines_init(&lines, "- sampling: {rate: 1}\n");
    cr_expect_eq(ncounted(&lines, 100), 100);
    cw_stage_lines_fini(&lines);
}

Test(stages, limit_drops_what_is_over_it_and_the_same_lines_again)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- limit: {rate: 2, burst: 3, drop: true}\n");
    cr_expect_eq(ncounted(&lines, 10), 3);
    struct cw_buf before = lines.out;
    cw_buf_init(&lines.out, 1 << 20);
    lines.options.now_ns += 1000000000;
    lines.next.counting = false; /* they are fed again */
    cr_expect_eq(ncounted(&lines, 10), 3);
    cr_expect(cw_str_eq(cw_buf_str(&before), cw_buf_str(&lines.out)));
    cw_buf_fini(&before);
    lines.next.counting = true;
    cr_expect_eq(ncounted(&lines, 10), 2, "a second later there are two more");
    lines.options.now_ns += INT64_C(100000000000);
    cr_expect_eq(ncounted(&lines, 10), 3, "the bucket holds no more than the burst");
    cr_expect_eq(cw_stages_blocked_ns(lines.run), 0);
    cw_stage_lines_fini(&lines);
}

Test(stages, limit_that_holds_several_entries_of_a_flush_back_holds_the_first)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<s>\\w)', labels_from_groups: true}\n"
                                "- multiline: {firstline: start}\n"
                                "- limit: {rate: 1, burst: 1}\n- output: {source: s}\n");
    cw_stage_lines_feed(&lines, "a start");
    cw_stage_lines_feed(&lines, "b start");
    cw_stage_lines_feed(&lines, "c start");
    cw_stages_flush(lines.run);
    cw_stage_lines_expect(&lines, NOW " {app=\"x\", s=\"a\"} a\n");
    cr_expect_gt(cw_stages_blocked_ns(lines.run), 0);
    cr_expect_eq(cw_stages_unfinished(lines.run), sizeof "a start", "where b begins");
    cw_stage_lines_fini(&lines);
}

/* Each line looks for the block of its labels: a walk over all takes minutes here. */
Test(stages, blocks_of_many_streams_grow_side_by_side)
{
    enum { STREAMS = 20000 };
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<s>\\w+)', labels_from_groups: true}\n"
                                "- multiline: {firstline: first}\n"
                                "- drop: {expression: '^s\\d+ first\\ns\\d+ second$'}\n");
    char texts[2 * STREAMS][16];
    for (int i = 0; i < 2 * STREAMS; i++) {
        snprintf(texts[i], sizeof texts[i], "s%d %s", i % STREAMS,
                 i < STREAMS ? "first" : "second");
        cw_stage_lines_feed(&lines, texts[i]);
    }
    cr_expect_eq(lines.out.len, 0, "all are open");
    cw_stages_flush(lines.run);
    cr_expect_eq(lines.out.len, STREAMS * strlen("dropped: drop_stage\n"), "all have both lines");
    cw_stage_lines_fini(&lines);
}

Test(stages, limit_counts_each_value_of_a_label)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<ns>\\w)', labels_from_groups: true}\n"
                                "- limit: {rate: 1, burst: 1, drop: true, by_label_name: ns, "
                                "max_distinct_labels: 2}\n- output: {source: ns}\n");
    cw_stage_lines_feed(&lines, "a");
    cw_stage_lines_feed(&lines, "a");
    cw_stage_lines_feed(&lines, "b");
    cw_stage_lines_feed(&lines, "-");
    cw_stage_lines_feed(&lines, "-");
    cw_stage_lines_expect(
        &lines, NOW " {app=\"x\", ns=\"a\"} a\ndropped: ratelimit_drop_stage\n" NOW
                    " {app=\"x\", ns=\"b\"} b\n" NOW " {app=\"x\"} -\n" NOW " {app=\"x\"} -\n");
    /* Values that were not seen for long are forgotten: a's bucket is full again. */
    static const char *const others[] = {"c", "d", "e", "f"};
    for (size_t i = 0; i < 4; i++)
        cw_stage_lines_feed(&lines, others[i]);
    cw_buf_clear(&lines.out);
    cw_stage_lines_feed(&lines, "a");
    cw_stage_lines_expect(&lines, NOW " {app=\"x\", ns=\"a\"} a\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, limit_without_drop_holds_back)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- limit: {rate: 10, burst: 2}\n");
    for (size_t i = 0; i < 4; i++)
        cw_stage_lines_feed(&lines, "l");
    cw_stage_lines_expect(&lines, NOW " {app=\"x\"} l\n" NOW " {app=\"x\"} l\n");
    cr_expect_eq(cw_stages_unfinished(lines.run), 4);
    cr_expect(cw_stages_blocked_ns(lines.run) >= 100000000 &&
              cw_stages_blocked_ns(lines.run) <= 100000002);
    lines.options.now_ns += cw_stages_blocked_ns(lines.run);
    cw_stage_lines_again(&lines);
    lines.next.from = 4;
    cw_stage_lines_feed(&lines, "m");
    cw_stage_lines_feed(&lines, "m");
    cw_stage_lines_expect(&lines, "2026-01-05T09:00:00Z {app=\"x\"} m\n");
    cr_expect_eq(cw_stages_unfinished(lines.run), 6);
    cw_stage_lines_fini(&lines);
}

static void add_trace(void *arg, size_t depth, struct cw_str stage,
                      const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    struct cw_stage_lines *lines = arg;
    cw_buf_addf(&lines->out, "%zu %.*s: %.*s -> %.*s\n", depth, CW_STR_ARG(stage),
                CW_STR_ARG(before != NULL ? before->line : CW_STR("(held)")),
                CW_STR_ARG(after != NULL ? after->line : CW_STR("(gone)")));
}

Test(stages, a_trace_tells_what_each_stage_did)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines,
                        "- match:\n    selector: '{app=\"x\"}'\n    stages:\n"
                        "      - regex: {expression: '^(?P<m>a)'}\n      - output: {source: m}\n"
                        "- multiline: {firstline: a}\n- drop: {longer_than: 2}\n");
    lines.options.trace = add_trace;
    lines.shows_extracted = true;
    cw_stage_lines_again(&lines);
    cw_stage_lines_feed(&lines, "abc");
    cw_stage_lines_feed(&lines, "b");
    cw_stages_flush(lines.run);
    cw_stage_lines_expect(&lines, "0 match: abc -> abc\n1 regex: abc -> abc\n1 output: abc -> a\n"
                                  "0 multiline: a -> (gone)\n0 match: b -> b\n1 regex: b -> b\n"
                                  "1 output: b -> b\n0 multiline: b -> (gone)\n"
                                  "0 multiline: (held) -> a\nb\ndropped: drop_stage\n"
                                  "0 drop: a\nb -> (gone)\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, extracted_values_can_be_shown)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(
        &lines, "- json: {expressions: {a: , b: }}\n- template: {source: t, template: x}\n");
    lines.shows_extracted = true;
    cw_stage_lines_feed(&lines, "{\"a\":\"\"}");
    cw_stage_lines_expect(&lines, NOW " {app=\"x\"} a= b=<null> t=x {\"a\":\"\"}\n");
    cw_stage_lines_fini(&lines);
}

/* ---- pieces of Docker's lines ---- */

enum { DOCKER_PIECE = 16 << 10 };

/* A line of the driver with n times `c`, and `end`. */
static void docker_feed(struct cw_stage_lines *lines, char c, size_t n, const char *end,
                        const char *stream, int second)
{
    char *text = cw_arena_alloc(lines->arena, n + 1), *line = cw_arena_alloc(lines->arena, n + 200);
    memset(text, c, n);
    text[n] = '\0';
    snprintf(line, n + 200,
             "{\"log\":\"%s%s\",\"stream\":\"%s\",\"time\":\"2026-01-05T10:00:%02dZ\"}", text, end,
             stream, second);
    cw_stage_lines_feed(lines, line);
}

/* How many entries came out; the last one's time, the length of its line, and how that ends. */
static void docker_expect(struct cw_stage_lines *lines, const char *want)
{
    char got[400] = "";
    struct cw_str rest = cw_buf_str(&lines->out), row;
    while (cw_str_split(&rest, '\n', &row) && row.len > 0) {
        ptrdiff_t at = cw_str_find(row, CW_STR("} "));
        cr_assert_geq(at, 0);
        struct cw_str line = cw_str_sub(row, (size_t)at + 2, row.len);
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%.*s %zu %.*s\n", (int)at + 1, row.ptr, line.len,
                 (int)CW_MIN(line.len, (size_t)4),
                 line.ptr + line.len - CW_MIN(line.len, (size_t)4));
    }
    cw_buf_clear(&lines->out);
    cr_assert_str_eq(got, want);
}

#define DOCKER_AT(second, stream) "2026-01-05T10:00:" second "Z {app=\"x\", stream=\"" stream "\"} "

Test(stages, pieces_of_dockers_lines_are_joined_for_each_stream)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- docker: {}\n- output: {source: output}\n");
    docker_feed(&lines, 'a', DOCKER_PIECE, "", "stdout", 1);
    docker_feed(&lines, 'b', DOCKER_PIECE, "", "stderr", 2);
    docker_feed(&lines, 'c', DOCKER_PIECE, "", "stdout", 3);
    docker_expect(&lines, "");
    docker_feed(&lines, 'd', 2, "\\n", "stderr", 4);
    docker_feed(&lines, 'e', 0, "\\n", "stdout", 5);
    docker_expect(
        &lines, DOCKER_AT("02", "stderr") "16386 bbdd\n" DOCKER_AT("01", "stdout") "32768 cccc\n");
    docker_feed(&lines, 'f', 3, "\\n", "stdout", 6);
    docker_expect(&lines, DOCKER_AT("06", "stdout") "3 fff\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, a_shorter_text_of_dockers_without_its_newline_is_whole)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- docker: {}\n");
    docker_feed(&lines, 'a', DOCKER_PIECE - 1, "", "stdout", 1);
    docker_feed(&lines, 'b', 4, "", "stdout", 2);
    docker_expect(&lines,
                  DOCKER_AT("01", "stdout") "16383 aaaa\n" DOCKER_AT("02", "stdout") "4 bbbb\n");
    docker_feed(&lines, 'c', DOCKER_PIECE, "", "stdout", 3);
    docker_feed(&lines, 'd', DOCKER_PIECE, "", "stdout", 4);
    docker_expect(&lines, "");
    cw_stages_flush(lines.run); /* it did not end its line */
    docker_expect(&lines, DOCKER_AT("03", "stdout") "32768 dddd\n");
    cw_stage_lines_fini(&lines);
}
