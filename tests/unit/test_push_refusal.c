#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "shipper/push_refusal.h"

/* ---- texts ---- */

static bool is_of_all(const char *text, size_t nentries)
{
    return cw_push_refusal_is_of_all(cw_str_of(text), nentries);
}

Test(push_refusal, lokis_counts_are_understood)
{
    cr_expect(is_of_all("3 errors like: entry for stream '{a=\"b\"}' has timestamp too old: "
                        "2026-01-05T09:00:00Z, oldest acceptable timestamp is: "
                        "2026-01-05T10:00:00Z\n",
                        3));
    cr_expect(is_of_all("2 errors like: max entry size '1' bytes exceeded for stream '{a=\"b\"}'; "
                        "1 errors like: entry for stream '{a=\"b\"}' has timestamp too new: T",
                        3));
    cr_expect(is_of_all("entry with timestamp 2026-01-05 09:00:00 +0000 UTC ignored, reason: "
                        "'entry too far behind, entry timestamp is: .., oldest acceptable "
                        "timestamp is: ..',\nuser 'fake', total ignored: 10 out of 10 for stream: "
                        "{a=\"b\"}",
                        10));
    cr_expect(is_of_all("entry with timestamp T ignored, reason: 'entry out of order' for stream: "
                        "{a=\"b\"},\ntotal ignored: 10 out of 10",
                        10));
}

Test(push_refusal, what_is_not_said_of_all_is_not_taken_so)
{
    cr_expect_not(is_of_all("entry for stream '{a=\"b\"}' has timestamp too old: T", 2));
    cr_expect_not(is_of_all("2 errors like: entry for stream", 3));
    cr_expect_not(is_of_all("4 errors like: entry for stream", 3));
    cr_expect_not(is_of_all("total ignored: 3 out of 10 for stream: {}", 3));
    cr_expect_not(is_of_all("total ignored: 3 out of 10 for stream: {}", 10));
    cr_expect_not(is_of_all("total ignored: 10 out of 10 for stream: {}", 20), "of one of two");
    cr_expect_not(is_of_all("there were 3 errors like: x", 3), "no group begins there");
    cr_expect_not(is_of_all("99999999999999999999 errors like: x", 3));
    cr_expect_not(is_of_all("total ignored: 3 out of ", 3));
    cr_expect_not(is_of_all("total ignored: ", 3));
    cr_expect_not(is_of_all("", 3));
}

Test(push_refusal, values_of_labels_cannot_say_it)
{
    cr_expect_not(is_of_all("entry for stream '{a=\"total ignored: 3 out of 3\"}'", 3));
    cr_expect_not(is_of_all("entry for stream '{a=\"; 3 errors like: \"}'", 3));
    cr_expect_not(is_of_all("entry for stream '{a=\"\\\"; 3 errors like: \"}'", 3));
    cr_expect_not(is_of_all("entry for stream '{a=\"; 3 errors like: ", 3));
    cr_expect_not(is_of_all("\"\\", 3));
}

/* ---- a server, and what is pushed to it ---- */

enum { ENTRIES_MAX = 40000 };
static bool is_bad[ENTRIES_MAX];
static size_t nentries, source_entries; /* each source has so many in a row */
static size_t line_entries;             /* and each line, which no batch parts */
static size_t npushes, ngood_given_up;

enum server {
    LOKI,        /* the first reason alone, as older ones */
    LOKI_COUNTS, /* as newer ones; cordwood of a delivery */
    SOME_SERVER,
    PROXY
};

static void fill(size_t n, size_t from, size_t to, size_t step)
{
    nentries = source_entries = n;
    line_entries = 1;
    for (size_t i = 0; i < n; i++)
        is_bad[i] = i >= from && i < to && (i - from) % step == 0;
}

static const char *answer(enum server server, size_t first, size_t nbad)
{
    static char text[200];
    const char *one = server == SOME_SERVER ? "no"
                      : server == PROXY     ? "upstream 'a': bad stream of bytes"
                                            : "entry for stream '{a=\"b\"}' has timestamp "
                                              "too old: 2026-01-05T09:00:%02zuZ";
    size_t len = 0;
    if (server == LOKI_COUNTS && nbad > 1)
        len = (size_t)snprintf(text, sizeof text, "%zu errors like: ", nbad);
    snprintf(text + len, sizeof text - len, one, first % 60);
    return text;
}

static void push_all(enum server server, bool plain)
{
    struct cw_push_refusals refusals;
    cw_push_refusals_init(&refusals);
    npushes = ngood_given_up = 0;
    for (size_t at = 0; at < nentries;) {
        cr_assert_gt(refusals.max_entries, 0);
        cr_assert_lt(npushes, 4 * nentries, "it does not get past entry %zu", at);
        size_t nlines = (refusals.max_entries + line_entries - 1) / line_entries;
        size_t n = CW_MIN(nlines * line_entries, nentries - at), nbad = 0;
        for (size_t i = at; i < at + n; i++)
            nbad += is_bad[i];
        npushes++;
        if (nbad == 0) {
            cw_push_refusals_taken(&refusals, n);
            at += n;
            continue;
        }
        size_t source = at / source_entries;
        struct cw_push_refused batch = {.status = 400,
                                        .text = cw_str_of(answer(server, at, nbad)),
                                        .plain = plain,
                                        .nentries = n,
                                        .nfirst = CW_MIN(n, (source + 1) * source_entries - at)};
        memcpy(batch.source.bytes, &source, sizeof source);
        if (cw_push_refusals_refused(&refusals, &batch) == CW_PUSH_SPLIT)
            continue;
        ngood_given_up += n - nbad;
        at += n;
    }
}

static void expect(size_t most_pushes, size_t most_good)
{
    cr_expect_leq(npushes, most_pushes, "%zu pushes", npushes);
    cr_expect_leq(ngood_given_up, most_good, "%zu good ones given up", ngood_given_up);
}

Test(push_refusal, an_answer_that_counts_settles_all_of_a_run_at_once)
{
    fill(30000, 0, 30000, 1);
    push_all(LOKI_COUNTS, true);
    expect(1, 0);
    push_all(LOKI_COUNTS, false);
    expect(1, 0);
    fill(30000, 7001, 19003, 1);
    push_all(LOKI_COUNTS, false);
    expect(5 * 15, 0);
    fill(30000, 1, 30000, 3000);
    push_all(LOKI_COUNTS, false);
    expect(10 * 2 * 15, 0);
}

Test(push_refusal, a_run_of_refusals_takes_few_requests_though_nothing_is_counted)
{
    fill(30000, 0, 30000, 1);
    push_all(LOKI, true);
    expect(90, 0);
    push_all(SOME_SERVER, true);
    expect(90, 0);
    fill(30000, 7001, 19003, 1);
    push_all(LOKI, true);
    expect(160, 19003);
}

Test(push_refusal, of_a_server_with_marks_no_good_entry_is_given_up_whatever_it_says)
{
    for (size_t step = 1; step < 4; step++) {
        fill(3000, 100, 2900, step);
        push_all(LOKI, false);
        expect(3000 * 3, 0);
        push_all(SOME_SERVER, false);
        expect(3000 * 3, 0);
        push_all(LOKI_COUNTS, false);
        expect(step == 1 ? 60 : 3000 * 3, 0);
    }
}

Test(push_refusal, every_other_one_is_a_run_where_good_ones_are_stored_already)
{
    fill(30000, 0, 30000, 2);
    push_all(LOKI, true);
    expect(200, 15000);
    push_all(LOKI_COUNTS, true);
    expect(200, 15000);
    push_all(SOME_SERVER, true);
    expect(3 * 15000 + 15, 0);
    push_all(PROXY, true);
    expect(3 * 15000 + 15, 0);
}

Test(push_refusal, a_line_that_is_several_entries_is_given_up_as_one)
{
    for (size_t per_line = 2; per_line <= 7; per_line++) {
        for (enum server server = LOKI; server <= PROXY; server++) {
            fill(70 * per_line, 20 * per_line, 20 * per_line + 1, 1); /* one entry of one line */
            line_entries = per_line;
            push_all(server, true);
            expect(30, per_line - 1);
            push_all(server, false);
            expect(30, per_line - 1);
            fill(70 * per_line, 0, 70 * per_line, 1);
            line_entries = per_line;
            push_all(server, false);
            expect(70 * 4, 0);
        }
    }
}

Test(push_refusal, a_stream_is_named_in_lokis_words_alone)
{
    static const struct {
        const char *text;
        size_t gap; /* so many that are taken end the run */
    } cases[] = {
        {"entry for stream '{a=\"b\"}' has timestamp too old: T", CW_PUSH_RUN},
        {"Max entry size '1' bytes exceeded for stream '{}' while adding", CW_PUSH_RUN},
        {"stream '{a=\"b\"}' has label value too long: 'b'", CW_PUSH_RUN},
        {"1 errors like: stream '{a=\"b\"}' has label name too long", CW_PUSH_RUN},
        {"user 'fake', total ignored: 1 out of 1 for stream: {a=\"b\"}", CW_PUSH_RUN},
        {"missing required labels a for user fake for stream {b=\"c\"}", CW_PUSH_RUN},
        {"upstream error", 1},
        {"upstream '{a}' is away", 1},
        {"unknown stream", 1},
        {"stream 'logs' is read only", 1},
        {"bad line: \"for stream '{a}'\"", 1},
        {"for stream", 1},
        {"", 1},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_push_refusals refusals;
        cw_push_refusals_init(&refusals);
        struct cw_push_refused one = {
            .status = 400, .text = cw_str_of(cases[i].text), .plain = true, .nentries = 1};
        cr_assert_eq(cw_push_refusals_refused(&refusals, &one), CW_PUSH_GIVE_UP);
        cr_expect_eq(refusals.gap, cases[i].gap, "%s", cases[i].text);
    }
}

Test(push_refusal, now_and_then_one_is_no_run)
{
    fill(30000, 0, 30000, 100);
    push_all(LOKI, true);
    expect(300 * 15, 0);
}

Test(push_refusal, a_run_costs_other_sources_nothing)
{
    fill(8000, 0, 2000, 1);
    for (size_t i = 4000; i < 5000; i++)
        is_bad[i] = true;
    source_entries = 1000;
    push_all(LOKI, true);
    expect(200, 0);
}

Test(push_refusal, another_reason_is_another_run)
{
    struct cw_push_refusals refusals;
    cw_push_refusals_init(&refusals);
    struct cw_push_refused one = {.status = 400, .plain = true, .nentries = 1, .nfirst = 1};
    for (size_t i = 0; i < 4 * CW_PUSH_RUN; i++) {
        one.text = i % 2 ? CW_STR("stream too old") : CW_STR("stream too new");
        cr_assert_eq(cw_push_refusals_refused(&refusals, &one), CW_PUSH_GIVE_UP);
        cr_assert_eq(refusals.max_entries, 1);
    }
    one.text = CW_STR("too large");
    one.status = 413;
    for (size_t i = 0; i < 2 * CW_PUSH_RUN; i++)
        (void)cw_push_refusals_refused(&refusals, &one);
    struct cw_push_refused more = one;
    more.nentries = more.nfirst = 8;
    cr_assert_eq(cw_push_refusals_refused(&refusals, &more), CW_PUSH_SPLIT, "smaller may fit");
}
