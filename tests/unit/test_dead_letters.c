#include <criterion/criterion.h>
#include "common/base/file.h"
#include "shipper/dead_letters.h"
#include "tests/support/log_folder.h"

Test(dead_letters, each_is_a_line_of_json_with_any_bytes)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    const char *path = cw_log_folder_path(&folder, "refused");
    struct cw_dead_letters *letters = cw_dead_letters_new(path);
    struct cw_err err = {0};
    struct cw_dead_letter letter = {
        "c", 400, CW_STR("too \"long\"\n"), "{a=\"b\"}", 1767607200000000001, CW_STR("a line")};
    cr_assert(!cw_file_exists(path));
    cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
    letter.line = CW_STR("\xff\x01");
    cr_assert_eq(cw_dead_letters_add(letters, &letter, &err), 0, "%s", err.text);
    letter.line = CW_STR("\xff");
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
