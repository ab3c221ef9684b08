/*
 * sources_scan.c - sources.c, the part that walks folders: new files, renamed ones, and what was
 * rotated while we were down.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/decoder.h"
#include "common/base/log.h"
#include "shipper/docker_since.h"
#include "shipper/folder_search.h"
#include "shipper/shipper_metrics.h"
#include "shipper/sources_scan.h"

/* Scans in a row that have not met a file, in a folder in which names were changed all the time: then it is taken for missing. */
enum { UNMET_MAX = 8 };
/* Scans in a row that let compressed files wait, as they may be of files that were not met. */
enum { UNSURE_MAX = 8 };

static void unreadable_tell(struct cw_sources_scan *scan, const char *path, const char *why)
{
    struct cw_sources *sources = scan->sources;
    scan->nunreadable++;
    for (size_t i = 0; i < sources->nunreadable; i++)
        if (strcmp(sources->unreadable[i], path) == 0)
            return;
    if (sources->nunreadable < CW_SOURCES_UNREADABLE_MAX)
        sources->unreadable[sources->nunreadable++] = cw_str_dupz(cw_str_of(path));
    cw_log_warn("cannot read %s: %s", path, why);
}

static uint64_t imported_offset(const struct cw_sources *sources, const char *path, uint64_t size)
{
    uint64_t offset = cw_sources_promtail_offset(sources, path);
    return offset <= size ? offset : 0;
}

/* promtail's second of the container whose file this is: "<id>/<id>-json.log", perhaps with a number. */
static bool container_since(const struct cw_sources *sources, const char *path, int64_t *out)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    size_t len = strspn(name, "0123456789abcdef");
    return cw_str_to_i64(cw_sources_promtail_cursor(sources, cw_str_make(name, len)), out);
}

static uint64_t imported_since(const struct cw_sources *sources, const struct cw_tail *tail,
                               const char *path)
{
    int64_t since_s;
    return container_since(sources, path, &since_s)
               ? cw_docker_since_offset(tail->fd, tail->size, since_s)
               : 0;
}

void cw_sources_moved(struct cw_sources *sources, struct cw_source *source, const char *path)
{
    if (strcmp(source->path_now, path) == 0)
        return;
    cw_log_info("%s is now %s", source->path_now, path);
    cw_metrics_add(sources->options.metrics, CW_M_ROTATIONS, 1);
    cw_source_path_now_set(source, path);
    cw_sources_index_moved(sources, source);
    sources->dirty = true;
}

/* A scan found it at `path`. If that is another place, its log was rotated, and others may have come and gone behind it. */
static void rotated_note(struct cw_sources *sources, struct cw_source *source, const char *path)
{
    if (strcmp(source->path_now, path) == 0)
        return;
    source->rotated = true;
    cw_sources_rotated_log(sources, source->path, CW_SOURCES_SINCE_LOOK);
}

static void path_now_set(struct cw_sources *sources, struct cw_source *source, const char *path)
{
    rotated_note(sources, source, path);
    cw_sources_moved(sources, source, path);
}

void cw_sources_reopen(struct cw_sources *sources, const struct cw_target *target,
                       struct cw_source *source, struct cw_tail *tail, const char *path,
                       int64_t now_ns, int64_t now_mono_ns)
{
    const struct cw_target *first = cw_sources_target_of(sources, source->path);
    if (first == NULL)
        first = target;
    if (first == NULL) { /* its target is no longer configured */
        cw_tail_close(tail);
        return;
    }
    cw_sources_labels_set(sources, source, first);
    struct cw_file_identity recorded = source->tail.identity;
    source->tail = *tail;
    source->tail.identity.prefix_len = recorded.prefix_len;
    source->tail.identity.prefix_hash = recorded.prefix_hash;
    source->goal = tail->size;
    source->final = false;
    source->joined = source->sought = false;
    source->emptied |= recorded.prefix_len == 0;
    source->quiet_since_ns = now_mono_ns;
    cw_sources_moved(sources, source, path);
    cw_sources_watch(sources, source);
    enum cw_file_verdict verdict;
    struct cw_err err;
    if (cw_tail_check(&source->tail, cw_source_least_size(source), &verdict, &err) == 0)
        source->changed = verdict == CW_FILE_CHANGED;
    cw_source_sight(source, now_ns, now_mono_ns);
    cw_sources_activate(sources, source);
}

static void source_reopen(struct cw_sources_scan *scan, struct cw_source *source,
                          struct cw_tail *tail, const char *path)
{
    rotated_note(scan->sources, source, path);
    cw_sources_reopen(scan->sources, scan->target, source, tail, path, scan->now_ns,
                      scan->now_mono_ns);
}

void cw_sources_wake(struct cw_sources *sources, struct cw_source *source, int64_t now_ns,
                     int64_t now_mono_ns)
{
    struct cw_sources_scan scan = {
        .sources = sources, .now_ns = now_ns, .now_mono_ns = now_mono_ns};
    struct cw_tail tail;
    struct cw_err err;
    if (!cw_sources_room(sources) ||
        cw_sources_tail_open(sources, NULL, &tail, source->path_now, &err) < 0)
        return; /* the next scan finds it: its size is another, or its name */
    if (cw_file_identity_same_inode(&source->tail.identity, &tail.identity))
        source_reopen(&scan, source, &tail, source->path_now);
    else
        cw_tail_close(&tail);
}

struct cw_source *cw_sources_begin(struct cw_sources *sources, const struct cw_target *target,
                                   struct cw_tail *tail, const char *path, const char *named,
                                   int64_t now_ns, int64_t now_mono_ns)
{
    struct cw_source *source = cw_source_new(sources->noutputs, named);
    size_t at = SIZE_MAX; /* where one was, another may have been in between */
    source->rotated = cw_sources_path_next(sources, named, &at) != NULL;
    cw_source_path_now_set(source, path);
    source->tail = *tail;
    cw_source_draw_id(source);
    source->since_ns = cw_sources_contents_since(sources, now_ns);
    if (sources->options.from_end && !sources->scanned && target->format != CW_SOURCE_SPOOL)
        cw_source_seek(source, tail->size);
    else if (tail->unpack == NULL) /* promtail counted lines there */
        cw_source_seek(source, target->format == CW_SOURCE_DOCKER
                                   ? imported_since(sources, tail, named)
                                   : imported_offset(sources, named, tail->size));
    source->goal = tail->size;
    source->wanted = strcmp(path, named) == 0;
    source->scan_number = sources->scan_number;
    source->quiet_since_ns = now_mono_ns;
    cw_source_sight(source, now_ns, now_mono_ns);
    cw_sources_watch(sources, source);
    cw_sources_add(sources, source);
    /* Last: its tenant may get an output, which gives each source in the table a row and saves them. */
    cw_sources_labels_set(sources, source, target);
    cw_sources_activate(sources, source);
    sources->unsaved = true;
    cw_log_info("reading %s from byte %" PRIu64, named, cw_source_position(source));
    return source;
}

/* The number of a device changes when disks are found in another order; the rest of the identity
 * does not. */
static struct cw_source *source_of_other_device(struct cw_sources *sources,
                                                const struct cw_tail *tail, const char *path)
{
    struct cw_source *source;
    for (size_t at = SIZE_MAX;
         (source = cw_sources_index_next(sources, tail->identity.ino, &at)) != NULL;) {
        const struct cw_file_identity *known = &source->tail.identity;
        enum cw_file_verdict verdict;
        struct cw_err err;
        if (source->tail.fd >= 0 || known->birth_ns != tail->identity.birth_ns ||
            known->birth_ns == 0 || known->prefix_len == 0 || strcmp(source->path_now, path) != 0)
            continue;
        if (cw_file_identity_check(tail->fd, known, &verdict, &err) == 0 && verdict == CW_FILE_SAME)
            return source;
    }
    return NULL;
}

bool cw_sources_is_public(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !(st.st_mode & S_IROTH))
        return false;
    char folder[PATH_MAX];
    if (realpath(path, folder) == NULL)
        return false;
    for (char *slash; (slash = strrchr(folder, '/')) != NULL && slash != folder;) {
        *slash = '\0';
        if (stat(folder, &st) < 0 || !(st.st_mode & S_IXOTH))
            return false;
    }
    return true;
}

/* Whether the source of a file that was first seen there is known. */
static bool is_known(struct cw_sources *sources, const char *path)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_path_next(sources, path, &at)) != NULL;)
        if (strcmp(source->path, path) == 0)
            return true;
    return false;
}

/* A container's log, of which nothing is known yet: what it wrote before is wanted too. */
static bool is_first_of_container(const struct cw_sources_scan *scan, const char *path)
{
    const struct cw_target *target = scan->target;
    int64_t since_s; /* promtail was here before us: what it read is not wanted */
    return !container_since(scan->sources, path, &since_s) &&
           (target->format == CW_SOURCE_DOCKER || target->format == CW_SOURCE_DOCKER_LOCAL) &&
           strcmp(target->path, path) == 0 && !is_known(scan->sources, path);
}

/* What was compressed before this scan is looked for in this one or the next. So it must be known until then whether a log was
 * truncated; reading may be far behind. */
static void truncation_check(struct cw_sources *sources, struct cw_source *source,
                             int64_t written_ns)
{
    if (source->tail.fd < 0 || source->tail.unpack != NULL || source->checked_ns == written_ns)
        return;
    source->checked_ns = written_ns;
    if (cw_sources_replaced(sources, source))
        cw_sources_touch(sources, source);
}

/* Whether an empty file will be a compressed one: its first bytes are not there yet that say it. */
static bool packed_to_be(struct cw_sources_scan *scan, const char *path, const struct stat *st)
{
    if (scan->target->unpack_format == CW_CODEC_NONE && cw_unpack_stem(cw_str_of(path)).len == 0)
        return false;
    bool young = scan->now_ns - st->st_mtim.tv_sec * CW_NS_PER_S < CW_UNPACK_CUT_NS;
    scan->sources->deferred |= young && !scan->sources->options.once;
    return true;
}

/* Whether a file with the name of a compressed one has not all of the first bytes yet that say whether it is text. */
static bool magic_to_be(struct cw_sources_scan *scan, const char *path, const struct stat *st)
{
    bool young = scan->now_ns - st->st_mtim.tv_sec * CW_NS_PER_S < CW_UNPACK_CUT_NS;
    bool waits = young && st->st_size < CW_DECODER_MAGIC_BYTES && !scan->sources->options.once &&
                 cw_unpack_stem(cw_str_of(path)).len > 0;
    scan->sources->deferred |= waits;
    return waits;
}

/* A file that another target has: of two jobs that name it the first has it, and whoever wrote the second waits for its lines. */
static void second_target_tell(const struct cw_sources_scan *scan, struct cw_source *source,
                               const char *path)
{
    const struct cw_target *first = cw_sources_target_of(scan->sources, source->path);
    if (source->shared_told || first == NULL || first == scan->target ||
        strcmp(first->name, scan->target->name) == 0)
        return;
    source->shared_told = true;
    cw_log_warn(
        "%s is in the jobs \"%s\" and \"%s\": the first alone has it; if the other is to have "
        "it, the first one's __path_exclude__ must name it",
        path, first->name, scan->target->name);
}

void cw_sources_file_found(struct cw_sources_scan *scan, const char *path, const char *named)
{
    struct cw_sources *sources = scan->sources;
    struct stat st;
    bool spool = scan->target->format == CW_SOURCE_SPOOL;
    if (!cw_sources_may_have(sources, scan->target, path) || stat(path, &st) < 0 ||
        !S_ISREG(st.st_mode) ||
        (sources->options.only_public && !spool && !cw_sources_is_public(path)))
        return;
    if (!scan->target->unpack && cw_unpack_is_packed(path))
        return; /* no text; if it is a log's generation, its source is found from there */
    for (int i = 0; i < 2; i++)
        if (st.st_ino == sources->own_ino[i] && st.st_dev == sources->own_dev[i] && st.st_ino != 0)
            return;
    struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_index_next(sources, st.st_ino, &at)) != NULL;) {
        if (source->tail.identity.dev != st.st_dev)
            continue;
        if (source->unpacked && source->tail.fd < 0) {
            source->scan_number = sources->scan_number;
            return;
        }
        bool rests = source->asleep && (uint64_t)st.st_size == source->tail.size &&
                     strcmp(source->path_now, path) == 0;
        if (source->tail.fd < 0 && !rests)
            continue;
        if (source->scan_number != sources->scan_number && strcmp(source->path_now, path) != 0 &&
            !cw_file_identity_is_at(source->path_now, &source->tail.identity))
            path_now_set(sources, source, path);
        source->scan_number = sources->scan_number;
        source->wanted |= strcmp(path, named) == 0;
        second_target_tell(scan, source, path);
        bool unpacks = source->tail.unpack != NULL || source->joined;
        if ((uint64_t)st.st_size != source->tail.size && !unpacks)
            cw_sources_touch(sources, source); /* events of the kernel may have been lost */
        truncation_check(sources, source, st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec);
        return;
    }
    struct cw_tail tail;
    struct cw_err err;
    if (scan->target->unpack ? st.st_size == 0 && packed_to_be(scan, path, &st)
                             : magic_to_be(scan, path, &st))
        return;
    bool packed = cw_sources_is_packed(scan->target, path);
    if (!cw_sources_room(sources)) {
        for (size_t at = SIZE_MAX;
             (source = cw_sources_index_next(sources, st.st_ino, &at)) != NULL;)
            if (source->tail.identity.dev == st.st_dev)
                source->scan_number = sources->scan_number; /* it is not missing */
        return;
    }
    if (packed && sources->unpacking == NULL &&
        scan->now_ns - st.st_ctim.tv_sec * CW_NS_PER_S < scan->target->unpack_delay_ns) {
        sources->deferred = true; /* it may still be written */
        return;
    }
    if (cw_sources_tail_open(sources, scan->target, &tail, path, &err) < 0) {
        if (err.code != CW_E_NOT_FOUND)
            unreadable_tell(scan, path, err.text);
        return;
    }
    for (size_t at = SIZE_MAX;
         (source = cw_sources_index_next(sources, tail.identity.ino, &at)) != NULL;)
        if (source->tail.fd < 0 &&
            cw_file_identity_same_inode(&source->tail.identity, &tail.identity))
            break;
    if (source == NULL && scan->nclosed > 0)
        source = source_of_other_device(sources, &tail, path);
    if (source == NULL && !packed &&
        cw_sources_is_copy(sources, &tail, path, scan->now_ns, scan->now_mono_ns)) {
        cw_tail_close(&tail);
        return;
    }
    if (source == NULL) {
        bool first = is_first_of_container(scan, path);
        source = cw_sources_begin(sources, scan->target, &tail, path, named, scan->now_ns,
                                  scan->now_mono_ns);
        if (first || sources->scanned || sources->looked_ns > 0) /* not at the very first start */
            cw_sources_rotated_log(sources, named,
                                   first ? CW_SOURCES_SINCE_EVER : CW_SOURCES_SINCE_LOOK);
        if (sources->looked_ns > 0)
            cw_source_list_add(&scan->begun, source);
        return;
    }
    source->scan_number = sources->scan_number;
    source->wanted |= strcmp(path, named) == 0;
    source_reopen(scan, source, &tail, path);
}

static void on_file(void *arg, const char *path)
{
    struct cw_sources_scan *scan = arg;
    scan->nmatched++;
    if (!cw_sources_is_excluded(scan->target, path))
        cw_sources_file_found(scan, path, path);
}

static void on_dir(void *arg, const char *path, bool holds)
{
    struct cw_sources_scan *scan = arg;
    if (holds && scan->target->format != CW_SOURCE_SPOOL)
        cw_sources_unmet_folder(scan, path);
    struct cw_watch *watch = scan->sources->options.watch;
    scan->sources->blind |= watch == NULL || !cw_watch_dir(watch, path);
}

static bool folder_cut(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        slash[slash == path ? 1 : 0] = '\0';
    return slash != NULL;
}

/* The folder that a link leads into, though what it names may not be there. */
static bool link_folder(const char *path, char folder[PATH_MAX])
{
    char text[PATH_MAX], joined[2 * PATH_MAX];
    if (realpath(path, folder) != NULL)
        return folder_cut(folder);
    ssize_t len = readlink(path, text, sizeof text - 1);
    if (len <= 0)
        return false;
    text[len] = '\0';
    snprintf(joined, sizeof joined, "%s", path);
    if (text[0] == '/' || !folder_cut(joined))
        snprintf(joined, sizeof joined, "%s", text);
    else
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "/%s", text);
    return folder_cut(joined) && realpath(joined, folder) != NULL;
}

/* What it leads to may be rotated in a folder that no pattern names (Kubernetes' /var/log/containers). */
static void on_link(void *arg, const char *path)
{
    struct cw_sources_scan *scan = arg;
    struct cw_watch *watch = scan->sources->options.watch;
    char folder[PATH_MAX];
    if (watch != NULL && link_folder(path, folder))
        scan->sources->blind |= !cw_watch_dir_of_link(watch, folder);
}

static void on_error(void *arg, const char *path, int errnum)
{
    unreadable_tell(arg, path, strerror(errnum));
}

void cw_sources_renamed(struct cw_sources *sources, const char *from, const char *to)
{
    const char *named = cw_sources_target_of(sources, from) != NULL ? from : NULL;
    for (size_t i = 0; i < sources->nrenames; i++) {
        struct cw_rename *rename = &sources->renames[i];
        if (strcmp(rename->to, from) != 0)
            continue;
        free(rename->to); /* renamed again before anybody looked */
        rename->to = cw_str_dupz(cw_str_of(to));
        return;
    }
    if (named == NULL || sources->nrenames == CW_SOURCES_RENAMES_MAX)
        return;
    sources->renames[sources->nrenames++] =
        (struct cw_rename){cw_str_dupz(cw_str_of(named)), cw_str_dupz(cw_str_of(to))};
}

/* Where its file is now; "" while nobody knows. Returns false when it has none. */
static bool path_find(struct cw_sources_scan *scan, struct cw_source *source, char *path_out,
                      size_t cap)
{
    enum cw_folder_answer answer =
        cw_folder_search(source->path_now, &source->tail.identity, &scan->nvain, path_out, cap);
    if (answer != CW_FOLDER_FOUND)
        path_out[0] = '\0';
    bool busy = answer == CW_FOLDER_BUSY && ++source->nunmet <= UNMET_MAX;
    if (!busy)
        source->nunmet = 0;
    scan->unsure |= busy;
    return answer == CW_FOLDER_FOUND || answer == CW_FOLDER_UNREADABLE || busy;
}

/* Bytes of it were seen, and nobody has read them. */
static void gone_count(struct cw_sources *sources, struct cw_source *source, uint64_t furthest)
{
    uint64_t seen = CW_MAX(source->tail.size, (uint64_t)source->tail.identity.prefix_len);
    uint64_t from = CW_MAX(furthest, source->fed_to);
    if (source->unpacked || seen <= from)
        return;
    cw_metrics_add(sources->options.metrics, CW_M_LOST_BYTES, (int64_t)(seen - from));
    cw_source_count_lost(source, from, seen, CW_STR("removed before it was read"));
    cw_log_warn("%s was removed: its bytes from %" PRIu64 " on are lost, %" PRIu64
                " of them were seen",
                source->path_now, from, seen - from);
}

/* Its file is nowhere. True while it must be remembered: the stores are told first that its marks
 * may be forgotten, and for that its position must pass them all. */
static bool source_gone(struct cw_sources *sources, struct cw_source *source)
{
    uint64_t furthest = 0;
    for (size_t i = 0; i < source->nrows; i++)
        furthest = CW_MAX(furthest, cw_ledger_next(&source->rows[i]));
    gone_count(sources, source, furthest);
    if (!cw_source_forgettable(source)) {
        cw_source_seek(source, furthest);
        return true;
    }
    cw_log_info("%s is gone; it was read to byte %" PRIu64, source->path_now, furthest);
    return false;
}

/* Whether the file behind an open source that is not compressed has no name any more. */
static bool is_deleted(const struct cw_source *source)
{
    struct stat st;
    return source->tail.unpack == NULL && fstat(source->tail.fd, &st) == 0 && st.st_nlink == 0;
}

/* Its file is nowhere. Returns false when it can be forgotten. */
static bool source_vanished(struct cw_sources_scan *scan, struct cw_source *source)
{
    if (scan->sources->options.unpack_folder == NULL)
        return source->tail.fd >= 0 || source_gone(scan->sources, source);
    source->vanished = true; /* what became of it is known at the end of the scan */
    cw_sources_rotated_log(scan->sources, source->path, CW_SOURCES_SINCE_LOOK);
    return true;
}

/* The same of one that is open and not in its place. */
static bool open_source_missing(struct cw_sources_scan *scan, struct cw_source *source)
{
    char path[PATH_MAX];
    bool deleted = is_deleted(source);
    if (deleted && !source->joined)
        return source->sought || source_vanished(scan, source);
    if (path_find(scan, source, path, sizeof path) && path[0] != '\0')
        path_now_set(scan->sources, source, path);
    return true;
}

/* A source that no pattern met in this scan. Returns false when it can be forgotten. */
static bool source_missing(struct cw_sources_scan *scan, struct cw_source *source)
{
    struct cw_sources *sources = scan->sources;
    char path[PATH_MAX];
    source->wanted = false;
    bool in_place = cw_file_identity_is_at(source->path_now, &source->tail.identity);
    if (source->tail.fd >= 0)
        return in_place || open_source_missing(scan, source);
    if (cw_sources_is_held(sources, source))
        return true;
    if (in_place)
        snprintf(path, sizeof path, "%s", source->path_now);
    else if (!path_find(scan, source, path, sizeof path))
        return source_vanished(scan, source);
    struct stat st;
    const struct cw_target *target = cw_sources_target_of(sources, source->path);
    if (path[0] == '\0' || target == NULL)
        return true;
    if (source->unpacked) { /* there are many of them: nothing more is asked of the file */
        path_now_set(sources, source, path);
        return !cw_source_forgettable(source) || cw_sources_generation_needed(sources, source);
    }
    if (stat(path, &st) < 0)
        return true;
    uint64_t size = (uint64_t)st.st_size, position = cw_source_position(source);
    bool packed = cw_sources_is_packed(target, path);
    if (!packed && sources->scanned &&
        (size == position || (size < position && cw_source_rotated(source)))) {
        path_now_set(sources, source, path);
        return true; /* nothing new in it */
    }
    struct cw_tail tail;
    struct cw_err err;
    if (!cw_sources_room(sources) || cw_sources_tail_open(sources, target, &tail, path, &err) < 0)
        return true;
    if (!cw_file_identity_same_inode(&source->tail.identity, &tail.identity)) {
        cw_tail_close(&tail); /* the inode was given to another file */
        return source_vanished(scan, source);
    }
    scan->target = target;
    source_reopen(scan, source, &tail, path);
    return true;
}

/* Compressed generations are looked for; whose file is not among them has none. */
static void generations_look(struct cw_sources_scan *scan)
{
    struct cw_sources *sources = scan->sources;
    bool waits = scan->unsure && ++sources->nunsure <= UNSURE_MAX;
    sources->deferred |= scan->unsure;
    if (waits) {
        for (size_t i = 0; i < sources->n; i++)
            sources->items[i]->vanished = false;
        return;
    }
    sources->nunsure = 0;
    cw_sources_generations_look(sources, scan->now_ns, scan->now_mono_ns);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (!source->vanished)
            continue;
        source->vanished = false;
        if (source->tail.fd >= 0)
            source->sought = true;
        else
            source->gone = !source_gone(sources, source);
    }
    cw_sources_generations_looked(sources, scan->now_ns);
}

/* Open again what is where it was, before anything new is looked at: of a log that was truncated
 * meanwhile it must be known which file its copy is. */
static void sources_reopen_in_place(struct cw_sources_scan *scan)
{
    struct cw_sources *sources = scan->sources;
    size_t n = sources->n;
    for (size_t i = 0; i < n; i++) {
        struct cw_source *source = sources->items[i];
        struct cw_tail tail;
        struct cw_err err;
        scan->target = cw_sources_target_of(sources, source->path);
        if (scan->target == NULL ||
            !cw_file_identity_is_at(source->path_now, &source->tail.identity) ||
            !cw_sources_room(sources) ||
            cw_sources_tail_open(sources, scan->target, &tail, source->path_now, &err) < 0)
            continue; /* the walk tells of what may not be read */
        if (cw_file_identity_same_inode(&source->tail.identity, &tail.identity))
            source_reopen(scan, source, &tail, source->path_now);
        else
            cw_tail_close(&tail);
        if (source->changed)
            cw_sources_truncated(sources, source, scan->now_ns, scan->now_mono_ns);
    }
}

/* The first scan met no file of the target. */
static void missing_tell(struct cw_sources_scan *scan, bool unreadable)
{
    const struct cw_target *target = scan->target;
    if (target->named && !unreadable) {
        scan->sources->nmissing++;
        cw_log_warn("%s is not there", target->path);
    } else if (target->is_pattern && !target->named) {
        cw_log_warn("no file matches %s", target->path);
    }
}

void cw_sources_scan(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    struct cw_sources_scan scan = {
        .sources = sources, .now_ns = now_ns, .now_mono_ns = now_mono_ns};
    struct cw_glob_visitor visitor = {on_file, on_dir, on_link, on_error, &scan};
    sources->scan_number++;
    sources->deferred = sources->blind = false;
    cw_sources_index_build(sources);
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->wanted = false;
    if (!sources->scanned) {
        sources->began_mono_ns = now_mono_ns;
        for (size_t i = 0; i < sources->n; i++)
            cw_sources_rotated_log(sources, sources->items[i]->path, CW_SOURCES_SINCE_LOOK);
        sources_reopen_in_place(&scan);
    }
    cw_sources_held_take(sources, now_ns, now_mono_ns);
    for (size_t i = 0; i < sources->n; i++)
        scan.nclosed += sources->items[i]->tail.fd < 0;
    if (sources->options.watch != NULL)
        cw_watch_dirs_begin(sources->options.watch);
    for (size_t i = 0; i < sources->ntargets; i++) {
        scan.target = sources->targets[i];
        scan.nmatched = 0;
        size_t nunreadable = scan.nunreadable;
        cw_glob_walk(scan.target->glob, &visitor);
        if (scan.nmatched == 0 && !sources->scanned)
            missing_tell(&scan, scan.nunreadable > nunreadable);
    }
    if (sources->options.watch != NULL)
        cw_watch_dirs_end(sources->options.watch);
    for (size_t i = 0; i < sources->nrenames; i++) {
        scan.target = cw_sources_target_of(sources, sources->renames[i].from);
        if (scan.target != NULL)
            cw_sources_file_found(&scan, sources->renames[i].to, sources->renames[i].from);
    }
    cw_sources_renames_clear(sources);
    cw_sources_siblings_find(&scan);
    cw_sources_unmet_find(&scan);
    for (size_t i = 0; i < sources->n; i++) { /* looks others up: nobody is freed on the way */
        struct cw_source *source = sources->items[i];
        scan.target = NULL;
        source->gone =
            source->scan_number != sources->scan_number && !source_missing(&scan, source);
    }
    generations_look(&scan);
    size_t kept = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->gone) {
            cw_sources_forget(sources, &source);
            continue;
        }
        source->emptied = false;
        for (size_t o = 0; o < source->nrows; o++)
            source->rows[o].held_size = 0; /* what could not be read may be readable now */
        sources->items[kept++] = source;
    }
    sources->dirty |= sources->n != kept;
    sources->n = kept;
    cw_sources_index_build(sources);
    free(scan.begun.items);
    sources->scanned = true;
    sources->nleft_out = scan.nunreadable;
    cw_metrics_set(sources->options.metrics, CW_M_FILES, (int64_t)sources->nopen);
    cw_metrics_set(sources->options.metrics, CW_M_FILES_UNREADABLE, (int64_t)scan.nunreadable);
}
