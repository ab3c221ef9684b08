#include "ingester/tenants.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "ingester/published_limits.h"
#include "ingester/tenant_name.h"

struct tenant_rules;
struct cw_tenants {
    bool auth_enabled;
    uint64_t query_memory_bytes;
    pthread_rwlock_t lock;
    struct cw_ingester_config *config;
    struct tenant_rules *rules; /* of config->overrides, then of config->limits */
};

/* What is compiled from limits. */
struct tenant_rules {
    struct cw_retention_policy *policy;
    struct cw_discovery *discovery;
    struct cw_otlp_mapping *otlp;
    struct cw_query_policy *queries;
};

/* The configuration was checked when it was loaded, so it holds no other expressions. */
static struct cw_query_policy *queries_make(const struct cw_ingester_limits *limits)
{
    const struct cw_blocked_query_config *items = limits->blocked_queries.items;
    size_t n = limits->blocked_queries.n;
    struct cw_arena *arena = cw_arena_new();
    struct cw_blocked_query *blocked = CW_ARENA_ARRAY(arena, struct cw_blocked_query, n);
    struct cw_query_policy *policy;
    struct cw_err err;
    for (size_t i = 0; i < n; i++) {
        size_t ntags = items[i].tags.n;
        struct cw_query_tag *tags = CW_ARENA_ARRAY(arena, struct cw_query_tag, ntags);
        for (size_t t = 0; t < ntags; t++)
            tags[t] =
                (struct cw_query_tag){items[i].tags.items[t].name, items[i].tags.items[t].value};
        blocked[i] = (struct cw_blocked_query){items[i].pattern,
                                               items[i].regex,
                                               (uint32_t)items[i].hash,
                                               items[i].types.items,
                                               items[i].types.n,
                                               tags,
                                               ntags};
    }
    const struct cw_query_policy_options options = {
        .required_labels = limits->required_labels.items,
        .nrequired_labels = limits->required_labels.n,
        .minimum_matchers = (uint32_t)limits->minimum_labels_number,
        .blocked = blocked,
        .nblocked = n,
        .disabled = limits->max_query_parallelism == 0 || limits->tsdb_max_query_parallelism == 0};
    CW_ASSERT(cw_query_policy_new(&options, &policy, &err) == 0);
    cw_arena_free(&arena);
    return policy;
}

static struct tenant_rules rules_make(const struct cw_ingester_config *config,
                                      const struct cw_ingester_limits *limits)
{
    struct tenant_rules rules;
    struct cw_err err;
    struct cw_discovery_options discovery = {
        .service_names = {limits->discover_service_name.items, limits->discover_service_name.n},
        /* As in Loki: metadata has to be allowed. */
        .levels = limits->discover_log_levels && limits->allow_structured_metadata,
        .level_fields = limits->log_level_fields.items,
        .nlevel_fields = limits->log_level_fields.n,
        .json_depth = (unsigned)CW_MAX(limits->log_level_from_json_max_depth, 0)};
    rules.discovery = cw_discovery_new(&discovery);
    rules.otlp = cw_otlp_config_mapping(&limits->otlp, &config->otlp_label_attributes);
    rules.queries = queries_make(limits);
    /* The configuration was checked when it was loaded, so it holds no other selectors. */
    CW_ASSERT(cw_retention_policy_new(limits, &rules.policy, &err) == 0);
    return rules;
}

static void rules_make_all(struct cw_tenants *tenants)
{
    const struct cw_config_table_map *overrides = &tenants->config->overrides;
    const struct cw_ingester_limits *items = overrides->items;
    tenants->rules = cw_mem_array(overrides->n + 1, sizeof(*tenants->rules));
    for (size_t i = 0; i < overrides->n; i++)
        tenants->rules[i] = rules_make(tenants->config, &items[i]);
    tenants->rules[overrides->n] = rules_make(tenants->config, &tenants->config->limits);
}

static void rules_free(struct tenant_rules *rules, size_t noverrides)
{
    for (size_t i = 0; i <= noverrides; i++) {
        cw_retention_policy_unref(&rules[i].policy);
        cw_discovery_unref(&rules[i].discovery);
        cw_otlp_mapping_unref(&rules[i].otlp);
        cw_query_policy_unref(&rules[i].queries);
    }
    free(rules);
}

/* Under the lock. */
static const struct tenant_rules *rules_of(const struct cw_tenants *tenants, struct cw_str tenant)
{
    const struct cw_config_table_map *overrides = &tenants->config->overrides;
    size_t at = overrides->n;
    for (size_t i = 0; i < overrides->n; i++)
        if (cw_str_eq(overrides->names[i], tenant))
            at = i;
    return &tenants->rules[at];
}

struct cw_tenants *cw_tenants_new(struct cw_ingester_config *config)
{
    struct cw_tenants *tenants = cw_mem_new(sizeof(*tenants));
    tenants->auth_enabled = config->auth_enabled;
    /* Half of the budget is the head's; two queries may take the other. */
    tenants->query_memory_bytes = cw_ingester_memory(config) / 4;
    tenants->config = config;
    rules_make_all(tenants);
    pthread_rwlock_init(&tenants->lock, NULL);
    return tenants;
}

void cw_tenants_free(struct cw_tenants **tenants)
{
    if (!*tenants)
        return;
    pthread_rwlock_destroy(&(*tenants)->lock);
    rules_free((*tenants)->rules, (*tenants)->config->overrides.n);
    cw_ingester_config_free(&(*tenants)->config);
    free(*tenants);
    *tenants = NULL;
}

void cw_tenants_reload(struct cw_tenants *tenants, struct cw_ingester_config *config,
                       struct cw_buf *waiting)
{
    pthread_rwlock_wrlock(&tenants->lock);
    struct cw_ingester_config *old = tenants->config;
    cw_schema_keep(&cw_ingester_table, old, config, config->arena, waiting);
    struct tenant_rules *rules = tenants->rules;
    tenants->config = config;
    rules_make_all(tenants);
    pthread_rwlock_unlock(&tenants->lock);
    rules_free(rules, old->overrides.n);
    cw_ingester_config_free(&old);
}

bool cw_tenants_auth_enabled(const struct cw_tenants *tenants)
{
    return tenants->auth_enabled;
}

void cw_tenants_print_config(struct cw_tenants *tenants, struct cw_buf *out)
{
    pthread_rwlock_rdlock(&tenants->lock);
    cw_schema_print(&cw_ingester_table, tenants->config, out);
    pthread_rwlock_unlock(&tenants->lock);
}

int cw_tenants_of(const struct cw_tenants *tenants, const struct cw_http_request *request,
                  struct cw_str *out, struct cw_err *err)
{
    *out = CW_STR(CW_TENANT_ANONYMOUS);
    if (!tenants->auth_enabled)
        return 0;
    *out = cw_http_header(request, "X-Scope-OrgID");
    if (out->len == 0)
        return cw_err_set(err, CW_E_UNAUTHORIZED, "no org id");
    return cw_tenant_name_check(*out, err);
}

/* The lock is held: with it texts and lists of the limits may go. */
static const struct cw_ingester_limits *limits_of(const struct cw_tenants *tenants,
                                                  struct cw_str tenant)
{
    const struct cw_ingester_config *config = tenants->config;
    const struct cw_ingester_limits *items = config->overrides.items, *limits = &config->limits;
    for (size_t i = 0; i < config->overrides.n; i++)
        if (cw_str_eq(config->overrides.names[i], tenant))
            limits = &items[i];
    return limits;
}

void cw_tenants_limits(struct cw_tenants *tenants, struct cw_str tenant,
                       struct cw_ingester_limits *out)
{
    pthread_rwlock_rdlock(&tenants->lock);
    *out = *limits_of(tenants, tenant);
    pthread_rwlock_unlock(&tenants->lock);
}

bool cw_tenants_querier_tenant(void *ctx, struct cw_http_request *request,
                               struct cw_str *tenant_out)
{
    struct cw_err err = {0};
    if (cw_tenants_of(ctx, request, tenant_out, &err) == 0)
        return true;
    cw_http_respond_err(request, &err);
    return false;
}

void cw_tenants_querier_limits(void *ctx, struct cw_str tenant, struct cw_query_limits *out)
{
    struct cw_tenants *tenants = ctx;
    cw_query_limits_default(out);
    pthread_rwlock_rdlock(&tenants->lock);
    const struct cw_ingester_limits *limits = limits_of(tenants, tenant);
    out->max_entries_limit_per_query = (uint32_t)limits->max_entries_limit_per_query;
    out->max_query_series = (uint32_t)limits->max_query_series;
    out->max_streams_matchers_per_query = (uint32_t)limits->max_streams_matchers_per_query;
    out->max_query_length_ns = limits->max_query_length_ns;
    out->max_query_lookback_ns = limits->max_query_lookback_ns;
    out->max_query_range_ns = limits->max_query_range_ns;
    out->query_timeout_ns = limits->query_timeout_ns;
    out->max_query_bytes_read = limits->max_query_bytes_read;
    out->volume_enabled = limits->volume_enabled;
    out->volume_max_series = (uint32_t)limits->volume_max_series;
    out->multi_variant_queries = limits->enable_multi_variant_queries;
    for (size_t i = 0; i < limits->shard_aggregations.n; i++)
        out->approx_topk |= cw_str_eqz(limits->shard_aggregations.items[i], "approx_topk");
    out->max_concurrent_tail_requests = (uint32_t)limits->max_concurrent_tail_requests;
    pthread_rwlock_unlock(&tenants->lock);
    out->query_memory_bytes = tenants->query_memory_bytes;
}

struct cw_query_policy *cw_tenants_querier_policy(void *ctx, struct cw_str tenant)
{
    struct cw_tenants *tenants = ctx;
    pthread_rwlock_rdlock(&tenants->lock);
    struct cw_query_policy *policy = cw_query_policy_ref(rules_of(tenants, tenant)->queries);
    pthread_rwlock_unlock(&tenants->lock);
    return policy;
}

void cw_tenants_published_limits(void *ctx, struct cw_str tenant, struct cw_json_writer *out)
{
    struct cw_tenants *tenants = ctx;
    pthread_rwlock_rdlock(&tenants->lock);
    cw_published_limits_write(tenants->config, limits_of(tenants, tenant), out);
    pthread_rwlock_unlock(&tenants->lock);
}

void cw_tenants_print_limits(struct cw_tenants *tenants, struct cw_str tenant, struct cw_buf *out)
{
    pthread_rwlock_rdlock(&tenants->lock);
    cw_published_limits_print(tenants->config, limits_of(tenants, tenant), out);
    pthread_rwlock_unlock(&tenants->lock);
}

struct cw_retention_policy *cw_tenants_retention(void *ctx, struct cw_str tenant)
{
    struct cw_tenants *tenants = ctx;
    pthread_rwlock_rdlock(&tenants->lock);
    struct cw_retention_policy *policy = cw_retention_policy_ref(rules_of(tenants, tenant)->policy);
    pthread_rwlock_unlock(&tenants->lock);
    return policy;
}

struct cw_discovery *cw_tenants_discovery(void *ctx, struct cw_str tenant)
{
    struct cw_tenants *tenants = ctx;
    pthread_rwlock_rdlock(&tenants->lock);
    struct cw_discovery *discovery = cw_discovery_ref(rules_of(tenants, tenant)->discovery);
    pthread_rwlock_unlock(&tenants->lock);
    return discovery;
}

struct cw_otlp_mapping *cw_tenants_otlp(void *ctx, struct cw_str tenant)
{
    struct cw_tenants *tenants = ctx;
    pthread_rwlock_rdlock(&tenants->lock);
    struct cw_otlp_mapping *otlp = cw_otlp_mapping_ref(rules_of(tenants, tenant)->otlp);
    pthread_rwlock_unlock(&tenants->lock);
    return otlp;
}
