/* What the conformance suite does not ask of OTLP: order of fields, nesting, broken bodies, bounds. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/limits.h"
#include "common/wire/push.h"

static struct cw_arena *arena;
static struct cw_push push;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(push_otlp, .init = setup, .fini = teardown);

static int json(const char *body)
{
    return cw_push_otlp_json_decode(cw_str_of(body), NULL, arena, 77, &push, &err);
}

static const char *metadata(size_t entry, const char *name)
{
    const struct cw_push_entry *e = &push.streams[0].entries[entry];
    for (uint32_t i = 0; i < e->nmetadata; i++)
        if (cw_str_eqz(e->metadata[i].name, name))
            return cw_arena_dup(arena, e->metadata[i].value).ptr;
    return NULL;
}

Test(push_otlp, a_resource_may_stand_behind_what_is_of_it)
{
    cr_assert_eq(
        json("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":5,"
             "\"body\":{\"stringValue\":\"x\"}}],\"scope\":{\"name\":\"lib\"}}],"
             "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
             "{\"stringValue\":\"s\"}},{\"key\":\"a.b\",\"value\":{\"intValue\":\"3\"}}]}}]}"),
        0, "%s", err.text);
    cr_assert_eq(push.nstreams, 1);
    cr_assert_eq(push.streams[0].labels.n, 1);
    cr_expect(cw_str_eqz(push.streams[0].labels.items[0].name, "service_name"));
    cr_expect_str_eq(metadata(0, "scope_name"), "lib");
    cr_expect_str_eq(metadata(0, "a_b"), "3");
    cr_expect_eq(push.streams[0].entries[0].ts_ns, 5);
}

Test(push_otlp, names_may_be_those_of_protobuf)
{
    cr_assert_eq(
        json("{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"time_unix_nano\":\"9\","
             "\"severity_number\":9,\"body\":{\"string_value\":\"x\"},\"trace_id\":"
             "\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0000000000000000\"}]}]}]}"),
        0, "%s", err.text);
    cr_assert_eq(push.nentries, 1);
    cr_expect_str_eq(metadata(0, "severity_number"), "9");
    cr_expect_str_eq(metadata(0, "trace_id"), "0102030405060708090a0b0c0d0e0f10");
    cr_expect_null(metadata(0, "span_id"), "an id of zeros is none");
}

Test(push_otlp, bodies_become_text_as_opentelemetry_prints_them)
{
    static const struct {
        const char *value, *want;
    } cases[] = {
        {"{\"boolValue\":true}", "true"},
        {"{\"stringValue\":\"half \\ud800\"}", "half \xEF\xBF\xBD"},
        {"{\"intValue\":-7}", "-7"},
        {"{\"doubleValue\":0.000001}", "0.000001"},
        {"{\"doubleValue\":1e300}", "1e+300"},
        {"{\"bytesValue\":\"AAE=\"}", "AAE="},
        {"{\"kvlistValue\":{\"values\":[{\"key\":\"z\",\"value\":{\"intValue\":1}},{\"key\":\"a\","
         "\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"<\"},{}]}}}]}}",
         "{\"a\":[\"\\u003c\",null],\"z\":1}"},
        {"{}", ""},
        {"null", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cw_str body = cw_arena_printf(arena,
                                             "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":"
                                             "[{\"timeUnixNano\":1,\"body\":%s}]}]}]}",
                                             cases[i].value);
        cr_assert_eq(cw_push_otlp_json_decode(body, NULL, arena, 77, &push, &err), 0, "%s: %s",
                     cases[i].value, err.text);
        cr_expect(cw_str_eqz(push.streams[0].entries[0].line, cases[i].want), "%s: %.*s",
                  cases[i].value, CW_STR_ARG(push.streams[0].entries[0].line));
    }
}

Test(push_otlp, a_record_without_a_time_gets_the_time_of_its_arrival)
{
    cr_assert_eq(json("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}"), 0);
    cr_expect_eq(push.streams[0].entries[0].ts_ns, 77);
}

Test(push_otlp, json_that_says_something_else_is_refused_with_its_place)
{
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"[]", "a logs request must be an object at byte 1"},
        {"{\"resourceLogs\":{}}", "must be arrays"},
        {"{\"resourceLogs\":[1]}", "must hold objects"},
        {"{\"resourceLogs\":[{\"resource\":[]}]}", "a resource must be an object"},
        {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"x\"}]}]}]}",
         "a number must be one of 64 bits"},
        {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"9223372036854775808"
         "\"}]}]}]}",
         "do not fit"},
        {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"12\"}]}]}]}",
         "a traceId must have 32 hexadecimal digits"},
        {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"bytesValue\":\"%\"}}]}]}]}",
         "bytesValue must be base64"},
        {"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":7}]}]}]}",
         "a value must be an object"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(json(cases[i].body), CW_E_INVALID, "%s", cases[i].body);
        cr_expect(strstr(err.text, cases[i].want) != NULL, "%s: %s", cases[i].body, err.text);
    }
}

/* A value inside of `depth` lists, in protobuf. */
static struct cw_str nested(unsigned depth)
{
    char *at = cw_arena_alloc(arena, 8192);
    size_t len = 0;
    for (unsigned i = 0; i < depth; i++) {
        char *outer = cw_arena_alloc(arena, 8192);
        size_t n = 0;
        unsigned char tags[] = {1 << 3 | 2, 5 << 3 | 2}; /* of the list, of its holder */
        for (size_t t = 0; t < 2; t++) {
            n = 0;
            outer[n++] = (char)tags[t];
            for (size_t left = len; true; left >>= 7) {
                outer[n++] = (char)(left < 0x80 ? left : left | 0x80);
                if (left < 0x80)
                    break;
            }
            memcpy(outer + n, at, len);
            memcpy(at, outer, n + len);
            len += n;
        }
    }
    return cw_str_make(at, len);
}

static struct cw_str wrap(struct cw_str inner, unsigned char tag)
{
    struct cw_buf out;
    cw_buf_init(&out, 1 << 20);
    cw_buf_addc(&out, (char)tag);
    for (size_t left = inner.len; true; left >>= 7) {
        cw_buf_addc(&out, (char)(left < 0x80 ? left : left | 0x80));
        if (left < 0x80)
            break;
    }
    cw_buf_adds(&out, inner);
    struct cw_str text = cw_arena_dup(arena, cw_buf_str(&out));
    cw_buf_fini(&out);
    return text;
}

static struct cw_str request_of_body(struct cw_str value)
{
    struct cw_str record = wrap(value, 5 << 3 | 2);
    struct cw_str scope = wrap(record, 2 << 3 | 2), resource = wrap(scope, 2 << 3 | 2);
    return wrap(resource, 1 << 3 | 2);
}

Test(push_otlp, values_nest_so_deep_and_no_deeper)
{
    cr_assert_eq(
        cw_push_otlp_protobuf_decode(request_of_body(nested(32)), NULL, arena, 1, &push, &err), 0,
        "%s", err.text);
    cr_expect_eq(push.streams[0].entries[0].line.len, 2 * 32 + 4, "[[...null...]]");
    cr_assert_eq(
        cw_push_otlp_protobuf_decode(request_of_body(nested(33)), NULL, arena, 1, &push, &err),
        CW_E_INVALID);
    cr_expect(strstr(err.text, "nested") != NULL);
}

Test(push_otlp, a_message_cut_anywhere_is_refused_or_ends_between_fields)
{
    struct cw_str whole = request_of_body(nested(3));
    for (size_t n = 1; n < whole.len; n++)
        cr_assert_eq(
            cw_push_otlp_protobuf_decode(cw_str_sub(whole, 0, n), NULL, arena, 1, &push, &err),
            CW_E_INVALID, "%zu bytes", n);
}

Test(push_otlp, names_of_nested_attributes_are_bounded_together)
{
    /* A name of 64 KiB over 4,096 members would be 256 MiB. */
    struct cw_buf body;
    cw_buf_init(&body, 64 << 20);
    cw_buf_addz(&body,
                "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"attributes\":[{\"key\":\"");
    for (size_t i = 0; i < 64 << 10; i++)
        cw_buf_addc(&body, 'k');
    cw_buf_addz(&body, "\",\"value\":{\"kvlistValue\":{\"values\":[");
    for (size_t i = 0; i < 4096; i++)
        cw_buf_addf(&body, "%s{\"key\":\"%zu\"}", i > 0 ? "," : "", i);
    cw_buf_addz(&body, "]}}}]}]}]}]}");
    cr_assert_eq(cw_push_otlp_json_decode(cw_buf_str(&body), NULL, arena, 1, &push, &err),
                 CW_E_TOO_LARGE);
    cw_buf_fini(&body);
}

/* ---- with a mapping ---- */

static void add_rule(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                     enum cw_otlp_action action, const char *name)
{
    const struct cw_str names[] = {cw_str_of(name)};
    const struct cw_otlp_rule rule = {action, names, 1, CW_STR_NONE};
    cr_assert_eq(cw_otlp_mapping_add(mapping, place, &rule, &err), 0);
}

static int json_mapped(const char *body, const struct cw_otlp_mapping *mapping)
{
    static const struct cw_str list[] = {{"app", 3}};
    const struct cw_service_names names = {list, 1};
    const struct cw_otlp_options options = {&names, mapping};
    return cw_push_otlp_json_decode(cw_str_of(body), &options, arena, 77, &push, &err);
}

/* Streams as "{labels}line,line;". */
static const char *streams(void)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < push.nstreams; i++) {
        cw_labels_format(push.streams[i].labels, &text);
        for (size_t k = 0; k < push.streams[i].nentries; k++)
            cw_buf_addf(&text, "%s%.*s", k > 0 ? "," : "",
                        CW_STR_ARG(push.streams[i].entries[k].line));
        cw_buf_addc(&text, ';');
    }
    const char *copy = cw_arena_dup(arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    return copy;
}

#define ATTRIBUTE(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define RECORD(line, attributes)                                                                   \
    "{\"timeUnixNano\":5,\"severityText\":\"WARN\",\"body\":{\"stringValue\":\"" line              \
    "\"},\"attributes\":[" attributes "]}"
#define RESOURCE(attributes, records)                                                              \
    "{\"resource\":{\"attributes\":[" attributes                                                   \
    "]},\"scopeLogs\":[{\"scope\":{\"attributes\":[" ATTRIBUTE("sa", "1") "," ATTRIBUTE(           \
        "sb", "2") "]},\"logRecords\":[" records "]}]}"

Test(push_otlp, labels_of_records_part_them_into_streams)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(false);
    add_rule(mapping, CW_OTLP_RESOURCE, CW_OTLP_LABEL, "app");
    add_rule(mapping, CW_OTLP_RESOURCE, CW_OTLP_DROP, "gone");
    add_rule(mapping, CW_OTLP_SCOPE, CW_OTLP_DROP, "sa");
    add_rule(mapping, CW_OTLP_LOG, CW_OTLP_LABEL, "user.id");
    add_rule(mapping, CW_OTLP_LOG, CW_OTLP_LABEL, "app");
    add_rule(mapping, CW_OTLP_LOG, CW_OTLP_DROP, "secret");
    cr_assert_eq(
        json_mapped(
            "{\"resourceLogs\":[" RESOURCE(
                ATTRIBUTE("app", "x") "," ATTRIBUTE("gone", "1") "," ATTRIBUTE("kept", "1"),
                RECORD("a", ATTRIBUTE("user.id", "u1") "," ATTRIBUTE("secret", "s")) "," RECORD("b", ATTRIBUTE("user.id", "u2")) "," RECORD(
                    "c",
                    ATTRIBUTE(
                        "user.id",
                        "u1")) "," RECORD("d",
                                          ATTRIBUTE(
                                              "other",
                                              "o")) "," RECORD("e",
                                                               ATTRIBUTE(
                                                                   "app",
                                                                   "own"))) "," RESOURCE(ATTRIBUTE("app",
                                                                                                   "x"),
                                                                                         RECORD(
                                                                                             "f",
                                                                                             ATTRIBUTE(
                                                                                                 "user.id",
                                                                                                 "u1"))) "]}",
            mapping),
        0, "%s", err.text);
    cr_expect_str_eq(streams(), "{app=\"x\", service_name=\"x\"}d;"
                                "{app=\"x\", service_name=\"x\", user_id=\"u1\"}a,c;"
                                "{app=\"x\", service_name=\"x\", user_id=\"u2\"}b;"
                                "{app=\"own\", service_name=\"x\"}e;"
                                "{app=\"x\", service_name=\"x\", user_id=\"u1\"}f;");
    cr_expect_str_eq(metadata(0, "other"), "o");
    cr_expect_str_eq(metadata(0, "kept"), "1");
    cr_expect_str_eq(metadata(0, "sb"), "2");
    cr_expect_null(metadata(0, "sa"));
    cr_expect_null(metadata(0, "gone"));
    cr_expect_eq(push.nentries, 6);
    push.streams++;
    cr_expect_null(metadata(0, "user_id"));
    cr_expect_null(metadata(0, "secret"));
    cw_otlp_mapping_unref(&mapping);
}

Test(push_otlp, severity_text_can_be_a_label_and_stays_metadata)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(true);
    cr_assert_eq(json_mapped("{\"resourceLogs\":[" RESOURCE("", RECORD("a", "")) "]}", mapping), 0);
    cr_expect_str_eq(streams(), "{service_name=\"unknown_service\", severity_text=\"WARN\"}a;");
    cr_expect_str_eq(metadata(0, "severity_text"), "WARN");
    cw_otlp_mapping_unref(&mapping);
}

/* As Loki has it: no other one is looked for. */
Test(push_otlp, a_service_name_that_is_no_label_is_one_all_the_same)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(false);
    add_rule(mapping, CW_OTLP_RESOURCE, CW_OTLP_LABEL, "app");
    cr_assert_eq(json_mapped("{\"resourceLogs\":[" RESOURCE(
                                 ATTRIBUTE("app", "x") "," ATTRIBUTE("service.name", "s"),
                                 RECORD("a", "")) "]}",
                             mapping),
                 0);
    cr_expect_str_eq(streams(), "{app=\"x\"}a;");
    cr_expect_str_eq(metadata(0, "service_name"), "s");
    cw_otlp_mapping_unref(&mapping);
}

Test(push_otlp, what_has_no_value_is_no_label_and_what_has_no_name_is_refused)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(false);
    const struct cw_otlp_rule all = {.action = CW_OTLP_LABEL, .regex = CW_STR(".*")};
    cr_assert_eq(cw_otlp_mapping_add(mapping, CW_OTLP_RESOURCE, &all, &err), 0);
    cr_assert_eq(json_mapped("{\"resourceLogs\":[" RESOURCE(
                                 ATTRIBUTE("empty", "") "," ATTRIBUTE("service.name", "s"),
                                 RECORD("a", "")) "]}",
                             mapping),
                 0);
    cr_expect_str_eq(streams(), "{service_name=\"s\"}a;");
    cr_assert_eq(
        json_mapped("{\"resourceLogs\":[" RESOURCE(ATTRIBUTE("", "x"), RECORD("a", "")) "]}",
                    mapping),
        CW_E_INVALID);
    cr_expect_str_eq(err.text, "symbolizer lookup: label name is empty");
    cr_assert_eq(json_mapped("{\"resourceLogs\":[" RESOURCE(ATTRIBUTE("a..b", "x"),
                                                            RECORD("a", ATTRIBUTE("é", "x"))) "]}",
                             mapping),
                 CW_E_INVALID);
    cr_expect_str_eq(err.text, "symbolizer lookup: normalization for label name \"é\" resulted in "
                               "invalid name \"_\"");
    cw_otlp_mapping_unref(&mapping);
}
