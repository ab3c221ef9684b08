/*
 * sources_packed.c - sources.c, the part for compressed files (unpack.h).
 *
 * A generation that was compressed before it was read is joined to its history: the source goes on
 * in the text of the compressed file, at the same offsets, as if its log had only been renamed. It is
 * told by the first bytes of that text. Generations that came and were compressed while the shipper
 * was down are told by the time of their last line: nobody can have read that.
 */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/rotated_name.h"
#include "shipper/shipper_metrics.h"
#include "shipper/sources_priv.h"

static void damage_tell(const struct cw_sources *sources, const struct cw_tail *tail,
                        const char *path, const struct cw_err *err)
{
    cw_metrics_add(sources->options.metrics, CW_M_PACKED_DAMAGED, 1);
    cw_log_warn("%s is damaged, what follows its first %" PRIu64 " bytes of text is lost: %s", path,
                tail->size, err->text);
}

int cw_sources_tail_open(struct cw_sources *sources, struct cw_tail *tail, const char *path,
                         struct cw_err *err)
{
    if (!cw_unpack_is_packed(path))
        return cw_tail_open(tail, path, err);
    *tail = (struct cw_tail){.fd = -1};
    sources->deferred |= sources->unpacking != NULL;
    if (sources->options.unpack_folder == NULL || sources->unpacking != NULL)
        return cw_err_set(err, CW_E_NOT_FOUND, "%s is unpacked later", path);
    int rc = cw_tail_open_packed(tail, path, sources->options.unpack_folder, err);
    if (rc == 0 && cw_unpack_state(tail->unpack) == CW_UNPACK_DAMAGED)
        damage_tell(sources, tail, path, err);
    return rc;
}

bool cw_sources_unpack(struct cw_sources *sources, int64_t now_ns)
{
    struct cw_source *source = sources->unpacking;
    struct cw_err err = {0};
    if (source == NULL)
        return false;
    enum cw_unpack_state state =
        cw_unpack_step(source->tail.unpack, cw_source_position(source), now_ns, &err);
    cw_sources_touch(sources, source);
    if (state == CW_UNPACK_DAMAGED) {
        damage_tell(sources, &source->tail, source->path_now, &err);
    } else if (err.code != 0 && source->tail.size != sources->unpack_told) {
        cw_log_warn("%s waits: %s", source->path_now, err.text);
        sources->unpack_told = source->tail.size;
    }
    if (state >= CW_UNPACK_DONE) {
        sources->unpacking = NULL;
        sources->deferred = true; /* it may be the turn of another */
    }
    return state == CW_UNPACK_MORE;
}

/* ---- the generations of a log ---- */

static int64_t written_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * CW_NS_PER_S + st->st_mtim.tv_nsec;
}

static bool is_source(const struct cw_sources *sources, const char *path, const struct stat *st)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX; (source = cw_sources_index_next(sources, st->st_ino, &at)) != NULL;)
        if (cw_file_identity_is_at(path, &source->tail.identity))
            return true;
    return false;
}

/* Visit the compressed files in the folder of a log that may be generations of it, and are no
 * sources yet. `other` is one more name that they may have been made of. */
static void packed_walk(const struct cw_sources *sources, const char *log, const char *other,
                        void (*visit)(void *arg, const char *path, const struct stat *st),
                        void *arg)
{
    char path[PATH_MAX], stem[PATH_MAX];
    const char *slash = strrchr(log, '/');
    int len = slash != NULL ? (int)(slash - log) + 1 : 0;
    snprintf(path, sizeof path, "%.*s", len, log);
    DIR *dir = len > 0 ? opendir(path) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        struct stat st;
        struct cw_str name = cw_unpack_stem(cw_str_of(entry->d_name));
        if (name.len == 0 ||
            (size_t)snprintf(path, sizeof path, "%.*s%s", len, log, entry->d_name) >= sizeof path)
            continue;
        snprintf(stem, sizeof stem, "%.*s%.*s", len, log, CW_STR_ARG(name));
        if ((strcmp(stem, log) == 0 || strcmp(stem, other) == 0 || cw_rotated_path(log, stem)) &&
            stat(path, &st) == 0 && S_ISREG(st.st_mode) && !is_source(sources, path, &st) &&
            cw_unpack_is_packed(path))
            visit(arg, path, &st);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Whether its text begins as the source's file did. */
static bool text_is_of(const struct cw_tail *tail, const struct cw_source *source)
{
    enum cw_file_verdict verdict;
    struct cw_err err;
    return source->tail.identity.prefix_len > 0 &&
           cw_file_identity_check(tail->fd, &source->tail.identity, &verdict, &err) == 0 &&
           verdict == CW_FILE_SAME;
}

struct join {
    struct cw_sources *sources;
    const struct cw_source *source;
    int64_t born_after_ns;
    int64_t written_ns; /* of the found one; of several the first after the source's birth */
    struct cw_file_identity identity;
    char path[PATH_MAX];
};

static void on_packed(void *arg, const char *path, const struct stat *st)
{
    struct join *join = arg;
    struct cw_tail tail;
    struct cw_err err;
    if (written_ns(st) >= join->written_ns ||
        written_ns(st) + CW_NS_PER_S < join->source->tail.identity.birth_ns)
        return;
    if (cw_tail_open_packed(&tail, path, join->sources->options.unpack_folder, &err) < 0) {
        cw_log_warn("%s", err.text);
        return;
    }
    if (text_is_of(&tail, join->source) &&
        (tail.identity.birth_ns == 0 || tail.identity.birth_ns > join->born_after_ns)) {
        join->written_ns = written_ns(st);
        join->identity = tail.identity;
        snprintf(join->path, sizeof join->path, "%s", path);
    }
    cw_tail_close(&tail);
}

bool cw_sources_packed_find(struct cw_sources *sources, const struct cw_source *source, char *path,
                            size_t size)
{
    struct join join = {
        .sources = sources, .source = source, .born_after_ns = INT64_MIN, .written_ns = INT64_MAX};
    if (sources->options.unpack_folder == NULL)
        return false;
    packed_walk(sources, source->path, source->path_now, on_packed, &join);
    snprintf(path, size, "%s", join.path);
    /* Compressing keeps the time of the last line: nothing came since it was read to its end. */
    bool is_read = source->tail.size > 0 && cw_source_position(source) >= source->tail.size &&
                   join.written_ns / CW_NS_PER_S == source->tail.written_ns / CW_NS_PER_S;
    return path[0] != '\0' && !is_read;
}

bool cw_sources_packed_copy(struct cw_sources *sources, const struct cw_source *source,
                            int64_t born_after_ns, char *path, size_t size,
                            struct cw_file_identity *identity)
{
    struct join join = {.sources = sources,
                        .source = source,
                        .born_after_ns = born_after_ns,
                        .written_ns = INT64_MAX};
    if (sources->options.unpack_folder == NULL)
        return false;
    packed_walk(sources, source->path, source->path_now, on_packed, &join);
    snprintf(path, size, "%s", join.path);
    *identity = join.identity;
    return path[0] != '\0';
}

/* ---- those that came while we were down, or before we knew the log ---- */

struct missed {
    struct cw_sources *sources;
    const char *log;
    int64_t after_ns; /* those that were written later */
};

static bool is_known(struct missed *missed, const struct cw_tail *tail)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX;
         (source = cw_sources_path_next(missed->sources, missed->log, &at)) != NULL;)
        if (text_is_of(tail, source))
            return true;
    return false;
}

static void on_missed(void *arg, const char *path, const struct stat *st)
{
    struct missed *missed = arg;
    struct cw_sources *sources = missed->sources;
    struct cw_tail tail;
    struct cw_err err;
    if (written_ns(st) <= missed->after_ns)
        return;
    if (cw_tail_open_packed(&tail, path, sources->options.unpack_folder, &err) < 0) {
        cw_log_warn("%s", err.text);
        return;
    }
    if (!is_known(missed, &tail)) {
        struct cw_source *source = cw_source_new(sources->noutputs, missed->log);
        cw_source_path_now_set(source, path);
        cw_source_draw_id(source);
        source->tail.identity = tail.identity; /* it is opened when its turn comes */
        cw_sources_add(sources, source);
        sources->unsaved = true;
    }
    cw_tail_close(&tail);
}

void cw_sources_packed_missed(struct cw_sources *sources, const char *log)
{
    struct missed missed = {sources, log, sources->options.last_alive_ns};
    if (sources->options.unpack_folder != NULL && sources->options.last_alive_ns > 0)
        packed_walk(sources, log, log, on_missed, &missed);
}

void cw_sources_packed_older(struct cw_sources *sources, const char *log)
{
    struct missed missed = {sources, log, INT64_MIN};
    if (sources->options.unpack_folder != NULL && !sources->options.from_end)
        packed_walk(sources, log, log, on_missed, &missed);
}
