/* The file of custom metrics, with a right checksum: any lines are read or passed over, and what was read is saved as it is shown. */
#include "common/base/assert.h"
#include "common/base/check_line.h"
#include "common/pipeline/custom_metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"c", "g", "h"};
    struct cw_custom_metrics *metrics = cw_custom_metrics_new();
    struct cw_buf text;
    size_t idx;
    for (int type = 0; type < 3; type++) {
        struct cw_custom_metric_def def = {.name = cw_str_of(names[type]),
                                           .type = (enum cw_custom_type)type};
        CW_ASSERT(cw_custom_metrics_add(metrics, &def, &idx, NULL) == 0);
    }
    cw_buf_init(&text, 1u << 24);
    cw_buf_addz(&text, "cordwood-custom-metrics 1\n");
    cw_buf_add(&text, data, size);
    cw_buf_addc(&text, '\n');
    cw_check_line_add(&text, 0);
    CW_ASSERT(cw_custom_metrics_decode(metrics, cw_buf_str(&text), NULL) == 0);
    cw_buf_clear(&text);
    cw_custom_metrics_render(metrics, 1, &text);
    cw_buf_fini(&text);
    cw_custom_metrics_free(&metrics);
    return 0;
}
