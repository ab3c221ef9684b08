/*
 * cmd_push.c - `cordwood push`: the lines of files or of standard input become entries of one stream.
 *
 * Batches of about a mebibyte, protobuf and snappy. A 429, a 5xx or a broken connection is tried again with the same times,
 * so that what was stored already is dropped as a duplicate while it is in the server's head. Lines of one call have rising
 * times.
 *
 * A push with a bad line is answered with 400, and its other lines are stored. Which one it was is found by sending halves of
 * it, down to single lines: what was stored already is a duplicate.
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
/* So many refused lines are told one by one; the rest is counted. */
#define REFUSED_TOLD 10
/* After so many of them, and none stored, the stream or the server is what is wrong. */
#define REFUSED_ALL 100

/* Where a line came from. */
struct place {
    const char *file;
    uint64_t line; /* from 1 */
};

enum sent { SENT_STORED, SENT_REFUSED };

struct pusher {
    struct cw_cli *cli;
    struct cw_str url, labels_text;
    struct cw_buf text; /* the batch's lines, one behind the other */
    /* Their lines are set when the batch is sent: the text moves as it grows. */
    struct cw_push_entry *entries;
    size_t *ends;
    struct place *places;
    size_t n;
    int64_t last_ns;
    uint64_t nstored, nrefused;
};

/* The same body is refused again, but a part of it perhaps not. */
static bool refuses_lines(int status)
{
    return status == 400 || status == 413 || status == 422;
}

/* An enum sent, or an error; *err says too why it was refused. */
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
            if (rc == 0)
                rc = cw_cli_answer_error(status, cw_buf_str(&answer), err);
            rc = refuses_lines(status) ? SENT_REFUSED : rc;
            break;
        }
        rc = SENT_STORED;
        usleep(100000u << attempt); /* 0.1, 0.2, ... 1.6 s */
    }
    cw_buf_fini(&answer);
    return rc;
}

/* The lines from <= i < to of the batch. */
static int send_range(struct pusher *pusher, size_t from, size_t to, struct cw_err *err)
{
    struct cw_push_stream stream = {.labels_text = pusher->labels_text,
                                    .entries = pusher->entries + from,
                                    .nentries = to - from};
    struct cw_push push = {.streams = &stream, .nstreams = 1, .nentries = to - from};
    struct cw_buf raw, body;
    cw_buf_init(&raw, SIZE_MAX);
    cw_buf_init(&body, SIZE_MAX);
    cw_push_loki_protobuf_encode(&push, &raw);
    int rc = cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&raw), &body, err);
    if (rc == 0)
        rc = send_body(pusher, cw_buf_str(&body), err);
    cw_buf_fini(&raw);
    cw_buf_fini(&body);
    return rc;
}

static int line_refused(struct pusher *pusher, const struct place *place, const char *why,
                        struct cw_err *err)
{
    pusher->nrefused++;
    if (pusher->nrefused <= REFUSED_TOLD)
        fprintf(stderr, "cordwood: %s, line %llu is refused: %s\n", place->file,
                (unsigned long long)place->line, why);
    if (pusher->nrefused == REFUSED_ALL && pusher->nstored == 0)
        return cw_err_set(err, CW_E_INVALID, "no line is taken: giving up");
    return 0;
}

/* Store what of these lines can be stored, and count the others. */
static int send_lines(struct pusher *pusher, size_t from, size_t to, struct cw_err *err)
{
    struct cw_err why = {0};
    int rc = send_range(pusher, from, to, &why);
    if (rc == SENT_STORED)
        pusher->nstored += to - from;
    if (rc < 0)
        return cw_err_set(err, rc, "%s", why.text);
    if (rc == SENT_STORED)
        return 0;
    if (to - from == 1)
        return line_refused(pusher, &pusher->places[from], why.text, err);
    size_t middle = from + (to - from) / 2;
    rc = send_lines(pusher, from, middle, err);
    return rc < 0 ? rc : send_lines(pusher, middle, to, err);
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
    int rc = send_lines(pusher, 0, pusher->n, err);
    cw_buf_clear(&pusher->text);
    pusher->n = 0;
    return rc;
}

static int push_line(struct pusher *pusher, struct cw_str line, struct place place,
                     struct cw_err *err)
{
    if (line.len > CW_LIMIT_PUSH_RAW_BYTES / 2)
        return line_refused(pusher, &place, "it is longer than any server takes", err);
    int64_t now_ns = cw_clock_now_ns();
    pusher->last_ns = now_ns > pusher->last_ns ? now_ns : pusher->last_ns + 1;
    pusher->entries[pusher->n] = (struct cw_push_entry){.ts_ns = pusher->last_ns};
    pusher->places[pusher->n] = place;
    cw_buf_adds(&pusher->text, line);
    pusher->ends[pusher->n++] = pusher->text.len;
    bool full = pusher->text.len >= BATCH_BYTES || pusher->n == BATCH_LINES;
    return full ? send_batch(pusher, err) : 0;
}

static int push_file(struct pusher *pusher, FILE *file, const char *name, struct cw_err *err)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;
    struct place place = {.file = name};
    while (rc == 0 && (len = getline(&text, &cap, file)) >= 0) {
        if (len > 0 && text[len - 1] == '\n')
            len--;
        place.line++;
        rc = push_line(pusher, cw_str_make(text, (size_t)len), place, err);
    }
    if (rc == 0 && ferror(file))
        rc = cw_err_errno(err, CW_E_IO, errno, "reading %s", name);
    free(text);
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
    pusher.places = CW_ARENA_ARRAY(cli->arena, struct place, BATCH_LINES);
    int rc = push_all(&pusher, &err);
    cw_buf_fini(&pusher.text);
    unsigned long long nstored = pusher.nstored, nrefused = pusher.nrefused;
    if (rc < 0)
        cw_err_wrap(&err, "after %llu stored and %llu refused lines", nstored, nrefused);
    else if (nrefused > 0)
        rc = cw_err_set(&err, CW_E_INVALID, "refused lines: %llu; stored: %llu", nrefused, nstored);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return nstored > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}
