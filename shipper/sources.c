#include "shipper/sources_priv.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/pipeline/stages.h"
#include "shipper/shipper_metrics.h"

static int imported_cmp(const void *a, const void *b)
{
    const struct cw_promtail_position *x = a, *y = b;
    return cw_str_cmp(x->path, y->path);
}

struct wanted {
    struct cw_str prefix, name; /* of an imported position's path */
};

static int wanted_cmp(const void *key, const void *item)
{
    const struct wanted *wanted = key;
    struct cw_str path = ((const struct cw_promtail_position *)item)->path;
    int order = cw_str_cmp(wanted->prefix, cw_str_sub(path, 0, wanted->prefix.len));
    return order != 0 ? order
                      : cw_str_cmp(wanted->name, cw_str_sub(path, wanted->prefix.len, path.len));
}

static const struct cw_promtail_position *imported_find(const struct cw_sources *sources,
                                                        struct cw_str prefix, struct cw_str name)
{
    struct wanted wanted = {prefix, name};
    return bsearch(&wanted, sources->options.imported, sources->options.nimported,
                   sizeof *sources->options.imported, wanted_cmp);
}

struct cw_sources *cw_sources_new(const struct cw_sources_options *options)
{
    struct cw_sources *sources = cw_mem_new(sizeof *sources);
    sources->options = *options;
    sources->wait_max_ns = INT64_MAX;
    sources->looked_ns = options->looked_ns;
    struct cw_promtail_position *imported = cw_mem_array(options->nimported + 1, sizeof *imported);
    for (size_t i = 0; i < options->nimported; i++)
        imported[i] = (struct cw_promtail_position){
            cw_str_of(cw_str_dupz(options->imported[i].path)), options->imported[i].offset,
            cw_str_of(cw_str_dupz(options->imported[i].cursor))};
    qsort(imported, options->nimported, sizeof *imported, imported_cmp);
    sources->options.imported = imported;
    sources->renames = cw_mem_array(CW_SOURCES_RENAMES_MAX, sizeof *sources->renames);
    sources->unreadable = cw_mem_array(CW_SOURCES_UNREADABLE_MAX, sizeof *sources->unreadable);
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (fstat(STDOUT_FILENO + i, &st) == 0 && S_ISREG(st.st_mode)) {
            sources->own_dev[i] = st.st_dev;
            sources->own_ino[i] = st.st_ino;
        }
    }
    return sources;
}

struct cw_str cw_sources_promtail_cursor(const struct cw_sources *sources, struct cw_str name)
{
    const struct cw_promtail_position *known = imported_find(sources, CW_STR("cursor-"), name);
    return known != NULL ? known->cursor : CW_STR_NONE;
}

uint64_t cw_sources_promtail_offset(const struct cw_sources *sources, const char *path)
{
    const struct cw_promtail_position *known = imported_find(sources, CW_STR_NONE, cw_str_of(path));
    return known != NULL ? known->offset : 0;
}

void cw_sources_renames_clear(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->nrenames; i++) {
        free(sources->renames[i].from);
        free(sources->renames[i].to);
    }
    sources->nrenames = 0;
}

void cw_target_free(struct cw_target **target)
{
    struct cw_target *t = *target;
    if (t == NULL)
        return;
    cw_glob_free(&t->glob);
    cw_glob_free(&t->exclude);
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        free((void *)t->labels[i].items);
    free(t->name);
    free(t->path);
    free(t->exclude_path);
    free(t->tenant);
    free(t);
    *target = NULL;
}

void cw_sources_free(struct cw_sources **sources)
{
    struct cw_sources *s = *sources;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        cw_source_free(&s->items[i]);
    for (size_t i = 0; i < s->ntargets; i++)
        cw_target_free(&s->targets[i]);
    for (size_t i = 0; i < s->options.nimported; i++) {
        free((void *)s->options.imported[i].path.ptr);
        free((void *)s->options.imported[i].cursor.ptr);
    }
    for (size_t i = 0; i < s->nunreadable; i++)
        free(s->unreadable[i]);
    for (size_t i = 0; i < s->noutputs; i++) {
        free(s->outputs[i].client);
        free(s->outputs[i].tenant);
        free(s->outputs[i].own_tenant);
    }
    cw_sources_renames_clear(s);
    cw_sources_held_close(s);
    for (size_t i = 0; i < s->nrotated_logs; i++)
        free(s->rotated_logs[i].path);
    free(s->rotated_logs);
    cw_sources_unmet_forget(s);
    free(s->strangers);
    free(s->outputs);
    free((void *)s->options.imported);
    free(s->unreadable);
    free(s->renames);
    free(s->active.items);
    free(s->polled.items);
    free(s->touched.items);
    free(s->watches);
    free(s->items);
    free(s->targets);
    free(s->index);
    free(s->by_path);
    cw_tally_free(&s->forgotten);
    free(s);
    *sources = NULL;
}

/* ---- targets ---- */

static bool target_matches(const struct cw_target *target, struct cw_str path)
{
    return cw_glob_match(target->glob, path) &&
           !(target->exclude && cw_glob_match(target->exclude, path));
}

bool cw_sources_may_have(const struct cw_sources *sources, const struct cw_target *target,
                         const char *path)
{
    const char *own = sources->options.own_files;
    return own == NULL || strncmp(path, own, strlen(own)) != 0 || target->format == CW_SOURCE_SPOOL;
}

const struct cw_target *cw_sources_target_of(const struct cw_sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->ntargets; i++)
        if (cw_sources_may_have(sources, sources->targets[i], path) &&
            target_matches(sources->targets[i], cw_str_of(path)))
            return sources->targets[i];
    return NULL;
}

bool cw_sources_is_excluded(const struct cw_target *target, const char *path)
{
    return target->exclude != NULL && cw_glob_match(target->exclude, cw_str_of(path));
}

/* ---- labels ---- */

/* The first of a name wins. */
static void label_put(struct cw_label *pairs, size_t *n, struct cw_str name, struct cw_str value)
{
    for (size_t i = 0; i < *n; i++)
        if (cw_str_eq(pairs[i].name, name))
            return;
    pairs[(*n)++] = (struct cw_label){name, value};
}

/* A path as a label's value, which no server takes with bytes that are no UTF-8. */
static void path_utf8(const char *path, struct cw_buf *out)
{
    for (struct cw_str rest = cw_str_of(path); rest.len > 0;) {
        uint32_t rune;
        char bytes[4];
        size_t taken = cw_utf8_decode(rest, &rune);
        cw_buf_add(out, bytes, cw_utf8_encode(rune, bytes));
        rest = cw_str_sub(rest, CW_MAX(taken, 1u), rest.len);
    }
}

/* Of a stream: `filename`, and the target's. */
static struct cw_labels labels_make(const struct cw_source *source, const struct cw_target *target,
                                    unsigned stream)
{
    const struct cw_labels *own = &target->labels[stream];
    struct cw_label *pairs = cw_mem_array(own->n + 1, sizeof *pairs);
    struct cw_labels labels;
    size_t n = 0;
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    path_utf8(source->path, &path);
    if (target->add_filename)
        label_put(pairs, &n, CW_STR("filename"), cw_buf_str(&path));
    for (size_t i = 0; i < own->n; i++)
        label_put(pairs, &n, own->items[i].name, own->items[i].value);
    int rc = cw_labels_from_pairs(pairs, n, &labels, NULL);
    CW_ASSERT(rc == 0); /* names are unique */
    labels = cw_labels_dup_heap(labels);
    cw_buf_fini(&path);
    free(pairs);
    return labels;
}

void cw_sources_labels_set(struct cw_sources *sources, struct cw_source *source,
                           const struct cw_target *target)
{
    struct cw_str tenant = target->tenant ? cw_str_of(target->tenant) : CW_STR_NONE;
    unsigned nstreams = cw_source_format_streams(target->format);
    source->format = target->format;
    source->stages = target->stages;
    source->encoding = target->encoding;
    for (unsigned i = 0; i < nstreams; i++) {
        free((void *)source->labels[i].items);
        source->labels[i] = labels_make(source, target, i);
        source->off[i] = target->off[i];
    }
    cw_source_tenant_set(source, tenant);
    cw_sources_tenant_meet(sources, source);
}

void cw_sources_target_update(struct cw_sources *sources, struct cw_target *target,
                              struct cw_target **fresh)
{
    struct cw_target old = *target;
    *target = **fresh;
    **fresh = old;
    cw_target_free(fresh);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->tail.fd >= 0 && cw_sources_target_of(sources, source->path) == target)
            cw_sources_labels_set(sources, source, target);
    }
}

/* What is compressed was complete before: it is read as far as it goes. */
static void source_end_here(struct cw_source *source)
{
    struct cw_err err;
    if (source->tail.unpack == NULL && cw_tail_end_here(&source->tail, &err) < 0)
        cw_log_warn("%s: %s", source->path_now, err.text);
}

/* Files whose target is gone are another's, if one matches them. */
static void left_take(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        const struct cw_target *next =
            source->left ? cw_sources_target_of(sources, source->path) : NULL;
        if (next == NULL)
            continue;
        source->left = source->tail.ends = false;
        if (source->tail.fd >= 0)
            cw_sources_labels_set(sources, source, next);
    }
}

void cw_sources_target_add(struct cw_sources *sources, struct cw_target *target)
{
    if (sources->ntargets == sources->targets_cap) {
        sources->targets_cap = sources->targets_cap ? 2 * sources->targets_cap : 16;
        sources->targets =
            cw_mem_resize(sources->targets, sources->targets_cap * sizeof *sources->targets);
    }
    sources->targets[sources->ntargets++] = target;
    left_take(sources);
    cw_sources_unmet_forget(sources); /* what is in folders that were looked through may be its */
}

void cw_sources_target_remove(struct cw_sources *sources, struct cw_target *target)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->tail.fd < 0 || !target_matches(target, cw_str_of(source->path)) ||
            cw_sources_target_of(sources, source->path) != target)
            continue;
        source->left = true;
        if (target->ends_removed)
            source_end_here(source);
    }
    for (size_t i = 0; i < sources->ntargets; i++) {
        if (sources->targets[i] != target)
            continue;
        memmove(sources->targets + i, sources->targets + i + 1,
                (--sources->ntargets - i) * sizeof *sources->targets);
        cw_target_free(&target);
        break;
    }
    left_take(sources);
}

/* ---- the table ---- */

void cw_sources_add(struct cw_sources *sources, struct cw_source *source)
{
    CW_ASSERT(source->nrows == sources->noutputs);
    bool full = sources->n == sources->cap;
    if (full) {
        sources->cap = sources->cap ? 2 * sources->cap : 32;
        sources->items = cw_mem_resize(sources->items, sources->cap * sizeof *sources->items);
    }
    sources->items[sources->n++] = source;
    if (full)
        cw_sources_index_build(sources);
    else
        cw_sources_index_put(sources, source);
}

void cw_sources_restore(struct cw_sources *sources, const struct cw_position *position)
{
    struct cw_source *source = cw_source_new(sources->noutputs, position->path.ptr);
    cw_source_path_now_set(source, position->path_now.ptr);
    source->id = position->id;
    source->generation = position->generation;
    source->tail.identity = position->identity;
    source->durable = true;
    source->durable_offset = position->offset;
    source->durable_prefix_len = position->identity.prefix_len;
    cw_source_seek(source, position->offset);
    cw_sources_add(sources, source);
}

static void source_close(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->options.watch != NULL)
        cw_watch_forget(sources->options.watch, source->watch);
    source->watch = -1;
    sources->nopen--;
    cw_source_text_note(source);
    source->counted |= source->tally != NULL && source->tally->text_size > 0;
    source->unpacked = source->joined || source->tail.unpack != NULL;
    source->joined = false;
    if (sources->unpacking == source)
        sources->unpacking = NULL;
    cw_tail_close(&source->tail);
}

/* ---- files that change ---- */

enum look_how { GLANCE, WHOLE };

static void look(struct cw_sources *sources, struct cw_source *source, enum look_how how)
{
    struct cw_tail *tail = &source->tail;
    uint64_t size_before = tail->size, least = cw_source_least_size(source), read_to = 0;
    int64_t written_before_ns = tail->written_ns;
    bool nameless = tail->identity.prefix_len == 0;
    enum cw_file_verdict verdict;
    struct cw_err err;
    for (size_t o = 0; o < source->nrows; o++)
        read_to = CW_MAX(read_to, cw_ledger_next(&source->rows[o]));
    int rc = how == GLANCE ? cw_tail_glance(tail, least, &verdict, &err) : 0;
    if (how == GLANCE && (rc < 0 || verdict == CW_FILE_CHANGED)) {
        source->changed |= rc == 0;
        how = WHOLE; /* who deals with it is to know all of it */
    }
    if (how == WHOLE)
        rc = cw_tail_stat(tail, least, &verdict, &err);
    bool written = how == GLANCE || tail->written_ns != written_before_ns;
    bool young = how == WHOLE && tail->identity.prefix_len < CW_FILE_PREFIX_BYTES;
    if (rc == 0 && verdict == CW_FILE_SAME && written &&
        (tail->size < size_before || tail->size <= read_to || young))
        rc = cw_file_identity_extend(tail->fd, &tail->identity, &verdict, &err);
    if (rc < 0)
        cw_log_warn("%s: %s", source->path_now, err.text);
    else if (verdict == CW_FILE_CHANGED)
        source->changed = true;
    source->emptied |= nameless && written;
    if (source->changed || !nameless || tail->identity.prefix_len == 0)
        return;
    /* It was empty until now. Without its first bytes on disk a truncation while we are down would
     * not be seen, so nothing is pushed before they are. */
    source->durable = false;
    sources->unsaved = true;
}

void cw_sources_look(struct cw_sources *sources, struct cw_source *source)
{
    look(sources, source, WHOLE);
}

bool cw_sources_replaced(struct cw_sources *sources, struct cw_source *source)
{
    enum cw_file_verdict verdict;
    struct cw_err err;
    cw_sources_look(sources, source);
    if (!source->changed &&
        cw_file_identity_check(source->tail.fd, &source->tail.identity, &verdict, &err) == 0)
        source->changed = verdict == CW_FILE_CHANGED;
    return source->changed;
}

/* Stages wait for the rest of an entry only so long. */
static void source_wait_check(const struct cw_sources *sources, struct cw_source *source,
                              int64_t now_mono_ns)
{
    if (source->waited || source->stages == NULL)
        return;
    int64_t wait_ns = CW_MIN(cw_stages_wait_ns(source->stages), sources->wait_max_ns);
    if (now_mono_ns - source->quiet_since_ns < wait_ns)
        return;
    source->waited = true;
    cw_source_release(source);
}

/* A file of a container that was rotated already when it was met: the Engine writes none with a number. */
static bool docker_rotated(const struct cw_source *source)
{
    return cw_source_format_streams(source->format) > 1 &&
           !cw_str_ends(cw_str_of(source->path_now), CW_STR(".log"));
}

/* Nothing whole was found behind what is settled for the output, and no stage waits for the rest of an entry. */
static bool row_held(const struct cw_source *source, const struct cw_ledger_row *row)
{
    return row->held_size == source->tail.size && (source->stages == NULL || source->waited);
}

/* Its target was taken away, and all that was there then is settled; but for a last line that is written on: whoever has the file
 * next gets it whole. */
static bool source_ended(const struct cw_source *source)
{
    if (!source->tail.ends || source->changed || source->nbusy > 0)
        return false;
    bool ended = true;
    for (size_t i = 0; i < source->nrows; i++) {
        const struct cw_ledger_row *row = &source->rows[i];
        ended &= row->off || row->done >= source->tail.size ||
                 (source->tail.outgrown && row_held(source, row));
    }
    return ended;
}

/* Whether the last line of a file that nobody writes any more is waited for no longer, and the file
 * closed. Returns false when the source can be forgotten. */
static bool source_settle_down(struct cw_sources *sources, struct cw_source *source,
                               int64_t now_mono_ns)
{
    bool deleted = source->tail.nlinks == 0;
    bool packed = source->tail.unpack != NULL; /* nobody writes it, but it grows for a while */
    bool left = deleted || !source->wanted || cw_source_rotated(source) || packed ||
                docker_rotated(source) || source->tail.ends;
    int64_t quiet_ns = now_mono_ns - source->quiet_since_ns;
    if (source->format == CW_SOURCE_SPOOL && !deleted)
        return true; /* its writer says when it is final */
    if (!left && !sources->options.once) {
        source->final = false;
        return true;
    }
    /* What is unpacked to its end was complete before. */
    if (!source->final && !cw_tail_unpacking(&source->tail) && !source->tail.outgrown &&
        (packed || quiet_ns >= sources->options.final_wait_ns)) {
        source->final = true;
        cw_source_release(source);
    }
    if (source_ended(source)) {
        cw_log_info("%s has no target any more: it was read to byte %" PRIu64, source->path_now,
                    cw_source_position(source));
        source_close(sources, source);
        return true; /* it is remembered: a target may have it again */
    }
    bool settled =
        cw_source_position(source) >= source->tail.size && !source->changed && source->nbusy == 0;
    if (!left || !source->final || !settled || (source->wanted && !deleted))
        return true;
    if (!deleted && !packed && quiet_ns < CW_SOURCES_CLOSE_WAIT_NS)
        return true;
    bool joined = source->joined;
    if (deleted && !packed && !joined && !source->sought &&
        sources->options.unpack_folder != NULL) {
        sources->deferred =
            true; /* the next scan looks for a compressed file with its text first */
        return true;
    }
    cw_log_info("%s is read to its end%s", source->path_now,
                deleted && !joined ? " and deleted" : "");
    source_close(sources, source);
    /* A file that is there is remembered; for how long, if it is compressed, the scan knows. */
    return !deleted || joined || !cw_source_forgettable(source);
}

bool cw_sources_may_match(const struct cw_sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->ntargets; i++)
        if (cw_glob_may_match(sources->targets[i]->glob, cw_str_of(path)))
            return true;
    return false;
}

/* Whether there is something to do here that inotify would not tell. */
static bool look_due(const struct cw_sources *sources, size_t i)
{
    const struct cw_source *source = sources->items[i];
    if (source->tail.fd < 0)
        return false;
    /* A few each time whatever it tells: a file may be written through a mapping. */
    bool turn = (sources->round + i) % CW_SOURCES_ROUNDS == 0 &&
                sources->round - source->looked_round >= CW_SOURCES_ROUNDS;
    return (turn && !source->polled) || source->touched || source->changed ||
           sources->options.once || !source->wanted || source->final || source->tail.nlinks == 0 ||
           cw_source_rotated(source) || source->tail.unpack != NULL || source->tail.ends ||
           (source->stages != NULL && !source->waited);
}

/* Whether its size is enough where the kernel tells of a write alone: it has a name and first bytes, and is not about to be closed. */
static bool may_glance(const struct cw_source *source)
{
    return source->tail.nlinks > 0 && source->tail.identity.prefix_len > 0 && source->wanted &&
           !source->changed && !source->final && !source->tail.ends && !cw_source_rotated(source);
}

static void source_refresh(struct cw_sources *sources, struct cw_source *source, enum look_how how,
                           int64_t now_ns, int64_t now_mono_ns)
{
    uint64_t size_before = source->tail.size;
    look(sources, source, how);
    source->looked_round = sources->round;
    sources->polled_grew |= source->polled && source->tail.size != size_before;
    if (source->changed)
        cw_sources_truncated(sources, source, now_ns, now_mono_ns);
    sources->any_changed |= source->changed;
    cw_source_sight(source, now_ns, now_mono_ns);
    source_wait_check(sources, source, now_mono_ns);
    cw_sources_activate(sources, source);
}

/* Returns whether there are sources to be forgotten, as the others do. */
static bool polled_refresh(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    bool any_gone = false;
    for (size_t i = 0; i < sources->polled.n; i++) {
        struct cw_source *source = sources->polled.items[i];
        if (source->tail.fd < 0)
            continue;
        source_refresh(sources, source, WHOLE, now_ns, now_mono_ns);
        source->gone = !source_settle_down(sources, source, now_mono_ns);
        any_gone |= source->gone;
    }
    return any_gone;
}

static bool waiting_refresh(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    size_t n = sources->n; /* what is added on the way was just looked at */
    bool any_gone = false;
    sources->any_changed = false;
    sources->round++;
    cw_sources_polled_list(sources);
    for (size_t i = 0; i < n; i++) {
        struct cw_source *source = sources->items[i];
        cw_sources_ahead(sources->items, n, i);
        if (!look_due(sources, i))
            continue;
        source_refresh(sources, source, WHOLE, now_ns, now_mono_ns);
        source->gone = !source_settle_down(sources, source, now_mono_ns);
        any_gone |= source->gone;
    }
    return any_gone;
}

static bool touched_refresh(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    bool any_gone = false;
    for (size_t i = 0; i < sources->touched.n; i++) {
        struct cw_source *source = sources->touched.items[i];
        cw_sources_ahead(sources->touched.items, sources->touched.n, i);
        if (source->tail.fd < 0 && source->asleep)
            cw_sources_wake(sources, source, now_ns, now_mono_ns);
        bool glance = source->touched == CW_WRITTEN && may_glance(source);
        source->touched = CW_UNTOUCHED;
        if (source->tail.fd < 0)
            continue;
        source_refresh(sources, source, glance ? GLANCE : WHOLE, now_ns, now_mono_ns);
        source->gone = !source_settle_down(sources, source, now_mono_ns);
        any_gone |= source->gone;
    }
    sources->touched.n = 0;
    return any_gone;
}

void cw_sources_refresh(struct cw_sources *sources, unsigned which, int64_t now_ns,
                        int64_t now_mono_ns)
{
    bool any_gone = touched_refresh(sources, now_ns, now_mono_ns);
    if (which & CW_SOURCES_WAITING)
        any_gone |= waiting_refresh(sources, now_ns, now_mono_ns);
    if (which & CW_SOURCES_POLLED)
        any_gone |= polled_refresh(sources, now_ns, now_mono_ns);
    /* All are looked at: not after each push that took a few of very many. */
    if (2 * sources->nsettled > sources->active.n || (which & CW_SOURCES_WAITING))
        cw_sources_active_sweep(sources);
    if (!any_gone)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->gone)
            cw_sources_forget(sources, &source);
        else
            sources->items[kept++] = source;
    }
    sources->dirty = true;
    sources->n = kept;
    cw_sources_index_build(sources);
}

/* ---- positions ---- */

struct cw_position cw_sources_position(const struct cw_sources *sources, size_t i)
{
    const struct cw_source *source = sources->items[i];
    return (struct cw_position){source->id,
                                source->generation,
                                cw_source_position(source),
                                source->tail.identity,
                                cw_str_of(source->path),
                                cw_str_of(source->path_now)};
}

void cw_sources_saved(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        source->durable = true;
        source->durable_offset = cw_source_position(source);
        source->durable_prefix_len = source->tail.identity.prefix_len;
        cw_sightings_prune(&source->seen, source->durable_offset);
    }
    sources->unsaved = sources->dirty = false;
    sources->nsaves++;
}

bool cw_sources_dirty(const struct cw_sources *sources)
{
    if (sources->unsaved || sources->dirty)
        return true;
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        if (cw_source_position(source) != source->durable_offset ||
            source->tail.identity.prefix_len != source->durable_prefix_len)
            return true;
    }
    return false;
}

/* The position, as if outputs that gave up needed nothing of the source. */
static uint64_t settled_but_for_gave_up(const struct cw_sources *sources,
                                        const struct cw_source *source)
{
    uint64_t least = UINT64_MAX;
    bool wanted = false;
    for (size_t i = 0; i < source->nrows; i++) {
        const struct cw_ledger_row *row = &source->rows[i];
        wanted |= !row->off;
        if (!row->off && !sources->outputs[i].gave_up)
            least = CW_MIN(least, row->done);
    }
    return wanted ? least : cw_source_position(source);
}

bool cw_sources_goal_reached(const struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        /* A spool grows on, until the inputs have ended; and a compressed file, while it is unpacked. */
        bool grows = source->format == CW_SOURCE_SPOOL || source->tail.unpack != NULL;
        uint64_t goal = grows ? source->tail.size : source->goal;
        if (source->tail.fd >= 0 && settled_but_for_gave_up(sources, source) < goal)
            return false;
    }
    return sources->scanned && !sources->unsaved && !sources->deferred &&
           sources->unpacking == NULL && sources->nresting == 0;
}

bool cw_sources_all_gave_up(const struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->noutputs; i++)
        if (!sources->outputs[i].vacant && !sources->outputs[i].gave_up)
            return false;
    return true;
}

size_t cw_sources_left_out(const struct cw_sources *sources)
{
    return sources->nleft_out + sources->nmissing + sources->ndamaged;
}

void cw_sources_drain(struct cw_sources *sources, int64_t wait_max_ns)
{
    sources->wait_max_ns = wait_max_ns;
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->goal = sources->items[i]->tail.size;
}

bool cw_sources_drained(const struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        for (size_t o = 0; o < source->nrows && source->tail.fd >= 0; o++) {
            const struct cw_ledger_row *row = &source->rows[o];
            if (!row->off && cw_ledger_next(row) < source->goal && !row_held(source, row))
                return false;
        }
    }
    return !sources->unsaved;
}

uint64_t cw_sources_lag(const struct cw_sources *sources)
{
    uint64_t lag = 0;
    for (size_t i = 0; i < sources->active.n; i++) {
        const struct cw_source *source = sources->active.items[i];
        uint64_t position = cw_source_position(source);
        if (source->tail.fd >= 0 && source->tail.size > position)
            lag += source->tail.size - position;
    }
    return lag;
}
