#include "shipper/stream_reader.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"

enum { FIRST_BYTES = 4096 };

struct cw_stream_reader *cw_stream_reader_new(const struct cw_stream_reader_options *options)
{
    struct cw_stream_reader *reader = cw_mem_new(sizeof *reader);
    reader->options = *options;
    if (reader->options.buffer_bytes == 0)
        reader->options.buffer_bytes = CW_STREAM_READER_BYTES;
    return reader;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct cw_stream_reader *reader = handle->data;
    if (--reader->nopen > 0)
        return;
    reader->options.on_closed(reader->options.arg, reader);
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
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct cw_stream_reader *reader = handle->data;
    (void)suggested;
    if (reader->len == reader->cap) {
        reader->cap = reader->cap ? CW_MIN(2 * reader->cap, reader->options.buffer_bytes)
                                  : CW_MIN(FIRST_BYTES, reader->options.buffer_bytes);
        reader->bytes = cw_mem_resize(reader->bytes, reader->cap);
    }
    *out = uv_buf_init(reader->bytes + reader->len, (unsigned)(reader->cap - reader->len));
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
    if (reader->len == 0 && reader->cap > CW_STREAM_READER_BYTES) { /* one large message */
        free(reader->bytes);
        reader->bytes = NULL;
        reader->cap = 0;
    }
    if (taken > 0 && reader->len > 0)
        memmove(reader->bytes, reader->bytes + taken, reader->len);
    return !reader->closing;
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
    size_t skipped = CW_MIN(reader->skip, (size_t)nread);
    reader->skip -= skipped;
    memmove(reader->bytes + reader->len, reader->bytes + reader->len + skipped,
            (size_t)nread - skipped);
    reader->len += (size_t)nread - skipped;
    if (reader->len == 0 || !bytes_give(reader))
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

void cw_stream_reader_answer(struct cw_stream_reader *reader, struct cw_str bytes)
{
    if (reader->closing)
        return;
    struct answer *answer = cw_mem_new(sizeof *answer + bytes.len);
    memcpy(answer->bytes, bytes.ptr, bytes.len);
    uv_buf_t buf = uv_buf_init(answer->bytes, (unsigned)bytes.len);
    if (uv_write(&answer->write, &reader->handle.stream, &buf, 1, on_answered) < 0)
        free(answer);
}

bool cw_stream_line_take(struct cw_str *bytes, enum cw_stream_more more, struct cw_str *line)
{
    ptrdiff_t newline = cw_str_find_byte(*bytes, '\n');
    if (bytes->len == 0 || (newline < 0 && more == CW_STREAM_MORE))
        return false;
    size_t end = newline < 0 ? bytes->len : (size_t)newline;
    *line = cw_str_sub(*bytes, 0, end);
    if (newline > 0 && line->ptr[end - 1] == '\r')
        line->len--;
    *bytes = cw_str_sub(*bytes, end + (newline >= 0), bytes->len);
    return true;
}
