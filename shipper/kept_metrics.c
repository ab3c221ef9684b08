#include "shipper/kept_metrics.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"

void cw_kept_metrics_init(struct cw_kept_metrics *kept, const char *positions_path)
{
    *kept = (struct cw_kept_metrics){.host = {.metrics = cw_custom_metrics_new()}};
    if (positions_path == NULL)
        return;
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s.metrics", positions_path);
    kept->path = cw_str_dupz(cw_buf_str(&path));
    cw_buf_fini(&path);
}

void cw_kept_metrics_fini(struct cw_kept_metrics *kept)
{
    cw_custom_metrics_free(&kept->host.metrics);
    free(kept->path);
    kept->path = NULL;
}

void cw_kept_metrics_load(struct cw_kept_metrics *kept)
{
    struct cw_err err;
    if (kept->path == NULL)
        return;
    int rc = cw_custom_metrics_load(kept->host.metrics, kept->path, &err);
    if (rc < 0 && rc != CW_E_NOT_FOUND)
        cw_log_error("the metrics of stages begin anew: %s", err.text);
}

void cw_kept_metrics_save(struct cw_kept_metrics *kept)
{
    struct cw_err err;
    if (kept->path != NULL && cw_custom_metrics_save(kept->host.metrics, kept->path, &err) < 0)
        cw_log_error("the metrics of stages could not be kept: %s", err.text);
}

void cw_kept_metrics_render(struct cw_kept_metrics *kept, struct cw_buf *out)
{
    cw_custom_metrics_render(kept->host.metrics, cw_clock_now_ns(), out);
}
