#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/wire/push.h"
#include "shipper/syslog_message.h"

#define NOW INT64_C(1767607200000000000) /* 2026-01-05T10:00:00Z */

static struct cw_arena *arena;
static struct cw_syslog_message got;

static void setup(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(syslog_message, .init = setup, .fini = teardown);

static int new (const char *text)
{
    return cw_syslog_rfc5424_decode(cw_str_of(text), arena, &got, NULL);
}

static int old(const char *text)
{
    return cw_syslog_rfc3164_decode(cw_str_of(text), NOW, &got, NULL);
}

#define IS(member, text) cr_assert(cw_str_eqz(got.member, text), "%.*s", CW_STR_ARG(got.member))

Test(syslog_message, the_examples_of_rfc_5424)
{
    cr_assert_eq(new ("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
                      "\xEF\xBB\xBF'su root' failed for lonvick on /dev/pts/8"),
                 0);
    cr_assert_eq(got.ts_ns, INT64_C(1065910455003000000));
    cr_assert_str_eq(cw_syslog_severity(got.severity), "critical");
    cr_assert_str_eq(cw_syslog_facility(got.facility), "auth");
    IS(hostname, "mymachine.example.com");
    IS(app_name, "su");
    IS(proc_id, "");
    IS(msg_id, "ID47");
    IS(text, "'su root' failed for lonvick on /dev/pts/8");
    cr_assert_eq(new ("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
                      "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"]"
                      "[examplePriority@32473 class=\"high\"]"),
                 0);
    cr_assert_eq(got.nparams, 4);
    IS(params[1].id, "exampleSDID@32473");
    IS(params[1].name, "eventSource");
    IS(params[1].value, "Application");
    IS(params[3].id, "examplePriority@32473");
    IS(text, "");
}

Test(syslog_message, escapes_of_values)
{
    cr_assert_eq(new ("<13>1 - - - - - [x a=\"q\\\" b\\\\ c\\] d\\n\" b=\"]\"] text"), 0);
    IS(params[0].value, "q\" b\\ c] d\\n");
    IS(params[1].value, "]");
    cr_assert_eq(got.ts_ns, CW_PUSH_TS_NONE);
    IS(text, "text");
}

Test(syslog_message, what_is_no_rfc_5424)
{
    static const char *const bad[] = {"",
                                      "text",
                                      "<13>",
                                      "<192>1 - - - - - -",
                                      "<13>2 - - - - - -",
                                      "<13>1 yesterday - - - - -",
                                      "<13>1 - - - - -",
                                      "<13>1 - - - - - [x",
                                      "<13>1 - - - - - [x a=b]",
                                      "<13>1 - - - - - [x a=\"b]",
                                      "<13>1 - - - - - [x a=\"b\"]text",
                                      "<13>1 - - - - - []",
                                      "<13>Jan  5 09:59:58 host app: text"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(new (bad[i]), CW_E_INVALID, "%s", bad[i]);
}

Test(syslog_message, rfc_3164_as_programs_write_it)
{
    static const struct {
        const char *message, *host, *app, *pid, *text;
        int64_t ts_ns;
    } cases[] = {
        {"<34>Jan  5 09:59:58 mymachine su[12]: failed", "mymachine", "su", "12", "failed",
         NOW - INT64_C(2000000000)},
        {"<34>Jan 5 2026 09:59:58 mymachine su: failed", "mymachine", "su", "", "failed",
         NOW - INT64_C(2000000000)},
        {"<34>Dec 31 23:59:59 m su: last year's", "m", "su", "", "last year's",
         INT64_C(1767225599000000000)},
        {"<13>2026-01-05T09:59:58.25+01:00 web nginx: GET /", "web", "nginx", "", "GET /",
         INT64_C(1767603598250000000)},
        {"<13>Jan  5 09:59:58 root: no host", "", "root", "", "no host", NOW - INT64_C(2000000000)},
        {"<189>45: *Jan  5 09:59:58.500: %SYS-5-CONFIG_I: Configured", "", "%SYS-5-CONFIG_I", "",
         "Configured", NOW - INT64_C(1500000000)},
        {"<13>just text", "", "", "", "just text", CW_PUSH_TS_NONE},
        {"<13>Jan 45 09:59:58 m su: x", "", "", "", "Jan 45 09:59:58 m su: x", CW_PUSH_TS_NONE},
        {"<0>", "", "", "", "", CW_PUSH_TS_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(old(cases[i].message), 0, "%s", cases[i].message);
        IS(hostname, cases[i].host);
        IS(app_name, cases[i].app);
        IS(proc_id, cases[i].pid);
        IS(text, cases[i].text);
        cr_assert_eq(got.ts_ns, cases[i].ts_ns, "%s: %ld", cases[i].message, (long)got.ts_ns);
    }
    cr_assert_eq(old("no priority"), CW_E_INVALID);
    cr_assert_eq(old("<999>x"), CW_E_INVALID);
}

/* All messages of a stream, with '|' behind each, '!' behind one that is cut; what is left follows. */
static const char *frames(struct cw_str stream, bool end, size_t max)
{
    static char text[512];
    struct cw_str message;
    size_t skip = 0, n = 0;
    enum cw_syslog_frame frame;
    while (skip == 0 && (frame = cw_syslog_frame_take(&stream, end, max, &message, &skip)) !=
                            CW_SYSLOG_FRAME_NONE)
        n += (size_t)sprintf(text + n, "%.*s%c", CW_STR_ARG(message),
                             frame == CW_SYSLOG_FRAME_CUT ? '!' : '|');
    sprintf(text + n, "%.*s+%zu", CW_STR_ARG(stream), skip);
    return text;
}

Test(syslog_message, streams_are_counted_or_ended_by_newline_or_nul)
{
    cr_assert_str_eq(frames(CW_STR("<1>a\n<2>b\r\n<3>c\0<4>d"), false, 99),
                     "<1>a|<2>b|<3>c|<4>d+0");
    cr_assert_str_eq(frames(CW_STR("<1>a\n<4>d"), true, 99), "<1>a|<4>d|+0");
    cr_assert_str_eq(frames(CW_STR("4 <1>a6 <2>\nbc5 <3>"), false, 99), "<1>a|<2>\nbc|5 <3>+0");
    cr_assert_str_eq(frames(CW_STR("5 <1>a\n<2>mixed\n"), false, 99), "<1>a|<2>mixed|+0");
    cr_assert_str_eq(frames(CW_STR("12"), false, 99), "12+0");
}

Test(syslog_message, what_is_too_long_is_cut)
{
    cr_assert_str_eq(frames(CW_STR("9 <1>abcdef<2>\n"), false, 4), "<1>a!<2>|+0");
    cr_assert_str_eq(frames(CW_STR("20 <1>abcdef"), false, 4), "<1>a!+11");
    cr_assert_str_eq(frames(CW_STR("<1>abc\n"), false, 4), "<1>a!bc|+0");
    cr_assert_str_eq(frames(CW_STR("<1>a"), false, 4), "<1>a+0");
    cr_assert_str_eq(frames(CW_STR("<1>a\n"), false, 4), "<1>a|+0");
}
