#include "shipper/outputs.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/id_map.h"
#include "common/base/log.h"
#include "common/logql/ast.h"
#include "shipper/client_ids.h"
#include "shipper/shipper_metrics.h"
#include "shipper/targets.h"

/* What may leave has sent nothing for so long. */
#define IDLE_NS (2 * CW_NS_PER_S)
/* At the bound so many tenants make room at once: one in so many, but one at least. */
enum { ROOM_SHARE = 16 };
/* That the bound was met is told so often at most. */
#define FULL_TOLD_NS (60 * CW_NS_PER_S)

/* A configured client. */
struct destination {
    const struct cw_client_config *config;
    struct cw_id128 id;
    struct cw_labels external;
    struct cw_query *selector; /* NULL: all streams */
};

/* One that entries name, or that of those which name none. */
struct tenant {
    struct cw_hash128 hash;
    size_t *outputs, noutputs; /* one a destination, but where it is the client's own */
    bool named;                /* it may leave */
    bool resting;
};

struct cw_outputs {
    struct cw_outputs_options options;
    struct destination *destinations;
    size_t ndestinations;
    struct cw_push_client *
        *clients; /* by their number in the table of sources; NULL: a free place */
    size_t nclients, nused;
    struct tenant *tenants; /* the first is of those that name none */
    size_t ntenants, tenants_cap, nresting;
    struct cw_id_map served; /* the tenants' hashes, in their order */
    bool started;            /* those that come now start at once */
    bool full;               /* entries wait for room */
    int64_t full_told_ns;    /* monotonic; 0: never */
    uint64_t nrefused;       /* by those that are gone */
};

static void gauges_set(const struct cw_outputs *outputs)
{
    struct cw_metrics *metrics = outputs->options.host->metrics;
    cw_metrics_set(metrics, CW_M_OUTPUTS, (int64_t)outputs->nused);
    cw_metrics_set(metrics, CW_M_OUTPUTS_FULL, outputs->full);
}

/* ---- coming ---- */

static size_t output_add(struct cw_outputs *outputs, const struct destination *to,
                         struct cw_str tenant)
{
    struct cw_push_host *host = outputs->options.host;
    struct cw_push_client_options options = {
        .config = to->config,
        .id = cw_client_tenant_id(&to->id, tenant),
        .external = to->external,
        .selector = to->selector ? &to->selector->root->selector : NULL,
        .output =
            cw_sources_output_add(host->sources, to->config->name, tenant, to->config->tenant_id)};
    CW_ASSERT(options.output <= outputs->nclients);
    if (options.output == outputs->nclients)
        outputs->clients =
            cw_mem_resize(outputs->clients, ++outputs->nclients * sizeof(struct cw_push_client *));
    outputs->clients[options.output] = cw_push_client_new(host, &options);
    outputs->nused++;
    if (outputs->started)
        cw_push_client_start(outputs->clients[options.output]);
    return options.output;
}

/* The client's own tenant is that of entries which name none. */
static bool wants_output(const struct destination *to, struct cw_str tenant)
{
    return tenant.len == 0 || !cw_str_eq(to->config->tenant_id, tenant);
}

static void tenant_add(struct cw_outputs *outputs, struct cw_str name, struct cw_hash128 hash)
{
    bool added;
    if (outputs->ntenants == outputs->tenants_cap) {
        outputs->tenants_cap = outputs->tenants_cap ? 2 * outputs->tenants_cap : 4;
        outputs->tenants =
            cw_mem_resize(outputs->tenants, outputs->tenants_cap * sizeof(struct tenant));
    }
    struct tenant *tenant = &outputs->tenants[outputs->ntenants++];
    *tenant = (struct tenant){.hash = hash,
                              .outputs =
                                  cw_mem_array(outputs->ndestinations + 1, sizeof *tenant->outputs),
                              .named = name.len > 0};
    for (size_t i = 0; i < outputs->ndestinations; i++)
        if (wants_output(&outputs->destinations[i], name))
            tenant->outputs[tenant->noutputs++] =
                output_add(outputs, &outputs->destinations[i], name);
    (void)cw_id_map_put(&outputs->served, hash, &added);
    gauges_set(outputs);
}

static void full_tell(struct cw_outputs *outputs, struct cw_str tenant)
{
    int64_t now_ns = cw_clock_mono_ns();
    outputs->full = true;
    gauges_set(outputs);
    if (outputs->full_told_ns != 0 && now_ns - outputs->full_told_ns < FULL_TOLD_NS)
        return;
    outputs->full_told_ns = now_ns;
    cw_log_error("there are %zu outputs, and limits_config.max_outputs allows no more: entries of "
                 "tenant \"%.*s\", and of others that are met now, wait in their files until "
                 "another tenant has had nothing to send for a while",
                 outputs->nused, CW_STR_ARG(tenant));
}

enum cw_outputs_served cw_outputs_serve(struct cw_outputs *outputs, struct cw_str tenant)
{
    struct cw_hash128 hash = cw_hash128(tenant.ptr, tenant.len);
    size_t number, nwanted = 0;
    if (outputs->options.dry_run)
        return CW_OUTPUTS_SERVED;
    if (cw_id_map_find(&outputs->served, hash, &number)) {
        outputs->nresting -= outputs->tenants[number].resting;
        outputs->tenants[number].resting = false;
        return CW_OUTPUTS_SERVED;
    }
    for (size_t i = 0; i < outputs->ndestinations; i++)
        nwanted += wants_output(&outputs->destinations[i], tenant);
    if (tenant.len > 0 && nwanted > 0 &&
        outputs->nused + nwanted > (size_t)outputs->options.config->limits.max_outputs) {
        full_tell(outputs, tenant);
        return CW_OUTPUTS_FULL;
    }
    tenant_add(outputs, tenant, hash);
    return nwanted > 0 ? CW_OUTPUTS_NEW : CW_OUTPUTS_SERVED;
}

/* ---- leaving ---- */

/* When one of its clients sent last. */
static int64_t tenant_sent_ns(const struct cw_outputs *outputs, const struct tenant *tenant)
{
    int64_t last_ns = INT64_MIN;
    for (size_t i = 0; i < tenant->noutputs; i++)
        last_ns = CW_MAX(last_ns, cw_push_client_sent_ns(outputs->clients[tenant->outputs[i]]));
    return last_ns;
}

static bool tenant_idle(const struct cw_outputs *outputs, const struct tenant *tenant)
{
    for (size_t i = 0; i < tenant->noutputs; i++)
        if (!cw_push_client_idle(outputs->clients[tenant->outputs[i]]) ||
            !cw_sources_output_idle(outputs->options.host->sources, tenant->outputs[i]))
            return false;
    return true;
}

/* NULL: none may. */
static struct tenant *longest_idle(const struct cw_outputs *outputs, int64_t now_ns)
{
    struct tenant *found = NULL;
    int64_t found_ns = now_ns - IDLE_NS;
    for (size_t i = 0; i < outputs->ntenants; i++) {
        struct tenant *tenant = &outputs->tenants[i];
        int64_t sent_ns = tenant_sent_ns(outputs, tenant);
        if (!tenant->named || tenant->resting || tenant->noutputs == 0 || sent_ns > found_ns ||
            !tenant_idle(outputs, tenant))
            continue;
        found = tenant;
        found_ns = sent_ns;
    }
    return found;
}

/* Those that sent nothing for longest read no further from now on. */
static void some_rest(struct cw_outputs *outputs)
{
    int64_t now_ns = cw_clock_mono_ns();
    while (outputs->nresting < outputs->ntenants / ROOM_SHARE + 1) {
        struct tenant *tenant = longest_idle(outputs, now_ns);
        if (tenant == NULL)
            return;
        tenant->resting = true;
        outputs->nresting++;
    }
}

/* All of what it has read was settled for all others too: what they meet from now on wakes nobody. */
static bool tenant_leave(struct cw_outputs *outputs, struct tenant *tenant)
{
    struct cw_sources *sources = outputs->options.host->sources;
    for (size_t i = 0; i < tenant->noutputs; i++)
        if (!tenant->resting || !cw_push_client_idle(outputs->clients[tenant->outputs[i]]) ||
            !cw_sources_output_passed(sources, tenant->outputs[i]))
            return false;
    for (size_t i = 0; i < tenant->noutputs && tenant->resting; i++) {
        struct cw_push_client **client = &outputs->clients[tenant->outputs[i]];
        outputs->nrefused += cw_push_client_refused(*client);
        cw_push_client_close(client);
        cw_sources_output_vacate(sources, tenant->outputs[i]);
        outputs->nused--;
    }
    return tenant->resting;
}

/* Entries are met by the outputs of those that name no tenant, which never leave: from their marks on. */
static bool marks_known(const struct cw_outputs *outputs)
{
    const struct tenant *unnamed = &outputs->tenants[0];
    for (size_t i = 0; i < unnamed->noutputs; i++)
        if (!cw_push_client_ready(outputs->clients[unnamed->outputs[i]]))
            return false;
    return true;
}

void cw_outputs_make_room(struct cw_outputs *outputs)
{
    size_t kept = 0;
    if (!outputs->full || !marks_known(outputs))
        return;
    some_rest(outputs);
    cw_id_map_fini(&outputs->served);
    cw_id_map_init(&outputs->served);
    for (size_t i = 0; i < outputs->ntenants; i++) {
        struct tenant *tenant = &outputs->tenants[i];
        bool added;
        if (tenant_leave(outputs, tenant)) {
            outputs->nresting--;
            free(tenant->outputs);
            continue;
        }
        (void)cw_id_map_put(&outputs->served, tenant->hash, &added);
        outputs->tenants[kept++] = *tenant;
    }
    if (kept == outputs->ntenants)
        return;
    cw_log_info("%zu tenants had nothing to send and make room for others",
                outputs->ntenants - kept);
    outputs->ntenants = kept;
    outputs->full = false; /* until the next one is met that finds no place */
    gauges_set(outputs);
    cw_sources_outputs_retry(outputs->options.host->sources);
}

/* ---- all of them ---- */

bool cw_outputs_pump(struct cw_outputs *outputs)
{
    bool ready = true;
    for (size_t i = 0; i < outputs->ntenants; i++) /* tenants may be added meanwhile */
        for (size_t k = 0; k < outputs->tenants[i].noutputs && !outputs->tenants[i].resting; k++) {
            struct cw_push_client *client = outputs->clients[outputs->tenants[i].outputs[k]];
            cw_push_client_pump(client);
            ready &= cw_push_client_ready(client);
        }
    return ready;
}

bool cw_outputs_sending(const struct cw_outputs *outputs)
{
    for (size_t i = 0; i < outputs->nclients; i++)
        if (outputs->clients[i] != NULL && cw_push_client_sending(outputs->clients[i]))
            return true;
    return false;
}

bool cw_outputs_idle(const struct cw_outputs *outputs, int64_t *sent_ns)
{
    const struct cw_output *of = outputs->options.host->sources->outputs;
    bool idle = true;
    *sent_ns = 0;
    for (size_t i = 0; i < outputs->nclients; i++)
        if (outputs->clients[i] != NULL) {
            *sent_ns = CW_MAX(*sent_ns, cw_push_client_sent_ns(outputs->clients[i]));
            idle &= of[i].gave_up || cw_push_client_idle(outputs->clients[i]);
        }
    return idle;
}

uint64_t cw_outputs_refused(const struct cw_outputs *outputs)
{
    uint64_t nrefused = outputs->nrefused;
    for (size_t i = 0; i < outputs->nclients; i++)
        if (outputs->clients[i] != NULL)
            nrefused += cw_push_client_refused(outputs->clients[i]);
    return nrefused;
}

void cw_outputs_restart(struct cw_outputs *outputs)
{
    for (size_t i = 0; i < outputs->nclients; i++)
        if (outputs->clients[i] != NULL)
            cw_push_client_restart(outputs->clients[i]);
}

void cw_outputs_release_changed(struct cw_outputs *outputs)
{
    for (size_t i = 0; i < outputs->nclients && outputs->nused > 1; i++)
        if (outputs->clients[i] != NULL)
            cw_push_client_release_changed(outputs->clients[i]);
}

/* ---- life ---- */

int cw_outputs_new(const struct cw_outputs_options *options, const struct cw_str *tenants,
                   size_t ntenants, struct cw_outputs **out, struct cw_err *err)
{
    const struct cw_config_tables *clients = &options->config->clients;
    const struct cw_client_config *configs = clients->items;
    struct cw_outputs *outputs = cw_mem_new(sizeof *outputs);
    outputs->options = *options;
    outputs->destinations = cw_mem_array(clients->n + 1, sizeof *outputs->destinations);
    cw_id_map_init(&outputs->served);
    *out = outputs;
    for (size_t i = 0; i < clients->n; i++) {
        struct destination *to = &outputs->destinations[outputs->ndestinations++];
        to->config = &configs[i];
        if (!options->dry_run)
            to->id = options->clients[i].id;
        to->external = cw_labels_from_map(&configs[i].external_labels);
        if (configs[i].selector.len > 0 &&
            cw_client_selector_parse(configs[i].selector, &to->selector, err) < 0)
            return err->code; /* the caller frees what there is */
    }
    if (options->dry_run)
        (void)cw_sources_output_add(options->host->sources, CW_STR(""), CW_STR_NONE, CW_STR(""));
    (void)cw_outputs_serve(outputs, CW_STR(""));
    for (size_t i = 0; i < ntenants; i++)
        (void)cw_outputs_serve(outputs, tenants[i]);
    return 0;
}

void cw_outputs_start(struct cw_outputs *outputs)
{
    outputs->started = true;
    for (size_t i = 0; i < outputs->nclients; i++)
        cw_push_client_start(outputs->clients[i]);
}

void cw_outputs_close(struct cw_outputs *outputs)
{
    for (size_t i = 0; i < outputs->nclients; i++)
        cw_push_client_close(&outputs->clients[i]);
    outputs->nclients = 0;
}

void cw_outputs_free(struct cw_outputs **outputs)
{
    struct cw_outputs *o = *outputs;
    if (o == NULL)
        return;
    CW_ASSERT(o->nclients == 0);
    for (size_t i = 0; i < o->ndestinations; i++) {
        free((void *)o->destinations[i].external.items);
        cw_query_free(&o->destinations[i].selector);
    }
    for (size_t i = 0; i < o->ntenants; i++)
        free(o->tenants[i].outputs);
    cw_id_map_fini(&o->served);
    free(o->tenants);
    free(o->clients);
    free(o->destinations);
    free(o);
    *outputs = NULL;
}
