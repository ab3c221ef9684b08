#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "shipper/docker_frames.h"

static struct cw_buf told;

static void on_message(void *arg, const struct cw_docker_line *message)
{
    (void)arg;
    cw_buf_addf(&told, "%d %lld %.*s%s\n", (int)message->stream, (long long)message->ts_ns,
                CW_STR_ARG(cw_str_sub(message->text, 0, 20)), message->partial ? "+" : "");
}

static void frame_add(struct cw_buf *out, int stream, const char *text)
{
    size_t n = strlen(text);
    char header[8] = {(char)stream, 0, 0, 0, 0, 0, (char)(n >> 8), (char)n};
    cw_buf_add(out, header, 8);
    cw_buf_addz(out, text);
}

/* The body in pieces of every size gives the same messages. */
static void check(bool tty, struct cw_str body, const char *want)
{
    size_t sizes[] = {1, 2, 7, 100, body.len};
    for (size_t k = 0; k < CW_COUNT(sizes); k++) {
        struct cw_docker_frames frames;
        struct cw_err err = {0};
        cw_buf_init(&told, 1 << 20);
        cw_docker_frames_init(&frames, tty);
        for (size_t at = 0; at < body.len; at += sizes[k])
            cr_assert_eq(cw_docker_frames_feed(&frames, cw_str_sub(body, at, at + sizes[k]),
                                               on_message, NULL, &err),
                         0, "%s", err.text);
        cr_expect_str_eq(cw_buf_z(&told), want, "%zu bytes at a time: %s", sizes[k],
                         cw_buf_z(&told));
        cr_expect_eq(frames.rest.len, 0);
        cw_docker_frames_fini(&frames);
        cw_buf_fini(&told);
    }
}

Test(docker_frames, frames_without_a_terminal)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    frame_add(&body, 1, "2026-01-02T03:04:05.000000001Z hello world\n");
    frame_add(&body, 2, "2026-01-02T03:04:05.000000002Z \n");
    char piece[32 + 16384];
    snprintf(piece, sizeof piece, "2026-01-02T03:04:05.000000003Z %016384d", 7);
    frame_add(&body, 1, piece);
    frame_add(&body, 1, "2026-01-02T03:04:05.000000004Z its end");
    check(false, cw_buf_str(&body),
          "0 1767323045000000001 hello world\n1 1767323045000000002 \n0 1767323045000000003 "
          "00000000000000000000+\n0 1767323045000000004 its end\n");
    cw_buf_fini(&body);
}

Test(docker_frames, with_a_terminal_a_long_line_has_times_within)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    cw_buf_addz(&body, "2026-01-02T03:04:05.000000001Z hello\r\n2026-01-02T03:04:05.000000002Z ");
    for (int i = 0; i < 16384; i++)
        cw_buf_addc(&body, 'x');
    cw_buf_addz(&body, "2026-01-02T03:04:05.000000003Z end\n");
    check(true, cw_buf_str(&body),
          "0 1767323045000000001 hello\n0 1767323045000000002 xxxxxxxxxxxxxxxxxxxx+\n0 "
          "1767323045000000003 end\n");
    cw_buf_fini(&body);
}

Test(docker_frames, what_is_no_such_body_is_refused)
{
    static const char *const bad[] = {"\x03\0\0\0\0\0\0\x01x", "\x01\0\0\x01\0\0\0\x01x",
                                      "\x01\0\0\0\xff\0\0\x01x", "\x01\0\0\0\0\0\0\x03no\n"};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        struct cw_docker_frames frames;
        struct cw_err err = {0};
        cw_docker_frames_init(&frames, false);
        cr_expect_eq(cw_docker_frames_feed(&frames, cw_str_make(bad[i], i < 3 ? 9 : 11), on_message,
                                           NULL, &err),
                     CW_E_CORRUPT, "%zu", i);
        cw_docker_frames_fini(&frames);
    }
}
