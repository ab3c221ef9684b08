#include "shipper/file_sd.h"
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/base/log.h"

enum { FILE_SD_MAGIC = 0x66736463, CHECK_MS = 2000 };

struct seen {
    char *path;
    struct timespec written;
    off_t size;
    ino_t ino;
    bool met; /* in this walk */
};

struct file_sd {
    uint32_t magic;
    struct cw_discovery_host host;
    const struct cw_file_sd_config *config;
    struct cw_targets *targets;
    uv_timer_t timer;
    struct cw_glob **globs;
    struct seen *files;
    size_t nfiles, files_cap;
    int64_t read_ns; /* monotonic; all, the last time */
    bool read_all;   /* in this walk */
    bool listed;
};

static void *file_sd_new(const struct cw_discovery_host *host, const struct cw_scrape *scrape,
                         const void *config)
{
    struct file_sd *sd = cw_mem_new(sizeof *sd);
    sd->magic = FILE_SD_MAGIC;
    sd->host = *host;
    sd->config = config;
    sd->targets = cw_targets_new(host->sources, scrape, CW_TARGETS_END_THERE);
    sd->globs = cw_mem_array(sd->config->files.n + 1, sizeof(struct cw_glob *));
    for (size_t i = 0; i < sd->config->files.n; i++) {
        struct cw_err err;
        if (cw_glob_compile(sd->config->files.items[i], &sd->globs[i], &err) < 0)
            cw_log_error("file_sd_configs: %s", err.text); /* the working folder is gone */
    }
    uv_timer_init(host->loop, &sd->timer);
    return sd;
}

static struct seen *seen_of(struct file_sd *sd, const char *path)
{
    for (size_t i = 0; i < sd->nfiles; i++)
        if (strcmp(sd->files[i].path, path) == 0)
            return &sd->files[i];
    if (sd->nfiles == sd->files_cap) {
        sd->files_cap = sd->files_cap ? 2 * sd->files_cap : 8;
        sd->files = cw_mem_resize(sd->files, sd->files_cap * sizeof *sd->files);
    }
    sd->files[sd->nfiles] = (struct seen){.path = cw_str_dupz(cw_str_of(path))};
    return &sd->files[sd->nfiles++];
}

/* Whether it is as it was; takes note of how it is. */
static bool unchanged(struct seen *seen)
{
    struct stat st;
    if (stat(seen->path, &st) < 0)
        return false; /* reading says why */
    bool same = seen->ino == st.st_ino && seen->size == st.st_size &&
                seen->written.tv_sec == st.st_mtim.tv_sec &&
                seen->written.tv_nsec == st.st_mtim.tv_nsec;
    seen->ino = st.st_ino;
    seen->size = st.st_size;
    seen->written = st.st_mtim;
    return same;
}

static int file_read(struct file_sd *sd, const char *path, struct cw_arena *arena,
                     struct cw_err *err)
{
    struct cw_config_tables configs;
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_CONFIG_BYTES);
    int rc = cw_file_read(path, CW_LIMIT_CONFIG_BYTES, &text, err);
    if (rc == 0)
        rc = cw_yaml_load_list(cw_buf_str(&text), path, &cw_static_config_table, arena, &configs,
                               err);
    cw_buf_fini(&text);
    if (rc < 0)
        return rc;
    const struct cw_static_config *config = configs.items;
    struct cw_found *all = NULL;
    size_t n = 0, cap = 0, nmore;
    for (size_t i = 0; i < configs.n; i++) {
        struct cw_found *more = cw_found_static(&config[i], cw_str_of(path), arena, &nmore);
        all = cw_arena_grow(arena, all, n, &cap, n + nmore, sizeof *all);
        memcpy(all + n, more, nmore * sizeof *all);
        n += nmore;
    }
    cw_targets_put(sd->targets, cw_str_of(path), all, n);
    return 0;
}

static void on_file(void *arg, const char *path)
{
    struct file_sd *sd = arg;
    struct seen *seen = seen_of(sd, path);
    bool same = unchanged(seen), known = cw_targets_keep(sd->targets, cw_str_of(path));
    if (seen->met || (same && !sd->read_all)) {
        seen->met = true;
        return;
    }
    seen->met = true;
    struct cw_err err = {0};
    struct cw_arena *arena = cw_arena_new();
    if (file_read(sd, path, arena, &err) < 0)
        cw_log_warn("file_sd_configs: %s%s", err.text, known ? "; what it said before stays" : "");
    cw_arena_free(&arena);
}

static void files_walk(struct file_sd *sd)
{
    struct cw_glob_visitor visitor = {.on_file = on_file, .arg = sd};
    int64_t now_ns = cw_clock_mono_ns();
    sd->read_all = !sd->listed || now_ns - sd->read_ns >= sd->config->refresh_interval_ns;
    if (sd->read_all)
        sd->read_ns = now_ns;
    for (size_t i = 0; i < sd->nfiles; i++)
        sd->files[i].met = false;
    cw_targets_begin(sd->targets);
    for (size_t i = 0; i < sd->config->files.n; i++)
        if (sd->globs[i] != NULL)
            cw_glob_walk(sd->globs[i], &visitor);
    cw_targets_sweep(sd->targets);
    size_t kept = 0;
    for (size_t i = 0; i < sd->nfiles; i++) {
        if (sd->files[i].met)
            sd->files[kept++] = sd->files[i];
        else
            free(sd->files[i].path);
    }
    sd->nfiles = kept;
    sd->listed = true;
    if (cw_targets_changed(sd->targets))
        sd->host.on_targets(sd->host.arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct file_sd *sd = CW_CONTAINER_OF(timer, struct file_sd, timer);
    CW_CHECK(sd, FILE_SD_MAGIC);
    files_walk(sd);
}

static void file_sd_start(void *self)
{
    struct file_sd *sd = self;
    CW_CHECK(sd, FILE_SD_MAGIC);
    uint64_t ms = CW_MIN(CHECK_MS, (uint64_t)(sd->config->refresh_interval_ns / CW_NS_PER_MS));
    files_walk(sd);
    uv_timer_start(&sd->timer, on_timer, ms, ms);
}

static bool file_sd_listed(const void *self)
{
    return ((const struct file_sd *)self)->listed;
}

static void on_closed(uv_handle_t *handle)
{
    struct file_sd *sd = CW_CONTAINER_OF((uv_timer_t *)handle, struct file_sd, timer);
    CW_CHECK(sd, FILE_SD_MAGIC);
    for (size_t i = 0; i < sd->config->files.n; i++)
        cw_glob_free(&sd->globs[i]);
    for (size_t i = 0; i < sd->nfiles; i++)
        free(sd->files[i].path);
    free(sd->globs);
    free(sd->files);
    cw_targets_free(&sd->targets);
    sd->magic = 0;
    free(sd);
}

static void file_sd_close(void *self)
{
    struct file_sd *sd = self;
    CW_CHECK(sd, FILE_SD_MAGIC);
    uv_close((uv_handle_t *)&sd->timer, on_closed);
}

const struct cw_discovery_def cw_file_sd = {file_sd_new, file_sd_start, file_sd_listed,
                                            file_sd_close};
