/* folder_search.c - a folder is read until it tells, see folder_search.h. */
#include "shipper/folder_search.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { TICK_MS_MAX = 10 };

/* Whether a folder that cannot be opened was removed, as that of a container is: what held it is
 * there and not empty (as the place of a disk that is not mounted would be). */
static bool is_removed(char *folder)
{
    char *slash = strrchr(folder, '/');
    if (errno != ENOENT || slash == NULL || slash == folder)
        return false;
    *slash = '\0';
    DIR *dir = opendir(folder);
    unsigned names = 0;
    while (dir != NULL && names < 3 && readdir(dir) != NULL)
        names++; /* "." and ".." are two */
    if (dir != NULL)
        closedir(dir);
    return names == 3;
}

static bool is_met(DIR *dir, const char *folder, const struct cw_file_identity *identity,
                   char *path_out, size_t cap)
{
    const char *prefix = strcmp(folder, "/") == 0 ? "" : folder;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_ino == identity->ino && entry->d_type != DT_DIR &&
            (size_t)snprintf(path_out, cap, "%s/%s", prefix, entry->d_name) < cap &&
            cw_file_identity_is_at(path_out, identity))
            return true;
    return false;
}

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

/* When the folder was last changed, after waiting for the end of the tick in which that was. False: that is not over. */
static bool quiet_since(DIR *dir, struct timespec *out)
{
    for (unsigned i = 0; i <= TICK_MS_MAX; i++) {
        struct timespec now;
        struct stat st;
        clock_gettime(CLOCK_REALTIME_COARSE,
                      &now); /* ahead of the look, so that no later change can be older */
        if (fstat(dirfd(dir), &st) < 0)
            return false;
        *out = st.st_mtim;
        if (is_before(st.st_mtim, now))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static bool is_unchanged(DIR *dir, struct timespec since)
{
    struct stat st;
    return fstat(dirfd(dir), &st) == 0 && !is_before(since, st.st_mtim) &&
           !is_before(st.st_mtim, since);
}

static enum cw_folder_answer search_once(DIR *dir, const char *folder,
                                         const struct cw_file_identity *identity, bool wait,
                                         char *path_out, size_t cap)
{
    struct timespec since;
    bool quiet = wait && quiet_since(dir, &since);
    rewinddir(dir);
    if (is_met(dir, folder, identity, path_out, cap))
        return CW_FOLDER_FOUND;
    return quiet && is_unchanged(dir, since) ? CW_FOLDER_MISSING : CW_FOLDER_BUSY;
}

enum cw_folder_answer cw_folder_search(const char *path, const struct cw_file_identity *identity,
                                       unsigned *nvain, char *path_out, size_t cap)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) + 2 > sizeof folder)
        return CW_FOLDER_MISSING;
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, path, len);
    folder[len] = '\0';
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return is_removed(folder) ? CW_FOLDER_MISSING : CW_FOLDER_UNREADABLE;
    enum cw_folder_answer answer;
    do {
        answer = search_once(dir, folder, identity, *nvain < CW_FOLDER_VAIN_MAX, path_out, cap);
        *nvain += answer == CW_FOLDER_BUSY;
    } while (answer == CW_FOLDER_BUSY && *nvain < CW_FOLDER_VAIN_MAX);
    closedir(dir);
    return answer;
}
