#include "shipper/pod_logs.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"

/* A pod's folder and those of its containers come one behind the other. */
enum { POD_LOGS_MAGIC = 0x706f646c, SOON_MS = 100 };

struct pod_logs {
    uint32_t magic;
    struct cw_discovery_host host;
    const struct cw_scrape *scrape;
    const struct cw_pod_logs_config *config;
    struct cw_targets *targets;
    struct cw_watch *watch; /* NULL: polling only */
    uv_timer_t timer;
    bool listed, failing;
};

static void on_timer(uv_timer_t *timer);

bool cw_pod_logs_folder(struct cw_str name, struct cw_str *namespace_out, struct cw_str *pod_out,
                        struct cw_str *uid_out)
{
    *uid_out = name;
    return cw_str_split(uid_out, '_', namespace_out) && cw_str_split(uid_out, '_', pod_out) &&
           namespace_out->len > 0 && pod_out->len > 0 && uid_out->len > 0 &&
           cw_str_find_byte(*uid_out, '_') < 0;
}

static bool is_folder(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           (entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN);
}

static void container_found(struct pod_logs *logs, struct cw_str folder, struct cw_str container,
                            struct cw_arena *arena, struct cw_found *out)
{
    struct cw_str namespace, pod, uid;
    struct cw_target_labels *labels = &out->labels;
    (void)cw_pod_logs_folder(folder, &namespace, &pod, &uid);
    *out = (struct cw_found){.labels = cw_target_labels_make(arena), .name = pod};
    cw_target_labels_set(labels, CW_STR("__meta_kubernetes_namespace"), namespace);
    cw_target_labels_set(labels, CW_STR("__meta_kubernetes_pod_name"), pod);
    cw_target_labels_set(labels, CW_STR("__meta_kubernetes_pod_uid"), uid);
    cw_target_labels_set(labels, CW_STR("__meta_kubernetes_pod_container_name"), container);
    cw_target_labels_set(labels, CW_STR("__path__"),
                         cw_arena_printf(arena, "%.*s/%.*s/%.*s/*.log",
                                         CW_STR_ARG(logs->config->path), CW_STR_ARG(folder),
                                         CW_STR_ARG(container)));
    if (!cw_relabel_empty(logs->scrape->relabel))
        return;
    cw_target_labels_set(labels, CW_STR("namespace"), namespace);
    cw_target_labels_set(labels, CW_STR("pod"), pod);
    cw_target_labels_set(labels, CW_STR("container"), container);
}

static void pod_put(struct pod_logs *logs, struct cw_str folder)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str path =
        cw_arena_printf(arena, "%.*s/%.*s", CW_STR_ARG(logs->config->path), CW_STR_ARG(folder));
    struct cw_found *found = NULL;
    struct dirent *entry;
    size_t n = 0, cap = 0;
    if (logs->watch != NULL)
        (void)cw_watch_dir(logs->watch, path.ptr);
    DIR *dir = opendir(path.ptr);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!is_folder(entry))
            continue;
        found = cw_arena_grow(arena, found, n, &cap, n + 1, sizeof *found);
        container_found(logs, folder, cw_arena_dup(arena, cw_str_of(entry->d_name)), arena,
                        &found[n++]);
    }
    if (dir != NULL)
        closedir(dir);
    cw_targets_put(logs->targets, folder, found, n);
    cw_arena_free(&arena);
}

static void folders_walk(struct pod_logs *logs)
{
    struct cw_str namespace, pod, uid;
    struct dirent *entry;
    DIR *dir = opendir(logs->config->path.ptr);
    if (dir == NULL && !logs->failing)
        cw_log_warn("pod_logs_configs: %s: %s", logs->config->path.ptr, strerror(errno));
    logs->failing = dir == NULL;
    if (dir != NULL) {
        if (logs->watch != NULL)
            (void)cw_watch_dir(logs->watch, logs->config->path.ptr);
        cw_targets_begin(logs->targets);
        while ((entry = readdir(dir)) != NULL)
            if (is_folder(entry) &&
                cw_pod_logs_folder(cw_str_of(entry->d_name), &namespace, &pod, &uid))
                pod_put(logs, cw_str_of(entry->d_name));
        closedir(dir);
        cw_targets_sweep(logs->targets);
    }
    logs->listed = true;
    if (cw_targets_changed(logs->targets))
        logs->host.on_targets(logs->host.arg);
    uv_timer_start(&logs->timer, on_timer,
                   (uint64_t)(logs->config->refresh_interval_ns / CW_NS_PER_MS), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct pod_logs *logs = CW_CONTAINER_OF(timer, struct pod_logs, timer);
    CW_CHECK(logs, POD_LOGS_MAGIC);
    folders_walk(logs);
}

/* ---- what inotify tells: only that names changed ---- */

static void on_renamed(void *arg, const char *from, const char *to)
{
    (void)arg;
    (void)from;
    (void)to;
}

static bool on_name(void *arg, const char *path)
{
    (void)arg;
    (void)path;
    return true;
}

static void on_file(void *arg, int number, bool written)
{
    (void)arg;
    (void)number;
    (void)written;
}

static void on_change(void *arg, bool names)
{
    struct pod_logs *logs = arg;
    if (names && uv_timer_get_due_in(&logs->timer) > SOON_MS)
        uv_timer_start(&logs->timer, on_timer, SOON_MS, 0);
}

/* ---- life ---- */

static void *pod_logs_new(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                          const void *config)
{
    struct pod_logs *logs = cw_mem_new(sizeof *logs);
    logs->magic = POD_LOGS_MAGIC;
    logs->host = *host;
    logs->scrape = scrape;
    logs->config = config;
    logs->targets = cw_targets_new(host->sources, scrape, CW_TARGETS_READ_OUT);
    uv_timer_init(host->loop, &logs->timer);
    return logs;
}

static void pod_logs_start(void *self)
{
    struct pod_logs *logs = self;
    struct cw_watch_events events = {on_renamed, on_name, on_file, on_change, logs};
    struct cw_err err;
    CW_CHECK(logs, POD_LOGS_MAGIC);
    if (cw_watch_open(logs->host.loop, &events, &logs->watch, &err) < 0)
        cw_log_debug("pod_logs_configs: %s", err.text);
    folders_walk(logs);
}

static bool pod_logs_listed(const void *self)
{
    return ((const struct pod_logs *)self)->listed;
}

static void on_closed(uv_handle_t *handle)
{
    struct pod_logs *logs = CW_CONTAINER_OF((uv_timer_t *)handle, struct pod_logs, timer);
    CW_CHECK(logs, POD_LOGS_MAGIC);
    cw_targets_free(&logs->targets);
    logs->magic = 0;
    free(logs);
}

static void pod_logs_close(void *self)
{
    struct pod_logs *logs = self;
    CW_CHECK(logs, POD_LOGS_MAGIC);
    cw_watch_close(&logs->watch);
    uv_close((uv_handle_t *)&logs->timer, on_closed);
}

const struct cw_discovery_def cw_pod_logs = {pod_logs_new, pod_logs_start, pod_logs_listed,
                                             pod_logs_close};
