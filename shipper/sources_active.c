/*
 * sources_active.c - sources.c, the part that keeps the few sources that matter now apart from the
 * many that rest: those that the kernel told of, those that have something to read, and those whose
 * descriptors may be lent to others.
 */
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/pipeline/stages.h"
#include "shipper/sources_priv.h"

void cw_source_list_add(struct cw_source_list *list, struct cw_source *source)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 16;
        list->items = cw_mem_resize(list->items, list->cap * sizeof(struct cw_source *));
    }
    list->items[list->n++] = source;
}

static void list_remove(struct cw_source_list *list, const struct cw_source *source)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i] != source)
            list->items[kept++] = list->items[i];
    list->n = kept;
}

static bool unsettled(const struct cw_source *source)
{
    for (size_t i = 0; i < source->nrows && source->tail.fd >= 0; i++)
        if (!source->rows[i].off && cw_ledger_next(&source->rows[i]) < source->tail.size)
            return true;
    return false;
}

/* Leave out `gone`, or, if that is NULL, what has no more to read. Whose turn it is stays, and the list begins with the turn of
 * the output that cut a batch last: what becomes active from now on is behind all that wait already. */
static void active_close_up(struct cw_sources *sources, const struct cw_source *gone)
{
    struct cw_source_list *active = &sources->active;
    const size_t n = active->n;
    if (n == 0)
        return;
    struct cw_source **kept = cw_mem_array(active->cap, sizeof(struct cw_source *));
    size_t *places = cw_mem_array(n, sizeof *places); /* by the old ones */
    size_t first = sources->outputs[sources->last_output].next % n, nkept = 0;
    for (size_t k = 0; k < n; k++) {
        size_t i = (first + k) % n;
        struct cw_source *source = active->items[i];
        cw_sources_ahead(active->items, n, i);
        places[i] = nkept;
        source->active = gone != NULL ? source != gone : unsettled(source);
        if (source->active)
            kept[nkept++] = source;
    }
    for (size_t o = 0; o < sources->noutputs; o++)
        sources->outputs[o].next = places[sources->outputs[o].next % n];
    free(places);
    free(active->items);
    active->items = kept;
    active->n = nkept;
}

void cw_sources_active_forget(struct cw_sources *sources, struct cw_source *source)
{
    if (source->active)
        active_close_up(sources, source);
    for (size_t o = 0; o < sources->noutputs; o++)
        if (sources->outputs[o].greedy == source)
            sources->outputs[o].greedy = NULL;
    if (source->touched)
        list_remove(&sources->touched, source);
    if (source->polled)
        list_remove(&sources->polled, source);
    source->active = source->polled = false;
    source->touched = CW_UNTOUCHED;
    if (sources->unpacking == source)
        sources->unpacking = NULL;
    sources->watches_stale = true;
}

/* ---- what the kernel told of ---- */

static size_t watch_slot(const struct cw_sources *sources, int number)
{
    return (size_t)number &
           (sources->watches_size - 1); /* they are given out one after the other */
}

static void watches_build(struct cw_sources *sources)
{
    size_t size = 64;
    while (size < 2 * sources->n)
        size *= 2;
    free(sources->watches);
    sources->watches = cw_mem_array(size, sizeof(struct cw_source *));
    sources->watches_size = size;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        size_t at = watch_slot(sources, source->watch);
        while (source->watch >= 0 && sources->watches[at] != NULL)
            at = (at + 1) & (size - 1);
        if (source->watch >= 0)
            sources->watches[at] = source;
    }
    sources->watches_stale = false;
}

static void touch(struct cw_sources *sources, struct cw_source *source, enum cw_touch how)
{
    if (source->touched == CW_UNTOUCHED)
        cw_source_list_add(&sources->touched, source);
    source->touched = CW_MAX(source->touched, how);
}

void cw_sources_touch(struct cw_sources *sources, struct cw_source *source)
{
    touch(sources, source, CW_TOUCHED);
}

void cw_sources_touched(struct cw_sources *sources, int number, enum cw_touch how)
{
    if (sources->watches_stale || sources->watches == NULL)
        watches_build(sources);
    for (size_t at = watch_slot(sources, number); sources->watches[at] != NULL;
         at = (at + 1) & (sources->watches_size - 1))
        if (sources->watches[at]->watch == number) { /* several names of one inode have it once */
            touch(sources, sources->watches[at], how);
            return;
        }
}

void cw_sources_polled_list(struct cw_sources *sources)
{
    sources->polled.n = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        source->polled = source->tail.fd >= 0 && source->watch < 0 && source->tail.unpack == NULL;
        if (source->polled)
            cw_source_list_add(&sources->polled, source);
    }
}

/* ---- what has something to read ---- */

void cw_sources_activate(struct cw_sources *sources, struct cw_source *source)
{
    if (source->active || !unsettled(source))
        return;
    source->active = true;
    cw_source_list_add(&sources->active, source);
}

bool cw_sources_active_find(const struct cw_sources *sources, const struct cw_source *source,
                            size_t *at)
{
    const struct cw_source_list *active = &sources->active;
    for (*at = 0; *at < active->n && active->items[*at] != source;)
        ++*at;
    return *at < active->n;
}

void cw_sources_active_sweep(struct cw_sources *sources)
{
    active_close_up(sources, NULL);
    sources->nsettled = 0;
}

/* ---- descriptors ---- */

void cw_sources_watch(struct cw_sources *sources, struct cw_source *source)
{
    sources->nopen++;
    source->asleep = false;
    if (cw_tail_unpacking(&source->tail))
        sources->unpacking = source;
    if (sources->options.watch == NULL || source->watch >= 0 || source->tail.unpack != NULL)
        return;
    source->watch = cw_watch_file(sources->options.watch, source->tail.fd);
    sources->watches_stale = true;
}

/* Its time and names, if its size alone was looked at last: what a compressed file with its text is told by.
 * False: it is not as it was, and to be looked at. */
static bool is_known_whole(struct cw_sources *sources, struct cw_source *source)
{
    uint64_t size = source->tail.size;
    if (!source->tail.glanced)
        return true;
    cw_sources_look(sources, source);
    bool same = !source->changed && source->tail.size == size && source->tail.nlinks > 0;
    if (!same)
        cw_sources_touch(sources, source);
    return same;
}

/* Its bytes are all settled, and the kernel will tell when there are more. */
static bool may_sleep(const struct cw_sources *sources, const struct cw_source *source)
{
    bool met = source->scan_number + 1 >= sources->scan_number; /* in this scan, or the last */
    return source->tail.fd >= 0 && source->watch >= 0 && met && source->durable &&
           !source->active && !source->touched && !source->changed && source->nbusy == 0 &&
           source->tail.nlinks > 0 && source->format != CW_SOURCE_SPOOL &&
           !cw_source_rotated(source) &&
           (source->stages == NULL || source->waited || cw_stages_wait_ns(source->stages) == 0);
}

bool cw_sources_room(struct cw_sources *sources)
{
    size_t max = sources->options.max_open;
    if (max == 0 || sources->nopen < max)
        return true;
    if (sources->deferred)
        return false; /* looked for in vain since the last scan began */
    size_t want = max - max / 8;
    for (size_t i = 0; i < sources->n && sources->nopen > want; i++) {
        sources->sleep_hand = (sources->sleep_hand + 1) % sources->n;
        struct cw_source *source = sources->items[sources->sleep_hand];
        if (!may_sleep(sources, source) || !is_known_whole(sources, source))
            continue;
        cw_tail_close(&source->tail);
        source->asleep = true;
        sources->nopen--;
    }
    if (!sources->short_of_room)
        cw_log_info("more than %zu files: those that rest are closed until they are written", max);
    sources->short_of_room = true;
    sources->deferred |= sources->nopen >= max;
    return sources->nopen < max;
}
