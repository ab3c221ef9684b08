#include "shipper/receivers.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/file.h"
#include "shipper/discoveries.h"
#include "shipper/receiver.h"

/* The only list of receivers. */
static const struct cw_receiver_def *const defs[] = {
    &cw_receiver_stdin,   &cw_receiver_fifo,    &cw_receiver_lines,
    &cw_receiver_exec,    &cw_receiver_syslog,  &cw_receiver_loki_push,
    &cw_receiver_journal, &cw_receiver_forward, &cw_receiver_gelf,
};

struct cw_receivers {
    struct cw_receivers_options options;
    struct cw_receiver **items;
    size_t n;
    struct cw_spool_writer **left; /* spools whose receivers are configured no longer */
    size_t nleft;
    bool stopped, closed;
};

/* ---- for receivers ---- */

int cw_receiver_tls_open(const struct cw_receiver_tls_config *config, struct cw_tls_server **out,
                         struct cw_err *err)
{
    bool ca = config->ca.len + config->ca_file.len > 0;
    const struct cw_tls_server_options options = {
        .cert = config->cert,
        .key = config->key,
        .client_ca = config->ca,
        .cert_file = config->cert_file.ptr,
        .key_file = config->key_file.ptr,
        .client_ca_file = config->ca_file.ptr,
        .client_auth = ca ? CW_TLS_CLIENT_REQUIRE_AND_VERIFY : CW_TLS_CLIENT_NONE,
        .min_version = (enum cw_tls_version)config->min_version};
    *out = NULL;
    return cw_receiver_tls_wanted(config) ? cw_tls_server_new(&options, out, err) : 0;
}

int cw_receiver_tls(struct cw_receiver *receiver, const struct cw_receiver_tls_config *config,
                    struct cw_tls_server **out, struct cw_err *err)
{
    int rc = cw_receiver_tls_open(config, &receiver->tls, err);
    *out = receiver->tls;
    return rc;
}

bool cw_receiver_room(const struct cw_receiver *receiver)
{
    return cw_spool_writer_room(receiver->spool);
}

void cw_receiver_flush(struct cw_receiver *receiver, cw_spool_waiter_fn fn, void *ctx)
{
    struct cw_received *received = &receiver->received;
    if (received->n > 0)
        cw_spool_writer_add(receiver->spool, cw_buf_str(&received->bytes), received->n,
                            cw_buf_str(&received->cursor));
    cw_received_clear(received);
    cw_spool_writer_commit(receiver->spool, fn, ctx);
}

/* ---- the set ---- */

/* A name of a folder for any name of a job. */
static char *spool_name(const char *kind, struct cw_str job)
{
    struct cw_buf name;
    cw_buf_init(&name, SIZE_MAX);
    cw_buf_addz(&name, kind);
    for (size_t i = 0; i < job.len; i++) {
        unsigned char c = (unsigned char)job.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && i > 0);
        cw_buf_addz(&name, i == 0 ? "." : "");
        cw_buf_addf(&name, plain ? "%c" : "%%%02X", c);
    }
    char *z = cw_str_dupz(cw_buf_str(&name));
    cw_buf_fini(&name);
    return z;
}

static char *folder_of(const struct cw_receivers *receivers, const char *name)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%s", receivers->options.folder, name);
    char *z = cw_str_dupz(cw_buf_str(&path));
    cw_buf_fini(&path);
    return z;
}

/* Its segments, as the sources read them. */
static int target_add(struct cw_receivers *receivers, const char *name, struct cw_stages *stages,
                      struct cw_err *err)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    char *folder = folder_of(receivers, name);
    struct cw_buf pattern;
    cw_buf_init(&pattern, CW_GLOB_PATTERN_BYTES);
    cw_glob_escape(cw_str_of(folder), &pattern);
    cw_buf_addz(&pattern, "/*" CW_SPOOL_SUFFIX);
    int rc = cw_glob_compile(cw_buf_str(&pattern), &target->glob, err);
    target->name = cw_str_dupz(cw_str_of(name));
    target->format = CW_SOURCE_SPOOL;
    target->stages = stages;
    if (rc == 0)
        cw_sources_target_add(receivers->options.sources, target);
    else
        cw_target_free(&target);
    cw_buf_fini(&pattern);
    free(folder);
    return rc;
}

/* It was stopped, and still takes what is on its way. */
static bool lingers(const struct cw_receiver *receiver)
{
    return receiver->stopped && receiver->def->lingers != NULL && receiver->def->lingers(receiver);
}

static void on_room(void *arg)
{
    struct cw_receiver *receiver = arg;
    if (!receiver->stopped || lingers(receiver))
        receiver->def->resume(receiver);
}

static void on_segment(void *arg)
{
    const struct cw_receiver *receiver = arg;
    receiver->host->on_segment(receiver->host->arg);
}

/* `receiver` is NULL for a spool that is only read. */
static int spool_open(struct cw_receivers *receivers, struct cw_receiver *receiver,
                      const char *name, struct cw_spool_writer **out, struct cw_err *err)
{
    struct cw_stages *stages = receiver ? receiver->scrape->stages : NULL;
    const struct cw_spool_config *config = &receivers->options.config->spool;
    bool waits = receiver == NULL || receiver->def->waits == NULL || receiver->def->waits(receiver);
    char *folder = folder_of(receivers, name);
    struct cw_spool_options options = {
        .loop = receivers->options.loop,
        .folder = folder,
        .name = name,
        .segment_bytes =
            (uint64_t)CW_MIN(config->segment_bytes, config->max_bytes / CW_SPOOL_SEGMENTS_MIN),
        .max_bytes = (uint64_t)config->max_bytes,
        .max_age_ns = config->max_age_ns,
        .full = waits ? (enum cw_spool_full)config->when_full : CW_SPOOL_DROP_OLDEST,
        .failure = receiver ? receiver->def->failure : CW_SPOOL_RETRY,
        .metrics = receivers->options.metrics,
        .on_room = on_room,
        .on_segment = on_segment,
        .arg = receiver};
    int rc = cw_spool_writer_open(&options, out, err);
    free(folder);
    return rc < 0 ? rc : target_add(receivers, name, stages, err);
}

static bool name_taken(const struct cw_receivers *receivers, const char *name)
{
    for (size_t i = 0; i < receivers->n; i++)
        if (strcmp(receivers->items[i]->name, name) == 0)
            return true;
    return false;
}

static bool seen(const struct cw_receiver_def *def, const struct cw_scrape_config *config)
{
    return *(const bool *)((const char *)config + def->seen);
}

size_t cw_receivers_namesakes_tell(const struct cw_shipper_config *config, const char *file,
                                   struct cw_buf *out)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    size_t n = 0;
    for (size_t i = 1; i < config->scrape_configs.n; i++)
        for (size_t d = 0; d < CW_COUNT(defs); d++) {
            size_t k = 0;
            while (k < i && !(seen(defs[d], &scrapes[k]) && seen(defs[d], &scrapes[i]) &&
                              cw_str_eq(scrapes[k].job_name, scrapes[i].job_name)))
                k++;
            if (k == i)
                continue;
            cw_buf_addf(out,
                        "%s:%zu: a job of the same name (line %zu: \"%.*s\") has a %s too: give it "
                        "a job_name of its own, for its spool has that name\n",
                        file, scrapes[i].line, scrapes[k].line, CW_STR_ARG(scrapes[k].job_name),
                        defs[d]->kind);
            n++;
        }
    return n;
}

static int receiver_add(struct cw_receivers *receivers, const struct cw_receiver_def *def,
                        const struct cw_scrape *scrape, struct cw_err *err)
{
    char *name = spool_name(def->kind, scrape->config->job_name);
    if (name_taken(receivers, name)) {
        int rc =
            cw_err_set(err, CW_E_INVALID,
                       "two jobs of one name (\"%.*s\") have a %s: give each a job_name of its "
                       "own, for its spool has that name",
                       CW_STR_ARG(scrape->config->job_name), def->kind);
        free(name);
        return rc;
    }
    struct cw_receiver *receiver = cw_mem_new(def->size);
    receiver->def = def;
    receiver->scrape = scrape;
    receiver->config = (const char *)scrape->config + def->config;
    receiver->host = &receivers->options;
    receiver->name = name;
    receivers->items =
        cw_mem_resize(receivers->items, (receivers->n + 1) * sizeof(struct cw_receiver *));
    receivers->items[receivers->n++] = receiver;
    const void *labels = (const char *)scrape->config + def->labels;
    cw_received_init(&receiver->received, labels, scrape->relabel, name,
                     receivers->options.metrics);
    return spool_open(receivers, receiver, name, &receiver->spool, err);
}

/* Spools of receivers that are configured no longer. */
static int left_add(struct cw_receivers *receivers, struct cw_err *err)
{
    struct cw_file_names names = {0};
    if (!cw_file_exists(receivers->options.folder))
        return 0;
    int rc = cw_file_list(receivers->options.folder, &names, err);
    receivers->left = cw_mem_array(names.n + 1, sizeof(struct cw_spool_writer *));
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        if (!name_taken(receivers, names.names[i]) &&
            strcmp(names.names[i], CW_DISCOVERY_SPOOLS) != 0)
            rc = spool_open(receivers, NULL, names.names[i], &receivers->left[receivers->nleft++],
                            err);
    cw_file_names_free(&names);
    return rc;
}

int cw_receivers_new(const struct cw_receivers_options *options, struct cw_receivers **out,
                     struct cw_err *err)
{
    struct cw_receivers *receivers = cw_mem_new(sizeof *receivers);
    receivers->options = *options;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->nscrapes; i++)
        for (size_t k = 0; rc == 0 && k < CW_COUNT(defs); k++)
            if (seen(defs[k], options->scrapes[i].config))
                rc = receiver_add(receivers, defs[k], &options->scrapes[i], err);
    if (rc == 0)
        rc = left_add(receivers, err);
    *out = receivers;
    return rc;
}

int cw_receivers_start(struct cw_receivers *receivers, struct cw_err *err)
{
    for (size_t i = 0; i < receivers->n; i++) {
        struct cw_receiver *receiver = receivers->items[i];
        int rc = receiver->def->start(receiver, err);
        if (rc < 0) {
            cw_err_wrap(err, "%s", receiver->name);
            return rc;
        }
    }
    return 0;
}

void cw_receivers_prune(struct cw_receivers *receivers, int64_t now_ns)
{
    for (size_t i = 0; i < receivers->n && !receivers->closed; i++)
        cw_spool_writer_prune(receivers->items[i]->spool, receivers->options.sources, now_ns);
    for (size_t i = 0; i < receivers->nleft && !receivers->closed; i++)
        cw_spool_writer_prune(receivers->left[i], receivers->options.sources, now_ns);
}

bool cw_receivers_idle(const struct cw_receivers *receivers)
{
    for (size_t i = 0; i < receivers->n && !receivers->closed; i++) {
        const struct cw_receiver *receiver = receivers->items[i];
        if (lingers(receiver) || !cw_spool_writer_idle(receiver->spool))
            return false;
    }
    return true;
}

bool cw_receivers_done(const struct cw_receivers *receivers)
{
    for (size_t i = 0; i < receivers->n; i++) {
        const struct cw_receiver *receiver = receivers->items[i];
        if (receiver->def->ended != NULL && !receiver->def->ended(receiver))
            return false;
    }
    return cw_receivers_idle(receivers);
}

static void on_stopped(void *ctx, int rc)
{
    const struct cw_receivers *receivers = ctx;
    (void)rc;
    receivers->options.on_stopped(receivers->options.arg);
}

void cw_receivers_stop(struct cw_receivers *receivers)
{
    for (size_t i = 0; i < receivers->n && !receivers->stopped; i++) {
        struct cw_receiver *receiver = receivers->items[i];
        receiver->stopped = true;
        if (receiver->spool == NULL)
            continue; /* its start failed */
        receiver->def->stop(receiver);
        cw_receiver_flush(receiver, on_stopped, receivers);
    }
    receivers->stopped = true;
}

void cw_receivers_close(struct cw_receivers *receivers)
{
    cw_receivers_stop(receivers);
    for (size_t i = 0; i < receivers->n; i++)
        cw_spool_writer_close(&receivers->items[i]->spool);
    for (size_t i = 0; i < receivers->nleft; i++)
        cw_spool_writer_close(&receivers->left[i]);
    receivers->closed = true;
}

void cw_receivers_free(struct cw_receivers **receivers)
{
    struct cw_receivers *r = *receivers;
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++) {
        struct cw_receiver *receiver = r->items[i];
        if (receiver->def->fini != NULL)
            receiver->def->fini(receiver);
        cw_received_fini(&receiver->received);
        cw_tls_server_free(&receiver->tls);
        free(receiver->name);
        free(receiver);
    }
    free(r->items);
    free(r->left);
    free(r);
    *receivers = NULL;
}
