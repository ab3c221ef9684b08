#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "common/base/buf.h"
#include "shipper/docker_local.h"

/* As Docker Engine writes them. */
static void entry_add(struct cw_buf *out, const char *source, int64_t ts_ns, const char *line,
                      int partial /* -1: whole, 0: goes on, 1: last */)
{
    struct cw_buf message;
    cw_buf_init(&message, 4096);
    cw_buf_addf(&message, "\x0a%c%s\x10", (int)strlen(source), source);
    for (uint64_t rest = (uint64_t)ts_ns; rest > 0 || message.ptr[message.len - 1] == 0x10;
         rest >>= 7)
        cw_buf_addc(&message, (char)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
    cw_buf_addf(&message, "\x1a%c%s", (int)strlen(line), line);
    if (partial >= 0)
        cw_buf_add(&message,
                   partial ? "\x20\x01\x2a\x05\x08\x01\x12\x01i" : "\x20\x01\x2a\x03\x12\x01i",
                   partial ? 9 : 7);
    char len[4] = {0, 0, (char)(message.len >> 8), (char)message.len};
    cw_buf_add(out, len, 4);
    cw_buf_adds(out, cw_buf_str(&message));
    cw_buf_add(out, len, 4);
    cw_buf_fini(&message);
}

static void expect_entry(struct cw_str bytes, size_t *at, enum cw_docker_stream stream,
                         const char *text, bool partial)
{
    struct cw_docker_line line;
    struct cw_err err = {0};
    cr_assert_eq(cw_docker_local_next(bytes, at, &line, &err), 1, "%s", err.text);
    cr_expect(cw_str_eqz(line.text, text) && line.stream == stream && line.partial == partial, "%s",
              text);
    cr_expect_eq(line.ts_ns, 1700000000123456789);
}

Test(docker_local, entries_follow_one_another)
{
    struct cw_buf bytes;
    struct cw_docker_line line;
    struct cw_err err = {0};
    size_t at = 0;
    cw_buf_init(&bytes, 4096);
    entry_add(&bytes, "stdout", 1700000000123456789, "hello", -1);
    entry_add(&bytes, "stderr", 1700000000123456789, "", -1);
    entry_add(&bytes, "stdout", 1700000000123456789, "first", 0);
    entry_add(&bytes, "stdout", 1700000000123456789, "last", 1);
    struct cw_str all = cw_buf_str(&bytes);
    expect_entry(all, &at, CW_DOCKER_STDOUT, "hello", false);
    expect_entry(all, &at, CW_DOCKER_STDERR, "", false);
    expect_entry(all, &at, CW_DOCKER_STDOUT, "first", true);
    expect_entry(all, &at, CW_DOCKER_STDOUT, "last", false);
    cr_assert_eq(at, all.len);
    cr_assert_eq(cw_docker_local_next(all, &at, &line, &err), 0, "there is no more");
    cw_buf_fini(&bytes);
}

Test(docker_local, what_ends_early_is_waited_for)
{
    struct cw_buf bytes;
    struct cw_docker_line line;
    struct cw_err err;
    cw_buf_init(&bytes, 4096);
    entry_add(&bytes, "stdout", 1700000000123456789, "hello", -1);
    for (size_t n = 0; n < bytes.len; n++) {
        size_t at = 0;
        cr_expect_eq(cw_docker_local_next(cw_str_make(bytes.ptr, n), &at, &line, &err), 0, "%zu",
                     n);
        cr_expect_eq(at, 0);
    }
    cw_buf_fini(&bytes);
}

Test(docker_local, after_damage_the_next_entry_is_found)
{
    struct cw_buf bytes;
    struct cw_docker_line line;
    struct cw_err err;
    cw_buf_init(&bytes, 4096);
    entry_add(&bytes, "stdout", 1700000000123456789, "hello", -1);
    size_t first = bytes.len;
    entry_add(&bytes, "stdout", 1700000000123456789, "world", -1);
    for (size_t n = 0; n < first; n++) {
        struct cw_str all = cw_buf_str(&bytes);
        size_t at = 0;
        int rc;
        bytes.ptr[n] ^= 0x55;
        while ((rc = cw_docker_local_next(all, &at, &line, &err)) == CW_E_CORRUPT)
            cr_assert_leq(at, all.len);
        /* a length that points past the end is waited for: only more bytes can tell */
        if (rc == 1 && at < all.len)
            rc = cw_docker_local_next(all, &at, &line, &err);
        cr_expect(rc == 0 || cw_str_eqz(line.text, "world"), "byte %zu", n);
        bytes.ptr[n] ^= 0x55;
    }
    cw_buf_fini(&bytes);
}
