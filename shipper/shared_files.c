#include "shipper/shared_files.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "shipper/discoveries.h"
#include "shipper/glob.h"
#include "shipper/unpack.h"

enum { HITS_MIN = 64 };

/* What one target of a static_config reads. */
struct reader {
    const struct cw_static_config *config;
    const struct cw_scrape_config *scrape;
    struct cw_str pattern, exclude_pattern; /* empty: nothing is left out */
    struct cw_glob *glob, *exclude;
};

/* A file that is there, and one of those that read it. */
struct hit {
    uint64_t dev, ino;
    size_t reader;
    const char *path;
};

/* Two that have files in common. */
struct shared {
    size_t first, second; /* readers */
    const char *path;     /* one of them */
    size_t nfiles;        /* that are there */
};

struct look {
    struct cw_arena *arena;
    struct reader *readers;
    struct hit *hits;
    struct shared *shared;
    size_t nreaders, nhits, nshared, hits_cap;
};

/* ---- who reads ---- */

static bool same_readers(const struct reader *a, const struct reader *b)
{
    return a->config == b->config && cw_str_eq(a->pattern, b->pattern) &&
           cw_str_eq(a->exclude_pattern, b->exclude_pattern);
}

static int reader_add(struct look *look, const struct cw_scrape_config *scrape,
                      const struct cw_static_config *config, const struct cw_target_labels *labels,
                      struct cw_err *err)
{
    struct cw_str exclude = cw_target_labels_get(labels, CW_STR("__path_exclude__"));
    struct reader reader = {.config = config,
                            .scrape = scrape,
                            .pattern = cw_target_labels_get(labels, CW_STR("__path__")),
                            .exclude_pattern = exclude};
    if (reader.pattern.len == 0)
        return 0;
    /* `targets` of one static_config read the same, mostly. */
    for (size_t i = 0; i < look->nreaders; i++)
        if (same_readers(&look->readers[i], &reader))
            return 0;
    int rc = cw_glob_compile(reader.pattern, &reader.glob, err);
    if (rc == 0 && exclude.len > 0)
        rc = cw_glob_compile(exclude, &reader.exclude, err);
    look->readers = cw_mem_resize(look->readers, (look->nreaders + 1) * sizeof reader);
    look->readers[look->nreaders++] = reader;
    return rc;
}

static int scrape_add(struct look *look, const struct cw_scrape_config *config, struct cw_err *err)
{
    struct cw_scrape_config rules = *config; /* the stages do not matter */
    struct cw_scrape scrape;
    rules.pipeline_stages.n = 0;
    int rc = cw_scrape_init(&scrape, &rules, NULL, NULL, err);
    const struct cw_static_config *statics = config->static_configs.items;
    for (size_t i = 0; rc == 0 && i < config->static_configs.n; i++) {
        size_t n;
        struct cw_found *found = cw_found_static(&statics[i], CW_STR_NONE, look->arena, &n);
        for (size_t k = 0; rc == 0 && k < n; k++) {
            struct cw_target_labels labels;
            rc = cw_found_relabel(&scrape, &found[k], -1, look->arena, &labels, err);
            if (rc > 0)
                rc = reader_add(look, config, &statics[i], &labels, err);
        }
    }
    cw_scrape_fini(&scrape);
    return rc;
}

/* ---- what they read ---- */

struct walk {
    struct look *look;
    size_t reader;
};

static bool may_read(const struct reader *reader, struct cw_str path)
{
    return reader->exclude == NULL || !cw_glob_match(reader->exclude, path);
}

static void on_file(void *arg, const char *path)
{
    const struct walk *walk = arg;
    struct look *look = walk->look;
    const struct reader *reader = &look->readers[walk->reader];
    struct stat st;
    if (!may_read(reader, cw_str_of(path)) || stat(path, &st) < 0 ||
        (!reader->scrape->decompression.enabled && cw_unpack_is_packed(path)))
        return;
    if (look->nhits == look->hits_cap) {
        look->hits_cap = CW_MAX(2 * look->hits_cap, HITS_MIN);
        look->hits = cw_mem_resize(look->hits, look->hits_cap * sizeof *look->hits);
    }
    look->hits[look->nhits++] = (struct hit){st.st_dev, st.st_ino, walk->reader,
                                             cw_arena_dup(look->arena, cw_str_of(path)).ptr};
}

static int hit_cmp(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return (x->reader > y->reader) - (x->reader < y->reader);
}

static struct shared *shared_of(struct look *look, size_t first, size_t second, const char *path)
{
    for (size_t i = 0; i < look->nshared; i++)
        if (look->shared[i].first == first && look->shared[i].second == second)
            return &look->shared[i];
    look->shared = cw_mem_resize(look->shared, (look->nshared + 1) * sizeof *look->shared);
    look->shared[look->nshared] = (struct shared){first, second, path, 0};
    return &look->shared[look->nshared++];
}

static bool same_config(const struct look *look, size_t a, size_t b)
{
    return look->readers[a].config == look->readers[b].config;
}

static void files_there(struct look *look)
{
    for (size_t i = 0; i < look->nreaders; i++) {
        struct walk walk = {look, i};
        struct cw_glob_visitor visitor = {.on_file = on_file, .arg = &walk};
        cw_glob_walk(look->readers[i].glob, &visitor);
    }
    if (look->nhits > 0)
        qsort(look->hits, look->nhits, sizeof *look->hits, hit_cmp);
    for (size_t i = 1, first = 0; i < look->nhits; i++) {
        const struct hit *has = &look->hits[first], *hit = &look->hits[i];
        if (has->dev != hit->dev || has->ino != hit->ino)
            first = i;
        else if (hit->reader != look->hits[i - 1].reader &&
                 !same_config(look, has->reader, hit->reader))
            shared_of(look, has->reader, hit->reader, has->path)->nfiles++;
    }
}

/* Whether all that `b` may read is `a`'s, as its text says. What an exclusion leaves of a pattern is not known before files are there. */
static bool covers(const struct reader *a, const struct reader *b)
{
    if (strpbrk(b->pattern.ptr, "*?[{\\") != NULL)
        return cw_str_eq(a->pattern, b->pattern) && a->exclude == NULL && b->exclude == NULL;
    return cw_glob_match(a->glob, b->pattern) && may_read(a, b->pattern) && may_read(b, b->pattern);
}

static void files_to_come(struct look *look)
{
    for (size_t i = 1; i < look->nreaders; i++)
        for (size_t k = 0; k < i; k++) {
            const struct reader *first = &look->readers[k], *second = &look->readers[i];
            if (same_config(look, k, i))
                continue;
            if (covers(first, second))
                (void)shared_of(look, k, i, second->pattern.ptr);
            else if (covers(second, first))
                (void)shared_of(look, k, i, first->pattern.ptr);
        }
}

/* ---- the sentence ---- */

static void shared_tell(const struct look *look, const struct shared *shared, const char *file,
                        struct cw_buf *out)
{
    const struct reader *first = &look->readers[shared->first];
    const struct reader *second = &look->readers[shared->second];
    cw_buf_addf(out, "%s:%zu: %s", file, second->scrape->line, shared->path);
    if (shared->nfiles > 1)
        cw_buf_addf(out, " and %zu more", shared->nfiles - 1);
    cw_buf_addf(
        out,
        ": in job \"%.*s\" (line %zu: %.*s) and in job \"%.*s\" (line %zu: %.*s): the first alone has it; if "
        "the other is to have it, the first one's __path_exclude__ must name it\n",
        CW_STR_ARG(first->scrape->job_name), first->scrape->line, CW_STR_ARG(first->pattern),
        CW_STR_ARG(second->scrape->job_name), second->scrape->line, CW_STR_ARG(second->pattern));
}

static void look_fini(struct look *look)
{
    for (size_t i = 0; i < look->nreaders; i++) {
        cw_glob_free(&look->readers[i].glob);
        cw_glob_free(&look->readers[i].exclude);
    }
    free(look->readers);
    free(look->hits);
    free(look->shared);
    cw_arena_free(&look->arena);
}

int cw_shared_files_tell(const struct cw_shipper_config *config, const char *file,
                         struct cw_buf *out, struct cw_err *err)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    struct look look = {.arena = cw_arena_new()};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < config->scrape_configs.n; i++)
        rc = scrape_add(&look, &scrapes[i], err);
    if (rc == 0) {
        files_there(&look);
        files_to_come(&look);
        for (size_t i = 0; i < look.nshared; i++)
            shared_tell(&look, &look.shared[i], file, out);
    }
    look_fini(&look);
    return rc;
}
