#include "shipper/sources.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "shipper/shipper_metrics.h"

/* Renames between two scans; more than this many at once come from no rotation. */
enum { RENAMES_MAX = 256, UNREADABLE_MAX = 1000 };

struct cw_sources *cw_sources_new(const struct cw_sources_options *options)
{
    struct cw_sources *sources = cw_mem_new(sizeof *sources);
    sources->options = *options;
    struct cw_promtail_position *imported = cw_mem_array(options->nimported + 1, sizeof *imported);
    for (size_t i = 0; i < options->nimported; i++)
        imported[i] = (struct cw_promtail_position){cw_str_of(cw_str_dupz(options->imported[i].path)),
                                                    options->imported[i].offset};
    sources->options.imported = imported;
    sources->renames = cw_mem_array(RENAMES_MAX, sizeof *sources->renames);
    sources->unreadable = cw_mem_array(UNREADABLE_MAX, sizeof *sources->unreadable);
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (fstat(STDOUT_FILENO + i, &st) == 0 && S_ISREG(st.st_mode)) {
            sources->own_dev[i] = st.st_dev;
            sources->own_ino[i] = st.st_ino;
        }
    }
    return sources;
}

static void renames_clear(struct cw_sources *sources)
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
    free((void *)t->labels.items);
    free(t->name);
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
    for (size_t i = 0; i < s->options.nimported; i++)
        free((void *)s->options.imported[i].path.ptr);
    for (size_t i = 0; i < s->nunreadable; i++)
        free(s->unreadable[i]);
    renames_clear(s);
    free((void *)s->options.imported);
    free(s->unreadable);
    free(s->renames);
    free(s->items);
    free(s->targets);
    free(s->index);
    free(s);
    *sources = NULL;
}

/* ---- targets ---- */

void cw_sources_target_add(struct cw_sources *sources, struct cw_target *target)
{
    if (sources->ntargets == sources->targets_cap) {
        sources->targets_cap = sources->targets_cap ? 2 * sources->targets_cap : 16;
        sources->targets = cw_mem_resize(sources->targets, sources->targets_cap * sizeof *sources->targets);
    }
    sources->targets[sources->ntargets++] = target;
}

void cw_sources_target_remove(struct cw_sources *sources, struct cw_target *target)
{
    for (size_t i = 0; i < sources->ntargets; i++) {
        if (sources->targets[i] != target)
            continue;
        memmove(sources->targets + i, sources->targets + i + 1, (--sources->ntargets - i) * sizeof *sources->targets);
        cw_target_free(&target);
        return;
    }
}

static bool target_matches(const struct cw_target *target, struct cw_str path)
{
    return cw_glob_match(target->glob, path) && !(target->exclude && cw_glob_match(target->exclude, path));
}

static const struct cw_target *target_of(const struct cw_sources *sources, const char *path)
{
    for (size_t i = 0; i < sources->ntargets; i++)
        if (target_matches(sources->targets[i], cw_str_of(path)))
            return sources->targets[i];
    return NULL;
}

static bool label_has(const struct cw_label *pairs, size_t n, struct cw_str name)
{
    for (size_t i = 0; i < n; i++)
        if (cw_str_eq(pairs[i].name, name))
            return true;
    return false;
}

/* The first of a name wins. */
static void label_put(struct cw_label *pairs, size_t *n, struct cw_str name, struct cw_str value)
{
    if (!label_has(pairs, *n, name))
        pairs[(*n)++] = (struct cw_label){name, value};
}

/* The text of a stream: `filename`, for Docker `stream`, the target's labels, the output's. */
static char *labels_text(const struct cw_source *source, const struct cw_target *target,
                         const struct cw_labels *external, unsigned stream)
{
    static const char *const streams[CW_SOURCE_STREAMS] = {"stdout", "stderr"};
    struct cw_label *pairs = cw_mem_array(target->labels.n + external->n + 2, sizeof *pairs);
    size_t n = 0;
    if (target->add_filename)
        label_put(pairs, &n, CW_STR("filename"), cw_str_of(source->path));
    if (target->format == CW_SOURCE_DOCKER)
        label_put(pairs, &n, CW_STR("stream"), cw_str_of(streams[stream]));
    for (size_t i = 0; i < target->labels.n; i++)
        label_put(pairs, &n, target->labels.items[i].name, target->labels.items[i].value);
    for (size_t i = 0; i < external->n; i++)
        label_put(pairs, &n, external->items[i].name, external->items[i].value);
    struct cw_labels labels;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    int rc = cw_labels_from_pairs(pairs, n, &labels, NULL);
    CW_ASSERT(rc == 0);  /* names are unique */
    cw_labels_format(labels, &text);
    char *out = cw_str_dupz(cw_buf_str(&text));
    cw_buf_fini(&text);
    free(pairs);
    return out;
}

static void labels_set(const struct cw_sources *sources, struct cw_source *source, const struct cw_target *target)
{
    static const struct cw_labels none;
    source->format = target->format;
    for (size_t i = 0; i < source->nrows * CW_SOURCE_STREAMS; i++) {
        const struct cw_labels *external = sources->options.external;
        free(source->labels[i]);
        source->labels[i] = labels_text(source, target, external ? &external[i / CW_SOURCE_STREAMS] : &none,
                                        i % CW_SOURCE_STREAMS);
    }
}

/* ---- the table ---- */

static uint64_t inode_hash(uint64_t dev, uint64_t ino)
{
    uint64_t key[2] = {dev, ino};
    return cw_hash64(key, sizeof key);
}

static void index_put(struct cw_sources *sources, size_t item)
{
    const struct cw_file_identity *identity = &sources->items[item]->tail.identity;
    size_t at = inode_hash(identity->dev, identity->ino) & (sources->index_size - 1);
    while (sources->index[at] != 0)
        at = (at + 1) & (sources->index_size - 1);
    sources->index[at] = (uint32_t)item + 1;
}

static void index_build(struct cw_sources *sources)
{
    size_t size = 64;
    while (size < 2 * sources->cap)
        size *= 2;
    free(sources->index);
    sources->index = cw_mem_array(size, sizeof *sources->index);
    sources->index_size = size;
    for (size_t i = 0; i < sources->n; i++)
        index_put(sources, i);
}

/* The next source with this inode; start with *at = SIZE_MAX. */
static struct cw_source *index_next(const struct cw_sources *sources, uint64_t dev, uint64_t ino, size_t *at)
{
    size_t mask = sources->index_size - 1;
    *at = *at == SIZE_MAX ? inode_hash(dev, ino) & mask : (*at + 1) & mask;
    for (; sources->index[*at] != 0; *at = (*at + 1) & mask) {
        struct cw_source *source = sources->items[sources->index[*at] - 1];
        if (source->tail.identity.dev == dev && source->tail.identity.ino == ino)
            return source;
    }
    return NULL;
}

static void source_add(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->n == sources->cap) {
        sources->cap = sources->cap ? 2 * sources->cap : 32;
        sources->items = cw_mem_resize(sources->items, sources->cap * sizeof *sources->items);
        sources->items[sources->n++] = source;
        index_build(sources);
        return;
    }
    sources->items[sources->n++] = source;
    if (sources->index != NULL)
        index_put(sources, sources->n - 1);
}

void cw_sources_restore(struct cw_sources *sources, const struct cw_positions *positions)
{
    for (size_t i = 0; i < positions->nsources; i++) {
        const struct cw_position *position = &positions->sources[i];
        struct cw_source *source = cw_source_new(sources->options.noutputs, position->path.ptr);
        free(source->path_now);
        source->path_now = cw_str_dupz(position->path_now);
        source->id = position->id;
        source->generation = position->generation;
        source->tail.identity = position->identity;
        source->durable = true;
        source->durable_offset = position->offset;
        source->durable_prefix_len = position->identity.prefix_len;
        cw_source_seek(source, position->offset);
        source_add(sources, source);
    }
}

static void watch_start(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->options.watch != NULL && source->watch < 0)
        source->watch = cw_watch_file(sources->options.watch, source->tail.fd);
}

static void source_close(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->options.watch != NULL)
        cw_watch_forget(sources->options.watch, source->watch);
    source->watch = -1;
    cw_tail_close(&source->tail);
}

/* ---- finding files ---- */

struct scan {
    struct cw_sources *sources;
    const struct cw_target *target;
    int64_t now_ns, now_mono_ns;
    size_t nunreadable;
};

static void unreadable_tell(struct scan *scan, const char *path, const char *why)
{
    struct cw_sources *sources = scan->sources;
    scan->nunreadable++;
    for (size_t i = 0; i < sources->nunreadable; i++)
        if (strcmp(sources->unreadable[i], path) == 0)
            return;
    if (sources->nunreadable < UNREADABLE_MAX)
        sources->unreadable[sources->nunreadable++] = cw_str_dupz(cw_str_of(path));
    cw_log_warn("cannot read %s: %s", path, why);
}

static uint64_t imported_offset(const struct cw_sources *sources, const char *path, uint64_t size)
{
    for (size_t i = 0; i < sources->options.nimported; i++)
        if (cw_str_eqz(sources->options.imported[i].path, path))
            return sources->options.imported[i].offset <= size ? sources->options.imported[i].offset : 0;
    return 0;
}

static void path_now_set(struct cw_sources *sources, struct cw_source *source, const char *path)
{
    if (strcmp(source->path_now, path) == 0)
        return;
    cw_log_info("%s is now %s", source->path_now, path);
    cw_metrics_add(sources->options.metrics, CW_M_ROTATIONS, 1);
    free(source->path_now);
    source->path_now = cw_str_dupz(cw_str_of(path));
    sources->dirty = true;
}

static bool same_inode_at(const char *path, const struct cw_file_identity *identity)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == identity->dev && st.st_ino == identity->ino;
}

/* Begin to read a source that is known from the positions file, or was closed. */
static void source_reopen(struct scan *scan, struct cw_source *source, struct cw_tail *tail, const char *path)
{
    const struct cw_target *target = target_of(scan->sources, source->path);
    if (target == NULL)
        target = scan->target;
    if (target == NULL) {  /* its target is no longer configured */
        cw_tail_close(tail);
        return;
    }
    labels_set(scan->sources, source, target);
    struct cw_file_identity recorded = source->tail.identity;
    source->tail = *tail;
    source->tail.identity.prefix_len = recorded.prefix_len;
    source->tail.identity.prefix_hash = recorded.prefix_hash;
    source->goal = tail->size;
    source->final = false;
    source->quiet_since_ns = scan->now_mono_ns;
    path_now_set(scan->sources, source, path);
    watch_start(scan->sources, source);
    enum cw_file_verdict verdict;
    struct cw_err err;
    if (cw_tail_check(&source->tail, cw_source_position(source), &verdict, &err) == 0)
        source->changed = verdict == CW_FILE_CHANGED;
    cw_source_sight(source, scan->now_ns, scan->now_mono_ns);
}

static void source_begin(struct scan *scan, struct cw_tail *tail, const char *path, const char *named)
{
    struct cw_sources *sources = scan->sources;
    struct cw_source *source = cw_source_new(sources->options.noutputs, named);
    free(source->path_now);
    source->path_now = cw_str_dupz(cw_str_of(path));
    source->tail = *tail;
    source->generation = 1;
    ssize_t got = getrandom(source->id.bytes, sizeof source->id.bytes, 0);
    CW_ASSERT(got == (ssize_t)sizeof source->id.bytes);
    labels_set(sources, source, scan->target);
    if (sources->options.from_end && !sources->scanned)
        cw_source_seek(source, tail->size);
    else
        cw_source_seek(source, imported_offset(sources, named, tail->size));
    source->goal = tail->size;
    source->wanted = strcmp(path, named) == 0;
    source->scan_number = sources->scan_number;
    source->quiet_since_ns = scan->now_mono_ns;
    cw_source_sight(source, scan->now_ns, scan->now_mono_ns);
    watch_start(sources, source);
    source_add(sources, source);
    sources->unsaved = true;
    cw_log_info("reading %s from byte %" PRIu64, named, cw_source_position(source));
}

/* The number of a device changes when disks are found in another order; the rest of the identity does not. */
static struct cw_source *source_of_other_device(struct cw_sources *sources, const struct cw_tail *tail, const char *path)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        const struct cw_file_identity *known = &source->tail.identity;
        enum cw_file_verdict verdict;
        struct cw_err err;
        if (source->tail.fd >= 0 || known->ino != tail->identity.ino || known->birth_ns != tail->identity.birth_ns ||
            known->birth_ns == 0 || known->prefix_len == 0 || strcmp(source->path_now, path) != 0)
            continue;
        if (cw_file_identity_check(tail->fd, known, &verdict, &err) == 0 && verdict == CW_FILE_SAME)
            return source;
    }
    return NULL;
}

/* A file at `path` that belongs to scan->target, known to people as `named`. */
static void file_found(struct scan *scan, const char *path, const char *named)
{
    struct cw_sources *sources = scan->sources;
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    for (int i = 0; i < 2; i++)
        if (st.st_ino == sources->own_ino[i] && st.st_dev == sources->own_dev[i] && st.st_ino != 0)
            return;
    struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = index_next(sources, st.st_dev, st.st_ino, &at)) != NULL;) {
        if (source->tail.fd < 0)
            continue;
        if (source->scan_number != sources->scan_number && strcmp(source->path_now, path) != 0 &&
            !same_inode_at(source->path_now, &source->tail.identity))
            path_now_set(sources, source, path);
        source->scan_number = sources->scan_number;
        source->wanted |= strcmp(path, named) == 0;
        return;
    }
    struct cw_tail tail;
    struct cw_err err;
    if (cw_tail_open(&tail, path, &err) < 0) {
        if (err.code != CW_E_NOT_FOUND)
            unreadable_tell(scan, path, err.text);
        return;
    }
    for (size_t at = SIZE_MAX; (source = index_next(sources, tail.identity.dev, tail.identity.ino, &at)) != NULL;)
        if (source->tail.fd < 0 && cw_file_identity_same_inode(&source->tail.identity, &tail.identity))
            break;
    if (source == NULL)
        source = source_of_other_device(sources, &tail, path);
    if (source == NULL) {
        source_begin(scan, &tail, path, named);
        return;
    }
    source->scan_number = sources->scan_number;
    source->wanted |= strcmp(path, named) == 0;
    source_reopen(scan, source, &tail, path);
}

/* May every user read it: the file itself, and each folder on the way entered? */
static bool is_public(const char *path)
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

static void on_file(void *arg, const char *path)
{
    struct scan *scan = arg;
    if (scan->sources->options.only_public && !is_public(path))
        return;
    if (scan->target->exclude == NULL || !cw_glob_match(scan->target->exclude, cw_str_of(path)))
        file_found(scan, path, path);
}

static void on_dir(void *arg, const char *path)
{
    struct scan *scan = arg;
    if (scan->sources->options.watch != NULL)
        (void)cw_watch_dir(scan->sources->options.watch, path);
}

static void on_error(void *arg, const char *path, int errnum)
{
    unreadable_tell(arg, path, strerror(errnum));
}

void cw_sources_renamed(struct cw_sources *sources, const char *from, const char *to)
{
    const char *named = target_of(sources, from) != NULL ? from : NULL;
    for (size_t i = 0; i < sources->nrenames; i++) {
        struct cw_rename *rename = &sources->renames[i];
        if (strcmp(rename->to, from) != 0)
            continue;
        free(rename->to);  /* renamed again before anybody looked */
        rename->to = cw_str_dupz(cw_str_of(to));
        return;
    }
    if (named == NULL || sources->nrenames == RENAMES_MAX)
        return;
    sources->renames[sources->nrenames++] =
        (struct cw_rename){cw_str_dupz(cw_str_of(named)), cw_str_dupz(cw_str_of(to))};
}

/* Whether a folder that cannot be opened was removed, as that of a container is: what held it is there and not empty (as
 * the place of a disk that is not mounted would be). */
static bool folder_removed(char *folder)
{
    char *slash = strrchr(folder, '/');
    if (errno != ENOENT || slash == NULL || slash == folder)
        return false;
    *slash = '\0';
    DIR *dir = opendir(folder);
    unsigned names = 0;
    while (dir != NULL && names < 3 && readdir(dir) != NULL)
        names++;  /* "." and ".." are two */
    if (dir != NULL)
        closedir(dir);
    return names == 3;
}

/* Find the inode in the folder of path_now. Returns false only when the folder was read and it is not there. */
static bool folder_search(const struct cw_source *source, char *path_out, size_t cap)
{
    const char *slash = strrchr(source->path_now, '/');
    char folder[PATH_MAX];
    if (slash == NULL || (size_t)(slash - source->path_now) + 2 > sizeof folder)
        return false;
    size_t len = slash == source->path_now ? 1 : (size_t)(slash - source->path_now);
    memcpy(folder, source->path_now, len);
    folder[len] = '\0';
    path_out[0] = '\0';
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return !folder_removed(folder);  /* not mounted, not readable: no reason to forget it */
    bool found = false;
    for (const struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        if (entry->d_ino != source->tail.identity.ino || entry->d_type == DT_DIR)
            continue;
        if ((size_t)snprintf(path_out, cap, "%s/%s", len == 1 ? "" : folder, entry->d_name) < cap)
            found = same_inode_at(path_out, &source->tail.identity);
    }
    closedir(dir);
    if (!found)
        path_out[0] = '\0';
    return found;
}

/* A source that no pattern met in this scan. Returns false when it can be forgotten. */
static bool source_missing(struct scan *scan, struct cw_source *source)
{
    char path[PATH_MAX];
    source->wanted = false;
    bool in_place = same_inode_at(source->path_now, &source->tail.identity);
    if (source->tail.fd >= 0) {
        if (!in_place && source->tail.nlinks > 0 && folder_search(source, path, sizeof path) && path[0] != '\0')
            path_now_set(scan->sources, source, path);
        return true;
    }
    if (in_place)
        snprintf(path, sizeof path, "%s", source->path_now);
    else if (!folder_search(source, path, sizeof path)) {
        cw_log_info("%s is gone; it was read to byte %" PRIu64, source->path_now, source->durable_offset);
        return source->nbusy > 0;
    }
    struct stat st;
    const struct cw_target *target = target_of(scan->sources, source->path);
    if (path[0] == '\0' || target == NULL || stat(path, &st) < 0)
        return true;
    if ((uint64_t)st.st_size == cw_source_position(source) && scan->sources->scanned) {
        path_now_set(scan->sources, source, path);
        return true;  /* nothing new in it */
    }
    struct cw_tail tail;
    struct cw_err err;
    if (cw_tail_open(&tail, path, &err) < 0)
        return true;
    if (!cw_file_identity_same_inode(&source->tail.identity, &tail.identity)) {
        cw_tail_close(&tail);  /* the inode was given to another file */
        return false;
    }
    scan->target = target;
    source_reopen(scan, source, &tail, path);
    return true;
}

void cw_sources_scan(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    struct scan scan = {.sources = sources, .now_ns = now_ns, .now_mono_ns = now_mono_ns};
    struct cw_glob_visitor visitor = {on_file, on_dir, on_error, &scan};
    sources->scan_number++;
    index_build(sources);
    for (size_t i = 0; i < sources->n; i++)
        sources->items[i]->wanted = false;
    for (size_t i = 0; i < sources->ntargets; i++) {
        scan.target = sources->targets[i];
        cw_glob_walk(scan.target->glob, &visitor);
    }
    for (size_t i = 0; i < sources->nrenames; i++) {
        scan.target = target_of(sources, sources->renames[i].from);
        if (scan.target != NULL)
            file_found(&scan, sources->renames[i].to, sources->renames[i].from);
    }
    renames_clear(sources);
    size_t kept = 0, nopen = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        scan.target = NULL;
        if (source->scan_number != sources->scan_number && !source_missing(&scan, source)) {
            cw_source_free(&source);
            continue;
        }
        nopen += source->tail.fd >= 0;
        for (size_t o = 0; o < source->nrows; o++)
            source->rows[o].held_size = 0;  /* what could not be read may be readable now */
        sources->items[kept++] = source;
    }
    sources->dirty |= sources->n != kept;
    sources->n = kept;
    index_build(sources);
    sources->scanned = true;
    cw_metrics_set(sources->options.metrics, CW_M_FILES, (int64_t)nopen);
    cw_metrics_set(sources->options.metrics, CW_M_FILES_UNREADABLE, (int64_t)scan.nunreadable);
}

/* ---- files that change ---- */

static void source_truncated(struct cw_sources *sources, struct cw_source *source)
{
    uint64_t known = source->tail.identity.prefix_len, position = cw_source_position(source);
    if (source->seen.n > 0 && source->seen.at[source->seen.n - 1].size > known)
        known = source->seen.at[source->seen.n - 1].size;
    uint64_t lost = known > position ? known - position : 0;
    struct cw_err err;
    uint64_t size;
    if (cw_file_identity_read(source->tail.fd, &source->tail.identity, &size, &err) < 0)
        return;  /* asked again with the next refresh */
    source->tail.size = source->goal = size;
    cw_source_raise(source);
    sources->unsaved = true;
    cw_metrics_add(sources->options.metrics, CW_M_TRUNCATIONS, 1);
    cw_metrics_add(sources->options.metrics, CW_M_LOST_BYTES, (int64_t)lost);
    cw_log_warn("%s was truncated after byte %" PRIu64 " was delivered; %" PRIu64
                " bytes that were seen after it are lost; reading its new contents (generation %" PRIu64 ")",
                source->path_now, position, lost, source->generation);
}

/* Look at an open file: its size, and, when it changed in a way that reading alone would not show, its first bytes. */
static void source_look(struct cw_sources *sources, struct cw_source *source)
{
    struct cw_tail *tail = &source->tail;
    uint64_t size_before = tail->size, read_to = 0;
    int64_t written_before_ns = tail->written_ns;
    bool nameless = tail->identity.prefix_len == 0;
    enum cw_file_verdict verdict;
    struct cw_err err;
    for (size_t o = 0; o < source->nrows; o++)
        read_to = CW_MAX(read_to, cw_ledger_next(&source->rows[o]));
    int rc = cw_tail_stat(tail, read_to, &verdict, &err);
    if (rc == 0 && verdict == CW_FILE_SAME && tail->written_ns != written_before_ns &&
        (tail->size < size_before || tail->size <= read_to || tail->identity.prefix_len < CW_FILE_PREFIX_BYTES))
        rc = cw_tail_check(tail, read_to, &verdict, &err);
    if (rc < 0)
        cw_log_warn("%s: %s", source->path_now, err.text);
    else if (verdict == CW_FILE_CHANGED)
        source->changed = true;
    if (source->changed || !nameless || tail->identity.prefix_len == 0)
        return;
    /* It was empty until now. Without its first bytes on disk a truncation while we are down would not be seen, so
     * nothing is pushed before they are. */
    source->durable = false;
    sources->unsaved = true;
}

/* Whether the last line of a file that nobody writes any more is waited for no longer, and the file closed. Returns
 * false when the source can be forgotten. */
static bool source_settle_down(struct cw_sources *sources, struct cw_source *source, int64_t now_mono_ns)
{
    bool deleted = source->tail.nlinks == 0;
    bool left = deleted || !source->wanted || strcmp(source->path, source->path_now) != 0;
    int64_t quiet_ns = now_mono_ns - source->quiet_since_ns;
    if (!left && !sources->options.once) {
        source->final = false;
        return true;
    }
    if (!source->final && quiet_ns >= sources->options.final_wait_ns) {
        source->final = true;
        for (size_t i = 0; i < source->nrows; i++)
            source->rows[i].held_size = 0;
    }
    bool settled = cw_source_position(source) >= source->tail.size && !source->changed && source->nbusy == 0;
    if (!left || !source->final || !settled || (source->wanted && !deleted))
        return true;
    if (!deleted && quiet_ns < CW_SOURCES_CLOSE_WAIT_NS)
        return true;
    cw_log_info("%s is read to its end%s", source->path_now, deleted ? " and deleted" : "");
    source_close(sources, source);
    return !deleted;
}

void cw_sources_refresh(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        bool keep = true;
        if (source->tail.fd >= 0) {
            source_look(sources, source);
            if (source->changed && source->nbusy == 0)
                source_truncated(sources, source);
            cw_source_sight(source, now_ns, now_mono_ns);
            keep = source_settle_down(sources, source, now_mono_ns);
        }
        if (keep)
            sources->items[kept++] = source;
        else
            cw_source_free(&source);
    }
    if (kept != sources->n) {
        sources->dirty = true;
        sources->n = kept;
        index_build(sources);
    }
}

/* ---- positions ---- */

void cw_sources_positions(const struct cw_sources *sources, struct cw_arena *arena, struct cw_positions *out)
{
    out->nsources = 0;
    out->sources = CW_ARENA_ARRAY(arena, struct cw_position, sources->n);
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        out->sources[out->nsources++] =
            (struct cw_position){source->id, source->generation, cw_source_position(source), source->tail.identity,
                                 cw_str_of(source->path), cw_str_of(source->path_now)};
    }
}

void cw_sources_saved(struct cw_sources *sources, const struct cw_positions *saved)
{
    CW_ASSERT(saved->nsources == sources->n);
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        CW_ASSERT(source->generation == saved->sources[i].generation);
        source->durable = true;
        source->durable_offset = saved->sources[i].offset;
        source->durable_prefix_len = saved->sources[i].identity.prefix_len;
        cw_sightings_prune(&source->seen, saved->sources[i].offset);
    }
    sources->unsaved = sources->dirty = false;
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

bool cw_sources_goal_reached(const struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        if (source->tail.fd >= 0 && cw_source_position(source) < source->goal)
            return false;
    }
    return sources->scanned && !sources->unsaved;
}

uint64_t cw_sources_lag(const struct cw_sources *sources)
{
    uint64_t lag = 0;
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        uint64_t position = cw_source_position(source);
        if (source->tail.fd >= 0 && source->tail.size > position)
            lag += source->tail.size - position;
    }
    return lag;
}
