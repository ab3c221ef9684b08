/*
 * kept_metrics.h - the metrics that the shipper's stages make (custom_metrics.h), and the file that keeps them if asked.
 *
 * The file is written together with the positions. Lines that were counted and not settled when the program died are read again, and
 * so counted twice.
 *
 * Threads    Of the loop, but for cw_kept_metrics_render().
 */
#ifndef CW_SHIPPER_KEPT_METRICS_H
#define CW_SHIPPER_KEPT_METRICS_H
#include "common/base/buf.h"
#include "common/pipeline/stages_host.h"

struct cw_kept_metrics {
    struct cw_stages_host host; /* for the stages */
    char *path;                 /* NULL: they are not kept */
};

/* `positions_path` NULL: they are not kept. */
void cw_kept_metrics_init(struct cw_kept_metrics *kept, const char *positions_path);
void cw_kept_metrics_fini(struct cw_kept_metrics *kept);
/* After the stages were made. A file that cannot be read is told in the log, and counting begins anew. */
void cw_kept_metrics_load(struct cw_kept_metrics *kept);
/* What fails is told in the log. */
void cw_kept_metrics_save(struct cw_kept_metrics *kept);
void cw_kept_metrics_render(struct cw_kept_metrics *kept, struct cw_buf *out);

#endif
