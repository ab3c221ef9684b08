#include "shipper/resend.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/log.h"
#include "common/wire/delivery.h"
#include "shipper/dead_letters.h"
#include "shipper/letter_box.h"
#include "shipper/push_refusal.h"
#include "shipper/push_target.h"
#include "shipper/state_dir.h"

/* Letters in one push; fewer where they are long. */
enum { LETTERS_MAX = 1000, ANSWER_BYTES = 1 << 20 };
/* The route of what cannot be sent; no client has such a name. */
#define UNSENT CW_STR("\1")

/* One route of one file, on its way. */
struct delivery {
    struct cw_letter_box *box;
    struct cw_letter_route *route;
    const struct cw_client_config *config;
    struct cw_push_target target;
    uv_loop_t loop;
    struct cw_http_client *http;
    struct cw_arena *arena; /* of one batch and its answer */
    /* the batch: letters[i] ends at ends[i] in the file */
    struct cw_dead_letter letters[LETTERS_MAX];
    uint64_t ends[LETTERS_MAX];
    size_t nletters, max_letters;
    struct cw_buf raw, snappy, body;
    bool plain; /* the server knows no ranges */
    uint64_t mark;
    unsigned nfailures; /* in a row */
    uint64_t nsent, nkept;
    /* the answer */
    int rc, status;
    struct cw_str answer;
    int64_t retry_after_s;
    struct cw_err err;
};

/* ---- calls ---- */

static void on_done(void *arg, int rc, const struct cw_http_answer *answer,
                    const struct cw_err *err)
{
    struct delivery *d = arg;
    d->rc = rc;
    if (rc < 0) {
        d->err = *err;
        return;
    }
    d->status = answer->status;
    d->retry_after_s = answer->retry_after_s;
    d->answer = cw_arena_dup(d->arena, answer->body);
}

/* Post, and wait for the answer. */
static int post(struct delivery *d, enum cw_push_target_kind kind, struct cw_str body)
{
    size_t max = kind == CW_PUSH_TARGET_ASK ? CW_DELIVERY_ANSWER_BYTES : ANSWER_BYTES;
    d->rc = cw_push_target_start(&d->target, d->http, kind, body, max, on_done, d, &d->err);
    if (d->rc < 0)
        return d->rc;
    uv_run(&d->loop, UV_RUN_DEFAULT);
    return d->rc;
}

/* False: too many failures. */
static bool wait_for_server(struct delivery *d, const char *what)
{
    const struct cw_backoff_config *backoff = &d->config->backoff;
    int64_t ns = backoff->min_period_ns;
    for (unsigned i = 0; i < d->nfailures && ns < backoff->max_period_ns; i++)
        ns *= 2;
    ns = CW_MAX(CW_MIN(ns, backoff->max_period_ns), d->retry_after_s * CW_NS_PER_S);
    if (d->rc == 0)
        cw_err_set(&d->err, CW_E_UNAVAILABLE, "HTTP status %d: %.*s", d->status,
                   CW_STR_ARG(cw_str_sub(cw_str_trim(d->answer), 0, 300)));
    if (d->nfailures++ >= backoff->max_retries) {
        cw_log_error("client %s: %s failed: %s; its letters are kept", d->target.name, what,
                     d->err.text);
        return false;
    }
    cw_log_warn("client %s: %s failed: %s; again in %" PRId64 " ms", d->target.name, what,
                d->err.text, ns / CW_NS_PER_MS);
    struct timespec pause = {ns / CW_NS_PER_S, ns % CW_NS_PER_S};
    nanosleep(&pause, NULL);
    return true;
}

/* Whether the answer to an ask tells of a server that has not this protocol. */
static bool is_plain(const struct delivery *d)
{
    return d->status == 404 || d->status == 405 || d->status == 400 || d->status == 501;
}

/* Where the file's mark is. False: the server cannot be reached. */
static bool ask(struct delivery *d)
{
    for (;;) {
        struct cw_delivery_ask ask = {d->box->shipper, &d->box->session, 1};
        struct cw_delivery_answer said;
        cw_buf_clear(&d->body);
        cw_delivery_ask_encode(&ask, &d->body);
        int rc = post(d, CW_PUSH_TARGET_ASK, cw_buf_str(&d->body));
        if (rc == 0 && d->status == 200 &&
            cw_delivery_answer_decode(d->answer, d->arena, &said, &d->err) == 0) {
            d->mark = 0;
            for (size_t i = 0; i < said.nmarks; i++)
                if (memcmp(&said.marks[i].source, &d->box->source, sizeof d->box->source) == 0)
                    d->mark = said.marks[i].offset;
            d->nfailures = 0;
            return true;
        }
        if (rc == 0 && is_plain(d)) {
            d->plain = true;
            return true;
        }
        if (!wait_for_server(d, "asking what the server has"))
            return false;
    }
}

/* ---- a batch ---- */

/* Letters of the route from `at` on; where the batch ends, which is the file's end if there are no more. */
static uint64_t batch_collect(struct delivery *d, uint64_t at)
{
    struct cw_str line;
    size_t bytes = 0;
    uint64_t to = at;
    d->nletters = 0;
    while (d->nletters < d->max_letters && bytes < (size_t)d->config->batch_bytes &&
           cw_letter_box_line(d->box, &at, &line)) {
        struct cw_dead_letter *letter = &d->letters[d->nletters];
        struct cw_err err = {0};
        to = at;
        if (cw_dead_letter_parse(line, d->arena, letter, &err) < 0 ||
            !cw_str_eq(letter->client, d->route->client) ||
            !cw_str_eq(letter->tenant, d->route->tenant))
            continue;
        bytes += letter->entry.line.len;
        d->ends[d->nletters++] = at;
    }
    return to;
}

/* The push of [mark, to), or of a confirm alone. */
static int batch_encode(struct delivery *d, uint64_t to, bool confirm, struct cw_err *err)
{
    struct cw_push_stream *streams =
        CW_ARENA_ARRAY(d->arena, struct cw_push_stream, d->nletters + 1);
    struct cw_push_range range = {d->box->source, 1, d->mark, to};
    struct cw_push_confirm confirmed = {d->box->source, 1, d->mark};
    struct cw_push push = {.streams = streams, .nentries = d->nletters};
    for (size_t i = 0; i < d->nletters; i++)
        streams[push.nstreams++] = (struct cw_push_stream){
            .labels_text = d->letters[i].labels, .entries = &d->letters[i].entry, .nentries = 1};
    if (!d->plain)
        push.delivery = (struct cw_push_delivery){.present = true,
                                                  .shipper = d->box->shipper,
                                                  .session = d->box->session,
                                                  .ranges = &range,
                                                  .nranges = !confirm,
                                                  .confirms = &confirmed,
                                                  .nconfirms = confirm};
    bool gzip = d->config->compression == CW_CLIENT_GZIP;
    cw_buf_clear(&d->raw);
    cw_buf_clear(&d->snappy);
    cw_buf_clear(&d->body);
    cw_push_loki_protobuf_encode(&push, &d->raw);
    struct cw_buf *out = gzip ? &d->snappy : &d->body;
    int rc = cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&d->raw), out, err);
    return rc < 0 || !gzip ? rc : cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(out), &d->body, err);
}

/* ---- answers ---- */

static int settle(struct delivery *d, uint64_t to, struct cw_err *err)
{
    d->route->done = CW_MAX(d->route->done, to);
    return cw_letter_box_save(d->box, err);
}

/* The letters of the batch, one or all, are refused again: they stay. */
static int letters_keep(struct delivery *d, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < d->nletters; i++) {
        struct cw_dead_letter letter = d->letters[i];
        letter.status = d->status;
        letter.error = d->answer;
        cw_dead_letter_format(&letter, &text);
    }
    int rc = cw_letter_box_keep(d->box, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    if (d->nkept == 0)
        cw_log_warn(
            "client %s refuses a letter again (HTTP %d: %.*s); more of these are only counted",
            d->target.name, d->status, CW_STR_ARG(cw_str_trim(d->answer)));
    d->nkept += d->nletters;
    return rc < 0 ? rc : settle(d, d->ends[d->nletters - 1], err);
}

static bool is_conflict(struct delivery *d)
{
    struct cw_delivery_answer said = {0};
    struct cw_err err;
    return d->status == 409 && !d->plain &&
           cw_delivery_answer_decode(d->answer, d->arena, &said, &err) == 0 && said.code.len > 0;
}

/* 1: go on, 0: the server cannot be reached, negative: the disk. */
static int batch_answered(struct delivery *d, uint64_t to, struct cw_err *err)
{
    int status = d->rc == 0 ? d->status : 0;
    if (status >= 200 && status < 300) {
        d->mark = to;
        d->nsent += d->nletters;
        d->nfailures = 0;
        d->max_letters = CW_MIN(2 * d->max_letters, (size_t)LETTERS_MAX);
        int rc = settle(d, to, err);
        return rc < 0 ? rc : 1;
    }
    bool of_the_way = status < 400 || status >= 500 || status == 401 || status == 403 ||
                      status == 404 || status == 405 || status == 407 || status == 408 ||
                      status == 429 || (status == 409 && !d->plain && !is_conflict(d));
    if (!of_the_way && !is_conflict(d)) {
        bool all = d->nletters == 1 || cw_push_refusal_is_of_all(d->answer, d->nletters);
        d->max_letters = d->nletters == 1 ? 1 : all ? d->max_letters : (d->nletters + 1) / 2;
        int rc = all ? letters_keep(d, err) : 0;
        return rc < 0 ? rc : 1;
    }
    if (!wait_for_server(d, "a push"))
        return 0;
    return ask(d); /* the answer may have been lost alone */
}

/* 1: all letters of the route are settled, 0: the server cannot be reached, negative: the disk. */
static int route_send(struct delivery *d, struct cw_err *err)
{
    int rc = ask(d);
    while (rc > 0) {
        cw_arena_reset(d->arena);
        uint64_t at = CW_MAX(d->route->done, d->mark);
        uint64_t to = batch_collect(d, at);
        if (d->nletters == 0)
            break;
        rc = batch_encode(d, to, false, err);
        if (rc < 0)
            return rc;
        (void)post(d, CW_PUSH_TARGET_PUSH, cw_buf_str(&d->body)); /* read by batch_answered() */
        rc = batch_answered(d, to, err);
    }
    if (rc <= 0)
        return rc;
    rc = settle(d, d->box->map.len, err);
    /* The store may forget the mark; if it does not hear of it, it keeps one more. */
    if (rc == 0 && !d->plain && d->mark > 0 && batch_encode(d, 0, true, err) == 0)
        (void)post(d, CW_PUSH_TARGET_PUSH, cw_buf_str(&d->body));
    return rc < 0 ? rc : 1;
}

/* ---- a file ---- */

static const struct cw_client_config *client_of(const struct cw_shipper_config *config,
                                                struct cw_str name)
{
    const struct cw_client_config *clients = config->clients.items;
    for (size_t i = 0; i < config->clients.n; i++)
        if (cw_str_eq(clients[i].name, name))
            return &clients[i];
    return config->clients.n == 1 ? &clients[0] : NULL;
}

static void on_http_closed(void *arg)
{
    (void)arg;
}

static int route_deliver(struct cw_letter_box *box, size_t i, const struct cw_client_config *client,
                         uint64_t *nsent, uint64_t *nkept, struct cw_err *err)
{
    struct delivery *d = cw_mem_new(sizeof *d);
    d->box = box;
    d->route = &box->routes[i];
    d->config = client;
    d->max_letters = LETTERS_MAX;
    d->arena = cw_arena_new();
    cw_buf_init(&d->raw, SIZE_MAX);
    cw_buf_init(&d->snappy, SIZE_MAX);
    cw_buf_init(&d->body, SIZE_MAX);
    cw_push_target_init(&d->target, client, d->route->tenant);
    uv_loop_init(&d->loop);
    int rc = cw_http_client_new(&d->loop, &d->http, err);
    if (rc == 0) {
        rc = route_send(d, err);
        cw_http_client_close(d->http, on_http_closed, NULL);
        uv_run(&d->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&d->loop);
    *nsent += d->nsent;
    *nkept += d->nkept;
    cw_push_target_fini(&d->target);
    cw_buf_fini(&d->raw);
    cw_buf_fini(&d->snappy);
    cw_buf_fini(&d->body);
    cw_arena_free(&d->arena);
    free(d);
    return rc;
}

/* Find the routes of all letters. What is no letter, or is for nobody that is configured, is kept, once: the route without
 * names says how far. */
static int box_sort(struct cw_letter_box *box, const struct cw_shipper_config *config,
                    uint64_t *nkept, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str line;
    int rc = 0;
    uint64_t sorted = cw_letter_box_route(box, UNSENT, CW_STR_NONE)->done;
    for (uint64_t at = 0; rc == 0 && cw_letter_box_line(box, &at, &line);) {
        struct cw_dead_letter letter;
        struct cw_err why = {0};
        bool good = cw_dead_letter_parse(line, arena, &letter, &why) == 0;
        if (good && client_of(config, letter.client) != NULL) {
            (void)cw_letter_box_route(box, letter.client, letter.tenant);
        } else if (line.len > 0 && at > sorted) {
            cw_log_warn("%s, the line that ends at byte %" PRIu64 " is kept: %s", box->path, at,
                        good ? "no client of its name is configured" : why.text);
            rc = cw_letter_box_keep(box, line, err);
            if (rc == 0)
                rc = cw_letter_box_keep(box, CW_STR("\n"), err);
            ++*nkept;
        }
        cw_arena_reset(arena);
    }
    cw_arena_free(&arena);
    cw_letter_box_route(box, UNSENT, CW_STR_NONE)->done = box->map.len;
    return rc < 0 ? rc : cw_letter_box_save(box, err);
}

/* 0 when all of the file arrived. */
static int file_send(const char *path, const struct cw_shipper_config *config)
{
    struct cw_letter_box box;
    struct cw_err err = {0};
    uint64_t nsent = 0, nkept = 0;
    int rc = cw_letter_box_open(path, &box, &err);
    if (rc < 0) {
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
        return 1;
    }
    rc = box_sort(&box, config, &nkept, &err);
    bool whole = true;
    for (size_t i = 0; rc >= 0 && i < box.nroutes; i++) {
        const struct cw_client_config *client = client_of(config, box.routes[i].client);
        if (cw_str_eq(box.routes[i].client, UNSENT) || client == NULL ||
            box.routes[i].done >= box.map.len)
            continue;
        rc = route_deliver(&box, i, client, &nsent, &nkept, &err);
        whole &= rc > 0;
    }
    if (rc >= 0 && whole)
        rc = cw_letter_box_finish(&box, &err);
    if (rc < 0)
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
    bool left = box.again_bytes > 0; /* an earlier run's too */
    printf("%s: %" PRIu64 " sent, %" PRIu64 " kept%s\n", path, nsent, nkept,
           rc < 0 || !whole ? ", the rest waits" : "");
    cw_letter_box_close(&box);
    return rc < 0 || !whole || left;
}

/* The files that are named; in place of a running shipper's own those that were taken from it. */
static int files_find(const struct cw_shipper_config *config, const struct cw_str *files,
                      size_t nfiles, struct cw_arena *arena, const char ***out, size_t *n_out,
                      struct cw_err *err)
{
    const char *refused = cw_state_dir_refused_path(config->positions_file, arena), **taken = NULL;
    size_t ntaken = 0, n = 0;
    bool own = nfiles == 0;
    for (size_t i = 0; i < nfiles; i++)
        own |= cw_str_eqz(files[i], refused);
    int rc = own ? cw_letter_box_take(refused, err) : 0;
    if (rc == 0 && own)
        rc = cw_letter_box_list(refused, arena, &taken, &ntaken, err);
    const char **paths = CW_ARENA_ARRAY(arena, const char *, nfiles + ntaken + 1);
    for (size_t i = 0; i < ntaken; i++)
        paths[n++] = taken[i];
    for (size_t i = 0; i < nfiles; i++)
        if (!cw_str_eqz(files[i], refused))
            paths[n++] = files[i].ptr;
    if (rc == 0 && n == 0)
        printf("there are no dead letters at %s\n", refused);
    *out = paths;
    *n_out = n;
    return rc;
}

int cw_resend_run(const struct cw_shipper_config *config, const struct cw_str *files, size_t nfiles)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    const char **paths;
    size_t n;
    int status = 0;
    if (files_find(config, files, nfiles, arena, &paths, &n, &err) < 0) {
        fprintf(stderr, "cordwood-shipper: %s\n", err.text);
        status = 1;
        n = 0;
    }
    for (size_t i = 0; i < n; i++)
        status |= file_send(paths[i], config);
    cw_arena_free(&arena);
    return status;
}
