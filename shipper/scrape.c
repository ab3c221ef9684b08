#include "shipper/scrape.h"
#include <stdlib.h>
#include <unistd.h>
#include "common/pipeline/stages_host.h"
#include "shipper/unpack.h"

/* As promtail: $HOSTNAME, which in a pod names the node, ahead of the kernel's. */
static const char *host_name(void)
{
    static char name[256];
    const char *given = getenv("HOSTNAME");
    if (given != NULL && given[0] != '\0')
        return given;
    if (gethostname(name, sizeof name - 1) < 0)
        return "";
    return name;
}

int cw_scrape_init(struct cw_scrape *scrape, const struct cw_scrape_config *config,
                   const struct cw_pipelines *pipelines, struct cw_stages_host *stages_host,
                   struct cw_err *err)
{
    *scrape = (struct cw_scrape){.config = config, .pipelines = pipelines, .host = host_name()};
    int rc = cw_relabel_new(&config->relabel_configs, &scrape->relabel, err);
    bool limited = stages_host != NULL && stages_host->limit.rate > 0;
    if (rc == 0 && (config->pipeline_stages.n > 0 || limited))
        rc = cw_stages_new(&config->pipeline_stages, stages_host, &scrape->stages, err) < 0
                 ? cw_err_wrap(err, "job \"%.*s\"", CW_STR_ARG(config->job_name))
                 : 0;
    if (rc == 0 && config->encoding.len > 0)
        rc = cw_text_encoding_new(config->encoding, &scrape->encoding, err);
    if (rc == 0 && config->decompression.format.len > 0)
        rc = cw_unpack_format(config->decompression.format, &scrape->unpack_format, err);
    return rc;
}

void cw_scrape_fini(struct cw_scrape *scrape)
{
    cw_relabel_free(&scrape->relabel);
    cw_stages_free(&scrape->stages);
    cw_text_encoding_free(&scrape->encoding);
}
