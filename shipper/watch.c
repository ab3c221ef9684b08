#include "shipper/watch.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/base/str.h"

#define DIR_EVENTS                                                                                 \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR)
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB)
enum { WATCH_MAGIC = 0x77617463, EVENTS_BYTES = 64 << 10 };

struct watch_dir {
    int number;
    unsigned round;   /* of looks through folders, when it was met last */
    unsigned of_link; /* the same, where a link ended in it */
    char *path;
};

struct cw_watch {
    uint32_t magic;
    int fd;
    unsigned nopen; /* uv handles not yet closed; at 0 it is freed */
    uv_poll_t poll;
    uv_timer_t pause; /* events wait in the kernel until it ends */
    struct cw_watch_events events;
    struct watch_dir *dirs; /* by number */
    size_t ndirs, dirs_cap;
    unsigned round;
    uint32_t moved_cookie; /* the last IN_MOVED_FROM */
    char moved_from[PATH_MAX];
    bool refused; /* told once that watches have run out */
};

enum met_how { NAMED, OF_LINK };

static void on_pause_end(uv_timer_t *timer);

/* The first whose number is not smaller. */
static size_t dir_at(const struct cw_watch *watch, int number)
{
    size_t low = 0, high = watch->ndirs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (watch->dirs[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct watch_dir *dir_find(const struct cw_watch *watch, int number)
{
    size_t at = dir_at(watch, number);
    return at < watch->ndirs && watch->dirs[at].number == number ? &watch->dirs[at] : NULL;
}

static void dir_drop(struct cw_watch *watch, int number)
{
    struct watch_dir *dir = dir_find(watch, number);
    if (dir == NULL)
        return;
    free(dir->path);
    memmove(dir, dir + 1, (size_t)(watch->dirs + --watch->ndirs - dir) * sizeof *dir);
}

/* Numbers are given out in rising order: it comes to the end. */
static struct watch_dir *dir_add(struct cw_watch *watch, int number, const char *path)
{
    if (watch->ndirs == watch->dirs_cap) {
        watch->dirs_cap = watch->dirs_cap ? 2 * watch->dirs_cap : 16;
        watch->dirs = cw_mem_resize(watch->dirs, watch->dirs_cap * sizeof *watch->dirs);
    }
    struct watch_dir *dir = &watch->dirs[dir_at(watch, number)];
    memmove(dir + 1, dir, (size_t)(watch->dirs + watch->ndirs++ - dir) * sizeof *dir);
    *dir = (struct watch_dir){.number = number, .path = cw_str_dupz(cw_str_of(path))};
    return dir;
}

/* A name in a folder. A rename inside one comes as two events with one cookie, side by side. */
static bool name_event(struct cw_watch *watch, const struct inotify_event *event)
{
    const struct watch_dir *dir = dir_find(watch, event->wd);
    if (dir == NULL || event->len == 0)
        return true; /* the folder itself, or events were lost */
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", strcmp(dir->path, "/") == 0 ? "" : dir->path,
                         event->name) >= sizeof path)
        return true;
    if (event->mask & IN_MOVED_FROM) {
        watch->moved_cookie = event->cookie;
        memcpy(watch->moved_from, path, strlen(path) + 1);
    } else if ((event->mask & IN_MOVED_TO) && event->cookie == watch->moved_cookie &&
               event->cookie != 0) {
        watch->events.on_renamed(watch->events.arg, watch->moved_from, path);
    }
    bool matters = watch->events.on_name(watch->events.arg, path);
    return matters || dir->of_link == watch->round;
}

static void on_readable(uv_poll_t *poll, int status, int ready)
{
    struct cw_watch *watch = CW_CONTAINER_OF(poll, struct cw_watch, poll);
    CW_CHECK(watch, WATCH_MAGIC);
    _Alignas(struct inotify_event) static char bytes[EVENTS_BYTES];
    bool names = status < 0, files = false;
    ssize_t len;
    while ((len = read(watch->fd, bytes, sizeof bytes)) > 0) {
        for (const char *at = bytes; at < bytes + len;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
            at += sizeof *event + event->len;
            if (event->mask & IN_Q_OVERFLOW) {
                names = true;
                cw_log_info("inotify lost events (fs.inotify.max_queued_events): all files are "
                            "looked at");
            } else if (event->mask & IN_IGNORED) {
                dir_drop(watch, event->wd);
            } else if (event->mask & FILE_EVENTS) {
                bool written = (event->mask & FILE_EVENTS) == IN_MODIFY;
                watch->events.on_file(watch->events.arg, event->wd, written);
                files = true;
            } else {
                names |= name_event(watch, event);
            }
        }
    }
    uv_poll_stop(&watch->poll);
    uv_timer_start(&watch->pause, on_pause_end, CW_WATCH_PAUSE_MS, 0);
    if (files || names)
        watch->events.on_change(watch->events.arg, names);
}

static void on_pause_end(uv_timer_t *timer)
{
    struct cw_watch *watch = CW_CONTAINER_OF(timer, struct cw_watch, pause);
    CW_CHECK(watch, WATCH_MAGIC);
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
}

int cw_watch_open(uv_loop_t *loop, const struct cw_watch_events *events, struct cw_watch **out,
                  struct cw_err *err)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return cw_err_errno(err, CW_E_IO, errno, "inotify");
    struct cw_watch *watch = cw_mem_new(sizeof *watch);
    watch->magic = WATCH_MAGIC;
    watch->fd = fd;
    watch->events = *events;
    watch->round = 1;
    int rc = uv_poll_init(loop, &watch->poll, fd);
    if (rc < 0) {
        close(fd);
        free(watch);
        return cw_err_set(err, CW_E_IO, "inotify on the loop: %s", uv_strerror(rc));
    }
    uv_timer_init(loop, &watch->pause);
    watch->nopen = 2;
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    *out = watch;
    return 0;
}

/* Whether others may write there without our kernel's hearing of it: network file systems, and
 * layers under which a file may be another. */
static bool is_blind(const struct statfs *fs)
{
    static const uint32_t types[] = {
        0x6969 /* NFS */,      0x517b /* SMB */,       0xff534d42 /* CIFS */,
        0xfe534d42 /* SMB2 */, 0x65735546 /* FUSE */,  0x01021997 /* 9P */,
        0x00c36400 /* Ceph */, 0x5346414f /* AFS */,   0x73757245 /* Coda */,
        0x01161970 /* GFS2 */, 0x7461636f /* OCFS2 */, 0x794c7630 /* overlay */};
    for (size_t i = 0; i < CW_COUNT(types); i++)
        if ((uint32_t)fs->f_type == types[i])
            return true;
    return false;
}

static int watch_add(struct cw_watch *watch, const char *path, uint32_t events)
{
    int number = inotify_add_watch(watch->fd, path, events);
    if (number < 0 && (errno == ENOSPC || errno == ENOMEM) && !watch->refused) {
        watch->refused = true;
        cw_log_warn(
            "no more inotify watches (fs.inotify.max_user_watches): further files are polled");
    }
    return number;
}

static bool dir_watch(struct cw_watch *watch, const char *path, enum met_how how)
{
    struct statfs fs;
    int number = watch_add(watch, path, DIR_EVENTS);
    if (number < 0)
        return false;
    struct watch_dir *dir = dir_find(watch, number);
    if (dir == NULL) {
        dir = dir_add(watch, number, path);
    } else if (strcmp(dir->path, path) != 0 && how == NAMED) {
        free(dir->path); /* the folder was renamed, or is met by another name */
        dir->path = cw_str_dupz(cw_str_of(path));
    }
    dir->round = watch->round;
    if (how == OF_LINK)
        dir->of_link = watch->round;
    return statfs(path, &fs) == 0 && !is_blind(&fs);
}

bool cw_watch_dir(struct cw_watch *watch, const char *path)
{
    return dir_watch(watch, path, NAMED);
}

bool cw_watch_dir_of_link(struct cw_watch *watch, const char *path)
{
    return dir_watch(watch, path, OF_LINK);
}

void cw_watch_dirs_begin(struct cw_watch *watch)
{
    watch->round++;
}

void cw_watch_dirs_end(struct cw_watch *watch)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->ndirs; i++) {
        struct watch_dir *dir = &watch->dirs[i];
        if (dir->round == watch->round) {
            watch->dirs[kept++] = *dir;
            continue;
        }
        (void)inotify_rm_watch(watch->fd, dir->number);
        free(dir->path);
    }
    watch->ndirs = kept;
}

int cw_watch_file(struct cw_watch *watch, int fd)
{
    struct statfs fs;
    char path[64];
    if (fstatfs(fd, &fs) < 0 || is_blind(&fs))
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return watch_add(watch, path, FILE_EVENTS);
}

void cw_watch_forget(struct cw_watch *watch, int number)
{
    if (number >= 0)
        (void)inotify_rm_watch(watch->fd, number);
}

static void on_closed(uv_handle_t *handle)
{
    struct cw_watch *watch = handle->data;
    CW_CHECK(watch, WATCH_MAGIC);
    if (--watch->nopen > 0)
        return;
    close(watch->fd);
    for (size_t i = 0; i < watch->ndirs; i++)
        free(watch->dirs[i].path);
    free(watch->dirs);
    watch->magic = 0;
    free(watch);
}

void cw_watch_close(struct cw_watch **watch)
{
    struct cw_watch *w = *watch;
    *watch = NULL;
    if (w == NULL)
        return;
    w->poll.data = w->pause.data = w;
    uv_close((uv_handle_t *)&w->poll, on_closed);
    uv_close((uv_handle_t *)&w->pause, on_closed);
}
