/*
 * receiver_exec.c - lines of a program's stdout and stderr; the program is run again when it ends.
 *
 *             spawned            exited, both pipes at their ends
 *   WAITING ----------> RUNNING ---------------------------------> WAITING, or ENDED with --once
 *      ^ restart_wait      | stop: SIGTERM to all of its group; what it writes until it ends is taken,
 *                          | for STOP_WAIT_MS at most: then SIGKILL
 *                          +-----------------------------------------------------------> ENDED
 */
#include <signal.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/receiver.h"
#include "shipper/stream_reader.h"

enum { STDOUT, STDERR, STREAMS };
/* For its last lines; the shipper waits some seconds for the answers of servers too. */
enum { STOP_WAIT_MS = 2000 };

struct exec {
    struct cw_receiver receiver;
    uv_process_t process;
    uv_timer_t timer; /* until it is run again; of a stop, until it is killed */
    struct cw_stream_reader *readers[STREAMS];
    bool running, ended, timer_open, told;
};

static void run_end(struct exec *exec);

static size_t on_bytes(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more)
{
    struct exec *exec = arg;
    struct cw_label stream = {CW_STR("stream"), reader == exec->readers[STDERR] ? CW_STR("stderr")
                                                                                : CW_STR("stdout")};
    struct cw_received *received = &exec->receiver.received;
    struct cw_received_entry entry = {.ts_ns = CW_PUSH_TS_NONE};
    struct cw_str rest = bytes;
    bool kept = cw_received_stream(received, &stream, 1);
    if (kept && more == CW_STREAM_FULL)
        cw_received_bad(received, CW_RECEIVED_CUT, CW_RECEIVED_LONG);
    while (cw_stream_line_take(&rest, more, &entry.line))
        if (kept)
            cw_received_put(received, &entry);
    if (exec->receiver.spool != NULL) /* else the shipper waits no more */
        cw_receiver_flush(&exec->receiver, NULL, NULL);
    return bytes.len - rest.len;
}

static bool room(void *arg)
{
    const struct exec *exec = arg;
    return exec->receiver.spool == NULL || cw_receiver_room(&exec->receiver);
}

static void on_closed(void *arg, struct cw_stream_reader *reader)
{
    struct exec *exec = arg;
    exec->readers[reader == exec->readers[STDERR] ? STDERR : STDOUT] = NULL;
    run_end(exec);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct exec *exec = CW_CONTAINER_OF((uv_process_t *)handle, struct exec, process);
    exec->running = false;
    run_end(exec);
}

static void on_exited(uv_process_t *process, int64_t status, int signal)
{
    const struct exec *exec = CW_CONTAINER_OF(process, struct exec, process);
    if (!exec->receiver.stopped && (status != 0 || signal != 0))
        cw_log_warn("%s: the program ended with status %d, signal %d", exec->receiver.name,
                    (int)status, signal);
    uv_close((uv_handle_t *)process, on_process_closed);
}

static int run(struct exec *exec, struct cw_err *err)
{
    const struct cw_exec_config *config = exec->receiver.config;
    uv_loop_t *loop = exec->receiver.host->loop;
    struct cw_stream_reader_options options = {
        .on_bytes = on_bytes, .room = room, .on_closed = on_closed, .arg = exec};
    char **arguments = cw_mem_array(config->command.n + 1, sizeof *arguments);
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
    for (size_t i = 0; i < config->command.n; i++)
        arguments[i] = (char *)config->command.items[i].ptr;
    for (int i = 0; i < STREAMS; i++) {
        exec->readers[i] = cw_stream_reader_new(&options);
        uv_pipe_init(loop, &exec->readers[i]->handle.pipe, 0);
        stdio[i + 1].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
        stdio[i + 1].data.stream = &exec->readers[i]->handle.stream;
    }
    uv_process_options_t spawn = {.file = arguments[0],
                                  .args = arguments,
                                  .exit_cb = on_exited,
                                  .flags = UV_PROCESS_DETACHED, /* a group of its own */
                                  .stdio = stdio,
                                  .stdio_count = 3};
    int rc = uv_spawn(loop, &exec->process, &spawn);
    free(arguments);
    exec->running = true;
    if (rc < 0) {
        uv_close((uv_handle_t *)&exec->process, on_process_closed);
        cw_err_set(err, CW_E_INVALID, "run %s: %s", config->command.items[0].ptr, uv_strerror(rc));
    }
    for (int i = 0; i < STREAMS; i++)
        if (rc < 0 || cw_stream_reader_start(exec->readers[i]) < 0)
            cw_stream_reader_close(exec->readers[i]);
    return rc < 0 ? err->code : 0;
}

static void group_kill(struct exec *exec, int signal)
{
    if (exec->running && uv_is_active((uv_handle_t *)&exec->process))
        (void)kill(-uv_process_get_pid(&exec->process), signal); /* what it has begun too */
}

static void readers_close(struct exec *exec)
{
    for (int i = 0; i < STREAMS; i++)
        if (exec->readers[i] != NULL)
            cw_stream_reader_close(exec->readers[i]);
}

/* While the shipper stops, the program's time for that is over. */
static void on_stop_wait(struct exec *exec)
{
    group_kill(exec, SIGKILL);
    readers_close(exec);
}

static void on_timer(uv_timer_t *timer)
{
    struct exec *exec = CW_CONTAINER_OF(timer, struct exec, timer);
    struct cw_err err;
    if (exec->receiver.stopped) {
        on_stop_wait(exec);
        return;
    }
    if (run(exec, &err) < 0 && !exec->told) {
        cw_log_error("%s: %s", exec->receiver.name, err.text);
        exec->told = true; /* once: it is tried again and again */
    }
}

static bool is_over(const struct exec *exec)
{
    return !exec->running && exec->readers[STDOUT] == NULL && exec->readers[STDERR] == NULL;
}

static void on_durable(void *ctx, int rc)
{
    const struct cw_receivers_options *host = ctx;
    (void)rc;
    host->on_stopped(host->arg);
}

/* After a stop, with the last lines. */
static void stop_end(struct exec *exec)
{
    exec->ended = true;
    if (exec->timer_open)
        uv_close((uv_handle_t *)&exec->timer, NULL);
    exec->timer_open = false;
}

/* All of a run may be over. */
static void run_end(struct exec *exec)
{
    const struct cw_exec_config *config = exec->receiver.config;
    if (!is_over(exec))
        return;
    if (exec->receiver.stopped) {
        stop_end(exec);
        if (exec->receiver.spool != NULL) /* the shipper still waits */
            cw_receiver_flush(&exec->receiver, on_durable, (void *)exec->receiver.host);
    } else if (exec->receiver.host->once) {
        exec->ended = true;
    } else {
        uv_timer_start(&exec->timer, on_timer, (uint64_t)(config->restart_wait_ns / CW_NS_PER_MS),
                       0);
    }
}

static int exec_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct exec *exec = CW_CONTAINER_OF(receiver, struct exec, receiver);
    uv_timer_init(receiver->host->loop, &exec->timer);
    exec->timer_open = true;
    return run(exec, err);
}

static void exec_resume(struct cw_receiver *receiver)
{
    struct exec *exec = CW_CONTAINER_OF(receiver, struct exec, receiver);
    for (int i = 0; i < STREAMS; i++)
        if (exec->readers[i] != NULL)
            cw_stream_reader_resume(exec->readers[i]);
}

static void exec_stop(struct cw_receiver *receiver)
{
    struct exec *exec = CW_CONTAINER_OF(receiver, struct exec, receiver);
    group_kill(exec, SIGTERM);
    if (is_over(exec))
        stop_end(exec);
    else if (exec->timer_open)
        uv_timer_start(&exec->timer, on_timer, STOP_WAIT_MS, 0);
}

static bool exec_lingers(const struct cw_receiver *receiver)
{
    return !CW_CONTAINER_OF(receiver, const struct exec, receiver)->ended;
}

static bool exec_ended(const struct cw_receiver *receiver)
{
    return CW_CONTAINER_OF(receiver, const struct exec, receiver)->ended;
}

const struct cw_receiver_def cw_receiver_exec = {
    .kind = "exec",
    CW_RECEIVER_OFFSETS(exec),
    .size = sizeof(struct exec),
    .failure = CW_SPOOL_RETRY,
    .start = exec_start,
    .resume = exec_resume,
    .stop = exec_stop,
    .ended = exec_ended,
    .lingers = exec_lingers,
};
