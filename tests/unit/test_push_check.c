/* test_push_check.c - what the limits take out of a push, and Loki's sentence for the first of it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include "common/base/limits.h"
#include "common/base/clock.h"
#include "ingester/push_check.h"

#define NOW (INT64_C(1770000000) * CW_NS_PER_S)

struct fixture {
    struct cw_arena *arena;
    struct cw_ingester_config *config;
    struct cw_push push;
    struct cw_push_checked out;
};

static struct fixture make(const char *const *labels, size_t nstreams, size_t nentries)
{
    struct fixture f = {.arena = cw_arena_new()};
    struct cw_err err = {0};
    cr_assert_eq(cw_ingester_config_load(NULL, &f.config, NULL, &err), 0);
    f.push.streams = CW_ARENA_ARRAY(f.arena, struct cw_push_stream, nstreams);
    f.push.nstreams = nstreams;
    f.push.nentries = nstreams * nentries;
    for (size_t i = 0; i < nstreams; i++) {
        f.push.streams[i].labels_text = cw_str_of(labels[i]);
        f.push.streams[i].entries = CW_ARENA_ARRAY(f.arena, struct cw_push_entry, nentries);
        f.push.streams[i].nentries = nentries;
        for (size_t e = 0; e < nentries; e++)
            f.push.streams[i].entries[e] =
                (struct cw_push_entry){.ts_ns = NOW - (int64_t)e, .line = CW_STR("line")};
    }
    return f;
}

static void check_with(struct fixture *f, const struct cw_discovery_options *options)
{
    struct cw_discovery *discovery = cw_discovery_new(options);
    cw_push_check(&f->push, &f->config->limits, discovery, NOW, f->arena, &f->out);
    cw_discovery_unref(&discovery);
}

/* Nothing is added. */
static void check(struct fixture *f)
{
    struct cw_discovery_options none = {.levels = false};
    check_with(f, &none);
}

static const struct cw_str service_names[] = {{"app", 3}};
static const struct cw_discovery_options all_found = {
    .service_names = {service_names, 1}, .levels = true, .json_depth = 2};

static void done(struct fixture *f)
{
    cw_ingester_config_free(&f->config);
    cw_arena_free(&f->arena);
}

static void expect_first(const struct fixture *f, const char *text)
{
    cr_assert(cw_str_eqz(f->out.first, text), "%.*s", CW_STR_ARG(f->out.first));
}

static const char *const good[] = {"{a=\"b\"}", "{a=\"c\"}"};

Test(push_check, a_good_push_is_taken_unchanged)
{
    struct fixture f = make(good, 2, 3);
    check(&f);
    cr_assert_eq(f.out.first.len, 0);
    cr_assert_not(f.out.changed);
    cr_assert_eq(f.push.nentries, 6);
    cr_assert_eq(f.push.line_bytes, 24);
    cr_assert_not(cw_hash128_eq(f.out.ids[0], f.out.ids[1]));
    done(&f);
}

Test(push_check, bad_entries_leave_and_good_ones_stay_in_order)
{
    struct fixture f = make(good, 2, 4);
    f.config->limits.max_line_size = 5;
    f.push.streams[0].entries[0].line = CW_STR("much too long");
    f.push.streams[0].entries[2].ts_ns = NOW + 11 * 60 * CW_NS_PER_S;
    f.push.streams[1].entries[3].ts_ns = CW_PUSH_TS_NONE;
    check(&f);
    expect_first(&f, "max entry size '5' bytes exceeded for stream '{a=\"b\"}' while adding an "
                     "entry with length '13' bytes");
    cr_assert(f.out.changed);
    cr_assert_eq(f.push.nentries, 5);
    cr_assert_eq(f.push.streams[0].nentries, 2);
    cr_assert_eq(f.push.streams[0].entries[1].ts_ns, NOW - 3);
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_LINE_TOO_LONG], 1);
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_TOO_NEW], 1);
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_TOO_OLD], 1);
    done(&f);
}

Test(push_check, a_long_line_is_cut_when_the_limit_says_so)
{
    struct fixture f = make(good, 1, 1);
    f.config->limits.max_line_size = 3;
    f.config->limits.max_line_size_truncate = true;
    check(&f);
    cr_assert_eq(f.out.first.len, 0);
    cr_assert(f.out.changed, "the body as received is not what is stored");
    cr_assert(cw_str_eqz(f.push.streams[0].entries[0].line, "lin"));
    done(&f);
}

Test(push_check, old_entries_are_taken_unless_they_are_to_be_refused)
{
    struct fixture f = make(good, 1, 1);
    f.push.streams[0].entries[0].ts_ns = 0;
    check(&f);
    cr_assert_eq(f.out.first.len, 0);
    done(&f);
    f = make(good, 1, 1);
    f.push.streams[0].entries[0].ts_ns = 0;
    f.config->limits.reject_old_samples = true;
    check(&f);
    expect_first(&f, "entry for stream '{a=\"b\"}' has timestamp too old: 1970-01-01T00:00:00Z, "
                     "oldest acceptable timestamp is: 2026-01-26T02:40:00Z");
    cr_assert_eq(f.push.nentries, 0);
    done(&f);
}

Test(push_check, labels_that_do_not_parse_cost_the_push_and_a_double_name_its_stream)
{
    static const char *const broken[] = {"{a=\"b\"}", "{a=\"b\""},
                             *const twice[] = {"{a=\"b\", a=\"c\"}", "{a=\"b\"}"},
                             *const none[] = {"{}", "{a=\"b\"}"};
    struct fixture f = make(broken, 2, 1);
    check(&f);
    cr_assert(f.out.refused);
    cr_assert_eq(f.push.nentries, 0);
    cr_assert_gt(f.out.first.len, 0);
    done(&f);
    f = make(twice, 2, 1);
    check(&f);
    expect_first(&f, "stream '{a=\"b\", a=\"c\"}' has duplicate label name: 'a'");
    cr_assert_eq(f.push.nentries, 1);
    done(&f);
    f = make(none, 2, 1);
    check(&f);
    expect_first(&f, "error at least one label pair is required per stream");
    cr_assert_eq(f.push.nstreams, 1);
    done(&f);
}

Test(push_check, labels_are_bounded_in_number_and_length)
{
    struct fixture f = make((const char *const[]){"{a=\"1\", b=\"2\", c=\"3\"}"}, 1, 2);
    f.config->limits.max_label_names_per_series = 2;
    check(&f);
    expect_first(&f, "entry for stream '{a=\"1\", b=\"2\", c=\"3\"}' has 3 label names; limit 2");
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_LABELS], 2);
    done(&f);
    f = make((const char *const[]){"{abc=\"1\"}"}, 1, 1);
    f.config->limits.max_label_name_length = 2;
    check(&f);
    expect_first(&f, "stream '{abc=\"1\"}' has label name too long: 'abc'");
    done(&f);
    f = make((const char *const[]){"{a=\"123\"}"}, 1, 1);
    f.config->limits.max_label_value_length = 2;
    check(&f);
    expect_first(&f, "stream '{a=\"123\"}' has label value too long: '123'");
    done(&f);
}

Test(push_check, metadata_is_bounded_and_sanitised)
{
    struct cw_label pairs[] = {
        {CW_STR("z.z"), CW_STR("1")}, {CW_STR("9"), CW_STR("2")}, {CW_STR("empty"), CW_STR("")}};
    struct fixture f = make(good, 1, 1);
    f.push.streams[0].entries[0].metadata = pairs;
    f.push.streams[0].entries[0].nmetadata = 3;
    check(&f);
    cr_assert_eq(f.out.first.len, 0);
    cr_assert_eq(f.push.streams[0].entries[0].nmetadata, 2);
    cr_assert(cw_str_eqz(f.push.streams[0].entries[0].metadata[0].name, "key_9"));
    cr_assert(cw_str_eqz(f.push.streams[0].entries[0].metadata[1].name, "z_z"));
    done(&f);
    f = make(good, 1, 1);
    f.config->limits.max_structured_metadata_entries_count = 2;
    f.push.streams[0].entries[0].metadata = pairs;
    f.push.streams[0].entries[0].nmetadata = 3;
    check(&f);
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_METADATA], 1);
    done(&f);
    f = make(good, 1, 1);
    f.config->limits.max_structured_metadata_size = 10;
    f.push.streams[0].entries[0].metadata = pairs;
    f.push.streams[0].entries[0].nmetadata = 3;
    check(&f);
    cr_assert_eq(f.out.ndiscarded[CW_DISCARD_METADATA], 1);
    done(&f);
    f = make(good, 1, 1);
    f.config->limits.allow_structured_metadata = false;
    f.push.streams[0].entries[0].metadata = pairs;
    f.push.streams[0].entries[0].nmetadata = 1;
    check(&f);
    cr_assert_eq(f.push.nentries, 0);
    done(&f);
}

Test(push_check, what_a_part_cannot_hold_is_refused_whatever_the_limits_say)
{
    static struct cw_label pairs[CW_LIMIT_METADATA_COUNT_HARD + 1];
    static char names[CW_LIMIT_METADATA_COUNT_HARD + 1][8], value[CW_LIMIT_METADATA_BYTES_HARD];
    for (size_t i = 0; i <= CW_LIMIT_METADATA_COUNT_HARD; i++) {
        int len = snprintf(names[i], sizeof names[i], "n%zu", i);
        pairs[i] = (struct cw_label){cw_str_make(names[i], (size_t)len), CW_STR("v")};
    }
    for (int over = 0; over < 3; over++) {
        struct fixture f = make(good, 1, 1);
        f.config->limits.max_structured_metadata_entries_count = 0;
        f.config->limits.max_structured_metadata_size = 0;
        f.push.streams[0].entries[0].metadata = pairs;
        f.push.streams[0].entries[0].nmetadata =
            over == 2 ? 1 : CW_LIMIT_METADATA_COUNT_HARD + (uint32_t)over;
        if (over == 2) {
            memset(value, 'x', sizeof value);
            pairs[0].value = cw_str_make(value, sizeof value);
        }
        check(&f);
        cr_assert_eq(f.out.ndiscarded[CW_DISCARD_METADATA], over > 0);
        done(&f);
    }
}

Test(push_check, a_stream_without_entries_is_not_looked_at)
{
    struct fixture f = make((const char *const[]){"no labels at all"}, 1, 0);
    check(&f);
    cr_assert_eq(f.out.first.len, 0);
    cr_assert_not(f.out.refused);
    cr_assert_eq(f.push.nstreams, 0);
    done(&f);
}

Test(push_check, what_is_discovered_is_added_to_what_is_taken)
{
    static const char *const labels[] = {"{}", "{app=\"shop\"}"};
    struct fixture f = make(labels, 2, 2);
    f.config->limits.max_line_size = 5;
    f.config->limits.max_line_size_truncate = true;
    f.push.streams[1].entries[0].line = CW_STR("error");
    f.push.streams[1].entries[1].line = CW_STR("1234 error");
    check_with(&f, &all_found);
    cr_assert_eq(f.out.first.len, 0);
    cr_assert_eq(f.push.nentries, 4);
    cr_expect(cw_str_eqz(cw_labels_get(f.push.streams[0].labels, CW_STR("service_name")),
                         "unknown_service"));
    cr_expect(cw_str_eqz(cw_labels_get(f.push.streams[1].labels, CW_STR("service_name")), "shop"));
    const struct cw_push_entry *entries = f.push.streams[1].entries;
    cr_expect(cw_str_eqz(entries[0].metadata[0].value, "error"));
    cr_expect(cw_str_eqz(entries[1].metadata[0].value, "unknown"), "as the line was cut");
    done(&f);
}

Test(push_check, a_service_name_is_no_label_too_many)
{
    static const char *const labels[] = {"{a=\"1\", b=\"1\"}", "{a=\"1\", b=\"1\", c=\"1\"}"};
    struct fixture f = make(labels, 2, 1);
    f.config->limits.max_label_names_per_series = 2;
    check_with(&f, &all_found);
    cr_assert_eq(f.push.nstreams, 1);
    expect_first(&f, "entry for stream '{a=\"1\", b=\"1\", c=\"1\", "
                     "service_name=\"unknown_service\"}' has 3 label names; limit 2");
    done(&f);
}

Test(push_check, a_name_of_metadata_that_is_none_costs_the_push)
{
    static const struct {
        struct cw_label pair;
        const char *text;
    } cases[] = {
        {{{"", 0}, {"v", 1}}, "label name is empty"},
        {{{"_", 1}, {"", 0}}, "normalization for label name \"_\" resulted in invalid name \"_\""},
    };
    static const char *const labels[] = {"{a=\"1\"}", "{a=\"2\"}"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f = make(labels, 2, 3);
        f.push.streams[0].entries[0].ts_ns = NOW + INT64_C(86400) * CW_NS_PER_S; /* another fault */
        f.push.streams[1].entries[1].metadata = &cases[i].pair;
        f.push.streams[1].entries[1].nmetadata = 1;
        check(&f);
        cr_expect(f.out.refused);
        cr_expect_eq(f.push.nstreams, 0);
        cr_expect_eq(f.push.nentries, 0);
        cr_expect_eq(f.out.ndiscarded[CW_DISCARD_METADATA], 1);
        cr_expect(cw_str_eqz(f.out.first, cases[i].text), "%.*s", CW_STR_ARG(f.out.first));
        done(&f);
    }
}

Test(push_check, entries_of_one_time_come_a_nanosecond_apart_where_that_is_asked_for)
{
    static const char *const labels[] = {"{a=\"b\"}"};
    static const char *const lines[] = {"x", "y", "y", "z", "z", "x"};
    static const int64_t sent[] = {0, 0, 0, 0, 5, 5}, want[] = {0, 1, 0, 1, 5, 6};
    for (int on = 0; on < 2; on++) {
        struct fixture f = make(labels, 1, 6);
        struct cw_push_entry *entries = f.push.streams[0].entries;
        f.config->limits.increment_duplicate_timestamp = on;
        for (size_t i = 0; i < 6; i++)
            entries[i] =
                (struct cw_push_entry){.ts_ns = NOW + sent[i], .line = cw_str_of(lines[i])};
        check(&f);
        cr_assert_eq(f.push.streams[0].nentries, 6);
        for (size_t i = 0; i < 6; i++)
            cr_expect_eq(entries[i].ts_ns - NOW, on ? want[i] : sent[i], "%d: entry %zu", on, i);
        cr_expect_eq(f.out.changed, on == 1);
        done(&f);
    }
}
