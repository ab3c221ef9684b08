#include "shipper/docker_frames.h"
#include "common/base/clock.h"

enum { HEADER_BYTES = 8, PIECE_BYTES = 16 << 10, TIME_BYTES_MAX = 40 };

void cw_docker_frames_init(struct cw_docker_frames *frames, bool tty)
{
    frames->tty = tty;
    cw_buf_init(&frames->rest, 2 * CW_DOCKER_FRAME_BYTES);
}

void cw_docker_frames_fini(struct cw_docker_frames *frames)
{
    cw_buf_fini(&frames->rest);
}

static int corrupt(struct cw_err *err)
{
    return cw_err_set(err, CW_E_CORRUPT, "the Docker Engine's log stream cannot be read");
}

/* "TIME text"; with its newline when it has one. */
static int message_decode(struct cw_str bytes, struct cw_docker_line *out, struct cw_err *err)
{
    ptrdiff_t space = cw_str_find_byte(cw_str_sub(bytes, 0, TIME_BYTES_MAX), ' ');
    if (space < 0 || !cw_time_parse_rfc3339(cw_str_sub(bytes, 0, (size_t)space), &out->ts_ns))
        return corrupt(err);
    out->text = cw_str_sub(bytes, (size_t)space + 1, bytes.len);
    bool newline = cw_str_ends(out->text, CW_STR("\n"));
    out->text.len -= newline;
    if (newline)
        out->text = cw_docker_line_trim(out->text);
    out->partial = !newline && out->text.len >= PIECE_BYTES;
    return 0;
}

/* How many bytes the frame at the front has; 0: it has not come whole. */
static int frame_next(struct cw_str bytes, size_t *len_out, struct cw_docker_line *out,
                      struct cw_err *err)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    *len_out = 0;
    if (bytes.len < HEADER_BYTES)
        return 0;
    size_t len = (size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
    if ((p[0] != 1 && p[0] != 2) || p[1] != 0 || p[2] != 0 || p[3] != 0 ||
        len > CW_DOCKER_FRAME_BYTES)
        return corrupt(err);
    if (bytes.len < HEADER_BYTES + len)
        return 0;
    *len_out = HEADER_BYTES + len;
    out->stream = p[0] == 1 ? CW_DOCKER_STDOUT : CW_DOCKER_STDERR;
    return message_decode(cw_str_sub(bytes, HEADER_BYTES, *len_out), out, err);
}

/* The same with a terminal. */
static int tty_next(struct cw_str bytes, size_t *len_out, struct cw_docker_line *out,
                    struct cw_err *err)
{
    ptrdiff_t space = cw_str_find_byte(cw_str_sub(bytes, 0, TIME_BYTES_MAX), ' ');
    *len_out = 0;
    if (space < 0)
        return bytes.len < TIME_BYTES_MAX ? 0 : corrupt(err);
    struct cw_str text = cw_str_sub(bytes, (size_t)space + 1, bytes.len);
    ptrdiff_t newline = cw_str_find_byte(cw_str_sub(text, 0, PIECE_BYTES + 1), '\n');
    if (newline < 0 && text.len <= PIECE_BYTES)
        return 0;
    *len_out = (size_t)space + 1 + (newline >= 0 ? (size_t)newline + 1 : PIECE_BYTES);
    out->stream = CW_DOCKER_STDOUT;
    return message_decode(cw_str_sub(bytes, 0, *len_out), out, err);
}

int cw_docker_frames_feed(struct cw_docker_frames *frames, struct cw_str bytes,
                          cw_docker_message_fn fn, void *arg, struct cw_err *err)
{
    cw_buf_adds(&frames->rest, bytes);
    if (cw_buf_failed(&frames->rest))
        return corrupt(err);
    struct cw_str all = cw_buf_str(&frames->rest);
    size_t at = 0, len = 0;
    int rc;
    do {
        struct cw_docker_line message = {.partial = false};
        struct cw_str rest = cw_str_sub(all, at, all.len);
        rc = frames->tty ? tty_next(rest, &len, &message, err)
                         : frame_next(rest, &len, &message, err);
        if (rc == 0 && len > 0)
            fn(arg, &message);
        at += len;
    } while (rc == 0 && len > 0);
    if (at > 0) {
        memmove(frames->rest.ptr, frames->rest.ptr + at, all.len - at);
        frames->rest.len = all.len - at;
    }
    return rc;
}
