/*
 * tenants.h - whose request is it, and what may that tenant do?
 *
 * Threads    Any; limits are replaced by a reload.
 */
#ifndef CW_INGESTER_TENANTS_H
#define CW_INGESTER_TENANTS_H
#include "common/base/err.h"
#include "common/net/http_server.h"
#include "common/store/discovery.h"
#include "ingester/ingester_config.h"
#include "ingester/retention_policy.h"
#include "querier/querier.h"

#define CW_TENANT_ANONYMOUS "fake"

struct cw_tenants;
/* Takes the config. */
struct cw_tenants *cw_tenants_new(struct cw_ingester_config *config);
bool cw_tenants_auth_enabled(const struct cw_tenants *tenants);
void cw_tenants_free(struct cw_tenants **tenants);
/* The limits of `config` from now on; takes it. What else it says needs a restart: the names of such keys that have changed go to
 * *waiting, and what is in force is still what is printed of them. */
void cw_tenants_reload(struct cw_tenants *tenants, struct cw_ingester_config *config,
                       struct cw_buf *waiting);

/* The configuration in force, as YAML. */
void cw_tenants_print_config(struct cw_tenants *tenants, struct cw_buf *out);

/* What clients may know of a tenant's limits, as YAML. */
void cw_tenants_print_limits(struct cw_tenants *tenants, struct cw_str tenant, struct cw_buf *out);

/* The tenant of a request; borrowed from the request. CW_E_UNAUTHORIZED, CW_E_INVALID. */
int cw_tenants_of(const struct cw_tenants *tenants, const struct cw_http_request *request,
                  struct cw_str *out, struct cw_err *err) CW_MUST_USE;
void cw_tenants_limits(struct cw_tenants *tenants, struct cw_str tenant,
                       struct cw_ingester_limits *out);

/* For the querier, retention and pushes; ctx is the cw_tenants. What is counted comes with a reference. */
bool cw_tenants_querier_tenant(void *ctx, struct cw_http_request *request,
                               struct cw_str *tenant_out);
void cw_tenants_querier_limits(void *ctx, struct cw_str tenant, struct cw_query_limits *out);
struct cw_query_policy *cw_tenants_querier_policy(void *ctx, struct cw_str tenant);
void cw_tenants_published_limits(void *ctx, struct cw_str tenant, struct cw_json_writer *out);
struct cw_retention_policy *cw_tenants_retention(void *ctx, struct cw_str tenant);
struct cw_discovery *cw_tenants_discovery(void *ctx, struct cw_str tenant);
struct cw_otlp_mapping *cw_tenants_otlp(void *ctx, struct cw_str tenant);

#endif
