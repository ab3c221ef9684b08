#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/discovery.h"
#include "common/wire/push_resolve.h"

static struct cw_err err;

static struct cw_discovery *standard(void)
{
    struct cw_discovery_options options = {.levels = true, .json_depth = 2};
    return cw_discovery_new(&options);
}

/* The entry's metadata when it came with `metadata` in a stream of these labels. */
static void expect(const char *labels, const char *metadata, const char *line, const char *want)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_discovery *discovery = standard();
    struct cw_labels pairs;
    cr_assert_eq(cw_labels_parse(cw_str_of(metadata), arena, &pairs, &err), 0, "%s", err.text);
    struct cw_push_entry entry = {
        .line = cw_str_of(line), .metadata = pairs.items, .nmetadata = (uint32_t)pairs.n};
    struct cw_push_stream stream = {
        .labels_text = cw_str_of(labels), .entries = &entry, .nentries = 1};
    struct cw_hash128 id;
    cr_assert_eq(cw_push_resolve_labels(&stream, NULL, arena, &id, &err), 0);
    cw_discovery_add_levels(discovery, &stream, arena);
    struct cw_buf text;
    cw_buf_init(&text, 1 << 16);
    cw_labels_format((struct cw_labels){entry.metadata, entry.nmetadata}, &text);
    cr_expect_str_eq(cw_buf_z(&text), want);
    cr_expect_eq(entry.level_found, strstr(metadata, "detected_level") == NULL);
    cw_buf_fini(&text);
    cw_discovery_unref(&discovery);
    cw_arena_free(&arena);
}

Test(discovery, a_level_comes_from_labels_then_metadata_then_severity_then_the_line)
{
    expect("{a=\"b\"}", "{}", "level=warn", "{detected_level=\"warn\"}");
    expect("{a=\"b\"}", "{}", "nothing", "{detected_level=\"unknown\"}");
    expect("{a=\"b\", level=\"WARNING\"}", "{severity=\"err\"}", "info",
           "{detected_level=\"warn\", severity=\"err\"}");
    expect("{a=\"b\", lvl=\"dbg\", severity=\"Err\"}", "{}", "info", "{detected_level=\"error\"}");
    expect("{a=\"b\"}", "{severity_number=\"5\", severity_text=\"Inf\"}", "error",
           "{detected_level=\"info\", severity_number=\"5\", severity_text=\"Inf\"}");
    expect("{a=\"b\"}", "{severity_number=\"5\", z=\"1\"}", "error",
           "{detected_level=\"debug\", severity_number=\"5\", z=\"1\"}");
    /* what is no known word is taken as it is */
    expect("{a=\"b\", level=\"Notice\"}", "{}", "error", "{detected_level=\"Notice\"}");
    expect("{a=\"b\"}", "{level=\"5\"}", "error", "{detected_level=\"5\", level=\"5\"}");
}

Test(discovery, a_level_that_was_sent_stays)
{
    expect("{a=\"b\", level=\"info\"}", "{detected_level=\"ERR\", z=\"1\"}", "warn",
           "{detected_level=\"error\", z=\"1\"}");
    expect("{a=\"b\"}", "{detected_level=\"mine\"}", "warn", "{detected_level=\"mine\"}");
}

static void expect_round_trip(const struct cw_discovery_options *options, size_t bytes)
{
    struct cw_discovery *one = cw_discovery_new(options), *two;
    struct cw_str encoded = cw_discovery_encoded(one);
    cr_expect_eq(encoded.len, bytes, "%zu", encoded.len);
    if (encoded.len > 0) {
        cr_assert_eq(cw_discovery_decode(encoded, &two, &err), 0, "%s", err.text);
        cr_expect(cw_str_eq(cw_discovery_encoded(two), encoded));
        cr_expect_eq(cw_discovery_options(two)->levels, options->levels);
        cr_expect_eq(cw_discovery_options(two)->service_names.n, options->service_names.n);
        cw_discovery_unref(&two);
        for (size_t n = 0; n < encoded.len; n++)
            cr_expect_eq(cw_discovery_decode(cw_str_sub(encoded, 0, n), &two, &err), CW_E_CORRUPT);
    }
    cw_discovery_unref(&one);
}

Test(discovery, settings_are_kept_with_a_frame)
{
    static const struct cw_str own[] = {{"a", 1}, {"b.c", 3}};
    static const struct cw_str standard_names[] = {{"service", 7},
                                                   {"app", 3},
                                                   {"application", 11},
                                                   {"app_name", 8},
                                                   {"name", 4},
                                                   {"app_kubernetes_io_name", 22},
                                                   {"container", 9},
                                                   {"container_name", 14},
                                                   {"k8s_container_name", 18},
                                                   {"component", 9},
                                                   {"workload", 8},
                                                   {"job", 3},
                                                   {"k8s_job_name", 12}};
    struct cw_discovery_options options = {.json_depth = 2};
    expect_round_trip(&options, 0);
    options.levels = true; /* Loki's list, by number */
    expect_round_trip(&options, 4);
    options.service_names = (struct cw_service_names){standard_names, CW_COUNT(standard_names)};
    expect_round_trip(&options, 6);
    options.service_names.n--; /* no more the one of Loki */
    expect_round_trip(&options, 6 + 128);
    options = (struct cw_discovery_options){
        .levels = true, .level_fields = own, .nlevel_fields = 2, .service_names = {own, 2}};
    expect_round_trip(&options, 2 + 8 + 8);
}

Test(discovery, bytes_that_are_no_settings_are_told)
{
    static const struct cw_str samples[] = {{"\x04\x00", 2},
                                            {"\x01\x41\xff\xff", 4},
                                            {"\x01\x02\x02\x00"
                                             "ab",
                                             6},
                                            {"\x01\x02\xff\xffx", 5},
                                            {"\x01\x02\x05\x00"
                                             "a\0",
                                             6}};
    struct cw_discovery *out;
    for (size_t i = 0; i < CW_COUNT(samples); i++)
        cr_expect_eq(cw_discovery_decode(samples[i], &out, &err), CW_E_CORRUPT, "%zu", i);
}
