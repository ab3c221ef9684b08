/*
 * receiver_pipe.c - lines of standard input (a pipe, a terminal, a file) and of named pipes.
 *
 * A named pipe never ends: we hold its writing end too. Standard input does; a last line without a
 * newline is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "shipper/receiver.h"
#include "shipper/stream_reader.h"

struct pipe_receiver {
    struct cw_receiver receiver;
    struct cw_stream_reader *reader; /* NULL: not open, at its end, or of a file */
    bool ended;
    /* standard input that is a file, which no loop can wait for */
    struct {
        uv_fs_t read;
        char *bytes;
        size_t len;
        bool open, busy;
    } file;
};

static struct pipe_receiver *pipe_of(struct cw_receiver *receiver)
{
    return CW_CONTAINER_OF(receiver, struct pipe_receiver, receiver);
}

static size_t lines_put(struct pipe_receiver *pipe, struct cw_str bytes, enum cw_stream_more more)
{
    struct cw_received *received = &pipe->receiver.received;
    struct cw_received_entry entry = {.ts_ns = CW_PUSH_TS_NONE};
    struct cw_str rest = bytes;
    bool kept = cw_received_stream(received, NULL, 0);
    if (kept && more == CW_STREAM_FULL)
        cw_received_bad(received, CW_RECEIVED_CUT, CW_RECEIVED_LONG);
    while (cw_stream_line_take(&rest, more, &entry.line))
        if (kept)
            cw_received_put(received, &entry);
    cw_receiver_flush(&pipe->receiver, NULL, NULL);
    return bytes.len - rest.len;
}

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    return lines_put(arg, bytes, more);
}

static bool room(void *arg)
{
    const struct pipe_receiver *pipe = arg;
    return cw_receiver_room(&pipe->receiver);
}

static void ended(struct pipe_receiver *pipe)
{
    pipe->ended = true;
    if (!pipe->receiver.stopped)
        cw_log_info("%s: standard input is at its end", pipe->receiver.name);
}

static void on_closed(void *arg, struct cw_stream_reader *reader)
{
    struct pipe_receiver *pipe = arg;
    pipe->reader = NULL;
    ended(pipe);
}

/* ---- a file ---- */

static void file_read(struct pipe_receiver *pipe);

static void on_file_read(uv_fs_t *read)
{
    struct pipe_receiver *pipe = read->data;
    ssize_t got = read->result;
    uv_fs_req_cleanup(read);
    pipe->file.busy = false;
    pipe->file.len += got > 0 ? (size_t)got : 0;
    bool full = pipe->file.len == CW_STREAM_READER_BYTES, end = got <= 0;
    struct cw_str bytes = {pipe->file.bytes, pipe->file.len};
    size_t taken =
        lines_put(pipe, bytes, end || pipe->receiver.stopped ? CW_STREAM_END : CW_STREAM_MORE);
    if (taken == 0 && full)
        taken = lines_put(pipe, bytes, CW_STREAM_FULL);
    pipe->file.len -= taken;
    memmove(pipe->file.bytes, pipe->file.bytes + taken, pipe->file.len);
    if (end) {
        pipe->file.open = false;
        ended(pipe);
    }
    file_read(pipe);
}

static void file_read(struct pipe_receiver *pipe)
{
    if (!pipe->file.open || pipe->file.busy || pipe->receiver.stopped || !room(pipe))
        return;
    uv_buf_t buf = uv_buf_init(pipe->file.bytes + pipe->file.len,
                               (unsigned)(CW_STREAM_READER_BYTES - pipe->file.len));
    pipe->file.busy = true;
    int rc = uv_fs_read(pipe->receiver.host->loop, &pipe->file.read, STDIN_FILENO, &buf, 1, -1,
                        on_file_read);
    CW_ASSERT(rc == 0); /* it is queued */
}

static void file_start(struct pipe_receiver *pipe)
{
    pipe->file.bytes = cw_mem_new(CW_STREAM_READER_BYTES);
    pipe->file.read.data = pipe;
    pipe->file.open = true;
    file_read(pipe);
}

/* ---- what loops can wait for ---- */

static int stream_start(struct pipe_receiver *pipe, uv_file fd, struct cw_err *err)
{
    struct cw_stream_reader_options options = {
        .on_bytes = on_bytes, .room = room, .on_closed = on_closed, .arg = pipe};
    uv_loop_t *loop = pipe->receiver.host->loop;
    struct cw_stream_reader *reader = pipe->reader = cw_stream_reader_new(&options);
    int rc;
    switch (uv_guess_handle(fd)) {
    case UV_TTY: rc = uv_tty_init(loop, &reader->handle.tty, fd, 0); break;
    case UV_TCP:
        uv_tcp_init(loop, &reader->handle.tcp);
        rc = uv_tcp_open(&reader->handle.tcp, fd);
        break;
    default:
        uv_pipe_init(loop, &reader->handle.pipe, 0);
        rc = uv_pipe_open(&reader->handle.pipe, fd);
    }
    if (rc == 0)
        rc = cw_stream_reader_start(reader);
    return rc < 0 ? cw_err_set(err, CW_E_IO, "cannot be read: %s", uv_strerror(rc)) : 0;
}

static int stdin_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct pipe_receiver *pipe = pipe_of(receiver);
    if (uv_guess_handle(STDIN_FILENO) != UV_FILE)
        return stream_start(pipe, STDIN_FILENO, err);
    file_start(pipe);
    return 0;
}

static int fifo_start(struct cw_receiver *receiver, struct cw_err *err)
{
    const struct cw_fifo_config *config = receiver->config;
    struct stat st;
    if (mkfifo(config->path.ptr, 0622) < 0 && errno != EEXIST)
        return cw_err_errno(err, CW_E_IO, errno, "make the named pipe %s", config->path.ptr);
    int fd = cw_file_open(config->path.ptr, O_RDWR | O_NONBLOCK, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
        return stream_start(pipe_of(receiver), fd, err);
    close(fd);
    return cw_err_set(err, CW_E_INVALID, "%s is no named pipe", config->path.ptr);
}

static void pipe_resume(struct cw_receiver *receiver)
{
    struct pipe_receiver *pipe = pipe_of(receiver);
    if (pipe->reader != NULL)
        cw_stream_reader_resume(pipe->reader);
    file_read(pipe);
}

static void pipe_stop(struct cw_receiver *receiver)
{
    struct pipe_receiver *pipe = pipe_of(receiver);
    if (pipe->reader != NULL)
        cw_stream_reader_close(pipe->reader);
    if (pipe->file.open && !pipe->file.busy)
        (void)lines_put(pipe, cw_str_make(pipe->file.bytes, pipe->file.len), CW_STREAM_END);
}

static bool pipe_ended(const struct cw_receiver *receiver)
{
    return CW_CONTAINER_OF(receiver, const struct pipe_receiver, receiver)->ended;
}

static void pipe_fini(struct cw_receiver *receiver)
{
    free(pipe_of(receiver)->file.bytes);
}

const struct cw_receiver_def cw_receiver_stdin = {
    .kind = "stdin",
    CW_RECEIVER_OFFSETS(standard_input),
    .size = sizeof(struct pipe_receiver),
    .failure = CW_SPOOL_RETRY,
    .start = stdin_start,
    .resume = pipe_resume,
    .stop = pipe_stop,
    .ended = pipe_ended,
    .fini = pipe_fini,
};

const struct cw_receiver_def cw_receiver_fifo = {
    .kind = "fifo",
    CW_RECEIVER_OFFSETS(fifo),
    .size = sizeof(struct pipe_receiver),
    .failure = CW_SPOOL_RETRY,
    .start = fifo_start,
    .resume = pipe_resume,
    .stop = pipe_stop,
};
