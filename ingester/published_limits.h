/*
 * published_limits.h - what clients may know of a tenant's limits: the names that Loki's tenant_limits_allow_publish has by default.
 * Grafana's Logs Drilldown and its data source keep to them.
 */
#ifndef CW_INGESTER_PUBLISHED_LIMITS_H
#define CW_INGESTER_PUBLISHED_LIMITS_H
#include "common/base/buf.h"
#include "common/wire/json_writer.h"
#include "ingester/ingester_config.h"

/* One object. Durations and sizes are texts, in Loki's spelling ("30d1h", "64KB"); otlp_config holds the default rule for resources, and
 * retention_stream is there if there are rules. `limits` is one of the config's. */
void cw_published_limits_write(const struct cw_ingester_config *config,
                               const struct cw_ingester_limits *limits, struct cw_json_writer *out);
/* The same as YAML, a name a line; lists and mappings stand in its flow style. */
void cw_published_limits_print(const struct cw_ingester_config *config,
                               const struct cw_ingester_limits *limits, struct cw_buf *out);

#endif
