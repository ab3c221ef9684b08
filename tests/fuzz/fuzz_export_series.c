/* What a server answers: the exporter's series, the CLI's entries, and JSON as it is printed. */
#include <stdlib.h>

#include "querier/cli/cli_entries.h"
#include "querier/export/export_series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    static const char *const types[] = {"vector", "scalar"};
    static struct cw_config_pair labels[] = {{{"team", 4}, {"shop", 4}}};
    struct cw_export export = {.name = CW_STR("x"), .help = CW_STR("X.")};
    struct cw_str body = cw_str_make(data, size);
    struct cw_err err;
    struct cw_buf out;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    cw_buf_init(&out, 1 << 20);
    for (size_t i = 0; i < 4; i++) {
        export.labels = (struct cw_config_map){labels, i / 2};
        cw_buf_clear(&out);
        int rc = cw_export_series(&export, cw_str_of(types[i % 2]), body, &out, &err);
        if (rc < 0 && (err.code != rc || out.len > 0))
            abort();
    }
    cw_buf_fini(&out);
    struct cw_arena *arena = cw_arena_new();
    struct cw_cli_answer answer;
    if (cw_cli_answer_parse(body, CW_CLI_OLDEST_FIRST, arena, &answer, &err) == 0) {
        for (size_t i = 1; i < answer.nentries; i++) {
            if (answer.entries[i].ts_ns < answer.entries[i - 1].ts_ns)
                abort();
        }
    }
    cw_arena_free(&arena);
    cw_cli_print_json(body, nowhere);
    return 0;
}
