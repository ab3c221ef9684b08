#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "querier/local/line_time.h"

static struct cw_line_time reader;

static int64_t rfc3339(const char *text)
{
    int64_t ns = 0;
    cr_assert(cw_time_parse_rfc3339(cw_str_of(text), &ns), "%s", text);
    return ns;
}

static void setup(void)
{
    cw_line_time_init(&reader, CW_ZONE_UTC, rfc3339("2026-06-01T00:00:00Z"));
}

static void teardown(void)
{
    cw_line_time_fini(&reader);
}

TestSuite(line_time, .init = setup, .fini = teardown);

Test(line_time, lines_of_real_programs_tell_their_times)
{
    static const struct {
        const char *line, *time;
    } rows[] = {
        /* syslog */
        {"Jan  5 10:00:00 combo sshd[19939]: authentication failure", "2026-01-05T10:00:00Z"},
        {"<34>Jan  5 10:00:00 mymachine su: 'su root' failed", "2026-01-05T10:00:00Z"},
        {"<165>1 2026-01-05T10:00:00.003Z host evntslog - ID47 - x", "2026-01-05T10:00:00.003Z"},
        {"<34>1 2026-01-05T05:00:00.000003-05:00 192.0.2.1 myproc 8710 - - x",
         "2026-01-05T10:00:00.000003Z"},
        /* web servers */
        {"10.45.74.80 - - [05/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.0\" 301 332 \"-\" \"-\"",
         "2026-01-05T10:00:00Z"},
        {"::1 - frank [user] [05/Jan/2026:11:00:00 +0100] \"GET /\" 200 1", "2026-01-05T10:00:00Z"},
        {"[Mon Jan 05 10:00:00 2026] [error] mod_jk child", "2026-01-05T10:00:00Z"},
        {"[Mon Jan 05 10:00:00.123456 2026] [core:notice] [pid 7] x",
         "2026-01-05T10:00:00.123456Z"},
        {"2026/01/05 10:00:00 [error] 7#7: *1 open() failed", "2026-01-05T10:00:00Z"},
        {"[05/Jan/2026:10:00:00 +0000] 10.0.0.1 TLSv1.3", "2026-01-05T10:00:00Z"},
        /* Kubernetes, containers */
        {"I0105 10:00:00.123456       1 main.go:10] hi", "2026-01-05T10:00:00.123456Z"},
        {"2026-01-05T10:00:00.123456789Z stdout F a line", "2026-01-05T10:00:00.123456789Z"},
        {"{\"log\":\"a line\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00.5Z\"}",
         "2026-01-05T10:00:00.5Z"},
        {"time=\"2026-01-05T10:00:00Z\" level=info msg=\"hi\"", "2026-01-05T10:00:00Z"},
        {"ts=2026-01-05T10:00:00.112Z level=warn caller=a.go:1", "2026-01-05T10:00:00.112Z"},
        {"level=info ts=1767607200.25 msg=hi", "2026-01-05T10:00:00.25Z"},
        {"level=info timestamp=1767607200123 msg=hi", "2026-01-05T10:00:00.123Z"},
        /* files that begin with a byte order mark */
        {"\xef\xbb\xbf[2026-01-05 10:00:00] hi", "2026-01-05T10:00:00Z"},
        {"\xef\xbb\xbf{\"ts\":\"2026-01-05T10:00:00Z\"}", "2026-01-05T10:00:00Z"},
        /* JSON */
        {"{\"timestamp\": \"2026-01-05T10:00:00.657Z\", \"level\": \"info\"}",
         "2026-01-05T10:00:00.657Z"},
        {"{\"@timestamp\":\"2026-01-05T10:00:00Z\"}", "2026-01-05T10:00:00Z"},
        {"{\"level\":\"info\",\"ts\":1767607200.5,\"msg\":\"zap\"}", "2026-01-05T10:00:00.5Z"},
        {"{\"level\":30,\"time\":1767607200123,\"msg\":\"pino\"}", "2026-01-05T10:00:00.123Z"},
        {"{\"time\":1767607200123456789}", "2026-01-05T10:00:00.123456789Z"},
        {"{\"time\":\"2026-01-05 10:00:00,5\"}", "2026-01-05T10:00:00.5Z"},
        {"{\"a\":{\"ts\":1},\"time\":\"no\",\"ts\":1767607200}", "2026-01-05T10:00:00Z"},
        /* others */
        {"2026-01-05 10:00:00,359 INFO [main] org.apache", "2026-01-05T10:00:00.359Z"},
        {"[2026-01-05 10:00:00,359] INFO kafka", "2026-01-05T10:00:00.359Z"},
        {"[2026-01-05T10:00:00,359][INFO ][o.e.n.Node] x", "2026-01-05T10:00:00.359Z"},
        {"2026-01-05 10:00:00.123 UTC [42] LOG:  ready", "2026-01-05T10:00:00.123Z"},
        {"260105 100001 19 INFO dfs.FSDataset: x", "2026-01-05T10:00:01Z"},
        {"26/01/05 10:00:00 INFO storage.MemoryStore: x", "2026-01-05T10:00:00Z"},
        {"nova-api.log.1.2017-05-16_13:53:08 2026-01-05 10:00:01.052 25790 INFO",
         "2026-01-05T10:00:01.052Z"},
        {"- 1120953142 2005.07.09 R21 2026-01-05-10.00.00.634000 R21", "2026-01-05T10:00:00.634Z"},
        {"INFO  [2026-01-05 10:00:00,123] com.example: x", "2026-01-05T10:00:00.123Z"},
        {"pid 7 (2026-01-05T10:00:00Z) x", "2026-01-05T10:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = 0;
        cr_expect(cw_line_time_read(&reader, cw_str_of(rows[i].line), &ns), "%s", rows[i].line);
        cr_expect_eq(ns, rfc3339(rows[i].time), "%s: %lld", rows[i].line, (long long)ns);
    }
}

Test(line_time, lines_without_a_time_have_none)
{
    static const char *const lines[] = {
        "",
        " ",
        "{",
        "{}",
        "[",
        "<",
        "<34>",
        "<34>1 ",
        "<34>1 - host app",
        "<x>Jan  5 10:00:00",
        "java.lang.NullPointerException: x",
        "\tat com.example.A.b(A.java:17)",
        "[   12.345678] usb 1-1: new device",
        "{\"msg\":\"no time\",\"n\":{\"time\":\"2026-01-05T10:00:00Z\"}}",
        "{\"time\":12,\"ts\":null,\"timestamp\":true,\"@timestamp\":[1]}",
        "{\"time\":\"2026-01-05T10:00:00Z and more\"}",
        "{\"time\":\"2026-01-05T10:00:00Z", /* cut */
        "level=info starts=2026-01-05T10:00:00Z",
        "level=info ts= msg=x",
        "10.0.0.1 - - [05/Jan/26:10:00:00] x",
        "the release of 2026-01-05 is out",
        "x2026-01-05T10:00:00Z",
        "  valid until 2020-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        int64_t ns = 0;
        cr_expect_not(cw_line_time_read(&reader, cw_str_of(lines[i]), &ns), "%s", lines[i]);
    }
}

Test(line_time, a_date_far_inside_a_line_is_not_its_time)
{
    char line[400];
    memset(line, 'x', sizeof line);
    memcpy(line + 200, " 2026-01-05T10:00:00Z ", 22);
    int64_t ns;
    cr_assert_not(cw_line_time_read(&reader, cw_str_make(line, sizeof line), &ns));
}

Test(line_time, forms_that_a_file_does_not_have_are_not_looked_for)
{
    struct cw_str date_inside = CW_STR("valid until 2020-01-01T00:00:00Z"),
                  pair_inside = CW_STR("  request ts=2020-01-01T00:00:00Z");
    int64_t ns;
    cr_assert(cw_line_time_read(&reader, date_inside, &ns));
    cw_line_time_learn(&reader, CW_STR("2026-01-05T10:00:00Z a\n2026-01-05T10:00:01Z b\n  "
                                       "stack\n2026-01-05T10:00:00Z c\n"));
    cr_assert_not(cw_line_time_read(&reader, date_inside, &ns));
    cr_assert_not(cw_line_time_read(&reader, pair_inside, &ns));
    cr_assert(cw_line_time_read(&reader, CW_STR("Jan  5 10:00:00 at the front"), &ns));
    cw_line_time_learn(&reader, CW_STR("level=info ts=2026-01-05T10:00:00Z\n"));
    cr_assert(cw_line_time_read(&reader, pair_inside, &ns));
    cr_assert_not(cw_line_time_read(&reader, date_inside, &ns));
    cw_line_time_learn(&reader, CW_STR("nothing\nis known\n"));
    cr_assert(cw_line_time_read(&reader, date_inside, &ns));
    struct cw_line_time other;
    cw_line_time_learn(&reader, CW_STR("{\"time\":1767607200}\n"));
    cw_line_time_init_like(&other, &reader);
    cr_assert(cw_line_time_read(&other, CW_STR("{\"time\":1767607200}"), &ns));
    cr_assert_not(cw_line_time_read(&other, pair_inside, &ns));
    cw_line_time_fini(&other);
}

Test(line_time, lines_are_taken_one_by_one)
{
    struct cw_str lines = CW_STR("a\n\nb\n"), line;
    cr_assert(cw_line_time_next(&lines, &line) && cw_str_eqz(line, "a"));
    cr_assert(cw_line_time_next(&lines, &line) && cw_str_eqz(line, ""));
    cr_assert(cw_line_time_next(&lines, &line) && cw_str_eqz(line, "b"));
    cr_assert_not(cw_line_time_next(&lines, &line));
    lines = CW_STR("no newline");
    cr_assert(cw_line_time_next(&lines, &line) && cw_str_eqz(line, "no newline"));
    cr_assert_not(cw_line_time_next(&lines, &line));
}
