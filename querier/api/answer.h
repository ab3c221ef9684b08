/*
 * answer.h - results as the JSON that Loki answers.
 *
 * Errors     Over its cap the buffer says so (cw_buf_failed()); the caller checks once.
 */
#ifndef CW_API_ANSWER_H
#define CW_API_ANSWER_H
#include "common/base/buf.h"
#include "querier/engine/log_group.h"
#include "querier/engine/query_context.h"
#include "querier/engine/sample.h"
#include "querier/engine/stream_query.h"
#include "querier/engine/volume.h"
#include "common/store/listing.h"
#include "common/wire/json_writer.h"

/* What `data.stats` tells; the rest of it comes from the query's context. */
struct cw_answer_stats {
    const struct cw_query_context *query;
    int64_t queue_ns, exec_ns;
    uint64_t entries_returned;
};

/* Texts may be empty. */
struct cw_answer_extra {
    bool categorised;           /* data.encodingFlags, and a third element behind each line */
    struct cw_str warning;      /* warnings: [...] */
    struct cw_str partial;      /* likewise: why the answer is not whole */
    struct cw_str continuation; /* "continuation": how to ask for the rest (partial_answer.h) */
};

/* Entries, series and points that are left when the query ends (match_stop.h) are left out: nobody reads them. */

/* {"a":"b",...} */
void cw_answer_labels(struct cw_json_writer *w, struct cw_labels labels);
/* {"structuredMetadata":{...},"parsed":{...}}: what there is of each. */
void cw_answer_categories(struct cw_json_writer *w, const struct cw_log_entry *entry,
                          struct cw_arena *arena);
/* "warnings":[...] of an object that is under way; nothing for an empty text. */
void cw_answer_warning(struct cw_json_writer *w, struct cw_str warning);
/* {"status":"success","data":{"resultType":"streams",...}} */
void cw_answer_streams(const struct cw_log_groups *groups, const struct cw_answer_extra *extra,
                       const struct cw_answer_stats *stats, struct cw_buf *out);
/* vector, matrix or scalar; `time_ns` is the time of an instant query. */
void cw_answer_samples(const struct cw_result *result, int64_t time_ns,
                       const struct cw_answer_extra *extra, const struct cw_answer_stats *stats,
                       struct cw_buf *out);
/* A vector where no volume has more than one sample, else a matrix. `time_ns` is the time of sums; `steps` that of the steps, or NULL. */
void cw_answer_volumes(const struct cw_volumes *volumes, const struct cw_volume_steps *steps,
                       int64_t time_ns, const struct cw_answer_extra *extra,
                       const struct cw_answer_stats *stats, struct cw_buf *out);
/* {"streams":1,"chunks":2,"bytes":3,"entries":4} */
void cw_answer_index_stats(struct cw_json_writer *w, const struct cw_index_stats *stats);
/* {"status":"success","data":["a","b"]}, or [{"a":"b"}] of streams; {"values":["a","b"]} in the API of before 2019. An empty list of
 * texts is left out, as by Loki; one of streams is []. The warning, if there is one, stands under "warnings". Between two calls the
 * buffer may be sent off and cleared. */
enum cw_answer_list_form { CW_ANSWER_LIST, CW_ANSWER_OLD_LIST };
struct cw_answer_list {
    struct cw_json_writer w;
    enum cw_answer_list_form form;
    enum cw_list_what what;
    bool begun; /* the array is */
};
void cw_answer_list_begin(struct cw_answer_list *list, enum cw_answer_list_form form,
                          enum cw_list_what what, struct cw_str warning, struct cw_buf *out);
void cw_answer_list_add(struct cw_answer_list *list, const struct cw_list_item *item);
void cw_answer_list_end(struct cw_answer_list *list);
/* The API of before 2019: {"streams":[{"labels":"{...}","entries":[{"ts":"...","line":"..."}]}]} */
void cw_answer_old_streams(const struct cw_log_groups *groups, const struct cw_answer_stats *stats,
                           struct cw_buf *out);
/* {"ts":"ns","labels":{...},"line":"...","metadata":{...},"parsed":{...}} and a newline; see entry_export.c. */
void cw_answer_export_line(const struct cw_log_entry *entry, struct cw_buf *out);

#endif
