/*
 * retention_report.h - GET /cordwood/v1/retention: what goes when, as JSON.
 *
 *     {"time":..., "store":{"bytes","log_bytes","rules":[RULE...]},
 *      "tenants":[{"tenant","bytes","parts","oldest","newest","rules":[RULE...]}...]}
 *
 * A RULE says what it is (`rule`, and its numbers), and under `next` the part that it drops or writes anew first: `at` by when,
 * where that is a time; without `at` when the bytes ask for it, and `due` tells whether they do now. A rule of retention_stream with
 * `period` and `bytes` stands there twice, once for each. A period's next part is the oldest with a stream that has this period:
 * one that only has streams which another rule keeps longer, or for ever, is not named.
 *
 * Threads    Any that may read parts.
 */
#ifndef CW_INGESTER_RETENTION_REPORT_H
#define CW_INGESTER_RETENTION_REPORT_H
#include "common/base/buf.h"
#include "ingester/deletes.h"
#include "ingester/retention.h"
#include "ingester/retention_shares.h"

/* Of one tenant, or (`tenant` empty) of the store and all of them. Makes *out, which is the caller's to cw_buf_fini(). */
void cw_retention_report(struct cw_parts *parts, struct cw_deletes *deletes,
                         struct cw_retention_shares *shares,
                         const struct cw_retention_options *options, struct cw_str tenant,
                         uint64_t log_bytes, int64_t now_ns, struct cw_buf *out);

#endif
