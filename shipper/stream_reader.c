#include "shipper/stream_reader.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"

enum { FIRST_BYTES = 4096, KEPT_BYTES = 64 << 10, CIPHER_BYTES = 16384 };
/* What so much is decrypted to is not longer. */
#define PLAIN_BYTES (1u << 20)

struct cw_stream_reader *cw_stream_reader_new(const struct cw_stream_reader_options *options)
{
    struct cw_stream_reader *reader = cw_mem_new(sizeof *reader);
    reader->options = *options;
    if (reader->options.buffer_bytes == 0)
        reader->options.buffer_bytes = CW_STREAM_READER_BYTES;
    if (options->tls != NULL) {
        reader->tls = cw_tls_session_new(options->tls);
        reader->cipher = cw_mem_new(CIPHER_BYTES);
    }
    return reader;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct cw_stream_reader *reader = handle->data;
    if (--reader->nopen > 0)
        return;
    reader->options.on_closed(reader->options.arg, reader);
    cw_tls_session_free(&reader->tls);
    free(reader->cipher);
    free(reader->peer_name);
    free(reader->bytes);
    free(reader);
}

void cw_stream_reader_close(struct cw_stream_reader *reader)
{
    if (reader->closing)
        return;
    reader->closing = true;
    if (reader->len > 0) /* a line without its end is one too */
        (void)reader->options.on_bytes(reader->options.arg, reader,
                                       cw_str_make(reader->bytes, reader->len), CW_STREAM_END);
    reader->handle.stream.data = reader->idle.data = reader;
    reader->nopen = reader->idle.type == UV_TIMER ? 2 : 1;
    uv_close((uv_handle_t *)&reader->handle, on_handle_closed);
    if (reader->nopen == 2)
        uv_close((uv_handle_t *)&reader->idle, on_handle_closed);
}

static void on_idle(uv_timer_t *timer)
{
    struct cw_stream_reader *reader = timer->data;
    if (!reader->held) /* not read by us: silence says nothing */
        cw_stream_reader_close(reader);
}

/* Room for more: the buffer grows as it is needed. */
static size_t room_make(struct cw_stream_reader *reader)
{
    if (reader->len == reader->cap) {
        reader->cap = reader->cap ? CW_MIN(2 * reader->cap, reader->options.buffer_bytes)
                                  : CW_MIN((size_t)FIRST_BYTES, reader->options.buffer_bytes);
        reader->bytes = cw_mem_resize(reader->bytes, reader->cap);
    }
    return reader->cap - reader->len;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct cw_stream_reader *reader = handle->data;
    (void)suggested;
    if (reader->tls != NULL) {
        *out = uv_buf_init(reader->cipher, CIPHER_BYTES);
        return;
    }
    size_t room = room_make(reader);
    *out = uv_buf_init(reader->bytes + reader->len, (unsigned)room);
}

/* Hand over what there is. False: the reader is closed. */
static bool bytes_give(struct cw_stream_reader *reader)
{
    bool full = reader->len == reader->options.buffer_bytes;
    struct cw_str bytes = {reader->bytes, reader->len};
    size_t taken = reader->options.on_bytes(reader->options.arg, reader, bytes, CW_STREAM_MORE);
    if (full && taken == 0)
        taken = reader->options.on_bytes(reader->options.arg, reader, bytes, CW_STREAM_FULL);
    if (taken == SIZE_MAX || (full && taken == 0)) {
        reader->len = 0;
        cw_stream_reader_close(reader);
        return false;
    }
    reader->len -= taken;
    if (reader->len == 0 && reader->cap > KEPT_BYTES) { /* one large message */
        free(reader->bytes);
        reader->bytes = NULL;
        reader->cap = 0;
    }
    if (taken > 0 && reader->len > 0)
        memmove(reader->bytes, reader->bytes + taken, reader->len);
    return !reader->closing;
}

/* `n` bytes were put behind those that there are. False: the reader is closed. */
static bool bytes_added(struct cw_stream_reader *reader, size_t n)
{
    size_t skipped = CW_MIN(reader->skip, n);
    reader->skip -= skipped;
    memmove(reader->bytes + reader->len, reader->bytes + reader->len + skipped, n - skipped);
    reader->len += n - skipped;
    return reader->len == 0 || bytes_give(reader);
}

static void bytes_send(struct cw_stream_reader *reader, struct cw_str bytes);

static void opened(struct cw_stream_reader *reader)
{
    if (reader->opened)
        return;
    reader->opened = true;
    if (reader->options.on_opened != NULL)
        reader->options.on_opened(reader->options.arg, reader);
}

/* Decrypt what was read, and hand it over piece by piece. False: the reader is closed. */
static bool cipher_take(struct cw_stream_reader *reader, size_t n)
{
    struct cw_buf plain, send;
    struct cw_err err;
    cw_buf_init(&plain, PLAIN_BYTES);
    cw_buf_init(&send, PLAIN_BYTES);
    int rc = cw_tls_session_take(reader->tls, cw_str_make(reader->cipher, n), &plain, &send, &err);
    if (rc < 0)
        cw_log_info("a connection from %s: %s", reader->peer, err.text);
    if (send.len > 0)
        bytes_send(reader, cw_buf_str(&send));
    if (rc == 0 && cw_tls_session_agreed(reader->tls))
        opened(reader);
    struct cw_str rest = cw_buf_str(&plain);
    bool open = !reader->closing;
    while (rest.len > 0 && open) {
        size_t piece = CW_MIN(room_make(reader), rest.len);
        memcpy(reader->bytes + reader->len, rest.ptr, piece);
        rest = cw_str_sub(rest, piece, rest.len);
        open = bytes_added(reader, piece);
    }
    cw_buf_fini(&plain);
    cw_buf_fini(&send);
    if (rc != 0 && open)
        cw_stream_reader_close(reader);
    return open && rc == 0;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct cw_stream_reader *reader = stream->data;
    (void)buf;
    if (nread == 0)
        return;
    if (nread < 0) {
        cw_stream_reader_close(reader);
        return;
    }
    if (reader->options.idle_ms > 0)
        uv_timer_again(&reader->idle);
    size_t n = (size_t)nread;
    if (!(reader->tls != NULL ? cipher_take(reader, n) : bytes_added(reader, n)))
        return;
    if (!reader->options.room(reader->options.arg)) {
        reader->held = true;
        uv_read_stop(stream);
    }
}

int cw_stream_reader_start(struct cw_stream_reader *reader)
{
    reader->handle.stream.data = reader;
    if (reader->options.idle_ms > 0) {
        uv_timer_init(reader->handle.stream.loop, &reader->idle);
        reader->idle.data = reader;
        uv_timer_start(&reader->idle, on_idle, reader->options.idle_ms, reader->options.idle_ms);
    }
    if (reader->tls == NULL)
        opened(reader);
    reader->held = !reader->options.room(reader->options.arg);
    return reader->held ? 0 : uv_read_start(&reader->handle.stream, on_alloc, on_read);
}

void cw_stream_reader_resume(struct cw_stream_reader *reader)
{
    if (!reader->held || reader->closing)
        return;
    reader->held = false;
    if (uv_read_start(&reader->handle.stream, on_alloc, on_read) < 0)
        cw_stream_reader_close(reader);
}

void cw_stream_reader_skip(struct cw_stream_reader *reader, size_t n)
{
    reader->skip = n;
}

struct answer {
    uv_write_t write;
    char bytes[];
};

static void on_answered(uv_write_t *write, int status)
{
    (void)status; /* a sender that is gone sends again */
    free(CW_CONTAINER_OF(write, struct answer, write));
}

static void bytes_send(struct cw_stream_reader *reader, struct cw_str bytes)
{
    struct answer *answer = cw_mem_new(sizeof *answer + bytes.len);
    memcpy(answer->bytes, bytes.ptr, bytes.len);
    uv_buf_t buf = uv_buf_init(answer->bytes, (unsigned)bytes.len);
    if (uv_write(&answer->write, &reader->handle.stream, &buf, 1, on_answered) < 0)
        free(answer);
}

void cw_stream_reader_answer(struct cw_stream_reader *reader, struct cw_str bytes)
{
    struct cw_buf send;
    struct cw_err err;
    if (reader->closing)
        return;
    if (reader->tls == NULL) {
        bytes_send(reader, bytes);
        return;
    }
    cw_buf_init(&send, PLAIN_BYTES);
    if (cw_tls_session_send(reader->tls, bytes, &send, &err) == 0)
        bytes_send(reader, cw_buf_str(&send));
    cw_buf_fini(&send);
}

bool cw_stream_line_take(struct cw_str *bytes, enum cw_stream_more more, struct cw_str *line)
{
    ptrdiff_t newline = cw_str_find_byte(*bytes, '\n');
    if (bytes->len == 0 || (newline < 0 && more == CW_STREAM_MORE))
        return false;
    size_t end = newline < 0 ? CW_MIN(bytes->len, (size_t)CW_LIMIT_LINE_BYTES) : (size_t)newline;
    *line = cw_str_sub(*bytes, 0, end);
    if (newline > 0 && line->ptr[end - 1] == '\r')
        line->len--;
    *bytes = cw_str_sub(*bytes, end + (newline >= 0), bytes->len);
    return true;
}
