/*
 * How fast pipeline stages are: the lines of a file, in cuts of 1 MiB as a batch makes them, through the stages of a YAML file.
 * Prints MB/s of CPU time, best of five, and the same for zstd -1 over the same bytes.
 *
 *     build/tests/bench/stages FILE [STAGES.yml]
 */
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/base/clock.h"
#include "common/config/yaml_load.h"
#include "common/pipeline/stage_config.h"
#include "common/pipeline/stages.h"

enum { CUT_BYTES = 1 << 20, ATTEMPTS = 5, FILE_MAX_BYTES = 64 << 20 };

static const char json_labels_timestamp[] =
    "pipeline_stages:\n"
    "  - json: {expressions: {level: level, ts: timestamp, logger: logger}}\n"
    "  - labels: {level: , logger: }\n"
    "  - timestamp: {source: ts, format: RFC3339Nano}\n";

struct pipeline {
    struct cw_config_tables stages;
};
static const struct cw_key_def keys[] = {
    {"pipeline_stages", CW_KEY_TABLES, offsetof(struct pipeline, stages), .table = &cw_stage_table,
     .doc = "The stages."},
};
static const struct cw_table_def table = CW_TABLE("pipeline", keys, struct pipeline);

static void count_entry(void *arg, const struct cw_stage_entry *entry)
{
    size_t *n = arg;
    *n += entry->line.len > 0;
}

static void run_stages(struct cw_stages *stages, struct cw_arena *arena, struct cw_str text)
{
    static const struct cw_label labels[] = {{{"app", 3}, {"checkout", 8}},
                                             {{"filename", 8}, {"/var/log/checkout.log", 21}}};
    size_t n = 0;
    struct cw_str rest = text, line;
    while (rest.len > 0) {
        size_t stop = rest.len > CUT_BYTES ? rest.len - CUT_BYTES : 0;
        cw_arena_reset(arena);
        struct cw_stages_run_options options = {.arena = arena, .emit = count_entry, .arg = &n};
        struct cw_stages_run *run = cw_stages_begin(stages, &options);
        while (rest.len > stop) {
            const char *end = memchr(rest.ptr, '\n', rest.len);
            line = end != NULL ? cw_str_make(rest.ptr, (size_t)(end - rest.ptr)) : rest;
            rest = cw_str_sub(rest, line.len + 1, rest.len);
            struct cw_stage_entry entry = {.line = line,
                                           .labels = labels,
                                           .nlabels = 2,
                                           .from = (uint64_t)(line.ptr - text.ptr),
                                           .to = (uint64_t)(rest.ptr - text.ptr),
                                           .counting = true};
            cw_stages_feed(run, &entry);
        }
        cw_stages_flush(run);
    }
}

static void run_zstd(struct cw_str text)
{
    size_t bound = ZSTD_compressBound(CUT_BYTES);
    char *out = cw_mem_new(bound);
    for (size_t at = 0; at < text.len; at += CUT_BYTES) {
        struct cw_str cut = cw_str_sub(text, at, at + CUT_BYTES);
        if (ZSTD_isError(ZSTD_compress(out, bound, cut.ptr, cut.len, 1)))
            exit(1);
    }
    free(out);
}

int main(int argc, char **argv)
{
    struct cw_arena *arena = cw_arena_new(), *run_arena = cw_arena_new();
    struct cw_buf text;
    struct pipeline pipeline;
    struct cw_stages *stages;
    struct cw_err err = {0};
    cw_buf_init(&text, FILE_MAX_BYTES);
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: stages FILE [STAGES.yml]\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "rb");
    char *room = cw_buf_reserve(&text, FILE_MAX_BYTES);
    if (file == NULL || room == NULL) {
        perror(argv[1]);
        return 1;
    }
    text.len = fread(room, 1, FILE_MAX_BYTES, file);
    fclose(file);
    int rc = argc == 3 ? cw_yaml_load_file(argv[2], &table, NULL, arena, &pipeline, NULL, &err)
                       : cw_yaml_load_text(cw_str_of(json_labels_timestamp), "stages", &table, NULL,
                                           arena, &pipeline, NULL, &err);
    if (rc < 0 || cw_stages_new(&pipeline.stages, NULL, &stages, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double stages_best = 0, zstd_best = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int64_t start_ns = cw_clock_thread_cpu_ns();
        run_stages(stages, run_arena, cw_buf_str(&text));
        int64_t middle_ns = cw_clock_thread_cpu_ns();
        run_zstd(cw_buf_str(&text));
        double mb = (double)text.len / 1e6;
        double stages_s = (double)(middle_ns - start_ns) / 1e9;
        double zstd_s = (double)(cw_clock_thread_cpu_ns() - middle_ns) / 1e9;
        stages_best = mb / stages_s > stages_best ? mb / stages_s : stages_best;
        zstd_best = mb / zstd_s > zstd_best ? mb / zstd_s : zstd_best;
    }
    printf("stages %.0f MB/s, zstd -1 %.0f MB/s: %.0f where zstd -1 does 600\n", stages_best,
           zstd_best, stages_best * 600 / zstd_best);
    cw_stages_free(&stages);
    cw_arena_free(&arena);
    cw_arena_free(&run_arena);
    cw_buf_fini(&text);
    return 0;
}
