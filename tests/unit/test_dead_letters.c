#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/file.h"
#include "shipper/dead_letters.h"
#include "shipper/shipper_metrics.h"
#include "tests/support/log_folder.h"

Test(dead_letters, each_is_a_line_of_json_with_any_bytes)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    const char *path = cw_log_folder_path(&folder, "refused");
    struct cw_dead_letters *letters = cw_dead_letters_new(path, NULL);
    struct cw_err err = {0};
    struct cw_dead_letter letter = {
        .client = CW_STR("c"),
        .status = 400,
        .error = CW_STR("too \"long\"\n"),
        .labels = CW_STR("{a=\"b\"}"),
        .entry = {.ts_ns = 1767607200000000001, .line = CW_STR("a line")}};
    cr_assert(!cw_file_exists(path));
    cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
    letter.entry.line = CW_STR("\xff\x01");
    cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
    letter.entry.line = CW_STR("\xff");
    cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cr_assert_eq(cw_file_read(path, 1 << 20, &text, &err), 0);
    cr_assert_str_eq(
        cw_buf_z(&text),
        "{\"time\":\"2026-01-05T10:00:00.000000001Z\",\"client\":\"c\",\"status\":400,\"error\":"
        "\"too \\\"long\\\"\",\"labels\":\"{a=\\\"b\\\"}\",\"line\":\"a line\"}\n"
        "{\"time\":\"2026-01-05T10:00:00.000000001Z\",\"client\":\"c\",\"status\":400,\"error\":"
        "\"too \\\"long\\\"\",\"labels\":\"{a=\\\"b\\\"}\",\"line_b64\":\"/wE=\"}\n"
        "{\"time\":\"2026-01-05T10:00:00.000000001Z\",\"client\":\"c\",\"status\":400,\"error\":"
        "\"too \\\"long\\\"\",\"labels\":\"{a=\\\"b\\\"}\",\"line_b64\":\"/w==\"}\n");
    cw_buf_fini(&text);
    cw_dead_letters_free(&letters);
    cw_log_folder_fini(&folder);
}

Test(dead_letters, a_letter_is_read_as_it_was_written)
{
    static const struct cw_label metadata[] = {{CW_STR("trace"), CW_STR("a\"b")},
                                               {CW_STR("user"), CW_STR("x")}};
    static const struct cw_str lines[] = {CW_STR("a line"), CW_STR("\xff\x01"), CW_STR("")};
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < 3; i++) {
        struct cw_dead_letter letter = {.client = CW_STR("c"),
                                        .tenant = CW_STR("t"),
                                        .status = 413,
                                        .error = CW_STR("too long"),
                                        .labels = CW_STR("{a=\"b\"}"),
                                        .entry = {1767607200000000001, lines[i], metadata, 2}};
        struct cw_dead_letter back;
        struct cw_buf text;
        struct cw_err err;
        cw_buf_init(&text, 1 << 20);
        cw_dead_letter_format(&letter, &text);
        cr_assert_eq(cw_dead_letter_parse(cw_str_sub(cw_buf_str(&text), 0, text.len - 1), arena,
                                          &back, &err),
                     0, "%s", err.text);
        cr_assert(cw_str_eq(back.entry.line, lines[i]) && cw_str_eqz(back.client, "c") &&
                  cw_str_eqz(back.tenant, "t") && back.status == 413 &&
                  cw_str_eqz(back.error, "too long") && cw_str_eqz(back.labels, "{a=\"b\"}"));
        cr_assert(back.entry.ts_ns == letter.entry.ts_ns && back.entry.nmetadata == 2 &&
                  cw_str_eqz(back.entry.metadata[0].value, "a\"b"));
        cw_buf_fini(&text);
    }
    cw_arena_free(&arena);
}

Test(dead_letters, what_is_no_letter_is_an_error)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"time\":\"2026-01-05T10:00:00Z\"",
        "garbage",
        "{\"time\":\"yesterday\",\"client\":\"c\",\"labels\":\"{}\",\"line\":\"\"}",
        "{\"time\":\"2026-01-05T10:00:00Z\",\"client\":\"c\",\"labels\":\"{}\",\"line_b64\":\"?\"}",
        "{\"time\":\"2026-01-05T10:00:00Z\",\"client\":\"c\",\"labels\":\"{}\",\"line\":\"\",\"metadata\":[]}"};
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_dead_letter back;
        struct cw_err err = {0};
        cr_expect_eq(cw_dead_letter_parse(cw_str_of(cases[i]), arena, &back, &err), CW_E_CORRUPT,
                     "%s", cases[i]);
    }
    cw_arena_free(&arena);
}

static size_t lines_in(const char *path)
{
    struct cw_buf text;
    struct cw_err err;
    size_t n = 0;
    cw_buf_init(&text, 1 << 20);
    cr_assert_eq(cw_file_read(path, 1 << 20, &text, &err), 0, "%s", err.text);
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    cw_buf_fini(&text);
    return n;
}

Test(dead_letters, a_file_that_was_taken_away_is_begun_anew_and_a_cut_line_is_ended)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    char *path = cw_str_dupz(cw_str_of(cw_log_folder_path(&folder, "refused")));
    char *taken = cw_str_dupz(cw_str_of(cw_log_folder_path(&folder, "taken")));
    cw_log_folder_append(&folder, "refused", "{\"cut");
    struct cw_dead_letters *letters = cw_dead_letters_new(path, NULL);
    struct cw_dead_letter letter = {.client = CW_STR("c"), .labels = CW_STR("{}")};
    struct cw_err err;
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            cr_assert_eq(rename(path, taken), 0);
        cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
        cr_assert_eq(cw_dead_letters_sync(letters, &err), 0, "%s", err.text);
    }
    cr_assert_eq(lines_in(taken), 3u, "the cut one and two");
    cr_assert_eq(lines_in(path), 1u);
    cw_dead_letters_free(&letters);
    free(path);
    free(taken);
    cw_log_folder_fini(&folder);
}

Test(dead_letters, what_a_full_file_replaces_is_counted)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    struct cw_metrics *metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    char *path = cw_str_dupz(cw_str_of(cw_log_folder_path(&folder, "refused")));
    struct cw_dead_letters *letters = cw_dead_letters_new(path, metrics);
    struct cw_dead_letter letter = {.client = CW_STR("c"), .labels = CW_STR("{}")};
    struct cw_err err;
    for (int i = 0; i < 2; i++) { /* the first time there is nothing to replace */
        cw_log_folder_append(&folder, "refused", "\n");
        cr_assert_eq(truncate(path, CW_DEAD_LETTERS_BYTES), 0);
        cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
        cr_assert_eq(cw_dead_letters_sync(letters, &err), 0, "%s", err.text);
        struct cw_buf text;
        cw_buf_init(&text, 1 << 20);
        cw_metrics_render(metrics, &text);
        const char *want = i == 0 ? "\ncordwood_shipper_dead_letters_lost_bytes_total 0\n"
                                  : "\ncordwood_shipper_dead_letters_lost_bytes_total 67108865\n";
        cr_assert(strstr(cw_buf_z(&text), want) != NULL, "%s", cw_buf_z(&text));
        cw_buf_fini(&text);
    }
    cw_dead_letters_free(&letters);
    cw_metrics_free(&metrics);
    free(path);
    cw_log_folder_fini(&folder);
}
