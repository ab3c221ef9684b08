/*
 * sources_held.c - sources.c, the part that keeps deleted files over a reload.
 *
 * A reload starts the program anew in its process (execv): a file that has no name any more can only be read on if its descriptor
 * stays open. So those of which something is unsettled are left open, and the next program looks among the descriptors that it was
 * born with for files that its positions know. It needs to be told nothing more.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/shipper_metrics.h"
#include "shipper/sources_priv.h"

/* ---- the program that ends ---- */

void cw_sources_held_leave(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->nheld; i++) /* waiting for their targets still */
        (void)fcntl(sources->held[i].fd, F_SETFD, 0);
    sources->nheld = 0;
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        struct stat st;
        if (source->tail.fd < 0 || source->tail.unpack != NULL || fstat(source->tail.fd, &st) < 0 ||
            st.st_nlink > 0 || cw_source_position(source) >= (uint64_t)st.st_size ||
            source->joined) /* goes on in its compressed generation */
            continue;
        if (fcntl(source->tail.fd, F_SETFD, 0) == 0)
            source->tail.fd = -1;
    }
}

/* ---- the one that begins ---- */

static struct cw_source *source_of(struct cw_sources *sources,
                                   const struct cw_file_identity *identity)
{
    for (size_t i = 0; i < sources->n; i++)
        if (cw_file_identity_same_inode(&sources->items[i]->tail.identity, identity))
            return sources->items[i];
    return NULL;
}

void cw_sources_held_find(struct cw_sources *sources)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int fd = atoi(entry->d_name);
        struct cw_file_identity identity;
        struct stat st;
        uint64_t size;
        struct cw_err err;
        if (fd <= STDERR_FILENO || fd == dirfd(folder) || fstat(fd, &st) < 0 ||
            !S_ISREG(st.st_mode) || st.st_nlink > 0 ||
            cw_file_identity_read(fd, &identity, &size, &err) < 0 ||
            source_of(sources, &identity) == NULL || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            continue;
        sources->held = cw_mem_resize(sources->held, (sources->nheld + 1) * sizeof *sources->held);
        sources->held[sources->nheld++] = (struct cw_held_file){fd, identity};
    }
    closedir(folder);
}

bool cw_sources_is_held(const struct cw_sources *sources, const struct cw_source *source)
{
    for (size_t i = 0; i < sources->nheld; i++)
        if (cw_file_identity_same_inode(&sources->held[i].identity, &source->tail.identity))
            return true;
    return false;
}

/* Its target has not come: nobody will. */
static void held_lost(struct cw_sources *sources, struct cw_source *source, int fd)
{
    struct stat st;
    uint64_t position = cw_source_position(source);
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size <= position)
        return;
    uint64_t nlost = (uint64_t)st.st_size - position;
    cw_metrics_add(sources->options.metrics, CW_M_LOST_BYTES, (int64_t)nlost);
    cw_sources_count_gap(sources, source, position, (uint64_t)st.st_size,
                         CW_STR("removed before it was read"));
    cw_log_warn("%s was removed, and no target has it since the reload: its bytes from %" PRIu64
                " on are lost, %" PRIu64 " in all",
                source->path_now, position, nlost);
}

void cw_sources_held_take(struct cw_sources *sources, int64_t now_ns, int64_t now_mono_ns)
{
    size_t kept = 0;
    bool late = now_mono_ns - sources->began_mono_ns > CW_SOURCES_TARGET_WAIT_NS;
    for (size_t i = 0; i < sources->nheld; i++) {
        const struct cw_held_file held = sources->held[i];
        struct cw_source *source = source_of(sources, &held.identity);
        struct cw_tail tail;
        struct cw_err err;
        bool open = source != NULL && source->tail.fd >= 0;
        if (source != NULL && !open && cw_sources_target_of(sources, source->path) == NULL &&
            !late) {
            sources->held[kept++] = held;
            continue;
        }
        if (source == NULL || open || late) {
            if (source != NULL && !open)
                held_lost(sources, source, held.fd);
            close(held.fd);
        } else if (cw_tail_take(&tail, held.fd, source->path_now, &err) < 0) {
            cw_log_warn("reading %s: %s", source->path_now, err.text);
        } else {
            cw_log_info("%s was deleted and is read to its end", source->path_now);
            cw_sources_reopen(sources, NULL, source, &tail, source->path_now, now_ns, now_mono_ns);
        }
    }
    sources->nheld = kept;
}

void cw_sources_held_close(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->nheld; i++)
        close(sources->held[i].fd);
    sources->nheld = 0;
    free(sources->held);
    sources->held = NULL;
}
