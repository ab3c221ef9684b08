/*
 * cmd_push.c - `cordwood push`: the lines of files or of standard input become entries of one stream.
 *
 * Batches of about a mebibyte, protobuf and snappy. A 429, a 5xx or a broken connection is tried again with the same times,
 * so that what was stored already is dropped as a duplicate while it is in the server's head. Lines of one call have rising
 * times.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/wire/push.h"
#include "querier/cli/cli_request.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define BATCH_LINES 65536
#define TRIES 6

struct pusher {
    struct cw_cli *cli;
    struct cw_str url, labels_text;
    struct cw_buf text; /* the batch's lines, one behind the other */
    /* Their lines are set when the batch is sent: the text moves as it grows. */
    struct cw_push_entry *entries;
    size_t *ends;
    size_t n;
    int64_t last_ns;
    uint64_t npushed;
};

static int send_body(struct pusher *pusher, struct cw_str body, struct cw_err *err)
{
    struct cw_http_call call;
    struct cw_buf answer;
    cw_buf_init(&answer, 1u << 20);
    int rc = cw_cli_call(pusher->cli, "POST", pusher->url, "application/x-protobuf", &call, err);
    call.body = body;
    for (unsigned attempt = 0; rc == 0; attempt++) {
        int status = 0;
        cw_buf_clear(&answer);
        rc = cw_http_fetch(&call, &status, &answer, err);
        bool again = rc < 0 ? cw_err_retryable(rc) : status == 429 || status >= 500;
        if (rc == 0 && status / 100 == 2)
            break;
        if (!again || attempt + 1 == TRIES) {
            rc = rc < 0 ? rc : cw_cli_answer_error(status, cw_buf_str(&answer), err);
            break;
        }
        rc = 0;
        usleep(100000u << attempt); /* 0.1, 0.2, ... 1.6 s */
    }
    cw_buf_fini(&answer);
    return rc;
}

static int send_batch(struct pusher *pusher, struct cw_err *err)
{
    if (pusher->n == 0)
        return 0;
    size_t from = 0;
    for (size_t i = 0; i < pusher->n; i++) {
        pusher->entries[i].line = cw_str_sub(cw_buf_str(&pusher->text), from, pusher->ends[i]);
        from = pusher->ends[i];
    }
    struct cw_push_stream stream = {
        .labels_text = pusher->labels_text, .entries = pusher->entries, .nentries = pusher->n};
    struct cw_push push = {
        .streams = &stream, .nstreams = 1, .nentries = pusher->n, .line_bytes = pusher->text.len};
    struct cw_buf raw, body;
    cw_buf_init(&raw, SIZE_MAX);
    cw_buf_init(&body, SIZE_MAX);
    cw_push_loki_protobuf_encode(&push, &raw);
    int rc = cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&raw), &body, err);
    if (rc == 0)
        rc = send_body(pusher, cw_buf_str(&body), err);
    if (rc == 0)
        pusher->npushed += pusher->n;
    cw_buf_fini(&raw);
    cw_buf_fini(&body);
    cw_buf_clear(&pusher->text);
    pusher->n = 0;
    return rc;
}

static int push_file(struct pusher *pusher, FILE *file, const char *name, struct cw_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    while (rc == 0 && (len = getline(&line, &cap, file)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            len--;
        if ((size_t)len > CW_LIMIT_PUSH_RAW_BYTES / 2) {
            rc = cw_err_set(err, CW_E_TOO_LARGE,
                            "%s: a line of %zd bytes is longer than any server takes", name, len);
            break;
        }
        int64_t now_ns = cw_clock_now_ns();
        pusher->last_ns = now_ns > pusher->last_ns ? now_ns : pusher->last_ns + 1;
        pusher->entries[pusher->n] = (struct cw_push_entry){.ts_ns = pusher->last_ns};
        cw_buf_add(&pusher->text, line, (size_t)len);
        pusher->ends[pusher->n++] = pusher->text.len;
        if (pusher->text.len >= BATCH_BYTES || pusher->n == BATCH_LINES)
            rc = send_batch(pusher, err);
    }
    if (rc == 0 && ferror(file))
        rc = cw_err_errno(err, CW_E_IO, errno, "reading %s", name);
    free(line);
    return rc;
}

static int push_all(struct pusher *pusher, struct cw_err *err)
{
    struct cw_cli *cli = pusher->cli;
    int rc = cli->nrest == 0 ? push_file(pusher, stdin, "standard input", err) : 0;
    for (size_t i = 0; i < cli->nrest && rc == 0; i++) {
        const char *name = cli->rest[i].ptr;
        bool is_stdin = strcmp(name, "-") == 0;
        FILE *file = is_stdin ? stdin : fopen(name, "re");
        if (!file)
            return cw_err_errno(err, CW_E_IO, errno, "opening %s", name);
        rc = push_file(pusher, file, is_stdin ? "standard input" : name, err);
        if (!is_stdin)
            fclose(file);
    }
    return rc == 0 ? send_batch(pusher, err) : rc;
}

/* --label a=b ... as `{a="b"}`. */
static int labels_text(struct cw_cli *cli, struct cw_str *out, struct cw_err *err)
{
    if (cli->args->labels.n == 0)
        return cw_err_set(err, CW_E_INVALID, "a stream needs a label: --label NAME=VALUE");
    struct cw_labels labels;
    int rc = cw_cli_labels(cli, &labels, err);
    if (rc < 0)
        return rc;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    *out = cw_arena_dup(cli->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}

int cw_cmd_push(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct pusher pusher = {.cli = cli, .url = cw_cli_url(cli, "/loki/api/v1/push", NULL)};
    if (labels_text(cli, &pusher.labels_text, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    cw_buf_init(&pusher.text, SIZE_MAX);
    pusher.entries = CW_ARENA_ARRAY(cli->arena, struct cw_push_entry, BATCH_LINES);
    pusher.ends = CW_ARENA_ARRAY(cli->arena, size_t, BATCH_LINES);
    int rc = push_all(&pusher, &err);
    cw_buf_fini(&pusher.text);
    if (rc < 0) {
        cw_err_wrap(&err, "after %llu stored lines", (unsigned long long)pusher.npushed);
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    }
    return pusher.npushed ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}
