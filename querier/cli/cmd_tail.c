/*
 * cmd_tail.c - `cordwood tail`: entries as they come, over as many connections as it takes.
 *
 *   connect --101--> (catch up) --> print frames --lost--> wait --> connect ...
 *
 * From the 101 on the server passes on all that becomes visible; what became visible before is asked for afterwards, by pages of
 * query_range. The two overlap, and what both give is printed once (printed.h).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/net/websocket_client.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/page_edge.h"
#include "querier/cli/printed.h"

enum {
    MESSAGE_BYTES_MAX = 64 << 20, /* Loki: 100 entries a frame, of 256 KiB each */
    ERROR_BYTES = 4096,
    PAGE_ENTRIES = 1000,
    POLL_MS = 1000,
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MAX_MS = 5000,
};
/* Servers ping every second: who says nothing for so long is gone. */
#define SILENT_NS (30 * CW_NS_PER_S)
/* How late an entry may come and still be found after a connection was lost. */
#define LATE_NS (30 * CW_NS_PER_S)
/* Entries may be of a clock that is ahead. */
#define AHEAD_NS (3600 * CW_NS_PER_S)

struct tailer {
    struct cw_cli cli; /* the command's, with `interrupted` to cancel requests */
    struct cw_cli_printer printer;
    struct cw_printed *printed;
    int64_t start_ns;
    uint64_t nprinted;
    bool connected_before; /* once the server has answered, nothing but its refusal ends the tail */
    bool was_well;         /* the last connection was of some use */
    struct cw_buf answer;  /* the text of a refusal */
};

static atomic_bool interrupted;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&interrupted, true);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: poll() ends */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void say(const struct tailer *tailer, const char *what, const char *why)
{
    if (!tailer->cli.args->quiet)
        fprintf(stderr, "cordwood: %s%s%s\n", what, *why ? ": " : "", why);
}

/* ---- printing ---- */

static int flush_output(struct cw_err *err)
{
    if (fflush(stdout) == 0)
        return 0;
    return cw_err_errno(err, CW_E_INTERNAL, errno, "writing the output");
}

static void print_entry(struct tailer *tailer, const struct cw_cli_entry *entry)
{
    if (!cw_printed_take(tailer->printed, entry->ts_ns, entry->labels, entry->line))
        return;
    cw_cli_printer_entry(&tailer->printer, entry);
    tailer->nprinted++;
}

static void tell_dropped(struct tailer *tailer, const struct cw_cli_tail_frame *frame)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addf(&text, "the server dropped %zu entries that were not read in time, the first of ",
                frame->ndropped);
    cw_labels_format(frame->first_dropped.labels, &text);
    cw_buf_addz(&text, " at ");
    cw_cli_time_format(frame->first_dropped.ts_ns, (enum cw_cli_zone)tailer->cli.args->zone, &text);
    fflush(stdout);
    fprintf(stderr, "cordwood: %s\n", cw_buf_z(&text));
    cw_buf_fini(&text);
}

static int print_frame(struct tailer *tailer, struct cw_str text, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_cli_tail_frame frame;
    int rc = cw_cli_tail_parse(text, arena, &frame, err);
    for (size_t i = 0; rc == 0 && i < frame.nentries; i++)
        print_entry(tailer, &frame.entries[i]);
    if (rc == 0 && frame.ndropped > 0)
        tell_dropped(tailer, &frame);
    cw_arena_free(&arena);
    return rc;
}

/* ---- what came while there was no connection ---- */

/* One page; 1 when there may be more. */
static int print_page(struct tailer *tailer, struct cw_cli_range *range, struct cw_page_edge *edge,
                      struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf body;
    struct cw_cli_answer page;
    size_t limit = PAGE_ENTRIES + edge->n, nnew = 0; /* those of the edge come again */
    cw_buf_init(&body, SIZE_MAX);
    int rc = cw_cli_ask_range(&tailer->cli, range, (int64_t)limit, CW_CLI_OLDEST_FIRST, &body,
                              arena, &page, err);
    if (rc == 0) {
        cw_page_edge_turn(edge);
        for (size_t i = 0; i < page.nentries; i++) {
            const struct cw_cli_entry *entry = &page.entries[i];
            if (!cw_page_edge_take(edge, entry->ts_ns, entry->labels, entry->line))
                continue;
            print_entry(tailer, entry);
            nnew++;
        }
        if (edge->n > 0)
            range->start_ns = edge->ts_ns;
        rc = page.nentries >= limit && nnew > 0;
    }
    cw_buf_fini(&body);
    cw_arena_free(&arena);
    return rc;
}

static int catch_up(struct tailer *tailer, int64_t start_ns, struct cw_err *err)
{
    struct cw_cli_range range = {start_ns, cw_clock_now_ns() + AHEAD_NS};
    struct cw_page_edge edge = {0};
    int rc = 1;
    cw_printed_source(tailer->printed);
    while (rc > 0) {
        rc = print_page(tailer, &range, &edge, err);
        if (rc >= 0 && flush_output(err) < 0)
            rc = CW_E_INTERNAL;
    }
    cw_page_edge_fini(&edge);
    return rc;
}

/* ---- one connection ---- */

/* Until something can be read; also ends when nobody reads what we print. */
static void wait_frame(const struct cw_websocket *socket)
{
    struct pollfd fds[] = {
        {.fd = socket->transport.fd, .events = cw_websocket_events(socket)},
        {.fd = STDOUT_FILENO}, /* POLLERR: a pipe whose reader has gone */
    };
    if (poll(fds, CW_COUNT(fds), POLL_MS) > 0 && fds[1].revents & POLLERR)
        raise(SIGPIPE);
}

static int print_frames(struct tailer *tailer, struct cw_websocket *socket, struct cw_err *err)
{
    struct cw_websocket_message message;
    int rc = 0;
    cw_printed_source(tailer->printed);
    while (rc == 0 && !atomic_load(&interrupted)) {
        while (rc == 0 && (rc = cw_websocket_receive(socket, &message, err)) > 0) {
            tailer->was_well = true;
            rc = print_frame(tailer, message.payload, err);
        }
        if (rc == 0)
            rc = flush_output(err);
        if (rc == 0)
            rc = cw_websocket_flush(socket, err);
        if (rc == 0 && cw_clock_mono_ns() - socket->heard_mono_ns > SILENT_NS)
            rc = cw_err_set(err, CW_E_TIMEOUT, "the server has fallen silent");
        if (rc == 0)
            wait_frame(socket);
    }
    if (rc == CW_E_CANCELED && socket->peer_reason.len > 0)
        cw_err_set(err, CW_E_CANCELED, "%.*s", CW_STR_ARG(cw_buf_str(&socket->peer_reason)));
    return rc;
}

/* Does it come by pages of queries, and not with the tail? */
static bool needs_catch_up(const struct tailer *tailer)
{
    return tailer->connected_before || tailer->cli.args->limit == 0;
}

static int connect_tail(struct tailer *tailer, int64_t start_ns, struct cw_websocket_client **out,
                        struct cw_err *err)
{
    struct cw_cli *cli = &tailer->cli;
    struct cw_cli_params params;
    struct cw_http_call call;
    int status;
    int64_t limit = needs_catch_up(tailer) ? 1 : cli->args->limit;
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "query", cli->rest[0]);
    cw_cli_params_add_i64(&params, "start", start_ns);
    cw_cli_params_add_i64(&params, "limit", limit);
    cw_cli_params_add_i64(&params, "delay_for", cli->args->delay_for_ns / CW_NS_PER_S);
    int rc =
        cw_cli_call(cli, "GET", cw_cli_url(cli, "/loki/api/v1/tail", &params), NULL, &call, err);
    cw_buf_clear(&tailer->answer);
    if (rc == 0)
        rc = cw_websocket_connect(&call, MESSAGE_BYTES_MAX, out, &status, &tailer->answer, err);
    cw_cli_params_fini(&params);
    if (rc < 0 || *out != NULL)
        return rc;
    rc = cw_cli_answer_error(status, cw_buf_str(&tailer->answer), err);
    /* It will not say otherwise the next time. */
    return status / 100 == 4 && status != 429 ? CW_E_INVALID : rc;
}

/* One connection from its beginning to its end: 0 when we were interrupted, else why it ended. */
static int run_connection(struct tailer *tailer, struct cw_err *err)
{
    struct cw_websocket_client *client = NULL;
    int64_t start_ns = tailer->start_ns, begin_ns = cw_clock_mono_ns();
    cw_printed_resume(tailer->printed, LATE_NS, &start_ns);
    tailer->was_well = false;
    int rc = connect_tail(tailer, start_ns, &client, err);
    if (rc < 0)
        return rc;
    struct cw_websocket *socket = cw_websocket_client_socket(client);
    if (needs_catch_up(tailer)) {
        rc = catch_up(tailer, start_ns, err);
        if (rc == 0 && tailer->connected_before)
            say(tailer, "connected again", "");
    }
    if (rc == 0)
        rc = print_frames(tailer, socket, err);
    tailer->was_well |= cw_clock_mono_ns() - begin_ns > CW_NS_PER_S;
    /* An error that comes with the first frame is of the query. */
    tailer->connected_before |= tailer->was_well || socket->peer_code != CW_WEBSOCKET_INTERNAL;
    if (atomic_load(&interrupted))
        cw_websocket_close(socket, CW_WEBSOCKET_NORMAL, CW_STR_NONE);
    cw_websocket_client_close(&client);
    return rc;
}

/* ---- all of them ---- */

static void back_off(int *ms)
{
    poll(NULL, 0, *ms);
    *ms = CW_MIN(2 * *ms, (int)BACKOFF_MAX_MS);
}

/* The first connection has to work; a later one is tried again, unless the query itself is refused, or nothing can be written. */
static bool is_final(const struct tailer *tailer, int rc)
{
    return !tailer->connected_before || rc == CW_E_INVALID || rc == CW_E_INTERNAL;
}

static int run(struct tailer *tailer, struct cw_err *err)
{
    int backoff_ms = BACKOFF_FIRST_MS;
    bool told = false;
    for (;;) {
        int rc = run_connection(tailer, err);
        if (atomic_load(&interrupted))
            return 0;
        if (is_final(tailer, rc))
            return rc;
        if (tailer->was_well) {
            backoff_ms = BACKOFF_FIRST_MS;
            told = false;
        }
        if (!told)
            say(tailer, "the connection was lost, connecting again", err->text);
        told = true;
        back_off(&backoff_ms);
    }
}

int cw_cmd_tail(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_cli_range range;
    int rc = cw_cli_range(cli->args, &range, &err);
    if (rc == 0 && cli->args->delay_for_ns % CW_NS_PER_S != 0) /* the API has no parts of one */
        rc = cw_err_set(&err, CW_E_INVALID, "--delay-for takes whole seconds");
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    struct tailer tailer = {.cli = *cli, .start_ns = range.start_ns, .printed = cw_printed_new()};
    tailer.cli.cancel = &interrupted;
    cw_buf_init(&tailer.answer, ERROR_BYTES);
    cw_cli_printer_init(&tailer.printer, cli->args);
    catch_signals();
    rc = run(&tailer, &err);
    cw_cli_printer_fini(&tailer.printer);
    cw_printed_free(&tailer.printed);
    cw_buf_fini(&tailer.answer);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return tailer.nprinted > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}
