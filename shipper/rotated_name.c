#include "shipper/rotated_name.h"
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>

/* A separator, then digits with what dates have between them: ".1", "-20260105",
 * "_2026-01-05T10:00:00", ".1.2". */
static bool is_number(struct cw_str text)
{
    if (text.len < 2 || strchr(".-_", text.ptr[0]) == NULL ||
        !isdigit((unsigned char)text.ptr[text.len - 1]))
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (!isdigit((unsigned char)text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr(".-_:T", text.ptr[i]) == NULL))
            return false;
    return true;
}

bool cw_rotated_name(struct cw_str log, struct cw_str name)
{
    if (cw_str_starts(name, log) && is_number(cw_str_sub(name, log.len, name.len)))
        return true;
    size_t dot = log.len;
    while (dot > 0 && log.ptr[dot - 1] != '.')
        dot--;
    if (dot < 2)
        return false;
    struct cw_str stem = cw_str_sub(log, 0, dot - 1), extension = cw_str_sub(log, dot - 1, log.len);
    return name.len > log.len && cw_str_starts(name, stem) && cw_str_ends(name, extension) &&
           is_number(cw_str_sub(name, stem.len, name.len - extension.len));
}

/* How many bytes of the path are its folder, the slash included. */
static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

bool cw_rotated_path(const char *log, const char *path)
{
    size_t len = folder_len(log);
    return len == folder_len(path) && memcmp(log, path, len) == 0 &&
           cw_rotated_name(cw_str_of(log + len), cw_str_of(path + len));
}

bool cw_rotated_logs(const char *path, bool (*visit)(void *arg, const char *log), void *arg)
{
    size_t folder = folder_len(path);
    struct cw_str name = cw_str_of(path + folder);
    const char *dot = strrchr(name.ptr, '.');
    size_t extension = dot == NULL ? 0 : (size_t)(dot - name.ptr);
    char log[PATH_MAX];
    if (folder + name.len >= sizeof log)
        return false;
    memcpy(log, path, folder);
    for (size_t i = 1; i < name.len; i++) {
        memcpy(log + folder, name.ptr, i);
        log[folder + i] = '\0';
        if (is_number(cw_str_sub(name, i, name.len)) && visit(arg, log))
            return true;
        if (i >= extension || !is_number(cw_str_sub(name, i, extension)))
            continue;
        memcpy(log + folder + i, dot, name.len - extension + 1);
        if (visit(arg, log))
            return true;
    }
    return false;
}

void cw_rotated_walk(const char *log, void (*visit)(void *arg, const char *path), void *arg)
{
    size_t len = folder_len(log);
    char path[PATH_MAX];
    if (len == 0 || len >= sizeof path)
        return;
    memcpy(path, log, len);
    path[len] = '\0';
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (cw_rotated_name(cw_str_of(log + len), cw_str_of(entry->d_name)) &&
            (size_t)snprintf(path + len, sizeof path - len, "%s", entry->d_name) <
                sizeof path - len)
            visit(arg, path);
    if (dir != NULL)
        closedir(dir);
}
