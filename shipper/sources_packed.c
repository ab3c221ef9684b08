/*
 * sources_packed.c - sources.c, the part that reads compressed files (unpack.h), of which one at a time
 * is unpacked further, and finds the copy of a log that was truncated. Other generations of logs:
 * sources_generations.c.
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

/* How often files that wait for their writers are looked at. */
#define REST_LOOK_NS (200 * CW_NS_PER_MS)

void cw_sources_damage_tell(struct cw_sources *sources, const struct cw_tail *tail,
                            const char *path, const struct cw_err *err)
{
    sources->ndamaged++;
    cw_metrics_add(sources->options.metrics, CW_M_PACKED_DAMAGED, 1);
    cw_log_warn("%s is damaged, what follows its first %" PRIu64 " bytes of text is lost: %s", path,
                tail->size, err->text);
}

bool cw_sources_is_packed(const struct cw_target *target, const char *path)
{
    if (target == NULL || !target->unpack)
        return cw_unpack_is_packed(path);
    return cw_unpack_codec_of(path, target->unpack_format) != CW_CODEC_NONE;
}

int cw_sources_tail_open(struct cw_sources *sources, const struct cw_target *target,
                         struct cw_tail *tail, const char *path, struct cw_err *err)
{
    if (!cw_sources_is_packed(target, path))
        return cw_tail_open(tail, path, err);
    *tail = (struct cw_tail){.fd = -1};
    sources->deferred |= sources->unpacking != NULL;
    sources->turn_wanted |= sources->unpacking != NULL;
    if (sources->options.unpack_folder == NULL || sources->unpacking != NULL)
        return cw_err_set(err, CW_E_NOT_FOUND, "%s is unpacked later", path);
    enum cw_codec format = target != NULL && target->unpack ? target->unpack_format : CW_CODEC_NONE;
    int rc = cw_tail_open_packed(tail, path, format, sources->options.unpack_folder, err);
    if (rc == 0 && cw_unpack_state(tail->unpack) == CW_UNPACK_DAMAGED)
        cw_sources_damage_tell(sources, tail, path, err);
    return rc;
}

/* What is waited for is told once, a disk that is full each time when some more was written. */
static void wait_tell(struct cw_source *source, const struct cw_err *err)
{
    uint64_t now = source->tail.size + 1;
    if (source->unpack_told == 0 && err->code == CW_E_CORRUPT)
        cw_log_info("%s is not read to its end yet: %s; it may still be written, until it was not "
                    "for 60 s",
                    source->path_now, err->text);
    else if (source->unpack_told != now && err->code != CW_E_CORRUPT)
        cw_log_warn("%s waits: %s", source->path_now, err->text);
    source->unpack_told = now;
}

static enum cw_unpack_state source_unpack(struct cw_sources *sources, struct cw_source *source,
                                          int64_t now_ns)
{
    struct cw_err err = {0};
    enum cw_unpack_state state =
        cw_unpack_step(source->tail.unpack, cw_source_position(source), now_ns, &err);
    cw_sources_touch(sources, source);
    if (state == CW_UNPACK_DAMAGED)
        cw_sources_damage_tell(sources, &source->tail, source->path_now, &err);
    else if (state == CW_UNPACK_WAITING && err.code != 0)
        wait_tell(source, &err);
    return state;
}

/* Files whose turn another has got: which have more to say, or no more. Their turn comes again while no other has it. */
static void resting_look(struct cw_sources *sources, int64_t now_ns)
{
    if (sources->nresting == 0 || now_ns - sources->rest_looked_ns < REST_LOOK_NS)
        return;
    sources->rest_looked_ns = now_ns;
    sources->nresting = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (source->tail.fd < 0 || source->tail.unpack == NULL ||
            !cw_unpack_rests(source->tail.unpack))
            continue;
        if (sources->unpacking == NULL && source_unpack(sources, source, now_ns) < CW_UNPACK_DONE &&
            !cw_unpack_rests(source->tail.unpack))
            sources->unpacking = source;
        sources->nresting += cw_unpack_rests(source->tail.unpack);
    }
}

bool cw_sources_unpack(struct cw_sources *sources, int64_t now_ns)
{
    struct cw_source *source = sources->unpacking;
    resting_look(sources, now_ns);
    if (source == NULL)
        return sources->unpacking != NULL;
    enum cw_unpack_state state = source_unpack(sources, source, now_ns);
    bool rests = state == CW_UNPACK_WAITING && (sources->turn_wanted || sources->next_due) &&
                 cw_unpack_rest(source->tail.unpack);
    sources->nresting += rests;
    if (state >= CW_UNPACK_DONE || rests) {
        sources->unpacking = NULL;
        sources->deferred = true; /* it may be the turn of another */
        sources->turn_wanted = false;
    }
    return state == CW_UNPACK_MORE;
}

/* ---- the generations of a log ---- */

static int64_t written_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * CW_NS_PER_S + st->st_mtim.tv_nsec;
}

bool cw_sources_has_file(const struct cw_sources *sources, const struct cw_file_identity *identity)
{
    const struct cw_source *source;
    for (size_t at = SIZE_MAX;
         (source = cw_sources_index_next(sources, identity->ino, &at)) != NULL;)
        if (cw_file_identity_same_inode(&source->tail.identity, identity))
            return true;
    return false;
}

/* Visit the compressed files in the folder of a log that may be generations of it. `other` is one more name that they may have
 * been made of. */
static void packed_walk(const char *log, const char *other,
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
            stat(path, &st) == 0 && S_ISREG(st.st_mode) && cw_unpack_is_packed(path))
            visit(arg, path, &st);
    }
    if (dir != NULL)
        closedir(dir);
}

bool cw_sources_text_is_of(const struct cw_tail *tail, const struct cw_source *source)
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
    if (cw_tail_open_packed(&tail, path, CW_CODEC_NONE, join->sources->options.unpack_folder,
                            &err) < 0) {
        cw_log_warn("%s", err.text);
        return;
    }
    if (!cw_sources_has_file(join->sources, &tail.identity) &&
        cw_sources_text_is_of(&tail, join->source) &&
        (tail.identity.birth_ns == 0 || tail.identity.birth_ns > join->born_after_ns)) {
        join->written_ns = written_ns(st);
        join->identity = tail.identity;
        snprintf(join->path, sizeof join->path, "%s", path);
    }
    cw_tail_close(&tail);
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
    packed_walk(source->path, source->path_now, on_packed, &join);
    snprintf(path, size, "%s", join.path);
    *identity = join.identity;
    return path[0] != '\0';
}
