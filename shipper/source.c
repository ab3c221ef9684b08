#include "shipper/source.h"
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"

static const struct cw_sighting *sightings(const struct cw_sightings *seen, size_t *n)
{
    bool many = seen->size == CW_SIGHTINGS_MANY;
    *n = many ? seen->many->n : seen->one.size > 0;
    return many ? seen->many->at : &seen->one;
}

void cw_sightings_fini(struct cw_sightings *seen)
{
    if (seen->size == CW_SIGHTINGS_MANY)
        free(seen->many);
    *seen = (struct cw_sightings){0};
}

uint64_t cw_sightings_size(const struct cw_sightings *seen)
{
    size_t n;
    const struct cw_sighting *at = sightings(seen, &n);
    return n > 0 ? at[n - 1].size : 0;
}

static struct cw_sightings_many *many_resize(struct cw_sightings_many *many, uint32_t cap)
{
    many = cw_mem_resize(many, sizeof *many + cap * sizeof many->at[0]);
    many->cap = cap;
    return many;
}

/* Room for one more. */
static void sightings_room(struct cw_sightings *seen)
{
    if (seen->size != CW_SIGHTINGS_MANY) {
        struct cw_sightings_many *many = many_resize(NULL, 2);
        many->n = 1;
        many->at[0] = seen->one;
        seen->size = CW_SIGHTINGS_MANY;
        seen->many = many;
    } else if (seen->many->n == CW_SIGHTINGS_MAX) {
        /* Of two neighbours the later one stays: never a time before the sighting. */
        for (unsigned i = 0; i < CW_SIGHTINGS_MAX / 2; i++)
            seen->many->at[i] = seen->many->at[2 * i + 1];
        seen->many->n = CW_SIGHTINGS_MAX / 2;
    } else if (seen->many->n == seen->many->cap) {
        seen->many = many_resize(seen->many, 2 * seen->many->cap);
    }
}

void cw_sightings_add(struct cw_sightings *seen, uint64_t size, int64_t now_ns)
{
    CW_ASSERT(size > 0 && size < CW_SIGHTINGS_MANY);
    if (cw_sightings_size(seen) >= size)
        return;
    struct cw_sighting now = {size, now_ns};
    if (seen->one.size == 0) {
        seen->one = now;
        return;
    }
    sightings_room(seen);
    seen->many->at[seen->many->n++] = now;
}

int64_t cw_sightings_time(const struct cw_sightings *seen, uint64_t off, int64_t now_ns)
{
    size_t n;
    const struct cw_sighting *at = sightings(seen, &n);
    for (size_t i = 0; i < n; i++)
        if (at[i].size >= off)
            return at[i].ts_ns;
    return now_ns;
}

void cw_sightings_prune(struct cw_sightings *seen, uint64_t settled)
{
    size_t gone = 0, n;
    const struct cw_sighting *at = sightings(seen, &n);
    while (gone < n && at[gone].size <= settled)
        gone++;
    if (gone == n) {
        cw_sightings_fini(seen);
    } else if (gone > 0) {
        struct cw_sightings_many *many = seen->many;
        memmove(many->at, many->at + gone, (n - gone) * sizeof many->at[0]);
        many->n = (uint32_t)(n - gone);
    }
}

static char no_tenant[] = "";

/* 50,000 files are followed in 64 MB: some 960 bytes each, with its path, its labels and what the table has of it. What few files need
 * is a block of its own. (As malloc rounds them: 448, 144 and 80.) */
_Static_assert(sizeof(struct cw_source) <= 440 && sizeof(struct cw_tally) <= 136 &&
                   sizeof(struct cw_tally_output) <= 72,
               "very many sources have one each: tests/bench/ship_files");

struct cw_source *cw_source_new(size_t noutputs, const char *path)
{
    struct cw_source *source = cw_mem_new(sizeof *source);
    source->tail.fd = -1;
    source->watch = -1;
    source->path = cw_str_dupz(cw_str_of(path));
    source->path_now = source->path;
    source->tenant = no_tenant;
    source->nrows = (uint32_t)noutputs;
    source->rows = noutputs > 1 ? cw_mem_array(noutputs, sizeof *source->rows) : &source->first_row;
    return source;
}

void cw_source_free(struct cw_source **source)
{
    struct cw_source *s = *source;
    if (s == NULL)
        return;
    CW_ASSERT(s->nbusy == 0);
    cw_tail_close(&s->tail);
    cw_tally_free(&s->tally);
    cw_source_path_now_set(s, s->path);
    free(s->path);
    cw_sightings_fini(&s->seen);
    for (size_t i = 0; i < CW_SOURCE_STREAMS; i++)
        free((void *)s->labels[i].items);
    cw_source_tenant_set(s, CW_STR_NONE);
    free(s->times);
    if (s->rows != &s->first_row)
        free(s->rows);
    free(s);
    *source = NULL;
}

bool cw_source_times(const struct cw_source *source, uint64_t at, struct cw_stage_times *out)
{
    if (source->times == NULL || source->times->at != at)
        return false;
    *out = (struct cw_stage_times){source->times->items, source->times->n};
    return true;
}

void cw_source_times_set(struct cw_source *source, struct cw_stage_times times, uint64_t at)
{
    size_t bytes = times.n * sizeof *times.items;
    source->times = cw_mem_resize(source->times, sizeof *source->times + bytes);
    if (times.n > 0)
        memcpy(source->times->items, times.items, bytes);
    source->times->n = times.n;
    source->times->at = at;
}

void cw_source_path_now_set(struct cw_source *source, const char *path)
{
    char *old = source->path_now;
    source->path_now =
        strcmp(path, source->path) == 0 ? source->path : cw_str_dupz(cw_str_of(path));
    source->renamed = source->path_now != source->path;
    if (old != source->path)
        free(old);
}

void cw_source_tenant_set(struct cw_source *source, struct cw_str tenant)
{
    if (source->tenant != no_tenant)
        free(source->tenant);
    source->tenant = tenant.len > 0 ? cw_str_dupz(tenant) : no_tenant;
}

void cw_source_row_add(struct cw_source *source)
{
    uint64_t position = cw_source_position(source);
    if (source->nrows > 0) {
        bool first = source->rows == &source->first_row;
        source->rows =
            cw_mem_resize(first ? NULL : source->rows, (source->nrows + 1) * sizeof *source->rows);
        if (first)
            source->rows[0] = source->first_row;
    }
    source->rows[source->nrows++] = (struct cw_ledger_row){.done = position};
}

void cw_source_draw_id(struct cw_source *source)
{
    ssize_t got = getrandom(source->id.bytes, sizeof source->id.bytes, 0);
    CW_ASSERT(got == (ssize_t)sizeof source->id.bytes);
    source->generation = 1;
}

void cw_source_release(struct cw_source *source)
{
    for (size_t i = 0; i < source->nrows; i++)
        source->rows[i].held_size = 0;
}

bool cw_source_forgettable(const struct cw_source *source)
{
    for (size_t i = 0; i < source->nrows; i++)
        if (source->rows[i].confirmed < source->rows[i].mark)
            return false;
    return source->nbusy == 0;
}

enum cw_text_bom cw_source_bom(struct cw_source *source)
{
    char first[CW_BOM_BYTES];
    if (source->bom == CW_BOM_UNKNOWN) {
        ssize_t got = pread(source->tail.fd, first, sizeof first, 0);
        if (got > 0)
            source->bom = cw_text_bom_of(cw_str_make(first, (size_t)got));
    }
    return source->bom;
}

struct cw_tally *cw_source_tally(struct cw_source *source)
{
    if (source->tally == NULL) {
        source->tally = cw_tally_new();
        source->tally->generation = source->generation;
    }
    source->counted = true;
    return source->tally;
}

void cw_source_count_read(struct cw_source *source, uint64_t to, size_t len)
{
    struct cw_tally *tally = cw_source_tally(source);
    cw_source_passed(source, to);
    tally->read++;
    tally->read_bytes += len;
    tally->spooled += source->format == CW_SOURCE_SPOOL;
}

void cw_source_passed(struct cw_source *source, uint64_t to)
{
    if (to <= source->fed_to)
        return;
    cw_source_tally(source)->counted_to = source->fed_to = to;
}

void cw_source_count_lost(struct cw_source *source, uint64_t from, uint64_t to, struct cw_str why)
{
    struct cw_tally *tally = cw_source_tally(source);
    if (from < source->fed_to)
        return;
    cw_tally_gap_add(tally, source->generation, from, to, why);
    tally->counted_to = source->fed_to = to;
}

void cw_source_text_note(struct cw_source *source)
{
    const struct cw_tail *tail = &source->tail;
    if (source->tally == NULL || tail->fd < 0 || (tail->unpack == NULL && !source->joined))
        return;
    source->tally->text_size = tail->size;
    source->tally->text_whole = !cw_tail_unpacking(tail);
}

uint64_t cw_source_position(const struct cw_source *source)
{
    return cw_ledger_position(source->rows, source->nrows);
}

bool cw_source_rotated(const struct cw_source *source)
{
    return source->renamed;
}

uint64_t cw_source_least_size(const struct cw_source *source)
{
    uint64_t read_to = 0;
    if (source->tail.unpack != NULL)
        return 0; /* it grows as it is unpacked */
    for (size_t i = 0; i < source->nrows && !cw_source_rotated(source); i++)
        read_to = CW_MAX(read_to, cw_ledger_next(&source->rows[i]));
    return read_to;
}

void cw_source_seek(struct cw_source *source, uint64_t offset)
{
    for (size_t i = 0; i < source->nrows; i++)
        source->rows[i].done = offset;
}

void cw_source_raise(struct cw_source *source)
{
    CW_ASSERT(source->nbusy == 0);
    source->generation++;
    source->durable = false;
    source->changed = false;
    source->durable_offset = 0;
    cw_sightings_fini(&source->seen);
    source->fed_to = source->emitted_to = source->met_to = 0;
    source->bom = CW_BOM_UNKNOWN;
    free(source->times);
    source->times = NULL;
    for (size_t i = 0; i < source->nrows; i++)
        cw_ledger_raised(&source->rows[i]);
    if (source->tally != NULL)
        cw_tally_generation_set(cw_source_tally(source), source->generation);
}

void cw_source_sight(struct cw_source *source, int64_t now_ns, int64_t now_mono_ns)
{
    if (source->quiet_size != source->tail.size) {
        source->quiet_since_ns = now_mono_ns;
        source->final = source->waited = false; /* somebody writes it after all */
    }
    source->quiet_size = source->tail.size;
    if (!source->changed && source->tail.size > cw_source_position(source))
        cw_sightings_add(&source->seen, source->tail.size, now_ns);
}
