#include "tests/support/sources_rig.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "shipper/shipper_metrics.h"

static int64_t wall_ns(const struct cw_sources_rig *rig)
{
    return cw_clock_now_ns() + rig->wall_ns;
}

static int64_t mono_ns(const struct cw_sources_rig *rig)
{
    return cw_clock_mono_ns() + rig->quiet_ns;
}

static void target_add(struct cw_sources_rig *rig, const char *pattern)
{
    struct cw_target *target = cw_mem_new(sizeof *target);
    struct cw_err err = {0};
    int rc =
        cw_glob_compile(cw_str_of(cw_log_folder_path(&rig->folder, pattern)), &target->glob, &err);
    CW_ASSERT(rc == 0);
    target->name = cw_str_dupz(CW_STR("rig"));
    target->add_filename = true;
    cw_sources_target_add(rig->sources, target);
}

static void sources_make(struct cw_sources_rig *rig)
{
    struct cw_sources_options options = {.metrics = rig->metrics,
                                         .unpack_folder = rig->folder.dir,
                                         .final_wait_ns = CW_SOURCES_FINAL_WAIT_NS,
                                         .looked_ns = rig->saved.looked_ns};
    rig->sources = cw_sources_new(&options);
    (void)cw_sources_output_add(rig->sources, CW_STR("main"), CW_STR(""), CW_STR(""));
    for (size_t i = 0; i < rig->npatterns; i++)
        target_add(rig, rig->patterns[i]);
}

void cw_sources_rig_init(struct cw_sources_rig *rig, const char *pattern)
{
    const struct cw_batch_options options = {.bytes = 1 << 20};
    *rig = (struct cw_sources_rig){.patterns = {pattern}, .npatterns = 1};
    cw_log_folder_init(&rig->folder);
    rig->metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    rig->batch = cw_batch_new(&options);
    sources_make(rig);
}

void cw_sources_rig_fini(struct cw_sources_rig *rig)
{
    (void)cw_sources_rig_lines(rig);
    cw_batch_free(&rig->batch);
    cw_sources_free(&rig->sources);
    cw_metrics_free(&rig->metrics);
    cw_arena_free(&rig->saved_arena);
    cw_log_folder_fini(&rig->folder);
    free(rig->marks);
    free(rig->lines);
    free(rig->text);
}

/* ---- the store ---- */

static struct cw_rig_mark *mark_of(struct cw_sources_rig *rig, const struct cw_source *source)
{
    for (size_t i = 0; i < rig->nmarks; i++)
        if (memcmp(&rig->marks[i].id, &source->id, sizeof source->id) == 0 &&
            rig->marks[i].generation == source->generation)
            return &rig->marks[i];
    rig->marks = cw_mem_resize(rig->marks, (rig->nmarks + 1) * sizeof *rig->marks);
    rig->marks[rig->nmarks] = (struct cw_rig_mark){source->id, source->generation, 0};
    return &rig->marks[rig->nmarks++];
}

static void line_take(struct cw_sources_rig *rig, struct cw_str line)
{
    if (rig->nlines == rig->lines_cap) {
        rig->lines_cap = rig->lines_cap ? 2 * rig->lines_cap : 64;
        rig->lines = cw_mem_resize(rig->lines, rig->lines_cap * sizeof *rig->lines);
    }
    rig->lines[rig->nlines++] = cw_str_dupz(line);
}

static void part_store(struct cw_sources_rig *rig, const struct cw_batch_part *part)
{
    struct cw_rig_mark *mark = mark_of(rig, part->source);
    CW_ASSERT(part->from == mark->mark && part->source->durable);
    for (size_t i = 0; i < part->nentries; i++)
        line_take(rig, rig->batch->entries[part->first + i].push.line);
    mark->mark = part->to;
    cw_ledger_stored(&part->source->rows[0], part->to, part->last_ts_ns);
}

/* ---- steps ---- */

void cw_sources_rig_save(struct cw_sources_rig *rig)
{
    struct cw_sources *sources = rig->sources;
    struct cw_arena *arena = cw_arena_new();
    struct cw_positions saved = {.looked_ns = sources->looked_ns, .nsources = sources->n};
    saved.sources = CW_ARENA_ARRAY(arena, struct cw_position, sources->n);
    for (size_t i = 0; i < sources->n; i++) {
        saved.sources[i] = cw_sources_position(sources, i);
        saved.sources[i].path = cw_arena_dup(arena, saved.sources[i].path);
        saved.sources[i].path_now = cw_arena_dup(arena, saved.sources[i].path_now);
    }
    cw_arena_free(&rig->saved_arena);
    rig->saved_arena = arena;
    rig->saved = saved;
    cw_sources_saved(sources);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (cw_ledger_confirm_due(&source->rows[0], source->durable_offset))
            source->rows[0].confirmed = source->rows[0].mark;
    }
}

void cw_sources_rig_scan(struct cw_sources_rig *rig)
{
    cw_sources_scan(rig->sources, wall_ns(rig), mono_ns(rig));
}

void cw_sources_rig_refresh(struct cw_sources_rig *rig)
{
    while (cw_sources_unpack(rig->sources, wall_ns(rig)))
        ;
    cw_sources_refresh(rig->sources, CW_SOURCES_ALL, wall_ns(rig), mono_ns(rig));
}

/* They have watches while it tells. */
void cw_sources_rig_glance(struct cw_sources_rig *rig)
{
    struct cw_sources *sources = rig->sources;
    for (size_t i = 0; i < sources->n; i++)
        if (sources->items[i]->tail.fd >= 0 && sources->items[i]->tail.unpack == NULL)
            sources->items[i]->watch = (int)i;
    sources->watches_stale = true;
    for (size_t i = 0; i < sources->n; i++)
        cw_sources_touched(sources, (int)i, CW_WRITTEN);
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->watch = -1;
    sources->watches_stale = true;
    cw_sources_refresh(sources, CW_SOURCES_TOUCHED, wall_ns(rig), mono_ns(rig));
}

void cw_sources_rig_look(struct cw_sources_rig *rig)
{
    cw_sources_rig_scan(rig);
    cw_sources_rig_refresh(rig);
    cw_sources_rig_save(rig);
}

static void on_error(void *arg, struct cw_source *source, const struct cw_err *err)
{
    CW_ASSERT(source == NULL && err == NULL); /* says which by failing */
}

static void on_changed(void *arg, struct cw_source *source)
{
}

static bool on_tenant(void *arg, struct cw_str tenant)
{
    return true;
}

static void on_dropped(void *arg, struct cw_source *source, const struct cw_batch_counts *counts)
{
}

bool cw_sources_rig_push(struct cw_sources_rig *rig, size_t nentries)
{
    static const struct cw_batch_report report = {on_error, on_changed, on_tenant, on_dropped,
                                                  NULL};
    struct cw_sources *sources = rig->sources;
    cw_sources_rig_save(rig);
    struct cw_source_list all = {sources->items, sources->n, sources->n};
    size_t n = cw_batch_cut(rig->batch, &all, nentries, wall_ns(rig), &report);
    for (size_t i = 0; n > 0 && i < rig->batch->nparts; i++)
        part_store(rig, &rig->batch->parts[i]);
    if (n > 0)
        cw_batch_drop(rig->batch);
    return n > 0;
}

void cw_sources_rig_ship(struct cw_sources_rig *rig)
{
    do
        cw_sources_rig_refresh(rig);
    while (cw_sources_rig_push(rig, 1000));
    cw_sources_rig_save(rig);
}

void cw_sources_rig_kill(struct cw_sources_rig *rig)
{
    cw_sources_free(&rig->sources);
    sources_make(rig);
    for (size_t i = 0; i < rig->saved.nsources; i++)
        cw_sources_restore(rig->sources, &rig->saved.sources[i]);
    for (size_t i = 0; i < rig->sources->n; i++) { /* the store is asked first */
        struct cw_source *source = rig->sources->items[i];
        cw_ledger_adopt(&source->rows[0], mark_of(rig, source)->mark);
    }
}

/* ---- what came of it ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *cw_sources_rig_lines(struct cw_sources_rig *rig)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    if (rig->nlines > 0)
        qsort(rig->lines, rig->nlines, sizeof *rig->lines, by_text);
    for (size_t i = 0; i < rig->nlines; i++) {
        cw_buf_addf(&text, "%s%s", i ? " " : "", rig->lines[i]);
        free(rig->lines[i]);
    }
    rig->nlines = 0;
    free(rig->text);
    rig->text = cw_str_dupz(cw_buf_str(&text));
    cw_buf_fini(&text);
    return rig->text;
}

uint64_t cw_sources_rig_lost_bytes(const struct cw_sources_rig *rig)
{
    struct cw_buf text;
    uint64_t lost = 0;
    cw_buf_init(&text, 1 << 20);
    cw_metrics_render(rig->metrics, &text);
    const char *line = strstr(cw_buf_z(&text), "\ncordwood_shipper_lost_bytes_total ");
    CW_ASSERT(line != NULL);
    int n = sscanf(line, "\ncordwood_shipper_lost_bytes_total %" SCNu64, &lost);
    CW_ASSERT(n == 1);
    cw_buf_fini(&text);
    return lost;
}

static struct timespec birth_now(void)
{
    struct stat st;
    FILE *file = tmpfile();
    int rc = file == NULL ? -1 : fstat(fileno(file), &st);
    CW_ASSERT(rc == 0);
    fclose(file);
    return st.st_ctim;
}

void cw_sources_rig_tick(void)
{
    struct timespec before = birth_now(), now;
    do
        now = birth_now();
    while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}
